#include "launch/shim/assignment.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include "base/fd.h"

namespace jobd::launch {
namespace {

Assignment Full() {
  Assignment job;
  job.serial = 7;
  job.profile = "standard";
  job.identity = {.switch_user = true, .uid = 1, .gid = 2, .groups = {3, 4}, .workdir_without_links = true};
  job.request.key = {1ull << 40, 7, 3};
  job.request.owner = "operator";
  job.request.argv = {"sh", "-c", ""};
  job.request.env = {{"PATH", "/bin"}};
  job.request.stdin_data = std::string("a\0b", 3);
  job.request.timeout = 5;
  return job;
}

std::span<const std::byte> Bytes(const std::string& text) { return std::as_bytes(std::span(text)); }

TEST(Assignment, ComesAsItWasSent) {
  const std::string bytes = EncodeAssignment(Full());
  const auto job = DecodeAssignment(Bytes(bytes));
  ASSERT_TRUE(job);
  EXPECT_EQ(job->identity.groups, (std::vector<gid_t>{3, 4}));
  EXPECT_TRUE(job->identity.switch_user);
  EXPECT_TRUE(job->identity.workdir_without_links);
  EXPECT_EQ(job->request.key, Full().request.key);
  EXPECT_EQ(job->request.stdin_data, Full().request.stdin_data);
  EXPECT_EQ(EncodeAssignment(*job), bytes) << "each field";
}

TEST(Assignment, WhatIsCutOrTooLongIsNone) {
  const std::string bytes = EncodeAssignment(Full());
  for (size_t size = 0; size < bytes.size(); ++size) EXPECT_FALSE(DecodeAssignment(Bytes(bytes.substr(0, size)))) << size;
  EXPECT_FALSE(DecodeAssignment(Bytes(bytes + "x")));
}

class AssignmentChannelTest : public testing::Test {
 protected:
  AssignmentChannelTest() {
    int ends[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    launcher_.reset(ends[0]);
    shim_.reset(ends[1]);
  }
  base::Fd launcher_;
  base::Fd shim_;
};

TEST_F(AssignmentChannelTest, CarriesAJobAndItsStatus) {
  ASSERT_TRUE(TrySendAssignment(launcher_.get(), EncodeAssignment(Full())));
  const auto job = ReceiveAssignment(shim_.get());
  ASSERT_TRUE(job);
  EXPECT_EQ(EncodeAssignment(*job), EncodeAssignment(Full()));
  EXPECT_EQ(TryReceiveStatus(launcher_.get()), std::nullopt);
  EXPECT_TRUE(SendStatus(shim_.get(), EEXIST));
  EXPECT_EQ(TryReceiveStatus(launcher_.get()), EEXIST);
}

TEST_F(AssignmentChannelTest, TheLargestIsSentAndALargerOneIsNot) {
  Assignment job = Full();
  job.request.stdin_data.assign(kMaxAssignment - EncodeAssignment(job).size() + job.request.stdin_data.size(), 'x');
  ASSERT_EQ(EncodeAssignment(job).size(), kMaxAssignment);
  EXPECT_TRUE(TrySendAssignment(launcher_.get(), EncodeAssignment(job)));
  EXPECT_TRUE(ReceiveAssignment(shim_.get()));
  job.request.stdin_data += 'x';
  EXPECT_FALSE(TrySendAssignment(launcher_.get(), EncodeAssignment(job)));
}

TEST_F(AssignmentChannelTest, WithoutTheOtherSideThereIsNoJobAndNoSignal) {
  launcher_.reset();
  EXPECT_FALSE(SendStatus(shim_.get(), 0)) << "and no SIGPIPE";
  EXPECT_EQ(ReceiveAssignment(shim_.get()), std::nullopt);
}

TEST_F(AssignmentChannelTest, ALauncherIsNotHeldUpByAShimThatDoesNotRead) {
  const std::string bytes = EncodeAssignment(Full());
  while (TrySendAssignment(launcher_.get(), bytes)) {
  }
  SUCCEED();
}

}  // namespace
}  // namespace jobd::launch
