#include "cli/verbs/run_control.h"

#include <gtest/gtest.h>

namespace jobd::cli {
namespace {

TEST(InterruptTest, StepByStep) {
  using Action = InterruptSteps::Action;
  constexpr base::Nanos kSecond = base::kNanosPerSecond;
  InterruptSteps steps;
  EXPECT_EQ(steps.Next(0), Action::kForward);
  EXPECT_EQ(steps.Next(2 * kSecond), Action::kForward) << "too late for a second";
  EXPECT_EQ(steps.Next(3 * kSecond), Action::kCancel);
  EXPECT_EQ(steps.Next(100 * kSecond), Action::kLeave);
}

}  // namespace
}  // namespace jobd::cli
