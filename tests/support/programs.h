// Programs that a test tries out, and which jobd itself does not need.
#pragma once

#include <string>

#include "tests/support/require.h"

namespace jobd::test {

// True when a job, or a shell, finds it in the usual folders.
bool IsInstalled(const std::string& program);

}  // namespace jobd::test

// JOBD_REQUIRE of a program.
#define JOBD_REQUIRE_PROGRAM(name) \
  JOBD_REQUIRE(::jobd::test::IsInstalled(name), std::string(name) + " is not installed; `scripts/deps.sh programs` brings it")
