// The steps of starting a job, in order. A failed start is told as {step, errno} and reads the same in the log, in
// `jobctl status` and in the exit record: "changing to the working directory: No such file or directory".
#pragma once

#include <cstdint>
#include <string_view>

namespace jobd::launch {

enum class Step : uint16_t {
  kNone = 0,
  kFork,  // of the shim
  kLock,  // of the exit slot
  kExitRecord,
  kStdin,
  kPipes,
  kCgroup,  // making it
  kClone,
  kEnterCgroup,
  kSession,
  kDescriptors,
  kLimits,  // rlimits
  kNamespaces,
  kMounts,
  kUser,
  kPrivileges,  // no_new_privs, capabilities
  kSeccomp,
  kLandlock,
  kWorkdir,
  kExec,
  kCount,
};

// "entering cgroup" for kEnterCgroup. Total.
std::string_view StepText(Step step);

}  // namespace jobd::launch
