#include "server/auth/password_queue.h"

#include <sys/resource.h>

#include <algorithm>
#include <utility>

#include "base/sha256.h"
#include "base/thread_name.h"

namespace jobd::server {
namespace {

// A hash takes tens of milliseconds of a processor. Who waits for a log or a status must not wait for those.
constexpr int kNice = 10;

base::Error Stopping() { return {base::Code::kUnavailable, "the service is stopping"}; }

std::string DigestOf(std::string_view text) {
  const base::Sha256Digest digest = base::Sha256Of(text);
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

}  // namespace

PasswordQueue::PasswordQueue(worker::SessionStore& store, const Options& options)
    : store_(store), options_(options), places_(options.waiting, "passwords are being checked") {}

PasswordQueue::~PasswordQueue() { Stop(); }

void PasswordQueue::Check(const std::string& client, std::string user, std::string hash, std::string password, Done done) {
  Job job{.place = std::make_unique<MemoryBudget::Share>(places_, client),
          .user = std::move(user),
          .hash = std::move(hash),
          .password = std::move(password),
          .done = std::move(done)};
  std::optional<base::Error> refusal;
  if (const base::Status place = job.place->Take(1); !place.ok()) {
    refusal = place.error();
  }
  if (!refusal) {
    const auto state = state_.Lock();
    if (state->stopping) {
      refusal = Stopping();
    } else {
      auto& own = state->waiting[client];
      if (own.empty()) state->turns.push_back(client);
      own.push_back(std::move(job));
      const size_t most = std::clamp<size_t>(std::thread::hardware_concurrency(), 1, options_.at_once);
      if (state->threads.size() < most) {
        state->threads.emplace_back([this] {
          base::NameThisThread("login");
          (void)setpriority(PRIO_PROCESS, 0, kNice);  // of this thread, in Linux
          Run();
        });
      }
    }
  }
  if (refusal) {
    auth::Wipe(job.password);
    return job.done(*std::move(refusal));
  }
  wake_.notify_one();
}

void PasswordQueue::Run() {
  for (;;) {
    Job job;
    {
      auto state = state_.Lock();
      state.Wait(wake_, [&] { return state->stopping || !state->turns.empty(); });
      if (state->stopping) return;
      const std::string client = std::move(state->turns.front());
      state->turns.pop_front();
      const auto own = state->waiting.find(client);
      job = std::move(own->second.front());
      own->second.pop_front();
      if (own->second.empty()) {
        state->waiting.erase(own);
      } else {
        state->turns.push_back(client);
      }
    }
    const base::Result<bool> right = Verify(job);
    // Answered before it is made again: that takes as long once more, and is nothing to wait for.
    job.done(right);
    if (right.ok() && *right) MakeAgain(job);
    auth::Wipe(job.password);
  }
}

base::Result<const auth::PasswordHasher*> PasswordQueue::Hasher() {
  const auto hasher = hasher_.Lock();
  if (!*hasher) {
    JOBD_ASSIGN_OR_RETURN(*hasher,
                          auth::PasswordHasher::Create({.cost = options_.cost, .at_once = options_.at_once, .waiting = 0}));
  }
  return hasher->get();
}

base::Result<bool> PasswordQueue::Verify(const Job& job) {
  JOBD_ASSIGN_OR_RETURN(const auth::PasswordHasher* const hasher, Hasher());
  if (job.hash.empty()) return hasher->Verify(std::nullopt, job.password);
  return hasher->Verify(HashInForce(job), job.password);
}

std::string PasswordQueue::HashInForce(const Job& job) {
  const auto rehashed = rehashed_.Lock();
  if (!rehashed->read) {
    auto stored = store_.Rehashed();
    if (stored.ok()) {
      rehashed->read = true;
      for (worker::RehashedPassword& one : *stored) {
        std::string user = one.user;
        rehashed->by_user.insert_or_assign(std::move(user), std::move(one));
      }
    }
  }
  const auto found = rehashed->by_user.find(job.user);
  const bool in_force = found != rehashed->by_user.end() && found->second.replaces == DigestOf(job.hash);
  return in_force ? found->second.hash : job.hash;
}

void PasswordQueue::MakeAgain(const Job& job) {
  const auto hasher = Hasher();
  if (!hasher.ok() || !(*hasher)->NeedsRehash(HashInForce(job))) return;
  auto hash = (*hasher)->Hash(job.password);
  if (!hash.ok()) return;  // the next login will do
  worker::RehashedPassword password{.user = job.user, .replaces = DigestOf(job.hash), .hash = *std::move(hash)};
  rehashed_.Lock()->by_user.insert_or_assign(job.user, password);
  store_.Put(std::move(password), {});
}

void PasswordQueue::Stop() {
  std::map<std::string, std::deque<Job>> waiting;
  std::vector<std::thread> threads;
  {
    const auto state = state_.Lock();
    state->stopping = true;
    state->turns.clear();
    waiting.swap(state->waiting);
    threads.swap(state->threads);
  }
  wake_.notify_all();
  for (auto& [client, jobs] : waiting) {
    for (Job& job : jobs) {
      auth::Wipe(job.password);
      job.done(Stopping());
    }
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace jobd::server
