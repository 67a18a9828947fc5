// How much memory all streams of logs together may use.
#pragma once

#include <cstddef>

namespace jobd::server {

// How much of a log one message carries, so that all followers together stay within what the server may use for them, each of whom
// may be slow with the message in hand: 256 KiB while they are few, 16 KiB at the least.
size_t LogPageBytes(size_t streams);
// Whether each of so many may have a second message made while the first is being sent.
bool LogReadsAhead(size_t streams);

}  // namespace jobd::server
