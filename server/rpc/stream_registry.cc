#include "server/rpc/stream_registry.h"

#include <chrono>

#include "base/thread_name.h"

namespace jobd::server {
namespace {

constexpr auto kInterval = std::chrono::seconds(2);

}  // namespace

StreamRegistry::StreamRegistry()
    : thread_([this] {
        base::NameThisThread("streams");
        Run();
      }) {}

StreamRegistry::~StreamRegistry() {
  live_.Lock()->stop = true;
  changed_.notify_all();
  thread_.join();
}

StreamRegistry::Registration StreamRegistry::Add(const std::shared_ptr<LiveCall>& call) {
  uint64_t id = 0;
  bool wake = false;
  std::optional<base::Error> ended;
  {
    const auto live = live_.Lock();
    id = live->next_id++;
    live->calls.emplace(id, call);
    wake = std::exchange(live->idle, false);
    ended = live->ended;
  }
  if (wake) changed_.notify_all();
  if (ended) call->End(*ended);
  return {this, id};
}

void StreamRegistry::Remove(uint64_t id) { live_.Lock()->calls.erase(id); }

size_t StreamRegistry::size() const { return live_.Lock()->calls.size(); }

std::vector<std::shared_ptr<LiveCall>> StreamRegistry::Snapshot() const {
  std::vector<std::shared_ptr<LiveCall>> calls;
  const auto live = live_.Lock();
  calls.reserve(live->calls.size());
  for (const auto& [id, weak] : live->calls) {
    if (auto call = weak.lock()) calls.push_back(std::move(call));
  }
  return calls;
}

void StreamRegistry::EndAll(const base::Error& error) {
  live_.Lock()->ended = error;
  for (const auto& call : Snapshot()) call->End(error);
}

void StreamRegistry::RecheckAll() {
  for (const auto& call : Snapshot()) call->Recheck();
}

void StreamRegistry::Run() {
  for (;;) {
    {
      auto live = live_.Lock();
      live.Wait(changed_, [&] {
        // Anew each time it is asked: a call that woke this thread may be gone before the thread looks.
        live->idle = live->calls.empty();
        return live->stop || !live->idle;
      });
      if (live.WaitFor(changed_, kInterval, [&] { return live->stop; })) return;
    }
    for (const auto& call : Snapshot()) {
      call->Abort();
      call->Recheck();
    }
  }
}

}  // namespace jobd::server
