// Errors as values. A function that can fail returns Result<T>, or Status when there is nothing else to return. Libraries return
// errors and add context on the way up; programs log them. No exception crosses a folder.
#pragma once

#include <cassert>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace jobd::base {

// What kind of failure, in the terms that reach a client. The server maps each to the gRPC code of the same name.
enum class Code {
  kInvalidArgument,
  kNotFound,
  kAlreadyExists,
  kPermissionDenied,
  kUnauthenticated,
  kResourceExhausted,
  kFailedPrecondition,
  kAborted,
  kUnavailable,
  kDeadlineExceeded,
  kCancelled,
  kDataLoss,
  kInternal,
};

// "INVALID_ARGUMENT" for kInvalidArgument, and so on.
std::string_view CodeName(Code code);

// One field of a request that is not acceptable: `field` is its path in the request ("jobs[3].argv"), `problem` a sentence part.
struct FieldViolation {
  std::string field;
  std::string problem;
  bool operator==(const FieldViolation&) const = default;
};

// A failure. `message` is one line for a person; what of it may be shown to a client is the server's decision.
class Error {
 public:
  Error(Code code, std::string message) : code_(code), message_(std::move(message)) {}

  Code code() const { return code_; }
  const std::string& message() const { return message_; }
  // The errno behind the failure, or 0.
  int sys_errno() const { return errno_; }
  const std::vector<FieldViolation>& violations() const { return violations_; }

  // "context: message".
  Error WithContext(std::string_view context) &&;
  Error WithErrno(int value) &&;
  Error WithViolations(std::vector<FieldViolation> violations) &&;

 private:
  Code code_;
  int errno_ = 0;
  std::string message_;
  std::vector<FieldViolation> violations_;
};

// An Error of code kInternal (kResourceExhausted for ENOSPC, EDQUOT, EMFILE, ENFILE, ENOMEM, EAGAIN; kNotFound for ENOENT;
// kPermissionDenied for EACCES and EPERM) that reads "doing: No such file or directory".
Error SysError(std::string_view doing, int errno_value);

// A value or an Error. Asking for the one that is not there is a programming error.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}      // NOLINT(google-explicit-constructor): `return value;`
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT(google-explicit-constructor)

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }
  T& value() & {
    assert(ok());
    return *std::get_if<0>(&state_);
  }
  const T& value() const& {
    assert(ok());
    return *std::get_if<0>(&state_);
  }
  T&& value() && {
    assert(ok());
    return std::move(*std::get_if<0>(&state_));
  }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }
  Error& error() & {
    assert(!ok());
    return *std::get_if<1>(&state_);
  }
  const Error& error() const& {
    assert(!ok());
    return *std::get_if<1>(&state_);
  }
  Error&& error() && {
    assert(!ok());
    return std::move(*std::get_if<1>(&state_));
  }

 private:
  std::variant<T, Error> state_;
};

// Success, or an Error.
class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(Error error) : state_(std::move(error)) {}  // NOLINT(google-explicit-constructor)

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }
  Error& error() & {
    assert(!ok());
    return *std::get_if<1>(&state_);
  }
  const Error& error() const& {
    assert(!ok());
    return *std::get_if<1>(&state_);
  }
  Error&& error() && {
    assert(!ok());
    return std::move(*std::get_if<1>(&state_));
  }

 private:
  std::variant<std::monostate, Error> state_;
};

inline Status Ok() { return {}; }

}  // namespace jobd::base

// Returns the error of a Result or Status from the calling function.
#define JOBD_RETURN_IF_ERROR(expression)                      \
  do {                                                        \
    if (auto jobd_status = (expression); !jobd_status.ok()) { \
      return std::move(jobd_status).error();                  \
    }                                                         \
  } while (false)

#define JOBD_CONCAT_INNER(a, b) a##b
#define JOBD_CONCAT(a, b) JOBD_CONCAT_INNER(a, b)
// JOBD_ASSIGN_OR_RETURN(auto fd, Open(...));
#define JOBD_ASSIGN_OR_RETURN(declaration, expression) \
  JOBD_ASSIGN_OR_RETURN_INNER(JOBD_CONCAT(jobd_result_, __LINE__), declaration, expression)
#define JOBD_ASSIGN_OR_RETURN_INNER(temporary, declaration, expression) \
  auto temporary = (expression);                                        \
  if (!temporary.ok()) return std::move(temporary).error();             \
  declaration = std::move(temporary).value()
