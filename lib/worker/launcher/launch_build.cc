#include "worker/launcher/launch_build.h"

#include <algorithm>
#include <iterator>

namespace jobd::worker {

Bounds BoundsOf(const JobSpec& spec, const WorkerLimits& limits) {
  const auto or_default = [](auto own, auto otherwise) { return own != 0 ? own : otherwise; };
  Bounds bounds;
  bounds.timeout = or_default(spec.timeout, limits.default_timeout);
  if (!spec.shell && !spec.argv.empty()) bounds.program = spec.argv.front();
  bounds.workdir = spec.workdir;
  launch::EachLimit([&](const char* /*name*/, auto limit) {
    bounds.limits.*limit = or_default(spec.limits.*limit, limits.default_limits.*limit);
  });
  if (limits.max_output_bytes != 0) {
    const uint64_t own = bounds.limits.output_bytes;
    bounds.limits.output_bytes = own == 0 ? limits.max_output_bytes : std::min(own, limits.max_output_bytes);
  }
  return bounds;
}

base::Nanos KillAfterOf(const JobSpec& spec, const WorkerLimits& limits) {
  return spec.kill_after.value_or(limits.default_kill_after);
}

JobSpec WithDefaults(const JobSpec& spec, const WorkerLimits& limits) {
  JobSpec filled = spec;
  const Bounds bounds = BoundsOf(spec, limits);
  filled.limits = bounds.limits;
  filled.timeout = bounds.timeout;
  filled.kill_after = KillAfterOf(spec, limits);
  if (filled.workdir.empty()) filled.workdir = limits.default_workdir;
  if (filled.profile.empty()) filled.profile = limits.default_profile;
  if (const launch::ProfileCapabilities* const profile = limits.capabilities.Find(filled.profile)) {
    if (filled.limits.file_bytes == 0) filled.limits.file_bytes = profile->file_bytes;
    if (filled.limits.open_files == 0) filled.limits.open_files = profile->open_files;
    if (filled.limits.tmp_bytes == 0) filled.limits.tmp_bytes = profile->tmp_bytes;
  }
  return filled;
}

launch::LaunchRequest BuildRequest(launch::JobKey key, const BatchName& batch, uint32_t job_count, JobSpec spec,
                                   const WorkerLimits& limits) {
  const Bounds bounds = BoundsOf(spec, limits);
  launch::LaunchRequest request;
  request.key = key;
  request.owner = batch.owner;
  request.correlation_id = batch.correlation_id;
  request.job_count = job_count;
  request.kill_after = KillAfterOf(spec, limits);
  if (spec.shell) {
    // sh -c SCRIPT $0 $1 …: what follows the script are its positional parameters, so $0 is named here.
    request.argv = {"/bin/sh", "-c", std::move(spec.argv.front()), "sh"};
    std::move(spec.argv.begin() + 1, spec.argv.end(), std::back_inserter(request.argv));
  } else {
    request.argv = std::move(spec.argv);
  }
  request.env = std::move(spec.env);
  const bool has_path = std::any_of(request.env.begin(), request.env.end(), [](const auto& var) { return var.first == "PATH"; });
  if (!has_path && !limits.default_path.empty()) request.env.emplace_back("PATH", limits.default_path);
  request.workdir = spec.workdir.empty() ? limits.default_workdir : std::move(spec.workdir);
  request.stdin_data = std::move(spec.stdin_data);
  request.user = std::move(spec.user);
  request.profile = spec.profile.empty() ? limits.default_profile : std::move(spec.profile);
  request.limits = bounds.limits;
  request.timeout = bounds.timeout;
  return request;
}

}  // namespace jobd::worker
