// What a test needs of the machine. A test that cannot run says so, and fails where everything should be able to run.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>

// Returns from the test (or its SetUp) as skipped unless `condition` holds; under JOBD_TEST_STRICT=1 as failed. `why` says what is
// needed: "needs root".
#define JOBD_REQUIRE(condition, why)                       \
  switch (0)                                               \
  case 0:                                                  \
  default:                                                 \
    if (condition) {                                       \
    } else if (std::getenv("JOBD_TEST_STRICT") != nullptr) \
      FAIL() << (why);                                     \
    else                                                   \
      GTEST_SKIP() << (why)
