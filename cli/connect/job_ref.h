// Batches and jobs as a person names them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace jobd::v1 {
class Batch;
class JobSelector;
}  // namespace jobd::v1

namespace jobd::cli {

class Client;

struct JobRef {
  std::string correlation_id;     // whole once it is resolved
  std::optional<uint32_t> index;  // from 1; absent: the batch
  std::string owner;              // empty: the caller
  bool operator==(const JobRef&) const = default;

  // "ID" or "ID/INDEX".
  std::string ToString() const;
};

// "ID", "ID/INDEX", "last", "last/INDEX", where ID may be a prefix.
base::Result<JobRef> ParseJobRef(std::string_view text, const std::string& owner);

// Each as ParseJobRef has it. The first mistake is the answer.
base::Result<std::vector<JobRef>> ParseJobRefs(const std::vector<std::string>& texts, const std::string& owner);

// True for a UUID in its usual form: it needs no look-up.
bool IsWholeId(std::string_view id);

// Asks the service which batch a prefix or "last" names. With `batch`, the service is asked in any case, and its answer is put
// there.
base::Result<JobRef> ResolveJobRef(Client& client, JobRef ref, v1::Batch* batch = nullptr);
// ParseJobRef, then ResolveJobRef.
base::Result<JobRef> FindJob(Client& client, std::string_view text, const std::string& owner, v1::Batch* batch = nullptr);

void ToProto(const JobRef& ref, v1::JobSelector* selector);

}  // namespace jobd::cli
