// The plain fields of a job and of a batch, each declared once: its key in a batch file, its option, its help, how its value is
// read, and its place in the API's message. Options of `run` and `submit`, completion, batch files and requests all follow these
// lists.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace jobd::v1 {
class BatchOptions;
class JobSpec;
}  // namespace jobd::v1

namespace jobd::cli {

// A value that was read. A field uses one of the two members.
struct FieldValue {
  uint64_t number = 0;
  std::string text;
  bool operator==(const FieldValue&) const = default;
};

// One field. To add one is to add a row in job_fields.cc.
template <typename Message>
struct Field {
  const char* key;   // "kill_after" in a batch file; the option is --kill-after
  const char* type;  // of the value, as help shows it: "SIZE"; nullptr: the option is a flag, and giving it means "true"
  const char* help;  // nullptr: no option, a key of batch files only
  // Errors are kInvalidArgument and do not name the key.
  base::Result<FieldValue> (*read)(const std::string& text);
  // Puts a value that `read` returned into the message.
  void (*put)(const FieldValue& value, Message& message);
};
using JobField = Field<v1::JobSpec>;
using BatchField = Field<v1::BatchOptions>;

// In the order of the help.
std::span<const JobField> JobFields();
std::span<const BatchField> BatchFields();

// "--kill-after" for the key "kill_after".
std::string OptionName(std::string_view key);

// The field with that key, or nullptr.
template <typename Message>
const Field<Message>* FindField(std::span<const Field<Message>> fields, std::string_view key) {
  const auto found = std::find_if(fields.begin(), fields.end(), [key](const Field<Message>& field) { return field.key == key; });
  return found == fields.end() ? nullptr : &*found;
}

// The fields that an author gave, with their values. A field that was not given takes no room: batches have up to a million jobs.
template <typename Message>
class FieldValues {
 public:
  // The value of a field, or nullptr when it was not given.
  const FieldValue* Find(const Field<Message>& field) const {
    for (const auto& [known, value] : values_) {
      if (known == &field) return &value;
    }
    return nullptr;
  }
  // Reads `text` as the field's value; it replaces a value given before.
  base::Status Set(const Field<Message>& field, const std::string& text) {
    auto value = field.read(text);
    if (!value.ok()) return std::move(value).error();
    Put(field, std::move(value).value());
    return base::Ok();
  }
  // Takes from `defaults` the fields that were not given here.
  void AddMissing(const FieldValues& defaults) {
    for (const auto& [field, value] : defaults.values_) {
      if (Find(*field) == nullptr) values_.emplace_back(field, value);
    }
  }
  // Takes all fields of `over`, in place of values given here.
  void Override(const FieldValues& over) {
    for (const auto& [field, value] : over.values_) Put(*field, value);
  }
  void ToProto(Message& message) const {
    for (const auto& [field, value] : values_) field->put(value, message);
  }
  bool operator==(const FieldValues&) const = default;

 private:
  void Put(const Field<Message>& field, FieldValue value) {
    for (auto& [known, old] : values_) {
      if (known != &field) continue;
      old = std::move(value);
      return;
    }
    values_.emplace_back(&field, std::move(value));
  }

  std::vector<std::pair<const Field<Message>*, FieldValue>> values_;
};

}  // namespace jobd::cli
