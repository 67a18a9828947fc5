// The small text files by which the kernel's control groups are steered.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/fd.h"
#include "base/result.h"

namespace jobd::sandbox {

// Writes `text` to dir/file in one write(2). Errors read "writing FILE: …".
base::Status WriteControl(int dir, const std::string& file, std::string_view text);

// The content, at most 64 KiB.
base::Result<std::string> ReadControl(int dir, const std::string& file);

// The number behind `key` in lines of "key value": 7 for "oom_kill" in "low 0\noom_kill 7\n".
std::optional<uint64_t> KeyedNumber(std::string_view content, std::string_view key);

// The number that is the whole content; absent for "max" and for anything else.
std::optional<uint64_t> PlainNumber(std::string_view content);

// mkdir and open of dir/name. With must_be_new an existing one is kAlreadyExists.
base::Result<base::Fd> MakeGroupDir(int dir, const std::string& name, bool must_be_new);
base::Result<base::Fd> OpenGroupDir(int dir, const std::string& name);

}  // namespace jobd::sandbox
