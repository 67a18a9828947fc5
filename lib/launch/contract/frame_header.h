// The eight bytes before every frame: version u16, type u16, length of what follows u32. Private to the codecs of this folder.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "base/result.h"

namespace jobd::launch {

inline constexpr size_t kHeaderSize = 8;
// An empty frame whose Launch frame is in the memfd beside it.
inline constexpr uint16_t kLaunchInMemfdType = 64;

// Fills in the header of a frame whose first kHeaderSize bytes were left for it.
void StoreHeader(std::string& frame, uint16_t type);
// The type. kInvalidArgument when the bytes are not one whole frame of our version.
base::Result<uint16_t> LoadHeader(std::span<const std::byte> bytes);

}  // namespace jobd::launch
