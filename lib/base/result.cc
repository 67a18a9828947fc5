#include "base/result.h"

#include <cerrno>
#include <cstring>

#include "base/errno_text.h"

namespace jobd::base {

std::string_view CodeName(Code code) {
  switch (code) {
    case Code::kInvalidArgument: return "INVALID_ARGUMENT";
    case Code::kNotFound: return "NOT_FOUND";
    case Code::kAlreadyExists: return "ALREADY_EXISTS";
    case Code::kPermissionDenied: return "PERMISSION_DENIED";
    case Code::kUnauthenticated: return "UNAUTHENTICATED";
    case Code::kResourceExhausted: return "RESOURCE_EXHAUSTED";
    case Code::kFailedPrecondition: return "FAILED_PRECONDITION";
    case Code::kAborted: return "ABORTED";
    case Code::kUnavailable: return "UNAVAILABLE";
    case Code::kDeadlineExceeded: return "DEADLINE_EXCEEDED";
    case Code::kCancelled: return "CANCELLED";
    case Code::kDataLoss: return "DATA_LOSS";
    case Code::kInternal: return "INTERNAL";
  }
  return "INTERNAL";
}

Error Error::WithContext(std::string_view context) && {
  message_.insert(0, std::string(context) + ": ");
  return std::move(*this);
}

Error Error::WithErrno(int value) && {
  errno_ = value;
  return std::move(*this);
}

Error Error::WithViolations(std::vector<FieldViolation> violations) && {
  violations_ = std::move(violations);
  return std::move(*this);
}

namespace {

Code CodeOfErrno(int errno_value) {
  switch (errno_value) {
    case ENOSPC:
    case EDQUOT:
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case EAGAIN: return Code::kResourceExhausted;
    case ENOENT: return Code::kNotFound;
    case EACCES:
    case EPERM: return Code::kPermissionDenied;
    default: return Code::kInternal;
  }
}

}  // namespace

Error SysError(std::string_view doing, int errno_value) {
  return Error(CodeOfErrno(errno_value), std::string(doing) + ": " + ErrnoText(errno_value)).WithErrno(errno_value);
}

}  // namespace jobd::base
