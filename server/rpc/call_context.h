// A call as its handler sees it, whatever transport it came by.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "server/auth/call_admission.h"
#include "worker/model/model.h"

namespace spdlog {
class logger;
}

namespace jobd::server {

class ErrorReporter;
class StreamRegistry;
class TaskPool;
struct Method;

// What every transport serves calls with. Borrowed and thread-safe; outlives all calls.
struct CallSupport {
  CallAdmission& admission;
  StreamRegistry& streams;
  TaskPool& tasks;
  const ErrorReporter& errors;
  spdlog::logger& log;
  const base::Clock& clock;
  MemoryBudget& decoding;  // for requests, before they are parsed: see MessageShape
};

// What one request may take in memory when it is parsed, and all of them at once.
inline constexpr uint64_t kMaxDecodedBytes = 64u << 20;
inline constexpr uint64_t kDecodingBytes = 160u << 20;

// What a transport knows of a request beside its message.
struct RequestFacts {
  std::string_view transport;  // "grpc"; static storage
  std::string peer;            // the client's address, in the transport's form
};

// An admitted call. Lives as long as the call, and its quota counts until ReleaseQuota. Not thread-safe: a handler may use it until
// it answers, then it is the transport's.
class CallContext {
 public:
  CallContext(const Method& method, Admitted admitted, RequestFacts facts);

  const Method& method() const { return method_; }
  // As in HTTP/2's :path, "/jobd.v1.AdminService/Start".
  std::string_view path() const;
  const Caller& caller() const { return admitted_.caller; }
  // Whether the call reaches other people's batches.
  bool reaches_all() const { return admitted_.scope == Scope::kAll; }
  const RequestFacts& facts() const { return facts_; }

  // See ResolveOwner.
  base::Result<std::string> OwnerOf(const std::string& requested) const;
  // The batch the call is about, for the log; empty as long as it is not known.
  const worker::BatchName& about() const { return about_; }
  void SetAbout(const worker::BatchName& batch) { about_ = batch; }

  // Admits the call anew, with what its caller may do now. Where nothing else uses the call but StillAdmitted: before its handler
  // does, or before its sink submits.
  base::Status AdmitAgain(const CallSupport& support);
  // Whether the caller would be admitted now, with no smaller scope. Thread-safe.
  base::Status StillAdmitted(const CallSupport& support) const;
  // The call counts no more among its user's. For the transport, just before the answer: the client may send its next call at once.
  void ReleaseQuota() { admitted_.quota = {}; }
  // The same; but an answer of so many bytes counts instead, until ReleaseQuota or the call's end.
  void CountAnswer(uint64_t bytes) { admitted_.quota.Answered(bytes); }

 private:
  const Method& method_;
  const Standing standing_;   // the caller's; this and the next are for StillAdmitted
  std::atomic<Scope> scope_;  // as in admitted_
  Admitted admitted_;
  const RequestFacts facts_;
  worker::BatchName about_;
};

// Writes the end of a call to the log, for debugging. `how` is a code's name.
void LogEnd(spdlog::logger& log, const CallContext& call, std::string_view how);

}  // namespace jobd::server
