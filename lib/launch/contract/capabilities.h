// What a job may ask for: under its profile, on this machine and for its owner. The launcher enforces it and tells the server,
// which refuses at submission what would not be started. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "launch/contract/launch_request.h"

namespace jobd::launch {

// What a job may ask for under a profile.
struct ProfileCapabilities {
  std::string name;
  bool missing = false;      // a part of it cannot be enforced here
  bool needs_grant = false;  // only for owners whose list names it: an empty list does not
  bool private_tmp = false;  // else there is no /tmp whose size could be chosen
  // The most a job may ask for, and what it gets when it does not; 0: no bound.
  uint64_t tmp_bytes = 0;
  uint64_t file_bytes = 0;
  uint64_t open_files = 0;
  bool operator==(const ProfileCapabilities&) const = default;
};

struct Capabilities {
  std::vector<ProfileCapabilities> profiles;
  // Limits that this machine cannot enforce, by their names in EachLimit.
  std::vector<std::string> missing_limits;
  // How many jobs can be live at a time with the descriptors the launcher has; 0: not known.
  uint32_t most_jobs = 0;
  bool operator==(const Capabilities&) const = default;

  // nullptr when there is none. The pointer lives as long as this object.
  const ProfileCapabilities* Find(std::string_view profile) const;
};

// An owner's bounds, from the users file.
struct OwnerBounds {
  JobLimits max;                      // 0: no bound
  base::Nanos timeout = 0;            // as those
  std::vector<std::string> workdirs;  // in these folders and below; empty: anywhere
  bool operator==(const OwnerBounds&) const = default;
};

// Translates a config::User, a type that this layer does not know. The server, which refuses at submission, and the launcher, which
// refuses at the start, both use it.
template <typename User>
OwnerBounds BoundsOf(const User& user) {
  const auto& most = user.most;
  return {.max = {.memory_bytes = most.memory,
                  .cpu_millis = most.cpu_millis,
                  .pids = most.pids,
                  .output_bytes = most.output,
                  .file_bytes = most.file_size,
                  .open_files = most.open_files,
                  .tmp_bytes = most.tmp_size,
                  .io_read_bytes_per_second = most.io_read,
                  .io_write_bytes_per_second = most.io_write,
                  .core_bytes = most.core},
          .timeout = most.timeout,
          .workdirs = user.workdirs};
}

// These find the first field of a job that asks for too much: "limits.tmp_bytes", and why it is too much.

// For the profile.
std::optional<base::FieldViolation> ExceedsProfile(const ProfileCapabilities& profile, const JobLimits& limits);

// For the machine.
std::optional<base::FieldViolation> ExceedsMachine(const Capabilities& capabilities, const JobLimits& limits);

// For the owner; "timeout" is such a field too.
std::optional<base::FieldViolation> ExceedsOwner(const OwnerBounds& bounds, const JobLimits& limits, base::Nanos timeout);

// Sets each limit that is 0 to the owner's maximum, or to the profile's where that is lower; but not that of core files, which are
// written only where they are asked for.
void FillFromBounds(const OwnerBounds& bounds, const ProfileCapabilities& profile, JobLimits& limits, base::Nanos& timeout);

// Is `workdir` one of the folders or below one? By its text: never when it holds "..".
bool MayWorkIn(const OwnerBounds& bounds, std::string_view workdir);

}  // namespace jobd::launch
