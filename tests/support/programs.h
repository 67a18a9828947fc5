// Programs that a test tries out, and which jobd itself does not need.
#pragma once

#include <gtest/gtest.h>

#include <string>

namespace jobd::test {

// True when a job, or a shell, finds it in the usual folders.
bool IsInstalled(const std::string& program);

}  // namespace jobd::test

// Returns from the test (or its SetUp) as skipped where it is missing, wherever that is: not every machine can have all of them.
#define JOBD_REQUIRE_PROGRAM(name)       \
  switch (0)                             \
  case 0:                                \
  default:                               \
    if (::jobd::test::IsInstalled(name)) \
      ;                                  \
    else                                 \
      GTEST_SKIP() << (name) << " is not installed; `scripts/deps.sh programs` brings it"
