#include <gtest/gtest.h>

#include "cli/view/views.h"

namespace jobd::cli {
namespace {

TEST(BatchInALineTest, FaultTheStateOfALongListIsAtItsEnd) {
  v1::Batch batch;
  batch.set_correlation_id("nightly");
  batch.set_state(v1::JOB_STATE_FAILED);
  batch.set_job_count(200);
  for (const auto& [state, count] :
       {std::pair{v1::JOB_STATE_FAILED, 3u}, {v1::JOB_STATE_LOST, 0u}, {v1::JOB_STATE_SUCCEEDED, 197u}}) {
    auto* const entry = batch.add_counts();
    entry->set_state(state);
    entry->set_count(count);
  }
  EXPECT_EQ(BatchInALine(batch, false), "nightly FAILED, 200 jobs: 3 FAILED, 197 SUCCEEDED");
  EXPECT_NE(BatchInALine(batch, true).find("\x1b["), std::string::npos);
}

TEST(BatchInALineTest, OneJobAndWhatAServerMayHaveMadeUp) {
  v1::Batch batch;
  batch.set_correlation_id("a\x1b[2J");
  batch.set_state(v1::JOB_STATE_QUEUED);
  batch.set_job_count(1);
  EXPECT_EQ(BatchInALine(batch, false).find('\x1b'), std::string::npos);
  EXPECT_TRUE(BatchInALine(batch, false).ends_with(" QUEUED, 1 job")) << BatchInALine(batch, false);
}

}  // namespace
}  // namespace jobd::cli
