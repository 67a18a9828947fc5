// The file of anchors: heads of the chain, copied where only root can write, so that whoever takes over the server cannot make the
// log anew from before them. FORMAT.md specifies the bytes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "audit/record.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/result.h"

namespace jobd::audit {

struct Anchor {
  Head head;
  base::Nanos time = 0;  // when it was anchored
  bool operator==(const Anchor&) const = default;
};

// The whole file, in the order of their numbers. kDataLoss, "NAME:LINE: …", for a line that is no anchor or does not come after the
// one before; a last line without line feed is left out. kNotFound when there is no such file.
base::Result<std::vector<Anchor>> ReadAnchors(int dir, const std::string& name);

// Appends to it. Not thread-safe.
class AnchorFile {
 public:
  // Opens or makes (0600) dir/name. kPermissionDenied when it is not a plain file of this process's account that nobody else can
  // write to; kDataLoss when its last line is no anchor. A last line without line feed is cut off.
  static base::Result<AnchorFile> Open(int dir, const std::string& name);

  // On disk when it returns OK. The last head again is nothing to do. kFailedPrecondition for an earlier one, or another of the
  // same number: a server that asks for it has lost its log, or would like it to be forgotten. After an error nothing of it is in
  // the file.
  base::Status Append(const Anchor& anchor);

  const Head& last() const { return last_; }

 private:
  AnchorFile(base::Fd file, uint64_t size, const Head& last) : file_(std::move(file)), size_(size), last_(last) {}

  base::Fd file_;
  uint64_t size_ = 0;  // that is known to be whole
  Head last_;
};

}  // namespace jobd::audit
