// Checks the texts of a request before it is sent.
#pragma once

#include "base/result.h"

namespace google::protobuf {
class Message;
}

namespace jobd::cli {

// Checks that every `string` of the message, and of messages in it, is UTF-8. kInvalidArgument names the field by its path:
// "options.labels[0].value: is not UTF-8". `bytes` may hold anything.
base::Status CheckTexts(const google::protobuf::Message& message);

}  // namespace jobd::cli
