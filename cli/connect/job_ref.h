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
  std::string correlation_id;     // whole
  std::optional<uint32_t> index;  // from 1; absent: the batch
  std::string owner;              // empty: the caller
  bool operator==(const JobRef&) const = default;

  // "ID" or "ID/INDEX".
  std::string ToString() const;
};

// What verbs say of their ID.
inline constexpr const char* kAddressHelp =
    "Batches, or jobs as BATCH/INDEX or BATCH/NAME, where BATCH is an ID, the beginning of one, a number, a name, or `last`";

// Which batch or job an address means: an ID, the beginning of one, a number, a name, `last` or `last~N`, then perhaps `/` and an
// index or a name. The service is asked, which understands them for every client; a whole UUID needs no question, unless `batch`
// is given: the batch as it is now is put there. Errors name the address.
base::Result<JobRef> FindJob(Client& client, std::string_view address, const std::string& owner, v1::Batch* batch = nullptr);

// kInvalidArgument that names ID where `address` is no address whatever there is: it is empty. FindJob asks this first.
base::Status CheckAddress(std::string_view address);

// An address that needs no question: a UUID in its usual form, perhaps with an index.
std::optional<JobRef> WholeRef(std::string_view address, const std::string& owner);

// The error with the address before it, unless it names that already.
base::Error About(base::Error error, std::string_view address);

void ToProto(const JobRef& ref, v1::JobSelector* selector);

}  // namespace jobd::cli
