#include "sandbox/limit_set.h"

#include <algorithm>

#include "sandbox/control_file.h"

namespace jobd::sandbox {

namespace {

constexpr uint64_t kPeriodUs = 100'000;
constexpr uint64_t kMinQuotaUs = 1'000;  // the kernel refuses less

uint64_t QuotaUs(const GroupLimits& limits) { return std::max(limits.cpu_millis * kPeriodUs / 1000, kMinQuotaUs); }

uint64_t NumberIn(int dir, const char* file, const char* key) {
  const auto content = ReadControl(dir, file);
  return content.ok() ? KeyedNumber(*content, key).value_or(0) : 0;
}

// Swap counts as memory; a kernel without swap accounting has no such file, and then there is nothing to limit.
base::Status WriteIfPresent(int dir, const char* file, const std::string& text) {
  auto status = WriteControl(dir, file, text);
  if (!status.ok() && status.error().code() == base::Code::kNotFound) return base::Ok();
  return status;
}

}  // namespace

const char* ControllerName(Controller controller) {
  switch (controller) {
    case Controller::kMemory: return "memory";
    case Controller::kCpu: return "cpu";
    case Controller::kPids: return "pids";
  }
  return "";
}

bool Wanted(Controller controller, const GroupLimits& limits) {
  switch (controller) {
    case Controller::kMemory: return limits.memory_bytes != 0;
    case Controller::kCpu: return limits.cpu_millis != 0;
    case Controller::kPids: return limits.pids != 0;
  }
  return false;
}

base::Status ApplyV2(int dir, Controller controller, const GroupLimits& limits) {
  switch (controller) {
    case Controller::kMemory:
      JOBD_RETURN_IF_ERROR(WriteControl(dir, "memory.max", std::to_string(limits.memory_bytes)));
      JOBD_RETURN_IF_ERROR(WriteIfPresent(dir, "memory.swap.max", "0"));
      // One process too many ends the job, not a random one of its processes.
      return WriteIfPresent(dir, "memory.oom.group", "1");
    case Controller::kCpu: return WriteControl(dir, "cpu.max", std::to_string(QuotaUs(limits)) + " " + std::to_string(kPeriodUs));
    case Controller::kPids: return WriteControl(dir, "pids.max", std::to_string(limits.pids));
  }
  return base::Ok();
}

base::Status ApplyV1(int dir, Controller controller, const GroupLimits& limits) {
  switch (controller) {
    case Controller::kMemory: {
      const std::string bytes = std::to_string(limits.memory_bytes);
      // In this order: memsw may never be below the limit of memory alone.
      JOBD_RETURN_IF_ERROR(WriteControl(dir, "memory.limit_in_bytes", bytes));
      return WriteIfPresent(dir, "memory.memsw.limit_in_bytes", bytes);
    }
    case Controller::kCpu:
      JOBD_RETURN_IF_ERROR(WriteControl(dir, "cpu.cfs_period_us", std::to_string(kPeriodUs)));
      return WriteControl(dir, "cpu.cfs_quota_us", std::to_string(QuotaUs(limits)));
    case Controller::kPids: return WriteControl(dir, "pids.max", std::to_string(limits.pids));
  }
  return base::Ok();
}

void ReadUsageV2(int dir, Controller controller, GroupUsage& usage) {
  switch (controller) {
    case Controller::kMemory:
      usage.oom_killed = NumberIn(dir, "memory.events", "oom_kill") > 0;
      if (const auto peak = ReadControl(dir, "memory.peak"); peak.ok()) usage.peak_memory = PlainNumber(*peak);
      return;
    case Controller::kCpu: return;
    case Controller::kPids: usage.pids_limit_hit = NumberIn(dir, "pids.events", "max") > 0; return;
  }
}

void ReadUsageV1(int dir, Controller controller, GroupUsage& usage) {
  switch (controller) {
    case Controller::kMemory:
      usage.oom_killed = NumberIn(dir, "memory.oom_control", "oom_kill") > 0;
      if (const auto peak = ReadControl(dir, "memory.max_usage_in_bytes"); peak.ok()) usage.peak_memory = PlainNumber(*peak);
      return;
    case Controller::kCpu: return;
    case Controller::kPids: usage.pids_limit_hit = NumberIn(dir, "pids.events", "max") > 0; return;
  }
}

}  // namespace jobd::sandbox
