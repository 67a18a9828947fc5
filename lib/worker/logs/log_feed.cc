#include "worker/logs/log_feed.h"

#include <charconv>
#include <limits>

#include "launch/contract/log_index.h"

namespace jobd::worker {
namespace {

// A record may take so long from its time stamp into the file.
constexpr base::Nanos kSettle = 100 * base::kNanosPerMilli;

// The job whose index has this name; 0 for other files.
uint32_t IndexOfName(std::string_view name) {
  uint32_t index = 0;
  const auto parsed = std::from_chars(name.data(), name.data() + name.size(), index);
  const bool whole = parsed.ec == std::errc() && launch::IndexName(index) == name;
  return whole ? index : 0;
}

}  // namespace

LogFeed::LogFeed(ChangeBus& changes, FileWatcher& watcher, const base::Clock& clock, uint64_t batch, bool follow)
    : watcher_(watcher),
      clock_(clock),
      follow_(follow),
      states_(follow ? changes.Subscribe(batch, waker_) : std::make_shared<Subscription>(waker_)),
      bytes_(std::make_shared<Subscription>(waker_)) {}

LogFeed::~LogFeed() { waker_->Disarm(); }

base::Status LogFeed::WatchFolder(int folder) {
  if (!follow_ || folder_watch_) return base::Ok();
  JOBD_ASSIGN_OR_RETURN(folder_watch_, watcher_.WatchFolder(folder, [bytes = bytes_](std::string_view name) {
    if (name.empty()) {
      bytes->Add(0);
    } else if (const uint32_t index = IndexOfName(name); index != 0) {
      bytes->Add(index);
    }
  }));
  return base::Ok();
}

base::Result<std::unique_ptr<FileWatch>> LogFeed::WatchIndex(int folder, uint32_t index) {
  auto watch =
      watcher_.WatchFile(folder, launch::IndexName(index), [bytes = bytes_, index](std::string_view) { bytes->Add(index); });
  if (!watch.ok() && watch.error().code() == base::Code::kNotFound) return std::unique_ptr<FileWatch>();
  return watch;
}

bool LogFeed::HasPassed(base::Nanos time) {
  const base::Nanos now = clock_.Realtime();
  // Subtracted on the side that cannot overflow: `time` may be any number.
  if (now - kSettle > time) return true;
  const base::Nanos left = now > time ? kSettle : time - now + kSettle;
  timer_ = watcher_.WakeAfter(left, [waker = waker_] { waker->Notify(); });
  return false;
}

LogFeed::Changed LogFeed::Take() {
  Changed changed{.states = states_->Take(std::numeric_limits<size_t>::max()),
                  .bytes = bytes_->Take(std::numeric_limits<size_t>::max())};
  batch_changed_ = states_->TakeBatch();
  return changed;
}

}  // namespace jobd::worker
