#include "worker/store/spec_codec.h"

#include <algorithm>

#include "base/sha256.h"
#include "base/wire.h"

namespace jobd::worker {
namespace {

// Version 2 has the limits of version 1 and then more of them, version 3 those of version 2 and then the rest. A spec without a
// version's limits is written as the one before, so that what was submitted to an older service keeps its fingerprint.
constexpr uint64_t kSpecVersion = 3;

uint64_t VersionFor(const launch::JobLimits& limits) {
  if (limits.core_bytes != 0) return 3;
  const bool later = limits.file_bytes != 0 || limits.open_files != 0 || limits.tmp_bytes != 0 ||
                     limits.io_read_bytes_per_second != 0 || limits.io_write_bytes_per_second != 0;
  return later ? 2 : 1;
}

// As a base::WireWriter writes it, without a copy: standard inputs are large.
void AddText(base::Sha256& hash, std::string_view text) {
  base::WireWriter size;
  size.Number(text.size());
  hash.Add(size.bytes());
  hash.Add(text);
}

// An estimate of the encoded size: texts, their lengths, and numbers of ten bytes at most.
size_t RoomFor(const JobSpec& spec) {
  constexpr size_t kLength = 2;
  size_t room = 64 + spec.name.size() + spec.workdir.size() + spec.profile.size() + spec.user.size();
  for (const auto& arg : spec.argv) room += arg.size() + kLength;
  for (const auto& [name, value] : spec.env) room += name.size() + value.size() + 2 * kLength;
  return room;
}

// The job without what its submitter's surroundings added.
JobSpec WithoutAmbient(JobSpec spec) {
  std::erase_if(spec.env, [&spec](const auto& variable) {
    return std::find(spec.ambient.begin(), spec.ambient.end(), variable.first) != spec.ambient.end();
  });
  return spec;
}

base::Error Damaged() { return base::Error(base::Code::kDataLoss, "a stored job is damaged"); }

}  // namespace

std::string EncodeSpec(const JobSpec& spec) {
  base::WireWriter out;
  out.Reserve(RoomFor(spec));
  const uint64_t version = VersionFor(spec.limits);
  out.Number(version);
  // What listings show comes first.
  out.Text(spec.name);
  out.Number(spec.shell ? 1 : 0);
  out.Number(spec.argv.size());
  for (const auto& arg : spec.argv) out.Text(arg);
  out.Number(spec.env.size());
  for (const auto& [name, value] : spec.env) {
    out.Text(name);
    out.Text(value);
  }
  out.Text(spec.workdir);
  out.Number(static_cast<uint64_t>(spec.timeout));
  out.Number(spec.kill_after ? 1 + static_cast<uint64_t>(*spec.kill_after) : 0);
  out.Number(spec.limits.memory_bytes);
  out.Number(spec.limits.cpu_millis);
  out.Number(spec.limits.pids);
  out.Number(spec.limits.output_bytes);
  out.Text(spec.profile);
  out.Text(spec.user);
  out.Number(spec.retries);
  if (version >= 2) {
    out.Number(spec.limits.file_bytes);
    out.Number(spec.limits.open_files);
    out.Number(spec.limits.tmp_bytes);
    out.Number(spec.limits.io_read_bytes_per_second);
    out.Number(spec.limits.io_write_bytes_per_second);
  }
  if (version >= 3) out.Number(spec.limits.core_bytes);
  return out.Take();
}

base::Result<JobSpec> DecodeSpec(std::string_view bytes) {
  base::WireReader in(bytes);
  JobSpec spec;
  const uint64_t version = in.Number();
  if (version == 0 || version > kSpecVersion) return Damaged();
  spec.name = in.Text();
  spec.shell = in.Number() != 0;
  spec.argv.resize(in.Count());
  for (auto& arg : spec.argv) arg = in.Text();
  spec.env.resize(in.Count());
  for (auto& [name, value] : spec.env) {
    name = in.Text();
    value = in.Text();
  }
  spec.workdir = in.Text();
  spec.timeout = static_cast<base::Nanos>(in.Number());
  if (const uint64_t kill_after = in.Number(); kill_after != 0) spec.kill_after = static_cast<base::Nanos>(kill_after - 1);
  spec.limits.memory_bytes = in.Number();
  spec.limits.cpu_millis = static_cast<uint32_t>(in.Number());
  spec.limits.pids = static_cast<uint32_t>(in.Number());
  spec.limits.output_bytes = in.Number();
  spec.profile = in.Text();
  spec.user = in.Text();
  spec.retries = static_cast<uint32_t>(in.Number());
  if (version >= 2) {
    spec.limits.file_bytes = in.Number();
    spec.limits.open_files = in.Number();
    spec.limits.tmp_bytes = in.Number();
    spec.limits.io_read_bytes_per_second = in.Number();
    spec.limits.io_write_bytes_per_second = in.Number();
  }
  if (version >= 3) spec.limits.core_bytes = in.Number();
  if (!in.AtEnd()) return Damaged();
  return spec;
}

std::string EncodeLabels(const std::map<std::string, std::string>& labels) {
  base::WireWriter out;
  out.Number(labels.size());
  for (const auto& [key, value] : labels) {
    out.Text(key);
    out.Text(value);
  }
  return out.Take();
}

base::Result<std::map<std::string, std::string>> DecodeLabels(std::string_view bytes) {
  base::WireReader in(bytes);
  std::map<std::string, std::string> labels;
  for (uint64_t left = in.Count(); left > 0 && in.ok(); --left) {
    const std::string_view key = in.Text();
    labels.emplace(key, in.Text());
  }
  if (!in.AtEnd()) return Damaged();
  return labels;
}

std::string Fingerprint(const BatchOptions& options, const std::vector<JobSpec>& jobs) {
  base::Sha256 hash;
  base::WireWriter head;
  head.Text(options.name);
  head.Text(EncodeLabels(options.labels));
  head.Number(options.parallel);
  head.Number(options.fail_fast ? 1 : 0);
  head.Number(static_cast<uint64_t>(options.priority));
  head.Number(options.hold ? 1 : 0);
  head.Number(jobs.size());
  hash.Add(head.bytes());
  for (const JobSpec& job : jobs) {
    AddText(hash, job.ambient.empty() ? EncodeSpec(job) : EncodeSpec(WithoutAmbient(job)));
    AddText(hash, job.stdin_data);
  }
  const base::Sha256Digest digest = hash.Take();
  return std::string(reinterpret_cast<const char*>(digest.data()), digest.size());
}

}  // namespace jobd::worker
