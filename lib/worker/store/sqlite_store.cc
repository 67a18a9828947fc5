#include "worker/store/sqlite_store.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>

#include "base/errno_text.h"
#include "base/thread_name.h"
#include "worker/model/observer.h"
#include "worker/store/schema.h"
#include "worker/store/sqlite_reader.h"
#include "worker/store/sqlite_writer.h"

namespace jobd::worker {
namespace {

// How much one commit takes on: enough that its fsync is shared widely, little enough that the first of them is not kept waiting.
constexpr size_t kMaxRowsPerCommit = 20'000;
// Up to here the caller's thread commits: waking another and being woken again would cost more than these rows do.
constexpr size_t kFewRows = 16;
// And only as long as the disk is quick: on a slow one the caller has better things to do than to wait.
constexpr base::Nanos kQuick = base::kNanosPerMilli;
constexpr size_t kMaxIdleReaders = 8;

struct Submission {
  NewBatch batch;
  std::function<void(base::Result<Stored>)> done;
};
using Operation = std::variant<Submission, Write>;
using Group = std::vector<Operation>;

// Single rows of jobs, and not many: nothing that is as long as somebody's batch.
bool AreFew(const std::vector<Write>& writes) {
  size_t rows = 0;
  for (const Write& write : writes) {
    for (const Change& change : write.changes) {
      if (!std::holds_alternative<PutJob>(change) && !std::holds_alternative<AddStart>(change)) return false;
    }
    rows += write.changes.size();
  }
  return rows <= kFewRows;
}

size_t Rows(const Operation& operation) {
  if (const auto* submission = std::get_if<Submission>(&operation)) return submission->batch.specs.size() + 1;
  return std::get<Write>(operation).changes.size();
}

bool IsFsyncFailure(int extended) {
  return extended == SQLITE_IOERR_FSYNC || extended == SQLITE_IOERR_DIR_FSYNC || extended == SQLITE_IOERR_TRUNCATE;
}

class SqliteStore final : public Store {
 public:
  SqliteStore(std::string path, std::unique_ptr<Database> database, const base::Clock& clock, Observer* observer)
      : path_(std::move(path)), clock_(clock), observer_(observer), home_(std::move(database)) {}

  base::Status Start() {
    JOBD_ASSIGN_OR_RETURN(writer_, SqliteWriter::Create(*home_, clock_));
    thread_ = std::thread([this] { Run(); });
    return base::Ok();
  }

  ~SqliteStore() override {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_one();
    if (thread_.joinable()) thread_.join();
  }

  void Submit(NewBatch batch, std::function<void(base::Result<Stored>)> done) override {
    {
      const std::lock_guard lock(mutex_);
      waiting_.emplace_back(Submission{std::move(batch), std::move(done)});
    }
    wake_.notify_one();
  }

  void Apply(std::vector<Write> writes) override {
    {
      const std::lock_guard lock(mutex_);
      for (Write& write : writes) waiting_.emplace_back(std::move(write));
    }
    wake_.notify_one();
  }

  void ApplyHere(std::vector<Write> writes) override {
    bool here = last_took_.load() <= kQuick && AreFew(writes);
    if (here) {
      const std::lock_guard lock(mutex_);
      here = !committing_ && waiting_.empty();
      if (here) committing_ = true;
    }
    if (!here) return Apply(std::move(writes));
    Group group(std::make_move_iterator(writes.begin()), std::make_move_iterator(writes.end()));
    CommitGroup(group);
    bool more = false;
    {
      const std::lock_guard lock(mutex_);
      committing_ = false;
      more = stopping_ || !waiting_.empty();
    }
    if (more) wake_.notify_one();
  }

  bool writable() const override { return writable_.load(); }

  base::Result<Lease> Read() override {
    const auto give_back = [this](StoreReader* reader) {
      std::unique_ptr<StoreReader> owned(reader);
      const std::lock_guard lock(readers_mutex_);
      if (readers_.size() < kMaxIdleReaders) readers_.push_back(std::move(owned));
    };
    {
      const std::lock_guard lock(readers_mutex_);
      if (!readers_.empty()) {
        StoreReader* const reader = readers_.back().release();
        readers_.pop_back();
        return Lease(reader, give_back);
      }
    }
    JOBD_ASSIGN_OR_RETURN(auto reader, OpenSqliteReader(path_));
    return Lease(reader.release(), give_back);
  }

 private:
  void Run() {
    base::NameThisThread("store");
    for (;;) {
      Group group;
      {
        std::unique_lock lock(mutex_);
        wake_.wait(lock, [this] { return !committing_ && (stopping_ || !waiting_.empty()); });
        if (waiting_.empty()) return;
        committing_ = true;
        for (size_t rows = 0; !waiting_.empty() && rows < kMaxRowsPerCommit;) {
          rows += Rows(waiting_.front());
          group.push_back(std::move(waiting_.front()));
          waiting_.pop_front();
        }
      }
      CommitGroup(group);
      const std::lock_guard lock(mutex_);
      committing_ = false;
    }
  }

