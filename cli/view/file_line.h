// Mistakes of an author, with the place of each: an option, a file's line, a key.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"

namespace jobd::cli {

// The error as one of the field: "field: message", and so as its only violation.
inline base::Error AsField(base::Error error, const std::string& field) {
  std::string problem = error.message();
  return std::move(error).WithContext(field).WithViolations({{field, std::move(problem)}});
}

// kInvalidArgument, "field: problem", with that as its violation.
inline base::Error FieldError(const std::string& field, const std::string& problem) {
  return AsField({base::Code::kInvalidArgument, problem}, field);
}

// kInvalidArgument, "FILE:LINE: what is wrong", with that as its violation. Lines count from 1. Where `what` begins with a key,
// "env: must be …", the field is "FILE:LINE: env".
inline base::Error AtLine(const std::string& file, int line, const std::string& what) {
  const std::string place = file + ":" + std::to_string(line);
  const size_t colon = what.find(": ");
  const bool has_key = colon != std::string::npos && what.find_first_of(" '\"") > colon;
  if (!has_key) return FieldError(place, what);
  return FieldError(place + ": " + what.substr(0, colon), what.substr(colon + 2));
}

}  // namespace jobd::cli
