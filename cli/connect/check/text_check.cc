#include "cli/connect/check/text_check.h"

#include <google/protobuf/message.h>

#include <string>
#include <vector>

#include "base/text.h"

namespace jobd::cli {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

// The path of the first text that is not UTF-8; empty: there is none.
std::string FindBad(const Message& message) {
  const auto* reflection = message.GetReflection();
  std::vector<const FieldDescriptor*> fields;
  reflection->ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    const bool is_text = field->type() == FieldDescriptor::TYPE_STRING;
    if (!is_text && field->type() != FieldDescriptor::TYPE_MESSAGE) continue;
    const int count = field->is_repeated() ? reflection->FieldSize(message, field) : 1;
    for (int i = 0; i < count; ++i) {
      const auto name = [&] { return field->name() + (field->is_repeated() ? "[" + std::to_string(i) + "]" : ""); };
      if (is_text) {
        const std::string text =
            field->is_repeated() ? reflection->GetRepeatedString(message, field, i) : reflection->GetString(message, field);
        if (!base::IsValidUtf8(text)) return name();
      } else {
        const Message& inner =
            field->is_repeated() ? reflection->GetRepeatedMessage(message, field, i) : reflection->GetMessage(message, field);
        if (const std::string bad = FindBad(inner); !bad.empty()) return name() + "." + bad;
      }
    }
  }
  return "";
}

}  // namespace

base::Status CheckTexts(const Message& message) {
  const std::string bad = FindBad(message);
  if (bad.empty()) return base::Ok();
  return base::Error(base::Code::kInvalidArgument, bad + ": is not UTF-8");
}

}  // namespace jobd::cli
