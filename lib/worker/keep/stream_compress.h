// Turns the plain files of a job's streams into compressed ones, and back. The stream is there and whole whenever this is cut
// short: the new file comes by a rename, after its bytes are on the disk, and only then the old one goes. Where there are both, the
// plain one counts. The caller sees to it that no attempt of the job runs.
#pragma once

#include <cstdint>
#include <functional>

#include "base/result.h"

namespace jobd::worker {

// Streams below this stay as they are: a file takes a block of the disk anyway.
inline constexpr uint64_t kMinCompressedBytes = 4096;

// Called between frames. True: what was begun is given up, with kCancelled.
using StopAsked = std::function<bool()>;

struct Compressed {
  uint64_t bytes = 0;  // of plain files that were read
  bool any = false;    // the job has a compressed file, from now or from before
};

// Both streams of a job. What is small, would not get smaller, is longer than the format takes, or is larger than `room` (what may
// be taken of the disk meanwhile) stays plain.
base::Result<Compressed> CompressJob(int folder, uint32_t index, uint64_t room, const StopAsked& stop);

// Whether there is anything for ExpandJob to do.
bool HasCompressed(int folder, uint32_t index);

// Makes both streams plain again, so that an attempt can append to them. kDataLoss, naming the job: what is there cannot be read;
// it is left alone.
base::Status ExpandJob(int folder, uint32_t index, const StopAsked& stop);

}  // namespace jobd::worker
