// What makes a job wait and what fails it, for each step of its start.
#include <gtest/gtest.h>

#include <cerrno>
#include <set>

#include "base/errno_text.h"
#include "launch/contract/start_fault.h"

namespace jobd::launch {
namespace {

const std::set<int> kShortages{EAGAIN, ENOMEM, EMFILE, ENFILE, ENOBUFS, ENOSPC, EDQUOT, EUSERS};
constexpr int kNoRoomForFilter = 524;

std::set<int> With(std::set<int> set, int more) {
  set.insert(more);
  return set;
}

// Everything that may pass; all else is final.
struct Case {
  Step step;
  std::set<int> passing;
  bool in_group;  // the job's own memory limit may be why
};

const Case kCases[] = {
    {Step::kNone, {}, false},
    {Step::kFork, kShortages, false},
    {Step::kLock, With(kShortages, EROFS), false},
    {Step::kExitRecord, With(kShortages, EROFS), false},
    {Step::kStdin, kShortages, false},
    {Step::kPipes, kShortages, false},
    {Step::kCgroup, kShortages, false},
    {Step::kClone, kShortages, false},
    {Step::kEnterCgroup, kShortages, false},
    {Step::kSession, kShortages, true},
    {Step::kDescriptors, kShortages, true},
    {Step::kLimits, kShortages, true},
    {Step::kNamespaces, kShortages, true},
    {Step::kMounts, kShortages, true},
    {Step::kUser, kShortages, true},
    {Step::kPrivileges, kShortages, true},
    {Step::kSeccomp, With(kShortages, kNoRoomForFilter), true},
    {Step::kLandlock, kShortages, true},
    {Step::kWorkdir, {EMFILE, ENFILE, ENOMEM}, true},
    {Step::kExec, {ENFILE}, true},
};

TEST(StartFaultTest, FaultEachStepSaysWhatMayPass) {
  ASSERT_EQ(std::size(kCases), static_cast<size_t>(Step::kCount)) << "a row for each step";
  for (size_t i = 0; i < std::size(kCases); ++i) {
    const Case& expected = kCases[i];
    ASSERT_EQ(expected.step, static_cast<Step>(i));
    for (int error = 0; error <= 600; ++error) {
      EXPECT_EQ(StartMayPass(expected.step, error), expected.passing.contains(error))
          << StepText(expected.step) << ": " << base::ErrnoName(error);
    }
  }
}

TEST(StartFaultTest, FaultWantOfMemoryIsTheJobsOwnWhereItsLimitWasHit) {
  for (const Case& expected : kCases) {
    for (const int error : kShortages) {
      const bool own = expected.in_group && error == ENOMEM;
      EXPECT_EQ(StartMayPass(expected.step, error, true), expected.passing.contains(error) && !own)
          << StepText(expected.step) << ": " << base::ErrnoName(error);
    }
  }
}

TEST(StartFaultTest, AStepThatIsNotKnownIsFinal) { EXPECT_FALSE(StartMayPass(static_cast<Step>(999), EAGAIN)); }

}  // namespace
}  // namespace jobd::launch
