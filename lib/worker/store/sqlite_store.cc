#include "worker/store/sqlite_store.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <deque>
#include <thread>
#include <utility>

#include "base/errno_text.h"
#include "base/guarded.h"
#include "base/thread_name.h"
#include "worker/model/observer.h"
#include "worker/store/database_files.h"
#include "worker/store/schema.h"
#include "worker/store/sqlite_writer.h"

namespace jobd::worker {
namespace {

// The most rows of one commit: enough for its fsync to be shared widely, few enough for the first of them not to wait long.
constexpr size_t kMaxRowsPerCommit = 20'000;
// Up to so many rows whoever brings them may commit: to wake another thread and to be woken again would cost more.
constexpr size_t kFewRows = 16;
// They may do so only while commits are quick: on a slow disk they have better things to do than to wait.
constexpr base::Nanos kQuick = base::kNanosPerMilli;
constexpr size_t kMaxIdleReaders = 8;
// The bound trades the size of the log for fewer moves of its commits to the file.
constexpr int kMaxLoggedPages = 4000;

struct Submission {
  NewBatch batch;
  std::function<void(base::Result<Stored>)> done;
};
using Operation = std::variant<Submission, Write>;
using Group = std::vector<Operation>;

// Whether these are a few rows of single jobs, and nothing whose cost grows with the size of a batch.
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
  SqliteStore(std::string path, int state_dir, std::unique_ptr<Database> database, const base::Clock& clock, Observer* observer)
      : path_(std::move(path)), clock_(clock), observer_(observer), home_(std::move(database)), files_(state_dir) {}

  base::Status Start() {
    JOBD_ASSIGN_OR_RETURN(writer_, SqliteWriter::Create(*home_, clock_));
    sqlite3_wal_hook(home_->raw(), &SqliteStore::OnLogged, &logged_pages_);
    // A disk that takes nothing keeps no service away.
    if (const auto status = MoveLog(); !status.ok()) NoteFailure();
    thread_ = std::thread([this] { Run(); });
    return base::Ok();
  }

  ~SqliteStore() override {
    queue_.Lock()->stopping = true;
    wake_.notify_one();
    if (thread_.joinable()) thread_.join();
  }

  void Submit(NewBatch batch, std::function<void(base::Result<Stored>)> done) override {
    queue_.Lock()->waiting.emplace_back(Submission{std::move(batch), std::move(done)});
    wake_.notify_one();
  }

  void Apply(std::vector<Write> writes) override {
    {
      const auto queue = queue_.Lock();
      for (Write& write : writes) queue->waiting.emplace_back(std::move(write));
    }
    wake_.notify_one();
  }

  std::function<void()> BeginApply(std::vector<Write> writes) override {
    if (last_took_.load() <= kQuick && AreFew(writes)) {
      const auto queue = queue_.Lock();
      if (!queue->committing && queue->waiting.empty()) {
        queue->committing = true;
        return [turn = std::make_shared<Turn>(*this, std::move(writes))] { turn->Commit(); };
      }
    }
    Apply(std::move(writes));
    return {};
  }

  std::optional<Problem> FindProblem() const override {
    const auto lost = lost_.Lock();
    if (*lost) return **lost;
    if (base::Status files = files_.Check(); !files.ok()) return Problem{Problem::Kind::kReplaced, std::move(files).error()};
    const base::Nanos since = committing_since_.load();
    if (since == 0 || steady_.Monotonic() - since < kHangsAfter) return std::nullopt;
    return Problem{Problem::Kind::kHangs, base::Error(base::Code::kUnavailable, "the state disk does not answer")};
  }

  base::Result<Lease> Read() override {
    const auto give_back = [this](StoreReader* reader) {
      std::unique_ptr<StoreReader> owned(reader);
      const auto idle = idle_readers_.Lock();
      if (idle->size() < kMaxIdleReaders) idle->push_back(std::move(owned));
    };
    {
      const auto idle = idle_readers_.Lock();
      if (!idle->empty()) {
        StoreReader* const reader = idle->back().release();
        idle->pop_back();
        return Lease(reader, give_back);
      }
    }
    JOBD_ASSIGN_OR_RETURN(auto reader, OpenSqliteReader(path_));
    return Lease(reader.release(), give_back);
  }

 private:
  // The turn to commit, as somebody else than the store's thread has it.
  class Turn {
   public:
    Turn(SqliteStore& store, std::vector<Write> writes)
        : store_(store), group_(std::make_move_iterator(writes.begin()), std::make_move_iterator(writes.end())) {}
    ~Turn() {
      if (!used_) store_.EndTurn(std::move(group_));
    }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

    void Commit() {
      used_ = true;
      store_.CommitTimed(group_);
      store_.EndTurn({});
    }

   private:
    SqliteStore& store_;
    Group group_;
    bool used_ = false;
  };

  // `left` comes before all that waits.
  void EndTurn(Group left) {
    {
      const auto queue = queue_.Lock();
      queue->committing = false;
      queue->waiting.insert(queue->waiting.begin(), std::make_move_iterator(left.begin()), std::make_move_iterator(left.end()));
      if (queue->waiting.empty() && !queue->stopping) return;
    }
    wake_.notify_one();
  }

  void Run() {
    base::NameThisThread("store");
    for (;;) {
      Group group;
      {
        auto queue = queue_.Lock();
        queue.Wait(wake_, [&] { return !queue->committing && (queue->stopping || !queue->waiting.empty()); });
        auto& waiting = queue->waiting;
        if (waiting.empty()) return;
        queue->committing = true;
        for (size_t rows = 0; !waiting.empty() && rows < kMaxRowsPerCommit;) {
          rows += Rows(waiting.front());
          group.push_back(std::move(waiting.front()));
          waiting.pop_front();
        }
      }
      CommitTimed(group);
      queue_.Lock()->committing = false;
    }
  }

