// Finds batches and jobs by what people call them. The parts of an address are put together in catalogue/address.h.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "worker/model/model.h"
#include "worker/store/sqlite.h"

namespace jobd::worker {

// Statements are prepared at their first use, and kept: there are as many as there are texts in the code. One thread at a time.
class StatementCache {
 public:
  explicit StatementCache(Database database) : database_(std::move(database)) {}
  Database& database() { return database_; }
  // Valid as long as the cache.
  base::Result<Statement*> Prepared(const std::string& sql);

 private:
  Database database_;
  std::map<std::string, Statement> statements_;  // destroyed before database_
};

// As the functions of these names in readers.h.
base::Result<uint64_t> FindBatch(StatementCache& cache, const BatchName& name, bool prefix);
base::Result<uint64_t> FindNumber(StatementCache& cache, const std::string& owner, uint64_t number);
base::Result<uint64_t> FindNewest(StatementCache& cache, const std::string& owner, uint64_t skip);
base::Result<uint64_t> FindNamed(StatementCache& cache, const std::string& owner, const std::string& name);
base::Result<std::vector<uint32_t>> JobsNamed(StatementCache& cache, uint64_t batch, const std::string& name, uint32_t limit);
base::Result<JobSummary> FirstJob(StatementCache& cache, uint64_t batch);

base::Error NoSuchBatch();
base::Error NoSuchJob();

}  // namespace jobd::worker
