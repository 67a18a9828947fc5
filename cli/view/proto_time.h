// Times and durations between the API's messages and nanoseconds.
#pragma once

#include <google/protobuf/duration.pb.h>
#include <google/protobuf/timestamp.pb.h>

#include "base/clock.h"

namespace jobd::cli {

// Since 1970. A time that does not fit into 64 bits of nanoseconds (before 1677, after 2262) becomes the nearest that does.
inline base::Nanos FromTimestamp(const google::protobuf::Timestamp& time) {
  constexpr int64_t kLastSecond = INT64_MAX / base::kNanosPerSecond - 1;
  const int64_t seconds = time.seconds() > kLastSecond    ? kLastSecond
                          : time.seconds() < -kLastSecond ? -kLastSecond
                                                          : time.seconds();
  return seconds * base::kNanosPerSecond + time.nanos() % base::kNanosPerSecond;
}

inline base::Nanos FromDuration(const google::protobuf::Duration& duration) {
  google::protobuf::Timestamp same;
  same.set_seconds(duration.seconds());
  same.set_nanos(duration.nanos());
  return FromTimestamp(same);
}

// `nanos` of 0 or more.
inline google::protobuf::Duration ToDuration(base::Nanos nanos) {
  google::protobuf::Duration duration;
  duration.set_seconds(nanos / base::kNanosPerSecond);
  duration.set_nanos(static_cast<int32_t>(nanos % base::kNanosPerSecond));
  return duration;
}

// Also of times before 1970; the message's nanoseconds always count forward.
inline google::protobuf::Timestamp ToTimestamp(base::Nanos nanos) {
  int64_t seconds = nanos / base::kNanosPerSecond;
  int64_t rest = nanos % base::kNanosPerSecond;
  if (rest < 0) {
    rest += base::kNanosPerSecond;
    --seconds;
  }
  google::protobuf::Timestamp time;
  time.set_seconds(seconds);
  time.set_nanos(static_cast<int32_t>(rest));
  return time;
}

}  // namespace jobd::cli
