#include "worker/logs/log_cursor.h"

#include "base/wire.h"

namespace jobd::worker {
namespace {

constexpr uint64_t kVersion = 1;
// With `last_by` behind the rest.
constexpr uint64_t kVersionOfLast = 2;

// Unknown is 0, so that the common small numbers stay small.
uint64_t Shift(uint64_t position) { return position == LogPosition::kUnknown ? 0 : position + 1; }
uint64_t Unshift(uint64_t number) { return number == 0 ? LogPosition::kUnknown : number - 1; }

}  // namespace

std::string EncodeCursor(const LogCursor& cursor) {
  base::WireWriter out;
  out.Number(cursor.last_by == 0 ? kVersion : kVersionOfLast);
  out.Number(static_cast<uint64_t>(cursor.last_start));
  out.Number(cursor.ends_after);
  out.Number(static_cast<uint64_t>(cursor.since));
  out.Number(cursor.open.size());
  uint32_t last = 0;
  for (const auto& [index, open] : cursor.open) {
    out.Number(index - last);
    last = index;
    out.Number(open.attempt);
    out.Number(open.position.record);
    out.Number(Shift(open.position.out));
    out.Number(Shift(open.position.err));
  }
  if (cursor.last_by != 0) out.Number(static_cast<uint64_t>(cursor.last_by));
  return out.Take();
}

std::optional<LogCursor> DecodeCursor(std::string_view bytes) {
  base::WireReader in(bytes);
  LogCursor cursor;
  const uint64_t version = in.Number();
  if (version != kVersion && version != kVersionOfLast) return std::nullopt;
  cursor.last_start = static_cast<int64_t>(in.Number());
  cursor.ends_after = static_cast<uint32_t>(in.Number());
  cursor.since = static_cast<base::Nanos>(in.Number());
  uint32_t index = 0;
  for (uint64_t left = in.Count(); left > 0 && in.ok(); --left) {
    index += static_cast<uint32_t>(in.Number());
    LogCursor::Open& open = cursor.open[index];
    open.attempt = static_cast<uint32_t>(in.Number());
    open.position.record = in.Number();
    open.position.out = Unshift(in.Number());
    open.position.err = Unshift(in.Number());
  }
  if (version == kVersionOfLast) cursor.last_by = static_cast<int64_t>(in.Number());
  if (!in.AtEnd()) return std::nullopt;
  return cursor;
}

}  // namespace jobd::worker