  void CommitGroup(Group& group) {
    std::vector<base::Result<Stored>> results;
    const base::Nanos began = clock_.Monotonic();
    const base::Status status = writable() ? Transact(group, results) : base::Status(ReadOnly());
    if (!status.ok() && group.size() > 1 && status.error().code() == base::Code::kInternal) {
      // Not the disk: something is wrong with one of them, for which the others must not pay.
      for (Operation& operation : group) {
        Group alone;
        alone.push_back(std::move(operation));
        CommitGroup(alone);
      }
      return;
    }
    const bool wrote = std::any_of(group.begin(), group.end(), [](const Operation& one) { return Rows(one) > 0; });
    if (wrote) {
      const base::Nanos took = clock_.Monotonic() - began;
      last_took_.store(took);
      if (observer_ != nullptr) observer_->OnCommit(took, status.ok());
    }
    for (size_t i = 0; i < group.size(); ++i) {
      if (auto* submission = std::get_if<Submission>(&group[i])) {
        submission->done(status.ok() ? std::move(results[i]) : base::Result<Stored>(status.error()));
      } else if (auto& write = std::get<Write>(group[i]); write.done) {
        write.done(status);
      }
    }
  }

  // All of the group in one transaction. `results` has an entry per operation, of which those of submissions count.
  base::Status Transact(const Group& group, std::vector<base::Result<Stored>>& results) {
    auto status = TryTransact(group, results);
    if (!status.ok()) {
      if (IsFsyncFailure(home_->extended_error())) writable_.store(false);
      writer_->Rollback();
      return Plain(status.error());
    }
    return status;
  }

  base::Status TryTransact(const Group& group, std::vector<base::Result<Stored>>& results) {
    JOBD_RETURN_IF_ERROR(writer_->Begin());
    for (const Operation& operation : group) {
      if (const auto* submission = std::get_if<Submission>(&operation)) {
        auto stored = writer_->Insert(submission->batch);
        const bool answer = stored.ok() || stored.error().code() == base::Code::kAlreadyExists ||
                            (submission->batch.refusal && stored.error().message() == submission->batch.refusal->message());
        if (!answer) return std::move(stored).error();
        results.push_back(std::move(stored));
      } else {
        for (const Change& change : std::get<Write>(operation).changes) JOBD_RETURN_IF_ERROR(writer_->Apply(change));
        results.emplace_back(Stored{});
      }
    }
    return writer_->Commit();
  }

  // What SQLite says is for whoever debugs it; what callers may pass on is what it means to them. Of a disk's failure that is all
  // there is to say, so it carries no errno, which would make it internal and its text a secret.
  static base::Error Plain(const base::Error& error) {
    const bool descriptors = error.sys_errno() == EMFILE || error.sys_errno() == ENFILE;
    if (error.code() == base::Code::kResourceExhausted && !descriptors) return base::Error(error.code(), "the state disk is full");
    if (error.code() != base::Code::kUnavailable)
      return base::Error(error.code(), "the database failed").WithErrno(error.sys_errno());
    const std::string why = error.sys_errno() == 0 ? "" : ": " + base::ErrnoText(error.sys_errno());
    return base::Error(error.code(), "the state disk failed" + why);
  }

  static base::Error ReadOnly() {
    return base::Error(base::Code::kUnavailable, "the state disk failed; the service is read-only until it is restarted");
  }

  const std::string path_;
  const base::Clock& clock_;
  Observer* const observer_;
  std::unique_ptr<Database> home_;
  std::unique_ptr<SqliteWriter> writer_;
  std::atomic<bool> writable_{true};
  std::atomic<base::Nanos> last_took_{0};  // the last commit

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Operation> waiting_;  // guarded by mutex_
  bool committing_ = false;        // guarded by mutex_: somebody has the writer
  bool stopping_ = false;          // guarded by mutex_

  std::mutex readers_mutex_;
  std::vector<std::unique_ptr<StoreReader>> readers_;  // guarded by readers_mutex_
  std::thread thread_;
};

}  // namespace

base::Result<std::unique_ptr<Store>> OpenSqliteStore(int state_dir, const base::Clock& clock, Observer* observer) {
  // Through the descriptor: this process may not be able to walk to the directory by its path.
  const std::string path = "/proc/self/fd/" + std::to_string(state_dir) + "/" + kDatabaseName;
  JOBD_ASSIGN_OR_RETURN(Database opened, Database::Open(path, true));
  auto database = std::make_unique<Database>(std::move(opened));
  JOBD_RETURN_IF_ERROR(PrepareDatabase(*database));
  auto store = std::make_unique<SqliteStore>(path, std::move(database), clock, observer);
  JOBD_RETURN_IF_ERROR(store->Start());
  return std::unique_ptr<Store>(std::move(store));
}

}  // namespace jobd::worker