  void CommitTimed(Group& group) {
    committing_since_.store(steady_.Monotonic());
    CommitGroup(group);
    if (logged_pages_ < kMaxLoggedPages) move_at_ = kMaxLoggedPages;
    if (logged_pages_ >= move_at_ && CheckWritable().ok()) {
      if (!MoveLog().ok()) NoteFailure();
      // Not with each commit while a long read, or the disk, keeps the log from beginning anew.
      move_at_ = logged_pages_ + kMaxLoggedPages / 8;
    }
    committing_since_.store(0);
  }

  static int OnLogged(void* logged_pages, sqlite3* /*database*/, const char* /*name*/, int pages) {
    *static_cast<int*>(logged_pages) = pages;
    return SQLITE_OK;
  }

  // Moves the commits in the log to the database's file, and notes in both how they stand to each other (kLogKey). What cannot be
  // moved now, as for a full disk, stays in the log.
  base::Status MoveLog() {
    const std::string note = std::string("INSERT OR REPLACE INTO meta (key, value) VALUES ('") + kLogKey + "', CAST('";
    JOBD_RETURN_IF_ERROR(home_->Execute((note + kLogHasMore + "' AS BLOB))").c_str()));
    JOBD_RETURN_IF_ERROR(home_->Execute("PRAGMA wal_checkpoint(PASSIVE)"));
    return home_->Execute((note + kLogAhead + "' AS BLOB))").c_str());
  }

  void NoteFailure() {
    if (IsFsyncFailure(home_->extended_error())) Lose({Problem::Kind::kFailed, ReadOnly()});
  }

  // Nothing is written any more. The first reason stays.
  void Lose(Problem problem) {
    const auto lost = lost_.Lock();
    if (*lost) return;
    if (observer_ != nullptr) observer_->OnStoreLost(problem.error.message());
    *lost = std::move(problem);
  }
  base::Status CheckNotLost() {
    const auto lost = lost_.Lock();
    return *lost ? base::Status((*lost)->error) : base::Ok();
  }
  base::Status CheckWritable() {
    JOBD_RETURN_IF_ERROR(CheckNotLost());
    base::Status files = files_.Check();
    if (!files.ok()) Lose({Problem::Kind::kReplaced, files.error()});
    return files;
  }

  void CommitGroup(Group& group) {
    std::vector<base::Result<Stored>> results;
    const base::Nanos began = clock_.Monotonic();
    base::Status status = CheckNotLost();
    if (status.ok()) status = Transact(group, results);
    // What was committed into a file that has no name any more is lost at the restart: nobody may be told that it is on disk.
    if (status.ok()) status = CheckWritable();
    if (!status.ok() && group.size() > 1 && status.error().code() == base::Code::kInternal) {
      // It is not the disk: something is wrong with one of the writes, and the others must not fail with it.
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
        write.done(!status.ok() || results[i].ok() ? status : base::Status(results[i].error()));
      }
    }
  }

  // Commits the group as one transaction. `results` gets an entry for each operation; those of writes say whether they were passed
  // over.
  base::Status Transact(const Group& group, std::vector<base::Result<Stored>>& results) {
    auto status = TryTransact(group, results);
    if (!status.ok()) {
      NoteFailure();
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
        base::Result<Stored> result{Stored{}};
        for (const Change& change : std::get<Write>(operation).changes) {
          base::Status applied = writer_->Apply(change);
          if (applied.ok()) continue;
          if (applied.error().code() != base::Code::kAborted) return applied;
          // A move that had to be, and is not to be: this write's own affair, of which nothing is written yet.
          result = std::move(applied).error();
          break;
        }
        results.push_back(std::move(result));
      }
    }
    return writer_->Commit();
  }

  // The text of SQLite is for debugging; this one may be passed on to clients. The failure of a disk carries no errno: with one it
  // would count as internal, and its text would be hidden from clients.
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
  // Of whoever has the turn to commit.
  int logged_pages_ = 0;
  int move_at_ = kMaxLoggedPages;
  const base::SystemClock steady_;  // how long a disk takes is real time, also for a test with a clock of its own
  mutable DatabaseFiles files_;
  base::Guarded<std::optional<Problem>> lost_;
  std::atomic<base::Nanos> committing_since_{0};  // 0: no commit is under way
  std::atomic<base::Nanos> last_took_{0};         // the last commit

  struct Queue {
    std::deque<Operation> waiting;
    bool committing = false;  // somebody has the writer
    bool stopping = false;
  };
  base::Guarded<Queue> queue_;
  std::condition_variable wake_;
  base::Guarded<std::vector<std::unique_ptr<StoreReader>>> idle_readers_;
  std::thread thread_;
};

}  // namespace

base::Result<std::unique_ptr<Store>> OpenSqliteStore(int state_dir, const base::Clock& clock, Observer* observer) {
  // Through the descriptor: this process may not be able to walk to the directory by its path.
  const std::string path = "/proc/self/fd/" + std::to_string(state_dir) + "/" + kDatabaseName;
  JOBD_ASSIGN_OR_RETURN(Database opened, Database::Open(path, true));
  auto database = std::make_unique<Database>(std::move(opened));
  JOBD_RETURN_IF_ERROR(PrepareDatabase(*database, state_dir));
  auto store = std::make_unique<SqliteStore>(path, state_dir, std::move(database), clock, observer);
  JOBD_RETURN_IF_ERROR(store->Start());
  return std::unique_ptr<Store>(std::move(store));
}

}  // namespace jobd::worker
