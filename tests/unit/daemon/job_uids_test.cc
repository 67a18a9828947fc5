// Who gives out which uids on the machine.
#include "daemon/job_uids.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>

#include "tests/support/temp_dir.h"

namespace jobd::daemon {
namespace {

namespace fs = std::filesystem;

class UidClaimTest : public testing::Test {
 protected:
  static UidClaim Claim(uid_t first, uint32_t count, const std::string& tag) {
    return {.first = first, .count = count, .tag = tag, .state_dir = "/srv/" + tag};
  }
  PublishedClaim Publish(const UidClaim& claim) {
    auto made = PublishedClaim::Make(folder_, claim);
    EXPECT_TRUE(made.ok()) << made.error().message();
    return *std::move(made);
  }
  std::string Said(const UidClaim& claim) const {
    const auto said = OverlappingClaims(folder_, claim);
    return said.ok() ? *said : "error: " + said.error().message();
  }
  auto Files() const { return std::distance(fs::directory_iterator(folder_), fs::directory_iterator()); }

  test::TempDir dir_;
  const std::string folder_ = dir_.path() + "/uids";
};

TEST_F(UidClaimTest, FaultG5RangesThatOverlapAreSaidAndNoOthers) {
  EXPECT_EQ(Said(Claim(1000, 10, "b")), "") << "nobody has said anything yet";
  const PublishedClaim a = Publish(Claim(1000, 10, "a"));
  for (const auto& [first, count] : {std::pair<uid_t, uint32_t>{1000, 10}, {1009, 1}, {990, 11}, {0, 4294967295}, {1003, 2}})
    EXPECT_NE(Said(Claim(first, count, "b")).find("whose state is in /srv/a, gives out some of the uids"), std::string::npos)
        << first;
  for (const auto& [first, count] : {std::pair<uid_t, uint32_t>{1010, 10}, {990, 10}, {4294967000, 1000}})
    EXPECT_EQ(Said(Claim(first, count, "b")), "") << first;
  EXPECT_EQ(Said(Claim(1000, 10, "a")), "") << "our own";
  const PublishedClaim c = Publish(Claim(1005, 1, "c"));
  EXPECT_NE(Said(Claim(1000, 10, "b")).find(", and 1 more, gives out"), std::string::npos) << Said(Claim(1000, 10, "b"));
}

TEST_F(UidClaimTest, FaultG5AClaimDiesWithItsJobd) {
  {
    const PublishedClaim a = Publish(Claim(1000, 10, "a"));
    EXPECT_EQ(Files(), 1);
  }
  EXPECT_EQ(Files(), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const auto made = PublishedClaim::Make(folder_, Claim(1000, 10, "dead"));
    ::_exit(made.ok() ? 0 : 1);  // as a kill: nothing is taken away
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_EQ(status, 0);
  EXPECT_EQ(Files(), 1);
  EXPECT_EQ(Said(Claim(1000, 10, "b")), "");
  EXPECT_EQ(Files(), 0) << "what the dead left is taken away";
}

TEST_F(UidClaimTest, FaultG5AFolderThatIsNotOursAloneIsNotBelieved) {
  fs::create_directory(folder_);
  ::chmod(folder_.c_str(), 0755);
  EXPECT_FALSE(PublishedClaim::Make(folder_, Claim(1000, 10, "a")).ok());
  EXPECT_NE(Said(Claim(1000, 10, "b")).find("is not root's alone"), std::string::npos);
  fs::remove(folder_);
  fs::create_directory(dir_.path() + "/elsewhere");
  ::chmod((dir_.path() + "/elsewhere").c_str(), 0700);
  fs::create_directory_symlink(dir_.path() + "/elsewhere", folder_);
  EXPECT_FALSE(PublishedClaim::Make(folder_, Claim(1000, 10, "a")).ok());
}

}  // namespace
}  // namespace jobd::daemon
