#include "sandbox/isolation/landlock.h"

#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "sandbox/isolation/isolation_plan.h"

namespace jobd::sandbox {

namespace {

// Of linux/landlock.h of kernel 6.12; Debian 12 has that of 6.1.
constexpr uint64_t kRefer = 1ull << 13;        // ABI 2
constexpr uint64_t kTruncate = 1ull << 14;     // ABI 3
constexpr uint64_t kDeviceIoctl = 1ull << 15;  // ABI 5
constexpr uint64_t kFirstAbi = (1ull << 13) - 1;
constexpr uint64_t kScopeAbstractSockets = 1ull << 0;  // ABI 6
constexpr uint64_t kScopeSignals = 1ull << 1;

struct RulesetAttr {
  uint64_t files;
  uint64_t network;
  uint64_t scopes;
};

constexpr uint64_t kRead = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
constexpr uint64_t kDevices = LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_BLOCK;

int Allow(int ruleset, const char* path, uint64_t rights) noexcept {
  const int fd = ::open(path, O_PATH | O_CLOEXEC);
  if (fd < 0) return errno;
  landlock_path_beneath_attr rule{};
  rule.allowed_access = rights;
  rule.parent_fd = fd;
  const int error = ::syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0 ? 0 : errno;
  ::close(fd);
  return error;
}

}  // namespace

LandlockRights DetectLandlock() {
  const long abi = ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  if (abi < 1) return {};
  LandlockRights rights{.abi = static_cast<int>(abi), .files = kFirstAbi, .scopes = 0};
  if (abi >= 2) rights.files |= kRefer;
  if (abi >= 3) rights.files |= kTruncate;
  if (abi >= 5) rights.files |= kDeviceIoctl;
  if (abi >= 6) {
    rights.socket_scope = kScopeAbstractSockets;
    rights.scopes = kScopeAbstractSockets | kScopeSignals;
  }
  return rights;
}

int RestrictFiles(const IsolationPlan& plan) noexcept {
  if (!plan.landlock && plan.landlock_scopes == 0) return 0;
  const RulesetAttr attr{plan.landlock ? plan.landlock_files : 0, 0, plan.landlock_scopes};
  // An older kernel knows a shorter struct, and refuses bytes that it doesn't know only where they are not zero.
  const auto ruleset = static_cast<int>(::syscall(SYS_landlock_create_ruleset, &attr, sizeof attr, 0));
  if (ruleset < 0) return errno;
  if (!plan.landlock) {
    const int error = ::syscall(SYS_landlock_restrict_self, ruleset, 0) == 0 ? 0 : errno;
    ::close(ruleset);
    return error;
  }
  const uint64_t all = plan.landlock_files & ~kDevices;
  // The system may be read, and the job's own folders used in every way; devices may be written to, and /proc for own settings.
  int error = Allow(ruleset, "/", kRead);
  if (error == 0) error = Allow(ruleset, "/tmp", all);
  const uint64_t write = kRead | LANDLOCK_ACCESS_FS_WRITE_FILE | ((kTruncate | kDeviceIoctl) & plan.landlock_files);
  if (error == 0) error = Allow(ruleset, "/dev", write);
  if (error == 0) error = Allow(ruleset, "/proc", write);
  if (error == 0 && plan.bind_folder) error = Allow(ruleset, plan.folder.target, all);
  if (error == 0 && ::syscall(SYS_landlock_restrict_self, ruleset, 0) != 0) error = errno;
  ::close(ruleset);
  return error;
}

}  // namespace jobd::sandbox
