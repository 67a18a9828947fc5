// Requests that the API takes.
#pragma once

#include <google/protobuf/message.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/unit/server/test_users.h"

namespace jobd::server::testing {

// Fills the fields that the methods of the API insist on, by their names. Logins are of `user`.
inline void FillIn(google::protobuf::Message& message, const std::string& user) {
  using google::protobuf::FieldDescriptor;
  const auto* const descriptor = message.GetDescriptor();
  const auto* const reflection = message.GetReflection();
  for (int i = 0; i < descriptor->field_count(); ++i) {
    const FieldDescriptor* const field = descriptor->field(i);
    if (field->name() == "correlation_id") reflection->SetString(&message, field, "mine");
    const bool by_address_alone = descriptor->FindFieldByName("correlation_id") == nullptr;
    if (field->name() == "address" && by_address_alone) reflection->SetString(&message, field, "mine");
    if (field->name() == "signal") reflection->SetInt32(&message, field, 15);
    if (field->name() == "argv") reflection->AddString(&message, field, "true");
    if (field->name() == "username") reflection->SetString(&message, field, user);
    if (field->name() == "password") reflection->SetString(&message, field, kPassword);
    if (field->name() == "session") reflection->SetString(&message, field, "s-0000000000000000");
    const bool nested = field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE;
    if (field->name() == "job" || field->name() == "older_than" || (field->name() == "jobs" && !field->is_repeated())) {
      ASSERT_TRUE(nested);
      FillIn(*reflection->MutableMessage(&message, field), user);
    }
  }
}

}  // namespace jobd::server::testing
