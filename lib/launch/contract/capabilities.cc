#include "launch/contract/capabilities.h"

#include <algorithm>
#include <type_traits>

#include "base/units.h"

namespace jobd::launch {

namespace {

std::string AmountText(std::string_view limit, uint64_t amount) {
  if (limit == "cpu_millis" || limit == "pids" || limit == "open_files") return std::to_string(amount);
  return base::FormatSize(amount);
}

base::FieldViolation OfLimit(const std::string& limit, std::string problem) { return {"limits." + limit, std::move(problem)}; }

// 0: none.
uint64_t BoundOf(const ProfileCapabilities& profile, std::string_view limit) {
  if (limit == "tmp_bytes") return profile.tmp_bytes;
  if (limit == "file_bytes") return profile.file_bytes;
  if (limit == "open_files") return profile.open_files;
  return 0;
}

// "/a/b" of "//a/./b/"; nothing of what is not absolute or goes up.
std::optional<std::string> Plain(std::string_view path) {
  if (!path.starts_with('/')) return std::nullopt;
  std::string plain;
  while (!path.empty()) {
    const size_t end = path.find('/');
    const std::string_view name = path.substr(0, end);
    path = end == std::string_view::npos ? std::string_view() : path.substr(end + 1);
    if (name == "..") return std::nullopt;
    if (name.empty() || name == ".") continue;
    plain += '/';
    plain += name;
  }
  return plain;
}

}  // namespace

const ProfileCapabilities* Capabilities::Find(std::string_view profile) const {
  const auto found =
      std::find_if(profiles.begin(), profiles.end(), [&](const ProfileCapabilities& p) { return p.name == profile; });
  return found != profiles.end() ? &*found : nullptr;
}

std::optional<base::FieldViolation> ExceedsProfile(const ProfileCapabilities& profile, const JobLimits& limits) {
  if (limits.tmp_bytes != 0 && !profile.private_tmp) {
    return OfLimit("tmp_bytes", "cannot be had: profile '" + profile.name + "' has no private /tmp");
  }
  std::optional<base::FieldViolation> problem;
  EachLimit([&](const char* name, auto limit) {
    const uint64_t most = BoundOf(profile, name);
    if (problem || most == 0 || limits.*limit <= most) return;
    problem = OfLimit(name, "is more than profile '" + profile.name + "' allows, which is " + AmountText(name, most));
  });
  return problem;
}

std::optional<base::FieldViolation> ExceedsMachine(const Capabilities& capabilities, const JobLimits& limits) {
  std::optional<base::FieldViolation> problem;
  EachLimit([&](const char* name, auto limit) {
    const auto& missing = capabilities.missing_limits;
    if (problem || limits.*limit == 0 || std::find(missing.begin(), missing.end(), name) == missing.end()) return;
    problem = OfLimit(name, "cannot be enforced on this machine; `jobctl admin status` says why");
  });
  return problem;
}

std::optional<base::FieldViolation> ExceedsOwner(const OwnerBounds& bounds, const JobLimits& limits, base::Nanos timeout) {
  std::optional<base::FieldViolation> problem;
  EachLimit([&](const char* name, auto limit) {
    if (problem || bounds.max.*limit == 0 || limits.*limit <= bounds.max.*limit) return;
    problem = OfLimit(name, "is more than you may ask for, which is " + AmountText(name, bounds.max.*limit));
  });
  if (!problem && bounds.timeout != 0 && timeout > bounds.timeout) {
    problem = base::FieldViolation{"timeout", "is more than you may ask for, which is " + base::ExactDuration(bounds.timeout)};
  }
  return problem;
}

void FillFromBounds(const OwnerBounds& bounds, const ProfileCapabilities& profile, JobLimits& limits, base::Nanos& timeout) {
  EachLimit([&](const char* name, auto limit) {
    auto& amount = limits.*limit;
    if (std::string_view(name) == "core_bytes") return;
    if (amount != 0 || (std::string_view(name) == "tmp_bytes" && !profile.private_tmp)) return;
    amount = bounds.max.*limit;
    using Amount = std::remove_reference_t<decltype(amount)>;
    if (const uint64_t bound = BoundOf(profile, name); bound != 0 && amount > bound) amount = static_cast<Amount>(bound);
  });
  if (timeout == 0) timeout = bounds.timeout;
}

bool MayWorkIn(const OwnerBounds& bounds, std::string_view workdir) {
  if (bounds.workdirs.empty()) return true;
  const auto path = Plain(workdir);
  return path && std::any_of(bounds.workdirs.begin(), bounds.workdirs.end(), [&](const std::string& folder) {
           const auto top = Plain(folder);
           return top && (*path == *top || path->starts_with(*top + "/"));
         });
}

}  // namespace jobd::launch
