#include "worker/store/batch_lookup.h"

#include <utility>

#include "worker/store/schema.h"
#include "worker/store/spec_codec.h"

namespace jobd::worker {
namespace {

// Of those that an ambiguous beginning fits, so many are named.
constexpr uint32_t kNamed = 3;
// A line shows no more of a command, and a spec that is larger than this is not read for a line.
constexpr size_t kSummaryBytes = 256;
constexpr uint32_t kSummarySpecBytes = 256u << 10;

base::Error Ambiguous(Statement& first_two) {
  std::string list;
  for (uint32_t i = 0; i < kNamed; ++i) {
    list += (i == 0 ? "" : ", ") + first_two.String(1);
    const auto more = first_two.Step();
    if (!more.ok() || !*more) return {base::Code::kInvalidArgument, "several batches begin so: " + list};
  }
  return {base::Code::kInvalidArgument, "several batches begin so: " + list + " and others"};
}

}  // namespace

base::Error NoSuchBatch() { return base::Error(base::Code::kNotFound, "no such batch"); }
base::Error NoSuchJob() { return base::Error(base::Code::kNotFound, "no such job"); }

base::Result<Statement*> StatementCache::Prepared(const std::string& sql) {
  const auto known = statements_.find(sql);
  if (known != statements_.end()) return &known->second;
  JOBD_ASSIGN_OR_RETURN(Statement statement, database_.Prepare(sql));
  return &statements_.emplace(sql, std::move(statement)).first->second;
}

base::Result<uint64_t> FindBatch(StatementCache& cache, const BatchName& name, bool prefix) {
  JOBD_ASSIGN_OR_RETURN(Statement* const exact, cache.Prepared("SELECT id FROM batches WHERE owner = ?1 AND correlation_id = ?2"));
  {
    const StatementScope scope(*exact);
    exact->BindText(1, name.owner).BindText(2, name.correlation_id);
    JOBD_ASSIGN_OR_RETURN(const bool found, exact->Step());
    if (found) return exact->Uint(0);
  }
  if (!prefix || name.correlation_id.empty()) return NoSuchBatch();
  // A range instead of LIKE: no character of the ID is special, and the index serves it.
  const std::string range =
      "FROM batches WHERE owner = ?1 AND correlation_id >= ?2 AND correlation_id < ?3 LIMIT " + std::to_string(kNamed + 1);
  std::string end = name.correlation_id;
  if (static_cast<unsigned char>(end.back()) >= 0x7f) return NoSuchBatch();
  end.back() = static_cast<char>(end.back() + 1);
  const auto begin = [&](Statement& select) {
    select.BindText(1, name.owner).BindText(2, name.correlation_id).BindText(3, end);
    return select.Step();
  };
  JOBD_ASSIGN_OR_RETURN(Statement* const select, cache.Prepared("SELECT id, correlation_id " + range));
  uint64_t id = 0;
  {
    const StatementScope scope(*select);
    JOBD_ASSIGN_OR_RETURN(const bool first, begin(*select));
    if (!first) return NoSuchBatch();
    id = select->Uint(0);
    JOBD_ASSIGN_OR_RETURN(const bool second, select->Step());
    if (!second) return id;
  }
  const StatementScope scope(*select);
  JOBD_ASSIGN_OR_RETURN(const bool again, begin(*select));
  return again ? Ambiguous(*select) : NoSuchBatch();
}

// Numbers grow with ids, so the index of ids is searched: an index of numbers would be written at each submission.
base::Result<uint64_t> FindNumber(StatementCache& cache, const std::string& owner, uint64_t number) {
  JOBD_ASSIGN_OR_RETURN(Statement* const select,
                        cache.Prepared("SELECT id, number FROM batches WHERE owner = ?1 AND id >= ?2 ORDER BY id LIMIT 1"));
  const auto newest = FindNewest(cache, owner, 0);
  if (!newest.ok()) return newest.error();
  uint64_t low = 0;  // all below have a smaller number; the wanted one is at `high` or below
  for (uint64_t high = *newest; low <= high;) {
    const uint64_t middle = low + (high - low) / 2;
    const StatementScope scope(*select);
    select->BindText(1, owner).Bind(2, middle);
    JOBD_ASSIGN_OR_RETURN(const bool found, select->Step());
    const uint64_t id = found ? select->Uint(0) : 0;
    const uint64_t here = found ? select->Uint(1) : 0;
    if (found && here == number) return id;
    if (found && here < number) {
      low = id + 1;
    } else {
      if (middle == 0) break;
      high = middle - 1;
    }
  }
  return NoSuchBatch();
}

base::Result<uint64_t> FindNewest(StatementCache& cache, const std::string& owner, uint64_t skip) {
  if (skip > INT64_MAX) return NoSuchBatch();
  JOBD_ASSIGN_OR_RETURN(Statement* const select,
                        cache.Prepared("SELECT id FROM batches WHERE owner = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2"));
  const StatementScope scope(*select);
  select->BindText(1, owner).Bind(2, skip);
  JOBD_ASSIGN_OR_RETURN(const bool found, select->Step());
  if (!found) return NoSuchBatch();
  return select->Uint(0);
}

base::Result<uint64_t> FindNamed(StatementCache& cache, const std::string& owner, const std::string& name) {
  if (name.empty()) return NoSuchBatch();
  JOBD_ASSIGN_OR_RETURN(
      Statement* const select,
      cache.Prepared("SELECT id FROM batches WHERE owner = ?1 AND name = ?2 AND name <> '' ORDER BY id DESC LIMIT 1"));
  const StatementScope scope(*select);
  select->BindText(1, owner).BindText(2, name);
  JOBD_ASSIGN_OR_RETURN(const bool found, select->Step());
  if (!found) return NoSuchBatch();
  return select->Uint(0);
}

base::Result<std::vector<uint32_t>> JobsNamed(StatementCache& cache, uint64_t batch, const std::string& name, uint32_t limit) {
  std::vector<uint32_t> jobs;
  if (name.empty()) return jobs;
  // A spec is decoded only when the name is somewhere in it.
  JOBD_ASSIGN_OR_RETURN(
      Statement* const select,
      cache.Prepared("SELECT key, spec FROM specs WHERE key BETWEEN ?1 AND ?2 AND instr(spec, ?3) > 0 ORDER BY key"));
  const StatementScope scope(*select);
  select->Bind(1, SpecKey(batch, 1)).Bind(2, SpecKey(batch, kMaxJobIndex)).BindBlob(3, name);
  while (jobs.size() < limit) {
    JOBD_ASSIGN_OR_RETURN(const bool more, select->Step());
    if (!more) break;
    JOBD_ASSIGN_OR_RETURN(const JobSpec spec, DecodeSpec(select->Bytes(1)));
    if (spec.name == name) jobs.push_back(IndexOfSpecKey(select->Uint(0)));
  }
  return jobs;
}

base::Result<JobSummary> FirstJob(StatementCache& cache, uint64_t batch) {
  JOBD_ASSIGN_OR_RETURN(Statement* const select, cache.Prepared("SELECT spec FROM specs WHERE key = ?1 AND length(spec) <= ?2"));
  const StatementScope scope(*select);
  select->Bind(1, SpecKey(batch, 1)).Bind(2, kSummarySpecBytes);
  JOBD_ASSIGN_OR_RETURN(const bool found, select->Step());
  if (!found) return NoSuchJob();
  JOBD_ASSIGN_OR_RETURN(JobSpec spec, DecodeSpec(select->Bytes(0)));
  JobSummary job{.name = std::move(spec.name), .shell = spec.shell};
  size_t left = kSummaryBytes;
  for (std::string& argument : spec.argv) {
    job.cut = left == 0 || argument.size() > left;
    if (left == 0) break;
    if (job.cut) argument.resize(left);
    left -= argument.size();
    job.argv.push_back(std::move(argument));
    if (job.cut) break;
  }
  return job;
}

}  // namespace jobd::worker
