// Cursors of merged output, as bytes.
#include "worker/logs/log_cursor.h"

#include <gtest/gtest.h>

namespace jobd::worker {
namespace {

TEST(CursorTest, TornCursorsAreRefused) {
  LogCursor cursor{.last_start = 99, .ends_after = 3};
  cursor.open[5] = {.attempt = 2, .position = {.record = 7, .out = LogPosition::kUnknown, .err = 4}};
  const std::string bytes = EncodeCursor(cursor);
  EXPECT_EQ(DecodeCursor(bytes), cursor);
  for (size_t size = 0; size < bytes.size(); ++size) EXPECT_FALSE(DecodeCursor(bytes.substr(0, size)));
}

}  // namespace
}  // namespace jobd::worker
