// Base64 (RFC 4648, section 4), for bytes in JSON that no JSON string can hold.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace jobd::cli {

std::string EncodeBase64(std::string_view bytes);
// Nothing when `text` is not the one padded encoding of some bytes.
std::optional<std::string> DecodeBase64(std::string_view text);

}  // namespace jobd::cli
