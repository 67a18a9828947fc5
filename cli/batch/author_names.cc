#include "cli/batch/author_names.h"

#include <google/protobuf/message.h>

#include <array>
#include <charconv>
#include <optional>

#include "jobd/v1/types.pb.h"

namespace jobd::cli {

namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

// The path of the one field that is set, "limits.memory_bytes".
std::string PathOfWhatIsSet(const Message& message) {
  std::vector<const FieldDescriptor*> fields;
  message.GetReflection()->ListFields(message, &fields);
  if (fields.empty()) return "";
  const FieldDescriptor* const field = fields.front();
  const bool is_group = field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE && !field->is_repeated() &&
                        field->message_type()->file() == message.GetDescriptor()->file();
  if (!is_group) return field->name();
  return field->name() + "." + PathOfWhatIsSet(message.GetReflection()->GetMessage(message, field));
}

// The field whose value goes to `path`. That is asked of the fields themselves, so there is no second list of them.
template <typename M>
const Field<M>* FieldAt(std::span<const Field<M>> fields, std::string_view path) {
  for (const Field<M>& field : fields) {
    M message;
    field.put({.number = 1, .text = "x"}, message);
    if (PathOfWhatIsSet(message) == path) return &field;
  }
  return nullptr;
}

// Takes "[3]" off the front; nothing when there is none.
std::optional<size_t> TakeIndex(std::string_view& text) {
  if (!text.starts_with('[')) return std::nullopt;
  size_t index = 0;
  const auto [end, error] = std::from_chars(text.data() + 1, text.data() + text.size(), index);
  if (error != std::errc() || end == text.data() + text.size() || *end != ']') return std::nullopt;
  text.remove_prefix(static_cast<size_t>(end - text.data()) + 1);
  return index;
}

bool TakePrefix(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

// The name of a job's field, as a key of a file or as an option.
std::string NameInJob(std::string_view path, bool as_option) {
  if (const JobField* field = FieldAt(JobFields(), path)) return as_option ? OptionName(field->key) : field->key;
  if (TakePrefix(path, "argv")) {
    const auto index = TakeIndex(path);
    if (!index) return as_option ? "the command" : "argv";
    return (as_option ? "the command, word " : "argv, word ") + std::to_string(*index + 1);
  }
  for (const std::string_view key : {"env", "stdin"}) {
    if (path.starts_with(key)) return (as_option ? "--" : "") + std::string(key);
  }
  return std::string(path);
}

std::string NameInBatch(std::string_view path, const Authored& authored) {
  const BatchField* const field = FieldAt(BatchFields(), path);
  const bool is_label = path.starts_with("labels");
  if (field == nullptr && !is_label) return std::string(path);
  const BatchDraft* const options = authored.batch_options;
  const bool by_option = authored.file.empty() ||
                         (options != nullptr && (is_label ? !options->labels.empty() : options->fields.Find(*field) != nullptr));
  if (by_option) return is_label ? "--label" : OptionName(field->key);
  return authored.file + ": " + (is_label ? "labels" : field->key);
}

std::string NameInJobs(size_t index, std::string_view path, const Authored& authored) {
  if (authored.file.empty() || authored.jobs == nullptr || index >= authored.jobs->size()) return NameInJob(path, true);
  const JobDraft& job = (*authored.jobs)[index];
  const JobField* const field = FieldAt(JobFields(), path);
  if (field != nullptr && authored.job_options != nullptr) {
    const FieldValue* const given = authored.job_options->fields.Find(*field);
    const FieldValue* const own = job.fields.Find(*field);
    if (given != nullptr && own != nullptr && *given == *own) return OptionName(field->key);
  }
  return authored.file + ":" + std::to_string(job.line) + (path.empty() ? "" : ": " + NameInJob(path, false));
}

// Of requests that do not submit.
std::string NameInOtherRequests(std::string_view field) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 14> kNames{{{"jobs.correlation_id", "ID"},
                                                                                  {"correlation_id", "ID"},
                                                                                  {"jobs.index", "ID/INDEX"},
                                                                                  {"index", "ID/INDEX"},
                                                                                  {"jobs.owner", "--owner"},
                                                                                  {"owner", "--owner"},
                                                                                  {"reason", "--reason"},
                                                                                  {"grace", "--grace"},
                                                                                  {"signal", "--signal"},
                                                                                  {"older_than", "--older-than"},
                                                                                  {"tail_lines", "-n"},
                                                                                  {"since", "--since"},
                                                                                  {"until", "--until"},
                                                                                  {"cursor", "--cursor"}}};
  for (const auto& [path, name] : kNames) {
    if (path == field) return std::string(name);
  }
  return field.starts_with("labels") ? "--label" : std::string(field);
}

}  // namespace

std::string AuthorsName(std::string_view field, const Authored& authored) {
  // "job.yaml:12: memory" is a place in a file already: the API's names have no colon before a bracket.
  if (const size_t colon = field.find_first_of(":["); colon != std::string_view::npos && field[colon] == ':')
    return std::string(field);
  std::string_view rest = field;
  if (TakePrefix(rest, "options.")) return NameInBatch(rest, authored);
  if (TakePrefix(rest, "job.")) return NameInJob(rest, true);
  if (TakePrefix(rest, "jobs[")) {
    rest = field.substr(std::string_view("jobs").size());
    const auto index = TakeIndex(rest);
    if (!index) return std::string(field);
    TakePrefix(rest, ".");
    return NameInJobs(*index, rest, authored);
  }
  return NameInOtherRequests(field);
}

}  // namespace jobd::cli
