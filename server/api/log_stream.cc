#include "server/api/log_stream.h"

#include <algorithm>

#include "base/bounds.h"
#include "server/grpc/message_bytes.h"
#include "server/grpc/grpc_status.h"
#include "worker/worker.h"

namespace jobd::server {
namespace {

constexpr size_t kAllStreamsBytes = 16u << 20;
constexpr size_t kLeastBytes = 16u << 10;

}  // namespace

size_t LogPageBytes(size_t streams) {
  return std::clamp(kAllStreamsBytes / std::max<size_t>(streams, 1), kLeastBytes, base::kMaxLogPageBytes);
}

bool LogReadsAhead(size_t streams) { return 2 * base::kMaxLogPageBytes * streams <= kAllStreamsBytes; }

Pump::Next LogStream::Produce(grpc::Status& end) {
  const auto fail = [&](const base::Error& error) {
    end = backend().errors.Report(error, call().method, query_.batch);
    return Next::kEnd;
  };
  if (finished_) return Next::kEnd;
  if (!session_) {
    auto session = backend().worker.OpenLogs(query_);
    if (!session.ok()) return fail(session.error());
    session_ = *std::move(session);
  }
  const size_t streams = backend().streams.size();
  auto page = session_->Read(LogPageBytes(streams));
  if (!page.ok()) return fail(page.error());
  finished_ = page->finished;
  // The last page is sent even when it is empty of data: its cursor is where a later call goes on.
  if (page->empty() && !finished_) return Next::kWait;
  for (const worker::LogChunk& chunk : page->chunks) backend().metrics.OnStreamed(chunk.data.size());
  const bool more = page->more || !query_.follow || finished_;
  response() = LogMessage(*std::move(page));
  if (!more) return Next::kSendAndArm;
  return LogReadsAhead(streams) ? Next::kSendAndGoOn : Next::kSend;
}

}  // namespace jobd::server
