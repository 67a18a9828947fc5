#include "worker/model/admission.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/bounds.h"
#include "base/text.h"
#include "base/units.h"

namespace jobd::worker {
namespace {

bool HasNul(std::string_view text) { return text.find('\0') != std::string_view::npos; }

// For messages, which name the bound that was exceeded.
std::string AtMost(uint64_t most, std::string_view unit) { return "must be at most " + std::to_string(most) + std::string(unit); }
constexpr std::string_view kPlainBytes = " bytes of UTF-8 without control characters";

// Text for people: valid UTF-8 without control characters.
bool IsPlainText(std::string_view text) {
  if (!base::IsValidUtf8(text)) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte < 0x20 || byte == 0x7f) return false;
    // C1 controls are U+0080 to U+009F: C2 80 to C2 9F.
    if (byte == 0xc2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xa0) return false;
  }
  return true;
}

class Violations {
 public:
  void Add(std::string field, std::string problem) {
    if (list_.size() < base::kMaxViolations) list_.push_back({std::move(field), std::move(problem)});
  }
  bool full() const { return list_.size() >= base::kMaxViolations; }
  base::Status ToStatus() && {
    if (list_.empty()) return base::Ok();
    const std::string message = list_.front().field + ": " + list_.front().problem;
    return base::Error(base::Code::kInvalidArgument, message).WithViolations(std::move(list_));
  }

 private:
  std::vector<base::FieldViolation> list_;
};

void CheckOptions(const BatchOptions& options, Violations& bad) {
  if (!options.correlation_id.empty() && !base::IsSafeName(options.correlation_id)) {
    bad.Add("options.correlation_id", "must match [A-Za-z0-9_][A-Za-z0-9._:-]{0,127}");
  }
  if (options.name.size() > base::kMaxNameBytes || !IsPlainText(options.name)) {
    bad.Add("options.name", AtMost(base::kMaxNameBytes, kPlainBytes));
  }
  if (options.labels.size() > base::kMaxLabels) bad.Add("options.labels", AtMost(base::kMaxLabels, ""));
  for (const auto& [key, value] : options.labels) {
    if (key.empty() || key.size() > base::kMaxLabelKeyBytes || !IsPlainText(key)) {
      bad.Add("options.labels", "keys must be 1 to " + std::to_string(base::kMaxLabelKeyBytes) + std::string(kPlainBytes));
      break;
    }
    if (value.size() > base::kMaxLabelValueBytes || !IsPlainText(value)) {
      bad.Add("options.labels", "values " + AtMost(base::kMaxLabelValueBytes, kPlainBytes));
      break;
    }
  }
  if (options.priority < Priority::kLow || options.priority > Priority::kUrgent) bad.Add("options.priority", "is not a priority");
}

void CheckTime(const std::string& field, base::Nanos value, Violations& bad) {
  if (value < 0 || value > base::kMaxJobTime)
    bad.Add(field, "must be between 0 and " + std::to_string(base::kMaxJobTime / base::kNanosPerDay) + " days");
}

void CheckCommand(const JobSpec& job, const std::string& at, Violations& bad) {
  size_t total = 0;
  if (job.argv.empty() || job.argv.front().empty()) bad.Add(at + "argv", "must name a program");
  if (job.argv.size() > base::kMaxArgs) bad.Add(at + "argv", AtMost(base::kMaxArgs, " arguments"));
  for (const std::string& arg : job.argv) {
    if (arg.size() > base::kMaxArgBytes) {
      bad.Add(at + "argv", "an argument " + AtMost(base::kMaxArgBytes, " bytes"));
      break;
    }
    if (HasNul(arg)) {
      bad.Add(at + "argv", "an argument must not contain NUL");
      break;
    }
    total += arg.size() + 1;
  }
  if (job.env.size() > base::kMaxEnv) bad.Add(at + "env", AtMost(base::kMaxEnv, " variables"));
  for (const auto& [name, value] : job.env) {
    if (name.empty() || name.find('=') != std::string::npos || HasNul(name) || HasNul(value)) {
      bad.Add(at + "env", "names must not be empty or contain '='; neither names nor values may contain NUL");
      break;
    }
    if (name.size() + value.size() + 1 > base::kMaxArgBytes) {
      bad.Add(at + "env", "a variable " + AtMost(base::kMaxArgBytes, " bytes"));
      break;
    }
    total += name.size() + value.size() + 2;
  }
  if (total > base::kMaxExecBytes) {
    bad.Add(at + "argv", "arguments and environment together must be at most " + base::FormatSize(base::kMaxExecBytes));
  }
}

