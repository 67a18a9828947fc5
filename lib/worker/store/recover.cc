#include "worker/store/recover.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <functional>
#include <memory>
#include <vector>

#include "base/clock.h"
#include "base/files.h"
#include "base/text.h"
#include "launch/contract/exit_file.h"
#include "worker/model/outcome.h"
#include "worker/store/backup.h"
#include "worker/store/batch_files.h"
#include "worker/store/schema.h"
#include "worker/store/spec_codec.h"
#include "worker/store/sqlite.h"
#include "worker/store/sqlite_store.h"
#include "worker/store/sqlite_writer.h"

namespace jobd::worker {
namespace {

constexpr uint64_t kMaxJobs = 1u << 24;  // as SpecKey has it

// The writer stamps the end of a batch with the present. Here the present is when the batch ended.
class StoppedClock final : public base::Clock {
 public:
  base::Nanos Realtime() const override { return now; }
  base::Nanos Monotonic() const override { return now; }
  base::Nanos now = 0;
};

Reason NeverStarted() {
  return {.code = ReasonCode::kRecordDamaged, .text = "it was never started, and what was submitted was lost with the database"};
}

struct Found {
  BatchName name;
  std::vector<JobRow> rows;  // by index - 1
  uint64_t proven = 0;
  base::Nanos began = 0;
  base::Nanos ended = 0;
};

JobRow RowOf(const base::Result<launch::SlotRecord>& slot, base::Nanos file_time, uint64_t boot) {
  if (!slot.ok()) return Ended({.attempt = 1}, JobState::kLost, RecordDamaged(), file_time);
  if (slot->phase == launch::Phase::kNone) return Ended({}, JobState::kLost, NeverStarted(), file_time);
  JobRow row = WithRecord({.attempt = slot->attempt}, *slot);
  if (slot->phase != launch::Phase::kEnded) {
    return Ended(std::move(row), JobState::kLost, slot->boot == boot ? ShimDied() : HostRestarted(), file_time);
  }
  row.outcome = OutcomeOf(*slot, {}, {});
  return row;
}

// The exit records of a batch.
struct ExitRecords {
  base::Fd file;
  uint32_t jobs = 0;
  base::Nanos written_at = 0;
};

// kNotFound, kDataLoss or a name that leads nowhere: nothing of ours is there. Anything else: we could not look.
base::Result<ExitRecords> OpenExitRecords(int log_dir, const BatchName& name) {
  JOBD_ASSIGN_OR_RETURN(const base::Fd folder, OpenBatchFolder(log_dir, name));
  ExitRecords records;
  JOBD_ASSIGN_OR_RETURN(records.file, base::OpenBeneath(folder.get(), launch::kExitFileName, O_RDWR | O_NOFOLLOW | O_NONBLOCK));
  struct stat about {};
  if (::fstat(records.file.get(), &about) != 0) return base::SysError("looking at exit records", errno);
  const uint64_t jobs = static_cast<uint64_t>(about.st_size) / launch::kSlotSize;
  if (!S_ISREG(about.st_mode) || jobs == 0 || jobs >= kMaxJobs) return base::Error(base::Code::kDataLoss, "no exit records");
  records.jobs = static_cast<uint32_t>(jobs);
  records.written_at = about.st_mtim.tv_sec * base::kNanosPerSecond + about.st_mtim.tv_nsec;
  return records;
}

// Nothing of ours can be there: no file, no directory, or a link or a mount, which we never follow. A folder in the place of a file
// cannot be opened for writing.
bool IsNothingOfOurs(const base::Error& error) {
  const int why = error.sys_errno();
  return error.code() == base::Code::kNotFound || error.code() == base::Code::kDataLoss || why == ENOTDIR || why == EISDIR ||
         why == ELOOP || why == EXDEV;
}

base::Result<Found> ReadBatch(int log_dir, const BatchName& name, uint64_t boot) {
  Found found{.name = name};
  JOBD_ASSIGN_OR_RETURN(const ExitRecords exits, OpenExitRecords(log_dir, name));
  const base::Nanos file_time = exits.written_at;
  for (uint32_t index = 1; index <= exits.jobs; ++index) {
    const auto slot = launch::ReadSlot(exits.file.get(), index);
    if (slot.ok() && slot->phase == launch::Phase::kEnded) ++found.proven;
    JobRow row = RowOf(slot, file_time, boot);
    found.ended = std::max(found.ended, row.ended_at);
    if (row.started_at != 0) found.began = found.began == 0 ? row.started_at : std::min(found.began, row.started_at);
    found.rows.push_back(std::move(row));
  }
  if (found.began == 0) found.began = found.ended;
  return found;
}

base::Status Insert(Database& database, SqliteWriter& writer, StoppedClock& clock, const Found& found) {
  clock.now = found.ended;
  NewBatch batch{.name = found.name, .created_at = found.began};
  batch.options.labels = {{"recovered", "exit-records"}};
  // No submission has this digest: one under the same ID is told that the ID is taken, and nothing runs twice.
  batch.digest = "recovered";
  batch.specs.assign(found.rows.size(), EncodedSpec{.spec = EncodeSpec({}), .stdin_data = {}});
  JOBD_RETURN_IF_ERROR(writer.Begin());
  JOBD_ASSIGN_OR_RETURN(const Stored stored, writer.Insert(batch));
  int64_t seq = 0;
  std::vector<uint32_t> order;
  for (uint32_t index = 1; index <= found.rows.size(); ++index) order.push_back(index);
  // Readers of the merged output open the jobs' files in the order of their starts.
  std::stable_sort(order.begin(), order.end(),
                   [&](uint32_t a, uint32_t b) { return found.rows[a - 1].started_at < found.rows[b - 1].started_at; });
  for (const uint32_t index : order) {
    const JobRow& row = found.rows[index - 1];
    JOBD_RETURN_IF_ERROR(writer.Apply(PutJob{.batch = stored.id, .index = index, .row = row}));
    if (row.attempt == 0) continue;
    seq = std::max(seq + 1, row.started_at);
    JOBD_RETURN_IF_ERROR(writer.Apply(AddStart{.batch = stored.id, .seq = seq, .index = index, .attempt = row.attempt}));
  }
  JOBD_RETURN_IF_ERROR(writer.Commit());
  JOBD_ASSIGN_OR_RETURN(Statement times, database.Prepare("UPDATE batches SET started_at = ?2, ended_at = ?3 WHERE id = ?1"));
  times.Bind(1, stored.id).Bind(2, found.began).Bind(3, std::max<base::Nanos>(found.ended, 1));
  return times.Run();
}

// The entries of a directory whose names we could have given.
base::Result<std::vector<std::string>> Folders(int dir) {
  struct CloseDir {
    void operator()(DIR* stream) const { ::closedir(stream); }
  };
  JOBD_ASSIGN_OR_RETURN(base::Fd again, base::OpenAt(dir, ".", O_RDONLY | O_DIRECTORY));
  const std::unique_ptr<DIR, CloseDir> stream(::fdopendir(again.get()));
  if (!stream) return base::SysError("listing the log directory", errno);
  (void)again.release();
  std::vector<std::string> names;
  for (errno = 0; const dirent* entry = ::readdir(stream.get()); errno = 0) {
    if (base::IsSafeName(entry->d_name)) names.emplace_back(entry->d_name);
  }
  if (errno != 0) return base::SysError("listing the log directory", errno);
  std::sort(names.begin(), names.end());
  return names;
}

// Calls `visit` with the name of each batch that has a folder.
base::Status ForEachBatch(int log_dir, const std::function<base::Status(const BatchName&)>& visit) {
  JOBD_ASSIGN_OR_RETURN(const auto owners, Folders(log_dir));
  for (const std::string& owner : owners) {
    const auto folder = base::OpenBeneath(log_dir, owner, O_RDONLY | O_DIRECTORY);
    if (!folder.ok() && IsNothingOfOurs(folder.error())) continue;
    if (!folder.ok()) return folder.error();
    JOBD_ASSIGN_OR_RETURN(const auto ids, Folders(folder->get()));
    for (const std::string& id : ids) JOBD_RETURN_IF_ERROR(visit({.owner = owner, .correlation_id = id}));
  }
  return base::Ok();
}

base::Result<bool> Knows(Database& database, const BatchName& name) {
  JOBD_ASSIGN_OR_RETURN(Statement select, database.Prepare("SELECT 1 FROM batches WHERE owner = ?1 AND correlation_id = ?2"));
  select.BindText(1, name.owner).BindText(2, name.correlation_id);
  return select.Step();
}

// Checks that no job of the batch has a shim, and that its records are none of a later version.
base::Status CheckBatchIsStill(int log_dir, const BatchName& name) {
  const auto exits = OpenExitRecords(log_dir, name);
  if (!exits.ok() && IsNothingOfOurs(exits.error())) return base::Ok();
  if (!exits.ok()) return exits.error();
  for (uint32_t index = 1; index <= exits->jobs; ++index) {
    JOBD_ASSIGN_OR_RETURN(const auto holder, launch::SlotHolder(exits->file.get(), index));
    if (holder) {
      return base::Error(base::Code::kFailedPrecondition,
                         "job " + name.owner + "/" + name.correlation_id + "/" + std::to_string(index) +
                             " still runs, and another database would not know it: wait for its end, or end its shim, process " +
                             std::to_string(*holder));
    }
    // A record of a later version says what only that version can tell.
    const auto slot = launch::ReadSlot(exits->file.get(), index);
    if (!slot.ok() && slot.error().code() != base::Code::kDataLoss) return slot.error();
  }
  return base::Ok();
}

// Whether there is a database with anything in it, whole or not.
base::Result<bool> HasDatabase(int state_dir) {
  struct stat about {};
  if (::fstatat(state_dir, kDatabaseName, &about, AT_SYMLINK_NOFOLLOW) != 0) {
    if (errno == ENOENT) return false;
    return base::SysError("looking at the database", errno);
  }
  const std::string path = "/proc/self/fd/" + std::to_string(state_dir) + "/" + kDatabaseName;
  auto database = Database::Open(path, false);
  if (!database.ok()) return true;  // whoever uses it finds out what is wrong with it
  const auto tables = database->QueryInt("SELECT count(*) FROM sqlite_schema");
  return !tables.ok() || *tables != 0;
}

// Opens the database, or makes one; a damaged one is put aside.
base::Result<Database> OpenOrMake(int state_dir, std::string& aside) {
  const std::string path = "/proc/self/fd/" + std::to_string(state_dir) + "/" + kDatabaseName;
  const auto open = [&]() -> base::Result<Database> {
    JOBD_ASSIGN_OR_RETURN(Database database, Database::Open(path, true));
    JOBD_RETURN_IF_ERROR(PrepareDatabase(database, state_dir));
    return database;
  };
  auto database = open();
  if (database.ok() || database.error().code() != base::Code::kDataLoss) return database;
  JOBD_ASSIGN_OR_RETURN(aside, PutDatabaseAside(state_dir, "damaged"));
  return open();
}

}  // namespace

base::Status CheckNothingRuns(int log_dir) {
  return ForEachBatch(log_dir, [&](const BatchName& name) -> base::Status {
    base::Status checked = CheckBatchIsStill(log_dir, name);
    if (checked.ok() || checked.error().code() == base::Code::kFailedPrecondition) return checked;
    return std::move(checked).error().WithContext("cannot tell whether jobs of " + name.owner + "/" + name.correlation_id +
                                                  " still run");
  });
}

base::Status CheckDatabaseIsNotGone(int state_dir, int log_dir) {
  JOBD_ASSIGN_OR_RETURN(const bool is_there, HasDatabase(state_dir));
  if (is_there) return base::Ok();
  return ForEachBatch(log_dir, [&](const BatchName& name) -> base::Status {
    const auto exits = OpenExitRecords(log_dir, name);
    if (!exits.ok() && IsNothingOfOurs(exits.error())) return base::Ok();
    if (!exits.ok()) return exits.error();
    return base::Error(
        base::Code::kDataLoss,
        "the database jobd.db is missing in the state directory, or empty, though the log directory has exit records of "
        "jobs, as of " +
            name.owner + "/" + name.correlation_id +
            ". `jobd --restore DIR` takes a backup, `jobd --recover` makes a new one of what these records prove. To "
            "begin anew, move what is in the log directory away");
  });
}

base::Result<Recovered> RecoverState(int state_dir, int log_dir) {
  Recovered recovered;
  const uint64_t boot = launch::BootTag();
  // Everything that could be refused is, before anything is changed.
  JOBD_RETURN_IF_ERROR(CheckNothingRuns(log_dir));
  JOBD_ASSIGN_OR_RETURN(Database database, OpenOrMake(state_dir, recovered.aside));
  StoppedClock clock;
  JOBD_ASSIGN_OR_RETURN(const auto writer, SqliteWriter::Create(database, clock));
  JOBD_RETURN_IF_ERROR(ForEachBatch(log_dir, [&](const BatchName& name) -> base::Status {
    JOBD_ASSIGN_OR_RETURN(const bool known, Knows(database, name));
    if (known) {
      ++recovered.known;
      return base::Ok();
    }
    const auto found = ReadBatch(log_dir, name, boot);
    if (!found.ok()) {
      ++recovered.skipped;
      return base::Ok();
    }
    if (auto inserted = Insert(database, *writer, clock, *found); !inserted.ok()) {
      writer->Rollback();
      return inserted;
    }
    ++recovered.batches;
    recovered.jobs += found->rows.size();
    recovered.proven += found->proven;
    return base::Ok();
  }));
  return recovered;
}

}  // namespace jobd::worker
