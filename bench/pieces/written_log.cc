#include "bench/pieces/written_log.h"

#include <unistd.h>

#include <algorithm>

#include "base/files.h"

namespace jobd::bench {
namespace {

constexpr uint64_t kWrittenBytes = 1 << 20;

base::Fd Create(int folder, const std::string& name) {
  auto file = base::OpenAt(folder, name, O_WRONLY | O_CREAT | O_EXCL, 0640);
  if (!file.ok()) std::abort();
  return *std::move(file);
}

void Append(const base::Fd& file, std::string& bytes) {
  if (!base::WriteAll(file.get(), bytes).ok()) std::abort();
  bytes.clear();
}

}  // namespace

WrittenLog::WrittenLog(uint32_t jobs, uint64_t records, size_t line) : jobs_(jobs), records_(records), line_(line) {
  for (uint32_t job = 1; job <= jobs; ++job) Write(job);
}

void WrittenLog::Write(uint32_t job) const {
  const std::string text = std::string(line_ - 1, 'x') + "\n";
  std::string bytes = "a line of stderr\n";
  const auto first = static_cast<uint32_t>(bytes.size());
  Append(Create(folder(), launch::ErrName(job)), bytes);

  const base::Fd out = Create(folder(), launch::OutName(job));
  const uint64_t end = OffsetOf(records_);
  const uint64_t written = std::min(end, std::max<uint64_t>(kWrittenBytes, line_)) / line_ * line_;
  if (::lseek(out.get(), static_cast<off_t>(end - written), SEEK_SET) < 0) std::abort();
  for (uint64_t at = 0; at < written; at += line_) {
    bytes += text;
    if (bytes.size() >= kWrittenBytes) Append(out, bytes);
  }
  Append(out, bytes);

  const base::Fd index = Create(folder(), launch::IndexName(job));
  for (uint64_t number = 0; number < records_; ++number) {
    const bool err = number == 0;
    const auto record = launch::EncodeIndex({.time = TimeOf(job, number),
                                             .offset = err ? 0 : OffsetOf(number),
                                             .length = err ? first : static_cast<uint32_t>(line_),
                                             .stream = err ? launch::Stream::kErr : launch::Stream::kOut});
    bytes.append(reinterpret_cast<const char*>(record.data()), record.size());
    if (bytes.size() >= kWrittenBytes) Append(index, bytes);
  }
  Append(index, bytes);
}

}  // namespace jobd::bench
