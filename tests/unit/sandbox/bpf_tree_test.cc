#include "sandbox/rules/bpf_tree.h"

#include <gtest/gtest.h>
#include <linux/audit.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include <cerrno>
#include <cstring>

#include "sandbox/rules/syscall_policy.h"

namespace jobd::sandbox {
namespace {

#if defined(__x86_64__)
constexpr uint32_t kHere = AUDIT_ARCH_X86_64;
#else
constexpr uint32_t kHere = AUDIT_ARCH_AARCH64;
#endif

// Runs a filter as the kernel does (bpf(4), classic), for the instructions we use. Counts the steps.
uint32_t Decide(const std::vector<sock_filter>& filter, const seccomp_data& call, int* steps = nullptr) {
  uint32_t accumulator = 0;
  for (size_t at = 0; at < filter.size(); ++at) {
    const sock_filter& code = filter[at];
    if (steps != nullptr) ++*steps;
    bool taken = false;
    switch (code.code) {
      case BPF_LD | BPF_W | BPF_ABS:
        EXPECT_LE(code.k + 4, sizeof call);
        std::memcpy(&accumulator, reinterpret_cast<const char*>(&call) + code.k, 4);
        continue;
      case BPF_RET | BPF_K: return code.k;
      case BPF_JMP | BPF_JA: at += code.k; continue;
      case BPF_JMP | BPF_JEQ | BPF_K: taken = accumulator == code.k; break;
      case BPF_JMP | BPF_JGE | BPF_K: taken = accumulator >= code.k; break;
      case BPF_JMP | BPF_JSET | BPF_K: taken = (accumulator & code.k) != 0; break;
      default: ADD_FAILURE() << "instruction " << code.code; return 0;
    }
    at += taken ? code.jt : code.jf;
  }
  ADD_FAILURE() << "the filter has no end";
  return 0;
}

seccomp_data Call(long number, uint64_t first = 0, uint64_t second = 0) {
  seccomp_data call{};
  call.nr = static_cast<int>(number);
  call.arch = kHere;
  call.args[0] = first;
  call.args[1] = second;
  return call;
}

constexpr uint32_t Refused(uint32_t error) { return SECCOMP_RET_ERRNO | error; }

class FilterTest : public testing::TestWithParam<SyscallFilter> {
 protected:
  const std::vector<Verdict> policy_ = SyscallPolicy(GetParam());
  const std::vector<sock_filter> filter_ = CompileFilter(policy_);
};
INSTANTIATE_TEST_SUITE_P(Filters, FilterTest, testing::Values(SyscallFilter::kStandard, SyscallFilter::kStrict),
                         [](const auto& f) { return f.param == SyscallFilter::kStandard ? "Standard" : "Strict"; });

TEST_P(FilterTest, RefusesOtherArchitectures) {
  for (const uint32_t architecture : {uint32_t{AUDIT_ARCH_I386}, uint32_t{AUDIT_ARCH_ARM}, 0u}) {
    seccomp_data call = Call(SYS_read);
    call.arch = architecture;
    EXPECT_EQ(Decide(filter_, call), Refused(EPERM));
  }
}

TEST_P(FilterTest, KnowsNoCallsBeyondItsTable) {
  for (const long number : {static_cast<long>(policy_.size()), 1000L, 0x4000'0000L | SYS_read, 0x7fff'ffffL, -1L}) {
    EXPECT_EQ(Decide(filter_, Call(number)), Refused(ENOSYS)) << number;
  }
}

TEST_P(FilterTest, IsTheTable) {
  for (size_t number = 0; number < policy_.size(); ++number) {
    int steps = 0;
    const uint32_t decision = Decide(filter_, Call(static_cast<long>(number)), &steps);
    EXPECT_LE(steps, 20) << number;
    if (policy_[number].kind == Verdict::Kind::kAllow) {
      EXPECT_EQ(decision, SECCOMP_RET_ALLOW) << number;
    } else if (policy_[number].kind == Verdict::Kind::kErrno) {
      EXPECT_EQ(decision, Refused(policy_[number].error)) << number;
    }
  }
}

TEST_P(FilterTest, LooksAtTheLowHalfAlone) {
  for (const uint64_t high : {0ull, 1ull << 32, 0xffff'ffffull << 32}) {
    EXPECT_EQ(Decide(filter_, Call(SYS_ioctl, 0, high | TIOCSTI)), Refused(EPERM));
    EXPECT_EQ(Decide(filter_, Call(SYS_ioctl, 0, high | TIOCLINUX)), Refused(EPERM));
    EXPECT_EQ(Decide(filter_, Call(SYS_ioctl, 0, high | TIOCGWINSZ)), SECCOMP_RET_ALLOW);
    EXPECT_EQ(Decide(filter_, Call(SYS_clone, high | CLONE_NEWUSER)), Refused(EPERM));
    EXPECT_EQ(Decide(filter_, Call(SYS_clone, high | CLONE_VM | CLONE_THREAD)), SECCOMP_RET_ALLOW);
  }
}

TEST(FilterTest, NoFilterIsNone) { EXPECT_TRUE(SyscallPolicy(SyscallFilter::kNone).empty()); }

TEST(FilterTest, StrictAllowsNothingThatStandardRefuses) {
  const auto standard = SyscallPolicy(SyscallFilter::kStandard);
  const auto strict = SyscallPolicy(SyscallFilter::kStrict);
  ASSERT_EQ(standard.size(), strict.size());
  for (size_t number = 0; number < strict.size(); ++number) {
    if (standard[number].kind == Verdict::Kind::kErrno) {
      EXPECT_EQ(strict[number].kind, Verdict::Kind::kErrno) << number;
    }
  }
}

TEST(CompileFilter, JumpsFarOverLargeTrees) {
  std::vector<Verdict> table;
  for (uint16_t number = 0; number < 1000; ++number) table.push_back({.kind = Verdict::Kind::kErrno, .error = number});
  const auto filter = CompileFilter(table);
  for (uint16_t number = 0; number < 1000; ++number) EXPECT_EQ(Decide(filter, Call(number)), Refused(number));
}

}  // namespace
}  // namespace jobd::sandbox
