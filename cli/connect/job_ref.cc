#include "cli/connect/job_ref.h"

#include <charconv>

#include "base/bounds.h"
#include "base/text.h"
#include "cli/connect/client.h"
#include "cli/view/file_line.h"
#include "jobd/v1/job_query_service.pb.h"
#include "jobd/v1/job_schedule_service.pb.h"

namespace jobd::cli {

namespace {

using base::Code;
using base::Error;
using base::Result;

constexpr size_t kMaxShown = 200;

bool IsUuid(std::string_view id) {
  constexpr std::string_view kShape = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
  if (id.size() != kShape.size()) return false;
  for (size_t i = 0; i < id.size(); ++i) {
    const bool hex = (id[i] >= '0' && id[i] <= '9') || (id[i] >= 'a' && id[i] <= 'f');
    if (kShape[i] == '-' ? id[i] != '-' : !hex) return false;
  }
  return true;
}

// A jobd from before addresses: it knows IDs, their beginnings, and indexes.
bool KnowsNoAddresses(const Error& error) {
  return error.code() == Code::kInternal && (error.message() == "unknown method" || error.message() == "UNIMPLEMENTED");
}

Result<JobRef> FindWithoutAddresses(Client& client, std::string_view address, const std::string& owner, v1::Batch* batch) {
  JobRef ref{.correlation_id = std::string(address.substr(0, address.find('/'))), .index = {}, .owner = owner};
  if (const size_t slash = address.find('/'); slash != std::string_view::npos) {
    uint32_t index = 0;
    const char* const end = address.data() + address.size();
    const auto [stopped, error] = std::from_chars(address.data() + slash + 1, end, index);
    if (error != std::errc() || stopped != end || index == 0)
      return Error(Code::kInvalidArgument, "this jobd, an older one, knows jobs by number alone");
    ref.index = index;
  }
  if (ref.correlation_id == "last") {
    v1::ListBatchesRequest request;
    request.set_owner(owner);
    request.set_page_size(1);
    v1::ListBatchesResponse response;
    JOBD_RETURN_IF_ERROR(client.ListBatches(request, &response));
    if (response.batches().empty()) return Error(Code::kNotFound, "there is no batch yet");
    ref.correlation_id = response.batches(0).correlation_id();
  }
  v1::GetBatchRequest request;
  request.set_correlation_id(ref.correlation_id);
  request.set_owner(owner);
  request.set_page_size(1);
  v1::GetBatchResponse response;
  JOBD_RETURN_IF_ERROR(client.GetBatch(request, &response));
  ref.correlation_id = response.batch().correlation_id();
  if (batch != nullptr) *batch = std::move(*response.mutable_batch());
  return ref;
}

}  // namespace

std::string JobRef::ToString() const { return index ? correlation_id + "/" + std::to_string(*index) : correlation_id; }

std::optional<JobRef> WholeRef(std::string_view address, const std::string& owner) {
  const size_t slash = address.find('/');
  if (!IsUuid(address.substr(0, slash))) return std::nullopt;
  JobRef ref{.correlation_id = std::string(address.substr(0, slash)), .index = {}, .owner = owner};
  if (slash == std::string_view::npos) return ref;
  uint32_t index = 0;
  const char* const end = address.data() + address.size();
  const auto [stopped, error] = std::from_chars(address.data() + slash + 1, end, index);
  if (error != std::errc() || stopped != end || index == 0 || index > base::kMaxJobs) return std::nullopt;
  ref.index = index;
  return ref;
}

base::Error About(base::Error error, std::string_view address) {
  if (address.empty()) return error;  // it names ID
  const std::string shown = base::EscapeForTerminal(address.substr(0, kMaxShown));
  // What was found wrong with the address as a field is what is wrong with what was typed.
  if (error.violations().size() == 1 && error.violations().front().field == "address")
    return {error.code(), "'" + shown + "': " + error.violations().front().problem};
  // Named already; a short one may be part of any word.
  const bool named = error.message().ends_with(": " + shown) || error.message().starts_with(shown + ": ") ||
                     error.message().find("'" + shown + "'") != std::string::npos;
  return named ? error : std::move(error).WithContext(shown);
}

base::Status CheckAddress(std::string_view address) {
  if (!address.empty()) return base::Ok();
  return FieldError("ID", "must not be empty; `jobctl list` shows what there is, and `last` is the newest batch");
}

Result<JobRef> FindJob(Client& client, std::string_view address, const std::string& owner, v1::Batch* batch) {
  JOBD_RETURN_IF_ERROR(CheckAddress(address));
  if (batch == nullptr) {
    if (auto whole = WholeRef(address, owner)) return *std::move(whole);
  }
  v1::ResolveRequest request;
  request.set_address(std::string(address));
  request.set_owner(owner);
  v1::ResolveResponse response;
  if (auto status = client.Resolve(request, &response); !status.ok()) {
    if (!KnowsNoAddresses(status.error())) return About(std::move(status).error(), address);
    auto found = FindWithoutAddresses(client, address, owner, batch);
    return found.ok() ? found : Result<JobRef>(About(std::move(found).error(), address));
  }
  JobRef ref{.correlation_id = response.batch().correlation_id(), .index = {}, .owner = owner};
  if (response.has_index()) ref.index = response.index();
  if (batch != nullptr) *batch = std::move(*response.mutable_batch());
  return ref;
}

void ToProto(const JobRef& ref, v1::JobSelector* selector) {
  selector->set_correlation_id(ref.correlation_id);
  selector->set_owner(ref.owner);
  if (ref.index) selector->set_index(*ref.index);
}

}  // namespace jobd::cli
