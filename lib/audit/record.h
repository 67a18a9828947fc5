// One line of the audit log: who asked for what, and what came of it. FORMAT.md specifies the bytes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "base/sha256.h"

namespace jobd::audit {

enum class Via { kGrpc, kHttp, kLocal };
enum class Outcome { kAllowed, kRefused, kFailed };
std::string_view ViaName(Via via);
std::string_view OutcomeName(Outcome outcome);

inline constexpr size_t kMaxTextBytes = 1024;  // longer texts are cut
inline constexpr size_t kMaxDetails = 32;      // further ones are left out
inline constexpr size_t kMaxLineBytes = 1 << 20;

// What the server knows of one decision. Texts may hold any bytes; see FORMAT.md for what each means. No secrets.
struct Record {
  base::Nanos time = 0;  // since 1970
  std::string request;
  std::string session;
  Via via = Via::kLocal;
  std::string actor;
  std::string role;
  std::string certificate;
  std::string peer;
  std::string action;
  std::string owner;
  std::string target;
  Outcome outcome = Outcome::kAllowed;
  std::string code;
  std::vector<std::pair<std::string, std::string>> detail;
  bool late = false;
  uint64_t count = 1;  // calls that this record stands for
  bool operator==(const Record&) const = default;
};

// The end of a chain: number and hash of its last record. As it stands: of a chain without records.
struct Head {
  uint64_t seq = 0;
  base::Sha256Digest hash{};
  bool operator==(const Head&) const = default;
};

// The line of `record` without its line feed, as the next one of the chain that ends with `head`, which is moved on to it.
std::string EncodeRecord(const Record& record, Head& head);

// A line as it was read.
struct Line {
  Record record;
  Head head;                  // of the chain when this line is its end
  base::Sha256Digest prev{};  // what it says of the record before
};

// Reads a line without its line feed. kDataLoss, as a sentence part, when it is not exactly what EncodeRecord writes, its hash
// included.
base::Result<Line> DecodeRecord(std::string_view line);

}  // namespace jobd::audit