void CheckLimits(const launch::JobLimits& limits, const std::string& at, Violations& bad) {
  // 0 asks for no limit.
  const auto check = [&](const char* field, uint64_t value, uint64_t least, uint64_t most, auto text) {
    if (value == 0 || (value >= least && value <= most)) return;
    bad.Add(at + field, (least > 1 ? "must be at least " + text(least) + " and at most " : "must be at most ") + text(most));
  };
  const auto number = [](uint64_t value) { return std::to_string(value); };
  check("limits.memory_bytes", limits.memory_bytes, base::kMinMemoryBytes, base::kMaxLimitBytes, base::FormatSize);
  check("limits.cpu_millis", limits.cpu_millis, 1, base::kMaxCpuMillis, number);
  check("limits.pids", limits.pids, 1, base::kMaxPids, number);
  check("limits.output_bytes", limits.output_bytes, 1, base::kMaxLimitBytes, base::FormatSize);
  check("limits.file_bytes", limits.file_bytes, 1, base::kMaxLimitBytes, base::FormatSize);
  check("limits.tmp_bytes", limits.tmp_bytes, 1, base::kMaxLimitBytes, base::FormatSize);
  check("limits.core_bytes", limits.core_bytes, 1, base::kMaxLimitBytes, base::FormatSize);
  check("limits.open_files", limits.open_files, base::kMinOpenFiles, base::kMaxOpenFiles, number);
  check("limits.io_read_bytes_per_second", limits.io_read_bytes_per_second, base::kMinRate, base::kMaxLimitBytes, base::FormatSize);
  check("limits.io_write_bytes_per_second", limits.io_write_bytes_per_second, base::kMinRate, base::kMaxLimitBytes,
        base::FormatSize);
}

const std::string& ProfileOf(const JobSpec& job, const WorkerLimits& limits) {
  return job.profile.empty() ? limits.default_profile : job.profile;
}

// What the submitter's bounds give to what is not asked for, where the service's defaults do not give less.
void FillLimits(const Submitter& submitter, const WorkerLimits& limits, const launch::ProfileCapabilities& profile,
                launch::JobLimits& filled, base::Nanos& timeout) {
  launch::OwnerBounds bounds{.max = submitter.bounds.max, .timeout = submitter.bounds.timeout, .workdirs = {}};
  launch::EachLimit([&](const char* /*name*/, auto limit) {
    const auto otherwise = limits.default_limits.*limit;
    if (otherwise != 0) bounds.max.*limit = std::min(bounds.max.*limit, otherwise);
  });
  if (limits.default_timeout != 0) bounds.timeout = std::min(bounds.timeout, limits.default_timeout);
  launch::FillFromBounds(bounds, profile, filled, timeout);
}

// "a, b or c".
std::string Listed(const std::vector<std::string>& names) {
  std::string text;
  for (size_t i = 0; i < names.size(); ++i) text += (i == 0 ? "" : i + 1 == names.size() ? " or " : ", ") + names[i];
  return text;
}

std::string NoProfile(const std::string& name, const launch::Capabilities& capabilities) {
  std::vector<std::string> known;
  for (const launch::ProfileCapabilities& profile : capabilities.profiles) known.push_back(profile.name);
  return "there is no profile '" + base::EscapeForTerminal(name) + "', but " + Listed(known);
}

