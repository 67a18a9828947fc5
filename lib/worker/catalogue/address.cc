#include "worker/catalogue/address.h"

#include <charconv>
#include <optional>
#include <string_view>
#include <vector>

#include "base/bounds.h"
#include "base/text.h"

namespace jobd::worker {
namespace {

// The longest that a name of a batch and one of a job make.
constexpr size_t kMaxAddressBytes = 2 * base::kMaxNameBytes + 1;
// Of jobs with the same name, so many are told.
constexpr uint32_t kTold = 3;

base::Error Bad(const std::string& problem) {
  return base::Error(base::Code::kInvalidArgument, problem).WithViolations({{"address", problem}});
}

bool IsNotFound(const base::Error& error) { return error.code() == base::Code::kNotFound; }

// A number from 1 without leading zeros; with `zero` also 0.
std::optional<uint64_t> NumberOf(std::string_view text, bool zero = false) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool plain = error == std::errc() && end == text.data() + text.size() && (text[0] != '0' || (zero && text.size() == 1));
  return plain ? std::optional(number) : std::nullopt;
}

// How many batches lie behind the one that `last` or `last~N` means.
std::optional<uint64_t> LastOf(std::string_view text) {
  constexpr std::string_view kLast = "last";
  if (!text.starts_with(kLast)) return std::nullopt;
  text.remove_prefix(kLast.size());
  if (text.empty()) return 0;
  if (text.front() != '~') return std::nullopt;
  return NumberOf(text.substr(1), true);
}

// All but a beginning of an ID.
base::Result<uint64_t> FindWhole(CatalogueReader& reader, const std::string& owner, const std::string& text) {
  // Reserved: no batch can be called so any more, and one that an earlier version took must not hide what the word means.
  if (const auto skip = LastOf(text)) return reader.FindNewest(owner, *skip);
  const BatchName name{.owner = owner, .correlation_id = text};
  if (base::IsSafeName(text)) {
    auto exact = reader.Find(name, false);
    if (exact.ok() || !IsNotFound(exact.error())) return exact;
  }
  if (const auto number = NumberOf(text)) {
    auto numbered = reader.FindNumber(owner, *number);
    if (numbered.ok() || !IsNotFound(numbered.error())) return numbered;
  }
  return reader.FindNamed(owner, text);
}

base::Result<uint64_t> FindBeginning(CatalogueReader& reader, const std::string& owner, const std::string& text) {
  if (!base::IsSafeName(text)) return base::Error(base::Code::kNotFound, "no such batch");
  return reader.Find({.owner = owner, .correlation_id = text}, true);
}

base::Result<uint32_t> ResolveJob(CatalogueReader& reader, uint64_t batch, const std::string& text) {
  if (const auto number = NumberOf(text)) {
    JOBD_ASSIGN_OR_RETURN(const BatchView about, reader.Batch(batch));
    if (*number <= about.job_count) return static_cast<uint32_t>(*number);
  }
  JOBD_ASSIGN_OR_RETURN(const std::vector<uint32_t> jobs, reader.JobsNamed(batch, text, kTold + 1));
  if (jobs.empty() && text == "0") return Bad("jobs are counted from 1");
  if (jobs.empty()) return base::Error(base::Code::kNotFound, "no such job");
  if (jobs.size() == 1) return jobs.front();
  std::string list;
  for (size_t i = 0; i < jobs.size() && i < kTold; ++i) list += (i == 0 ? "" : ", ") + std::to_string(jobs[i]);
  return Bad("several jobs of the batch have this name: " + list + (jobs.size() > kTold ? " and others" : ""));
}

// The first part of the address, up to a slash or all of it, that `find` knows, and the job behind it. Absent: it knows none.
template <typename Find>
base::Result<std::optional<Target>> FindParts(CatalogueReader& reader, const std::string& owner, const std::string& address,
                                              Find find) {
  for (size_t slash = address.find('/');; slash = address.find('/', slash + 1)) {
    const bool last = slash == std::string::npos;
    const auto batch = find(reader, owner, address.substr(0, slash));
    if (!batch.ok() && !IsNotFound(batch.error())) return batch.error();
    if (!batch.ok() && last) return std::optional<Target>();
    if (!batch.ok()) continue;
    JOBD_ASSIGN_OR_RETURN(const BatchView about, reader.Batch(*batch));
    Target target{.batch = about.name, .index = {}};
    if (last) return std::optional(target);
    JOBD_ASSIGN_OR_RETURN(target.index, ResolveJob(reader, *batch, address.substr(slash + 1)));
    return std::optional(target);
  }
}

}  // namespace

base::Result<Target> ResolveAddress(CatalogueReader& reader, const std::string& owner, const std::string& address) {
  if (address.empty() || address.size() > kMaxAddressBytes || !base::IsValidUtf8(address)) {
    return Bad("must be an ID, `last`, a number or a name, and perhaps / and a job");
  }
  JOBD_ASSIGN_OR_RETURN(auto found, FindParts(reader, owner, address, FindWhole));
  // A beginning comes last, at every slash: "etl/daily" may be the name of a batch, while an ID begins with "etl".
  if (!found) {
    JOBD_ASSIGN_OR_RETURN(found, FindParts(reader, owner, address, FindBeginning));
  }
  if (!found) return base::Error(base::Code::kNotFound, "no such batch");
  return *std::move(found);
}

}  // namespace jobd::worker
