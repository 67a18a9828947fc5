// git, in a folder that jobs share.
#include "tests/e2e/programs/at_home.h"

namespace jobd::e2e {
namespace {

class GitAtHome : public AtHome {
 protected:
  void SetUp() override {
    JOBD_REQUIRE_PROGRAM("git");
    AtHome::SetUp();
  }
  // What git wants to know before it commits; a home of its own takes it.
  static std::string WithAddress(const std::string& script) {
    return "set -e; git config --global user.email me@example.org; git config --global user.name Me; " + script;
  }
};
INSTANTIATE_TEST_SUITE_P(Places, GitAtHome, testing::ValuesIn(kPlaces), PlaceName);

TEST_P(GitAtHome, FaultB1CloneCommitAndStatusInAWorkdirOfTwoJobs) {
  Said(WithAddress(
      "git init -q --bare origin.git; git clone -q origin.git clone 2>/dev/null; cd clone; echo one >file; git add file; "
      "git commit -qm first; git push -q origin HEAD:main"));
  // The second finds what the first has made to be its own: else git would speak of dubious ownership.
  EXPECT_EQ(Said("cd clone && git status --short && git log --format=%an:%s"), "Me:first\n");
  Said(WithAddress("cd clone; echo two >>file; git commit -qam second; git push -q origin HEAD:main"));
  EXPECT_EQ(Said("git -C origin.git log --format=%s main"), "second\nfirst\n");
  Said("git clone -q -b main origin.git another && cmp clone/file another/file");
}

TEST_P(GitAtHome, FaultB1TheCommitterIsNamedAfterTheAccount) {
  // The name is that of passwd; an address is made of the host's name where that has a domain, as at home.
  const std::string who =
      Said("git init -q mine && cd mine && git -c user.email=me@example.org commit -q --allow-empty -m x && git log --format=%an");
  EXPECT_NE(who, "");
  EXPECT_EQ(who.find("unknown"), std::string::npos) << who;
}

TEST_P(GitAtHome, FaultB1TwoAtOnceInTheSameRepository) {
  Said(WithAddress("git init -q repo; cd repo; echo a >a; git add a; git commit -qm first; chmod -R a+rwX ."));
  // Both live at the same time: each waits for the other's sign. Under strict they have two uids, which git has to be told.
  const auto script = [](const std::string& mine, const std::string& other) {
    return "touch " + mine + "; i=0; until [ -e " + other + " ] || [ $((i += 1)) = 3000 ]; do sleep 0.01; done; [ -e " + other +
           " ] && git -c safe.directory='*' -C repo status --short";
  };
  const std::string first = Begin(script("a.up", "b.up"));
  EXPECT_EQ(Said(script("b.up", "a.up")), "");
  EXPECT_EQ(daemon().Do({"wait", first}).code(), 0) << daemon().Do({"logs", first}).err;
}

}  // namespace
}  // namespace jobd::e2e