// Can the launcher do it? It is what decides, when the job is started; but then it is late.
void CheckOffer(const Submitter& submitter, const JobSpec& job, const WorkerLimits& limits, const std::string& at,
                Violations& bad) {
  const launch::ProfileCapabilities* profile = limits.capabilities.Find(ProfileOf(job, limits));
  if (profile == nullptr) return bad.Add(at + "profile", NoProfile(ProfileOf(job, limits), limits.capabilities));
  if (profile->missing) return bad.Add(at + "profile", "cannot be enforced on this machine; `jobctl admin status` says why");
  const auto add = [&](const std::optional<base::FieldViolation>& beyond) {
    if (beyond) bad.Add(at + beyond->field, beyond->problem);
  };
  add(launch::ExceedsProfile(*profile, job.limits));
  launch::JobLimits filled = job.limits;
  base::Nanos timeout = job.timeout;
  FillLimits(submitter, limits, *profile, filled, timeout);
  launch::EachLimit([&](const char* /*name*/, auto limit) {
    if (filled.*limit == 0) filled.*limit = limits.default_limits.*limit;
  });
  add(launch::ExceedsMachine(limits.capabilities, filled));
}

void CheckJob(const JobSpec& job, const std::string& at, Violations& bad) {
  CheckCommand(job, at, bad);
  if (job.name.size() > base::kMaxNameBytes || !IsPlainText(job.name)) {
    bad.Add(at + "name", AtMost(base::kMaxNameBytes, kPlainBytes));
  }
  if (!job.workdir.empty() && (job.workdir.front() != '/' || job.workdir.size() > base::kMaxPathBytes || HasNul(job.workdir))) {
    bad.Add(at + "workdir", "must be an absolute path of at most " + std::to_string(base::kMaxPathBytes) + " bytes without NUL");
  }
  if (job.stdin_data.size() > base::kMaxStdinBytes)
    bad.Add(at + "stdin", "must be at most " + base::FormatSize(base::kMaxStdinBytes));
  CheckTime(at + "timeout", job.timeout, bad);
  if (job.kill_after) CheckTime(at + "kill_after", *job.kill_after, bad);
  CheckLimits(job.limits, at, bad);
  if (job.retries > base::kMaxRetries) bad.Add(at + "retries", AtMost(base::kMaxRetries, ""));
  // Names of profiles and accounts are handed to others by value: nothing unusual may travel in them.
  if (!job.profile.empty() && !base::IsSafeName(job.profile)) bad.Add(at + "profile", "is not a profile's name");
  if (!job.user.empty() && !base::IsSafeName(job.user)) bad.Add(at + "user", "is not an account's name");
}

bool Contains(const std::vector<std::string>& list, const std::string& item) {
  return std::find(list.begin(), list.end(), item) != list.end();
}

base::Status CheckPermissions(const Submitter& submitter, const std::vector<JobSpec>& jobs, const WorkerLimits& limits) {
  for (size_t i = 0; i < jobs.size(); ++i) {
    const std::string at = "jobs[" + std::to_string(i) + "].";
    const auto denied = [&](const std::string& what) { return base::Error(base::Code::kPermissionDenied, at + what); };
    const std::string& profile = ProfileOf(jobs[i], limits);
    if (!Contains(submitter.profiles, profile)) {
      if (!submitter.profiles.empty())
        return denied("profile: you may not use '" + base::EscapeForTerminal(profile) + "': you may use " +
                      Listed(submitter.profiles));
      const launch::ProfileCapabilities* const known = limits.capabilities.Find(profile);
      if (known == nullptr || known->needs_grant) {
        return denied(
            "profile: jobd is not root here, so a job of this profile would share its account; an administrator can name " +
            profile + " in your profiles in the users file");
      }
    }
    if (!jobs[i].user.empty() && !Contains(submitter.run_as, jobs[i].user)) {
      return denied("user: you may not run jobs as '" + base::EscapeForTerminal(jobs[i].user) + "': " +
                    (submitter.run_as.empty() ? "no run_as in the users file gives you an account"
                                              : "you may as " + Listed(submitter.run_as)));
    }
    if (const auto beyond = launch::ExceedsOwner(submitter.bounds, jobs[i].limits, jobs[i].timeout)) {
      return denied(beyond->field + ": " + beyond->problem);
    }
    if (!jobs[i].workdir.empty() && jobs[i].workdir != limits.default_workdir &&
        !launch::MayWorkIn(submitter.bounds, jobs[i].workdir)) {
      return denied("workdir: you may not work in this folder; `workdirs` in the users file says where you may");
    }
  }
  return base::Ok();
}

}  // namespace

