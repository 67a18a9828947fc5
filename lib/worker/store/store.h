// The seam to where state lives. Writes are values, grouped into commits on a thread of the store's; reads are done by the caller.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "worker/store/changes.h"
#include "worker/store/readers.h"

namespace jobd::worker {

// What a store has to offer to its readers, in one object. Consumers take one of its parts.
class StoreReader : public LiveReader, public CatalogueReader, public LogReader, public RetentionReader, public AccountReader {
 public:
  // Common to several of the parts.
  base::Result<uint64_t> Find(const BatchName& name, bool prefix) override = 0;
  base::Result<BatchView> Batch(uint64_t batch) override = 0;
  base::Result<std::optional<JobRow>> Row(uint64_t batch, uint32_t index) override = 0;
  base::Result<std::vector<IndexedRow>> Rows(uint64_t batch, uint32_t after, uint32_t limit) override = 0;
  base::Result<std::vector<LiveRow>> Live(uint64_t batch) override = 0;
  base::Result<int64_t> LastStart(uint64_t batch) override = 0;
};

// Thread-safe. Completions come on the store's thread, in the order of the calls, after the commit; they must not block, nor call
// the store. A commit that fails fails every write in it, and nothing of it is on disk.
class Store {
 public:
  virtual ~Store() = default;
  virtual void Submit(NewBatch batch, std::function<void(base::Result<Stored>)> done) = 0;
  virtual void Apply(std::vector<Write> writes) = 0;
  // Apply for whoever has a thread to spare, which costs less than to wake the store's: for a few rows of jobs, while the disk is
  // quick and nobody else's commit is under way or waiting. What is returned is to be called, on any thread; it commits them and
  // waits for the disk, and the completions have come when it returns. All that is applied or submitted from now on comes behind.
  // Destroyed without a call, it leaves them to the store's thread. It must not outlive the store. Empty: they were left to the
  // store's thread at once.
  virtual std::function<void()> BeginApply(std::vector<Write> writes) {
    Apply(std::move(writes));
    return {};
  }

  // Why nothing can be written, if so. Reading goes on.
  struct Problem {
    enum class Kind {
      kFailed,    // the disk failed to make a commit durable: what it then holds is unknown, so nothing is written until a restart
      kReplaced,  // the database's files are not those that were opened any more; as kFailed
      kHangs,     // a commit has been under way for kHangsAfter: what waits is committed when the disk comes back
    };
    Kind kind = Kind::kFailed;
    base::Error error;  // kUnavailable; may be told to clients
  };
  virtual std::optional<Problem> FindProblem() const = 0;
  // No disk that works takes as long for a commit.
  static constexpr base::Nanos kHangsAfter = 2 * base::kNanosPerSecond;

  // A reader, given back when the lease ends.
  template <typename Reader>
  using LeaseOf = std::unique_ptr<Reader, std::function<void(Reader*)>>;
  using Lease = LeaseOf<StoreReader>;
  virtual base::Result<Lease> Read() = 0;
  // The part of it that is meant for this use: Read<LogReader>().
  template <typename Reader>
  base::Result<LeaseOf<Reader>> Read() {
    JOBD_ASSIGN_OR_RETURN(Lease whole, Read());
    auto give_back = std::move(whole.get_deleter());
    StoreReader* const reader = whole.release();
    return LeaseOf<Reader>(reader, [reader, give_back = std::move(give_back)](Reader*) { give_back(reader); });
  }
};

}  // namespace jobd::worker
