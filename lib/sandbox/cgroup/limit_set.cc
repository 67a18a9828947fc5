#include "sandbox/cgroup/limit_set.h"

#include <dirent.h>
#include <fcntl.h>

#include <algorithm>
#include <cerrno>

#include "base/files.h"
#include "sandbox/cgroup/control_file.h"

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

// "8:0", of every whole disk of the machine that has a size: loop devices without a file have none. Partitions cannot be limited
// apart from their disks.
base::Result<std::vector<std::string>> Disks() {
  std::vector<std::string> numbers;
  DIR* const dir = ::opendir("/sys/block");
  if (dir == nullptr) return base::SysError("reading /sys/block", errno);
  while (const dirent* entry = ::readdir(dir)) {
    if (entry->d_name[0] == '.') continue;
    const std::string disk = std::string("/sys/block/") + entry->d_name;
    const auto size = base::ReadFile(AT_FDCWD, disk + "/size", 64);
    auto number = base::ReadFile(AT_FDCWD, disk + "/dev", 64);
    if (!size.ok() || !number.ok() || PlainNumber(*size).value_or(0) == 0) continue;
    while (!number->empty() && number->back() == '\n') number->pop_back();
    numbers.push_back(std::move(number).value());
  }
  ::closedir(dir);
  return numbers;
}

// Writes "DISK rule" for every disk. One that was taken away meanwhile needs no limit.
base::Status LimitDisks(int dir, const char* file, const std::string& rule) {
  JOBD_ASSIGN_OR_RETURN(const auto disks, Disks());
  for (const std::string& disk : disks) {
    auto status = WriteControl(dir, file, disk + " " + rule);
    if (!status.ok() && status.error().sys_errno() != ENODEV) return status;
  }
  return base::Ok();
}

}  // namespace

const char* ControllerName(Controller controller) {
  switch (controller) {
    case Controller::kMemory: return "memory";
    case Controller::kCpu: return "cpu";
    case Controller::kPids: return "pids";
    case Controller::kIo: return "io";
  }
  return "";
}

const char* ControllerNameV1(Controller controller) { return controller == Controller::kIo ? "blkio" : ControllerName(controller); }

Controller ControllerOf(Limit limit) {
  switch (limit) {
    case Limit::kMemory: return Controller::kMemory;
    case Limit::kCpu: return Controller::kCpu;
    case Limit::kPids: return Controller::kPids;
    case Limit::kIoRead:
    case Limit::kIoWrite: return Controller::kIo;
  }
  return Controller::kIo;
}

const char* LimitName(Limit limit) {
  switch (limit) {
    case Limit::kMemory: return "memory limit";
    case Limit::kCpu: return "cpu limit";
    case Limit::kPids: return "pids limit";
    case Limit::kIoRead: return "io read limit";
    case Limit::kIoWrite: return "io write limit";
  }
  return "";
}

bool Wanted(Limit limit, const GroupLimits& limits) {
  switch (limit) {
    case Limit::kMemory: return limits.memory_bytes != 0;
    case Limit::kCpu: return limits.cpu_millis != 0;
    case Limit::kPids: return limits.pids != 0;
    case Limit::kIoRead: return limits.io_read != 0;
    case Limit::kIoWrite: return limits.io_write != 0;
  }
  return false;
}

bool Wanted(Controller controller, const GroupLimits& limits) {
  return std::any_of(std::begin(kLimits), std::end(kLimits),
                     [&](Limit limit) { return ControllerOf(limit) == controller && Wanted(limit, limits); });
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
    case Controller::kIo: {
      std::string rule;
      if (limits.io_read != 0) rule += "rbps=" + std::to_string(limits.io_read) + " ";
      if (limits.io_write != 0) rule += "wbps=" + std::to_string(limits.io_write);
      return LimitDisks(dir, "io.max", rule);
    }
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
    case Controller::kIo: return LimitDisks(dir, "blkio.throttle.read_bps_device", std::to_string(limits.io_read));
  }
  return base::Ok();
}

void ReadUsageV2(int dir, Controller controller, GroupUsage& usage) {
  switch (controller) {
    case Controller::kMemory:
      usage.oom_killed = NumberIn(dir, "memory.events", "oom_kill") > 0;
      usage.memory_limit_hit = NumberIn(dir, "memory.events", "max") > 0;
      if (const auto peak = ReadControl(dir, "memory.peak"); peak.ok()) usage.peak_memory = PlainNumber(*peak);
      return;
    case Controller::kCpu:
    case Controller::kIo: return;
    case Controller::kPids: usage.pids_limit_hit = NumberIn(dir, "pids.events", "max") > 0; return;
  }
}

void ReadUsageV1(int dir, Controller controller, GroupUsage& usage) {
  switch (controller) {
    case Controller::kMemory:
      usage.oom_killed = NumberIn(dir, "memory.oom_control", "oom_kill") > 0;
      if (const auto hit = ReadControl(dir, "memory.failcnt"); hit.ok()) usage.memory_limit_hit = PlainNumber(*hit) > 0u;
      if (const auto peak = ReadControl(dir, "memory.max_usage_in_bytes"); peak.ok()) usage.peak_memory = PlainNumber(*peak);
      return;
    case Controller::kCpu:
    case Controller::kIo: return;
    case Controller::kPids: usage.pids_limit_hit = NumberIn(dir, "pids.events", "max") > 0; return;
  }
}

}  // namespace jobd::sandbox
