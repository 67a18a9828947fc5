#include "audit/anchors.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "audit/file_tail.h"
#include "audit/line_text.h"
#include "base/files.h"
#include "base/text.h"

namespace jobd::audit {

namespace {

// A line for each second of thirty years.
constexpr size_t kMaxFile = size_t{128} << 30;

std::string LineOf(const Anchor& anchor) {
  return "v1 " + std::to_string(anchor.head.seq) + " " + base::Hex(anchor.head.hash) + " " + TimeText(anchor.time);
}

bool ParseLine(std::string_view line, Anchor& anchor) {
  LineScanner scanner(line);
  if (!scanner.Skip("v1 ") || !scanner.Number(anchor.head.seq)) return false;
  const std::string before = "v1 " + std::to_string(anchor.head.seq) + " ";
  const std::string_view rest = line.substr(before.size());
  return rest.size() > 65 && rest[64] == ' ' && ParseDigest(rest.substr(0, 64), anchor.head.hash) &&
         ParseTimeText(rest.substr(65), anchor.time);
}

base::Error Damaged(const std::string& place) {
  return {base::Code::kDataLoss, place + ": is not an anchor that follows from the one before: somebody altered the file"};
}

}  // namespace

base::Result<std::vector<Anchor>> ReadAnchors(int dir, const std::string& name) {
  JOBD_ASSIGN_OR_RETURN(const std::string text, base::ReadFile(dir, name, kMaxFile));
  std::vector<Anchor> anchors;
  std::string_view rest = text;
  for (size_t number = 1;; ++number) {
    const size_t end = rest.find('\n');
    if (end == std::string_view::npos) return anchors;
    Anchor anchor;
    const bool follows = ParseLine(rest.substr(0, end), anchor) && (anchors.empty() || anchor.head.seq > anchors.back().head.seq);
    if (!follows) return Damaged(name + ":" + std::to_string(number));
    anchors.push_back(anchor);
    rest.remove_prefix(end + 1);
  }
}

base::Result<AnchorFile> AnchorFile::Open(int dir, const std::string& name) {
  JOBD_ASSIGN_OR_RETURN(base::Fd file, base::OpenAt(dir, name, O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0600));
  struct stat about {};
  if (::fstat(file.get(), &about) != 0) return base::SysError("looking at " + name, errno);
  if (!S_ISREG(about.st_mode) || about.st_uid != ::geteuid() || (about.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return base::Error(base::Code::kPermissionDenied, name + ": must be a file that its owner alone, who is jobd's, can write to");
  }
  JOBD_ASSIGN_OR_RETURN(const FileTail tail, ReadFileTail(file.get(), name));
  Anchor last;
  if (tail.whole_bytes > 0 && !ParseLine(tail.last_line, last)) return Damaged(name + ", its last line");
  if (!tail.torn.empty() && ::ftruncate(file.get(), static_cast<off_t>(tail.whole_bytes)) != 0) {
    return base::SysError("cutting a torn line off " + name, errno);
  }
  // A new file must not vanish with the next loss of power, and with it all that was anchored.
  if (::fsync(file.get()) != 0) return base::SysError("syncing " + name, errno);
  if (::fsync(dir) != 0) return base::SysError("syncing the folder of " + name, errno);
  return AnchorFile(std::move(file), tail.whole_bytes, last.head);
}

base::Status AnchorFile::Append(const Anchor& anchor) {
  if (anchor.head == last_) return base::Ok();
  if (anchor.head.seq <= last_.seq) {
    return base::Error(base::Code::kFailedPrecondition, "record " + std::to_string(last_.seq) + " is anchored already, and " +
                                                            std::to_string(anchor.head.seq) + " does not come after it");
  }
  // Also removes what an earlier attempt left that could not be removed then.
  if (::ftruncate(file_.get(), static_cast<off_t>(size_)) != 0)
    return base::SysError("cutting the anchors to what is whole", errno);
  const std::string line = LineOf(anchor) + "\n";
  auto status = base::WriteAll(file_.get(), line);
  if (status.ok() && ::fdatasync(file_.get()) != 0) status = base::SysError("syncing", errno);
  if (!status.ok()) {
    if (::ftruncate(file_.get(), static_cast<off_t>(size_)) != 0) return base::SysError("cutting off a torn anchor", errno);
    return std::move(status).error().WithContext("the anchors");
  }
  size_ += line.size();
  last_ = anchor.head;
  return base::Ok();
}

}  // namespace jobd::audit
