#include "sandbox/rules/bpf_tree.h"

#include <linux/audit.h>
#include <linux/seccomp.h>

#include <cerrno>
#include <cstddef>

namespace jobd::sandbox {

namespace {

#if defined(__x86_64__)
constexpr uint32_t kArchitecture = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr uint32_t kArchitecture = AUDIT_ARCH_AARCH64;
#else
#error "name the architecture's AUDIT_ARCH constant"
#endif

using Code = std::vector<sock_filter>;

constexpr uint16_t kLoad = BPF_LD | BPF_W | BPF_ABS;
constexpr uint16_t kReturn = BPF_RET | BPF_K;
constexpr uint16_t kJump = BPF_JMP | BPF_JA;
constexpr uint16_t kIfEqual = BPF_JMP | BPF_JEQ | BPF_K;
constexpr uint16_t kIfAtLeast = BPF_JMP | BPF_JGE | BPF_K;
constexpr uint16_t kIfAnySet = BPF_JMP | BPF_JSET | BPF_K;

sock_filter Do(uint16_t code, uint32_t value) { return {code, 0, 0, value}; }
sock_filter If(uint16_t code, uint32_t value, uint8_t skip_when_true, uint8_t skip_when_false) {
  return {code, skip_when_true, skip_when_false, value};
}

sock_filter Allow() { return Do(kReturn, SECCOMP_RET_ALLOW); }
sock_filter Refuse(uint32_t error) { return Do(kReturn, SECCOMP_RET_ERRNO | (error & SECCOMP_RET_DATA)); }

// The kernel takes flags and commands as 32 bits: what stands in the upper half is none of its business, nor ours.
constexpr uint32_t LowHalf(uint8_t argument) {
  const auto offset = static_cast<uint32_t>(offsetof(seccomp_data, args) + argument * sizeof(uint64_t));
  return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? offset : offset + 4;
}

void Append(Code& code, const Verdict& verdict) {
  switch (verdict.kind) {
    case Verdict::Kind::kAllow: code.push_back(Allow()); return;
    case Verdict::Kind::kErrno: code.push_back(Refuse(verdict.error)); return;
    case Verdict::Kind::kFlagsAbsent:
      code.push_back(Do(kLoad, LowHalf(verdict.argument)));
      code.push_back(If(kIfAnySet, verdict.values[0], 1, 0));
      code.push_back(Allow());
      code.push_back(Refuse(verdict.error));
      return;
    case Verdict::Kind::kBitsAbsentIf:
      code.push_back(Do(kLoad, LowHalf(verdict.condition)));
      code.push_back(If(kIfAnySet, verdict.values[1], 0, 2));
      code.push_back(Do(kLoad, LowHalf(verdict.argument)));
      code.push_back(If(kIfAnySet, verdict.values[0], 1, 0));
      code.push_back(Allow());
      code.push_back(Refuse(verdict.error));
      return;
    case Verdict::Kind::kValueAbsent:
    case Verdict::Kind::kValuePresent: {
      const bool allow_found = verdict.kind == Verdict::Kind::kValuePresent;
      code.push_back(Do(kLoad, LowHalf(verdict.argument)));
      for (size_t i = 0; i < verdict.values.size(); ++i) {
        code.push_back(If(kIfEqual, verdict.values[i], static_cast<uint8_t>(verdict.values.size() - i), 0));
      }
      code.push_back(allow_found ? Refuse(verdict.error) : Allow());
      code.push_back(allow_found ? Allow() : Refuse(verdict.error));
      return;
    }
  }
}

// Numbers from `first` up to the next run's have one verdict.
struct Run {
  uint32_t first;
  Verdict verdict;
};

Code Tree(std::span<const Run> runs) {
  Code code;
  if (runs.size() == 1) {
    Append(code, runs[0].verdict);
    return code;
  }
  const size_t middle = runs.size() / 2;
  const Code low = Tree(runs.first(middle));
  const Code high = Tree(runs.subspan(middle));
  if (low.size() <= 255) {
    code.push_back(If(kIfAtLeast, runs[middle].first, static_cast<uint8_t>(low.size()), 0));
  } else {
    code.push_back(If(kIfAtLeast, runs[middle].first, 0, 1));
    code.push_back(Do(kJump, static_cast<uint32_t>(low.size())));
  }
  code.insert(code.end(), low.begin(), low.end());
  code.insert(code.end(), high.begin(), high.end());
  return code;
}

}  // namespace

std::vector<sock_filter> CompileFilter(std::span<const Verdict> by_number) {
  std::vector<Run> runs;
  for (size_t number = 0; number < by_number.size(); ++number) {
    if (!runs.empty() && runs.back().verdict == by_number[number]) continue;
    runs.push_back({static_cast<uint32_t>(number), by_number[number]});
  }
  runs.push_back({static_cast<uint32_t>(by_number.size()), {.kind = Verdict::Kind::kErrno, .error = ENOSYS}});
  Code code{Do(kLoad, offsetof(seccomp_data, arch)), If(kIfEqual, kArchitecture, 1, 0), Refuse(EPERM),
            Do(kLoad, offsetof(seccomp_data, nr))};
  const Code tree = Tree(runs);
  code.insert(code.end(), tree.begin(), tree.end());
  return code;
}

}  // namespace jobd::sandbox
