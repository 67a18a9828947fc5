#include "cli/connect/job_ref.h"

#include <charconv>

#include "base/text.h"
#include "cli/connect/client.h"
#include "jobd/v1/job_query_service.pb.h"
#include "jobd/v1/job_schedule_service.pb.h"

namespace jobd::cli {

namespace {

using base::Code;
using base::Error;
using base::Result;

Error Bad(std::string_view text, const char* why) {
  constexpr size_t kMaxShown = 200;
  return {Code::kInvalidArgument, "'" + base::EscapeForTerminal(text.substr(0, kMaxShown)) + "' " + why};
}

Result<std::string> LastBatch(Client& client, const std::string& owner) {
  v1::ListBatchesRequest request;
  request.set_owner(owner);
  request.set_page_size(1);
  v1::ListBatchesResponse response;
  JOBD_RETURN_IF_ERROR(client.ListBatches(request, &response));
  if (response.batches().empty()) return Error(Code::kNotFound, "there is no batch yet");
  return response.batches(0).correlation_id();
}

}  // namespace

std::string JobRef::ToString() const { return index ? correlation_id + "/" + std::to_string(*index) : correlation_id; }

Result<JobRef> ParseJobRef(std::string_view text, const std::string& owner) {
  JobRef ref;
  ref.owner = owner;
  const size_t slash = text.find('/');
  ref.correlation_id = text.substr(0, slash);
  if (!base::IsSafeName(ref.correlation_id)) return Bad(text, "is not an ID: [A-Za-z0-9_][A-Za-z0-9._:-]{0,127}, or ID/INDEX");
  if (slash == std::string_view::npos) return ref;
  uint32_t index = 0;
  const char* const end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data() + slash + 1, end, index);
  if (error != std::errc() || stopped != end || index == 0) return Bad(text, "has no job number behind the '/': they count from 1");
  ref.index = index;
  return ref;
}

Result<std::vector<JobRef>> ParseJobRefs(const std::vector<std::string>& texts, const std::string& owner) {
  std::vector<JobRef> refs;
  for (const std::string& text : texts) {
    JOBD_ASSIGN_OR_RETURN(JobRef ref, ParseJobRef(text, owner));
    refs.push_back(std::move(ref));
  }
  return refs;
}

bool IsWholeId(std::string_view id) {
  constexpr std::string_view kShape = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
  if (id.size() != kShape.size()) return false;
  for (size_t i = 0; i < id.size(); ++i) {
    const bool hex = (id[i] >= '0' && id[i] <= '9') || (id[i] >= 'a' && id[i] <= 'f');
    if (kShape[i] == '-' ? id[i] != '-' : !hex) return false;
  }
  return true;
}

Result<JobRef> ResolveJobRef(Client& client, JobRef ref, v1::Batch* batch) {
  if (ref.correlation_id == "last") {
    JOBD_ASSIGN_OR_RETURN(ref.correlation_id, LastBatch(client, ref.owner));
  } else if (batch == nullptr && IsWholeId(ref.correlation_id)) {
    return ref;
  }
  v1::GetBatchRequest request;
  request.set_correlation_id(ref.correlation_id);
  request.set_owner(ref.owner);
  request.set_page_size(1);
  v1::GetBatchResponse response;
  JOBD_RETURN_IF_ERROR(client.GetBatch(request, &response));
  ref.correlation_id = response.batch().correlation_id();
  if (batch != nullptr) *batch = std::move(*response.mutable_batch());
  return ref;
}

Result<JobRef> FindJob(Client& client, std::string_view text, const std::string& owner, v1::Batch* batch) {
  JOBD_ASSIGN_OR_RETURN(JobRef ref, ParseJobRef(text, owner));
  return ResolveJobRef(client, std::move(ref), batch);
}

void ToProto(const JobRef& ref, v1::JobSelector* selector) {
  selector->set_correlation_id(ref.correlation_id);
  selector->set_owner(ref.owner);
  if (ref.index) selector->set_index(*ref.index);
}

}  // namespace jobd::cli
