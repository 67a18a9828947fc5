// One daemon for all tests of a suite.
#pragma once

#include <gtest/gtest.h>

#include "tests/e2e/harness/daemon.h"

namespace jobd::e2e {

// `Suite` derives from it and may have a public `static DaemonOptions Options()` of its own.
template <typename Suite>
class DaemonSuite : public testing::Test {
 public:
  static DaemonOptions Options() { return {}; }

 protected:
  static void SetUpTestSuite() {
    daemon_ = new Daemon(Suite::Options());
    ASSERT_TRUE(daemon_->Start()) << daemon_->log();
  }
  static void TearDownTestSuite() {
    delete daemon_;
    daemon_ = nullptr;
  }

  static inline Daemon* daemon_ = nullptr;
};

}  // namespace jobd::e2e
