#include "worker/store/disk_gauge.h"

#include <sys/statvfs.h>

#include <utility>

namespace jobd::worker {
namespace {

constexpr uint64_t kMinFreeInodes = 64;

}  // namespace

std::array<DiskStatus, 2> DiskGauge::Measure() const {
  const uint64_t min_free = min_free_bytes();
  return {StatusOf("state", Read(state_dir_), min_free), StatusOf("log", Read(log_dir_), min_free)};
}

std::optional<DiskGauge::Reading> DiskGauge::Read(int dir) {
  struct statvfs about {};
  if (::fstatvfs(dir, &about) != 0) return std::nullopt;
  return Reading{
      .free_bytes = uint64_t{about.f_bavail} * about.f_frsize,
      .total_bytes = uint64_t{about.f_blocks} * about.f_frsize,
      .read_only = (about.f_flag & ST_RDONLY) != 0,
      .out_of_inodes = about.f_files != 0 && about.f_favail < kMinFreeInodes,  // no files at all: a file system without inodes
  };
}

DiskStatus DiskGauge::StatusOf(std::string name, const std::optional<Reading>& reading, uint64_t min_free_bytes) {
  DiskStatus disk{.name = std::move(name)};
  if (!reading) {
    disk.problem = "failing";
  } else {
    disk.free_bytes = reading->free_bytes;
    disk.total_bytes = reading->total_bytes;
    if (reading->read_only) {
      disk.problem = "read-only";
    } else if (reading->free_bytes < min_free_bytes) {
      disk.problem = "almost full";
    } else if (reading->out_of_inodes) {
      disk.problem = "almost out of inodes";
    }
  }
  disk.accepting = disk.problem.empty();
  return disk;
}

uint64_t FreeBytes(int dir) {
  struct statvfs about {};
  return ::fstatvfs(dir, &about) == 0 ? uint64_t{about.f_bavail} * about.f_frsize : 0;
}

}  // namespace jobd::worker