base::Status CheckBatch(const Submitter& submitter, const BatchOptions& options, const std::vector<JobSpec>& jobs,
                        const WorkerLimits& limits) {
  Violations bad;
  const uint32_t most = std::min(limits.max_batch_jobs, base::kMaxJobs);
  CheckOptions(options, bad);
  if (jobs.empty()) bad.Add("jobs", "must not be empty");
  if (jobs.size() > most) {
    bad.Add("jobs", "must be at most " + std::to_string(most));
  } else {
    for (size_t i = 0; i < jobs.size() && !bad.full(); ++i) {
      const std::string at = "jobs[" + std::to_string(i) + "].";
      CheckJob(jobs[i], at, bad);
      CheckOffer(submitter, jobs[i], limits, at, bad);
    }
  }
  JOBD_RETURN_IF_ERROR(std::move(bad).ToStatus());
  return CheckPermissions(submitter, jobs, limits);
}

bool MayHaveBeenAccepted(const BatchOptions& options, const std::vector<JobSpec>& jobs) {
  if (options.correlation_id.empty() || jobs.empty() || jobs.size() > base::kMaxJobs) return false;
  Violations bad;
  CheckOptions(options, bad);
  for (const JobSpec& job : jobs) CheckJob(job, "", bad);
  return std::move(bad).ToStatus().ok();
}

void PinBounds(const Submitter& submitter, const WorkerLimits& limits, JobSpec& job) {
  const launch::ProfileCapabilities* const profile = limits.capabilities.Find(ProfileOf(job, limits));
  if (profile != nullptr) FillLimits(submitter, limits, *profile, job.limits, job.timeout);
}

void KeepLastOfDuplicates(JobSpec& job) {
  std::unordered_map<std::string_view, size_t> place;
  std::vector<std::pair<std::string, std::string>> kept;
  kept.reserve(job.env.size());  // so that the views below stay valid
  for (auto& [name, value] : job.env) {
    if (const auto known = place.find(name); known != place.end()) {
      kept[known->second].second = std::move(value);
      continue;
    }
    kept.emplace_back(std::move(name), std::move(value));
    place.emplace(kept.back().first, kept.size() - 1);
  }
  job.env = std::move(kept);
}

base::Status CheckLoad(const Submitter& submitter, uint64_t job_count, const Load& load, const WorkerLimits& limits) {
  if (load.queued + job_count > limits.max_queued) {
    return base::Error(base::Code::kResourceExhausted, "the queue is full: it takes " + std::to_string(limits.max_queued) +
                                                           " jobs, and has " + std::to_string(load.queued) +
                                                           "; submit it when some have ended");
  }
  const uint64_t own = submitter.max_queued.value_or(limits.max_queued_per_user);
  if (load.queued_of_owner + job_count > own) {
    return base::Error(base::Code::kResourceExhausted, "you may have at most " + std::to_string(own) + " queued jobs, and have " +
                                                           std::to_string(load.queued_of_owner));
  }
  return base::Ok();
}

}  // namespace jobd::worker
