#include "cli/connect/check/answer_check.h"

#include <google/protobuf/message.h>

#include <vector>

#include "base/bounds.h"
#include "base/text.h"
#include "jobd/v1/types.pb.h"

namespace jobd::cli {

namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

constexpr int kLastExitCode = 255;
constexpr uint64_t kMostListed = uint64_t{1} << 30;  // bytes of one list, as they came

base::Status Bad(const std::string& what) { return base::Error(base::Code::kDataLoss, "jobd's answer makes no sense: " + what); }

base::Status CheckResult(const v1::JobResult& result) {
  if (result.has_exit_code() && (result.exit_code() < 0 || result.exit_code() > kLastExitCode))
    return Bad("an exit code of " + std::to_string(result.exit_code()));
  if (result.has_signal() && (result.signal() < 1 || result.signal() > base::kMaxSignal))
    return Bad("a job ended by signal " + std::to_string(result.signal()));
  if (result.has_signal() && result.has_exit_code()) return Bad("a job with both an exit code and a signal");
  if (result.state() == v1::JOB_STATE_SUCCEEDED && (!result.has_exit_code() || result.exit_code() != 0))
    return Bad("a job that succeeded without exit 0");
  return base::Ok();
}

// Names and numbers by which a batch or a job is addressed; they go into paths, commands and terminals.
base::Status CheckPlain(const Message& message, const FieldDescriptor* field) {
  const auto* reflection = message.GetReflection();
  if (field->is_repeated()) return base::Ok();
  if (field->type() == FieldDescriptor::TYPE_STRING && (field->name() == "correlation_id" || field->name() == "owner")) {
    const std::string text = reflection->GetString(message, field);
    constexpr size_t kMaxShown = 100;
    if (!base::IsSafeName(text)) return Bad("'" + base::EscapeForTerminal(text.substr(0, kMaxShown)) + "' as " + field->name());
  }
  if (field->type() == FieldDescriptor::TYPE_UINT32 && field->name() == "index") {
    const uint32_t index = reflection->GetUInt32(message, field);
    if (index > base::kMaxJobs) return Bad("job " + std::to_string(index) + " of a batch");
  }
  return base::Ok();
}

}  // namespace

base::Status CheckAnswer(const Message& message) {
  if (message.GetDescriptor() == v1::JobResult::descriptor()) return CheckResult(static_cast<const v1::JobResult&>(message));
  const auto* reflection = message.GetReflection();
  std::vector<const FieldDescriptor*> fields;
  reflection->ListFields(message, &fields);  // those that are set
  for (const FieldDescriptor* field : fields) {
    if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) {
      JOBD_RETURN_IF_ERROR(CheckPlain(message, field));
    } else if (!field->is_repeated()) {
      JOBD_RETURN_IF_ERROR(CheckAnswer(reflection->GetMessage(message, field)));
    } else if (!field->is_map()) {
      for (int i = 0; i < reflection->FieldSize(message, field); ++i) {
        JOBD_RETURN_IF_ERROR(CheckAnswer(reflection->GetRepeatedMessage(message, field, i)));
      }
    }
  }
  return base::Ok();
}

base::Status CheckAccepted(const std::string& id, size_t jobs, const std::string& answered_id, uint32_t answered_jobs) {
  if (answered_id.empty()) return Bad("it names no batch, so nothing is known to be accepted");
  if (!id.empty() && answered_id != id) return Bad("it speaks of batch " + answered_id + ", not of " + id);
  if (answered_jobs == jobs) return base::Ok();
  return Bad("of " + std::to_string(jobs) + " jobs " + std::to_string(answered_jobs) + " were accepted");
}

base::Status PageGuard::Add(size_t rows, size_t bytes, const std::string& next) {
  rows_ += rows;
  bytes_ += bytes;
  if (rows_ > most_) return Bad("a list of more than " + std::to_string(most_) + " entries");
  if (bytes_ > kMostListed) return base::Error(base::Code::kResourceExhausted, "the list has more than 1 GiB; ask for less of it");
  if (!next.empty() && (rows == 0 || next == last_)) return Bad("a list whose pages lead nowhere");
  last_ = next;
  return base::Ok();
}

}  // namespace jobd::cli
