#include "worker/watch/file_events.h"

#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <list>
#include <unordered_map>

#include "base/fd.h"
#include "base/guarded.h"

namespace jobd::worker {
namespace {

class Inotify final : public FileEvents {
 public:
  explicit Inotify(base::Fd inotify) : inotify_(std::move(inotify)) {}

  int fd() const override { return inotify_.get(); }

  void Dispatch() override {
    alignas(inotify_event) std::array<char, 64 * 1024> buffer;
    const ssize_t size = ::read(inotify_.get(), buffer.data(), buffer.size());
    if (size > 0) Deliver(buffer.data(), static_cast<size_t>(size));
  }

  base::Result<std::unique_ptr<FileWatch>> WatchFile(int dir, const std::string& name, Callback changed) override {
    return Add("/proc/self/fd/" + std::to_string(dir) + "/" + name, IN_MODIFY | IN_DONT_FOLLOW, std::move(changed));
  }

  base::Result<std::unique_ptr<FileWatch>> WatchFolder(int dir, Callback created) override {
    return Add("/proc/self/fd/" + std::to_string(dir) + "/.", IN_CREATE | IN_MOVED_TO | IN_ONLYDIR, std::move(created));
  }

 private:
  using Callbacks = std::list<std::shared_ptr<const Callback>>;

  class Registered final : public FileWatch {
   public:
    Registered(Inotify& events, int descriptor, Callbacks::iterator place)
        : events_(events), descriptor_(descriptor), place_(place) {}
    ~Registered() override { events_.Remove(descriptor_, place_); }

   private:
    Inotify& events_;
    const int descriptor_;
    const Callbacks::iterator place_;
  };

  // Watches of one inode share a descriptor: inotify gives the same one for each of them.
  base::Result<std::unique_ptr<FileWatch>> Add(const std::string& path, uint32_t mask, Callback callback) {
    const auto callbacks = callbacks_.Lock();
    const int descriptor = ::inotify_add_watch(inotify_.get(), path.c_str(), mask);
    if (descriptor < 0) return base::SysError("watching a file", errno);
    auto& list = (*callbacks)[descriptor];
    list.push_back(std::make_shared<const Callback>(std::move(callback)));
    return std::unique_ptr<FileWatch>(std::make_unique<Registered>(*this, descriptor, std::prev(list.end())));
  }

  void Remove(int descriptor, Callbacks::iterator place) {
    const auto callbacks = callbacks_.Lock();
    auto& list = (*callbacks)[descriptor];
    list.erase(place);
    if (!list.empty()) return;
    callbacks->erase(descriptor);
    ::inotify_rm_watch(inotify_.get(), descriptor);
  }

  void Deliver(const char* events, size_t size) {
    for (size_t at = 0; at < size;) {
      const auto* const event = reinterpret_cast<const inotify_event*>(events + at);
      at += sizeof(inotify_event) + event->len;
      const std::string_view name = event->len == 0 ? std::string_view() : std::string_view(event->name);
      for (const auto& callback : Concerned(*event)) (*callback)(name);
    }
  }

  // A copy, so that no lock is held while callbacks run: they may come back to add watches.
  Callbacks Concerned(const inotify_event& event) {
    const auto callbacks = callbacks_.Lock();
    if ((event.mask & IN_Q_OVERFLOW) == 0) {
      const auto found = callbacks->find(event.wd);
      return found == callbacks->end() ? Callbacks() : found->second;
    }
    // Nobody knows what was missed, so all look.
    Callbacks all;
    for (const auto& [descriptor, list] : *callbacks) all.insert(all.end(), list.begin(), list.end());
    return all;
  }

  const base::Fd inotify_;
  base::Guarded<std::unordered_map<int, Callbacks>> callbacks_;  // by watch descriptor
};

}  // namespace

base::Result<std::unique_ptr<FileEvents>> FileEvents::Create() {
  base::Fd inotify(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  if (!inotify) return base::SysError("making an inotify instance", errno);
  return std::unique_ptr<FileEvents>(std::make_unique<Inotify>(std::move(inotify)));
}

}  // namespace jobd::worker
