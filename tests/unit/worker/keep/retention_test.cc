// Retention by itself: what stays first, then what goes.
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "tests/support/await.h"
#include "tests/support/require.h"
#include "tests/unit/worker/worker_fixture.h"

namespace jobd::worker {
namespace {

namespace fs = std::filesystem;
constexpr base::Nanos kDay = 86'400 * base::kNanosPerSecond;

class RetentionTest : public WorkerTest {
 protected:
  RetentionTest() { launcher_->RunAtOnce(); }

  void Run(const std::string& id, const std::string& owner = "ann", size_t bytes = 0) {
    if (bytes > 0) {
      // Before it ends, that is before it is measured.
      fs::create_directories(Folder(id, owner));
      std::ofstream(Folder(id, owner) / "1.out") << std::string(bytes, 'x');
    }
    ASSERT_TRUE(Submit(id, Jobs(1), {}, owner).ok());
    AwaitEnd(id, owner);
  }
  void AwaitEnd(const std::string& id, const std::string& owner) {
    const auto watch = worker_->Watch({owner, id});
    ASSERT_TRUE(watch.ok());
    for (;;) {
      const auto update = (*watch)->Next();
      if (!update.ok() || (*update && (*update)->finished)) return;
      if (!*update) Wait(**watch);
    }
  }
  // Until nothing more is kept than this.
  void AwaitGone(const std::string& id, const std::string& owner = "ann") {
    auto watch = worker_->Watch({owner, id});
    while (watch.ok()) {
      const auto update = (*watch)->Next();
      if (!update.ok()) return;
      if ((*update) && (*update)->finished) {
        // A watch ends with its batch; what becomes of the batch later is seen by asking.
        watch = worker_->Watch({owner, id});
        std::this_thread::yield();
      } else if (!*update) {
        Wait(**watch);
      }
    }
  }
  static void Wait(BatchWatch& watch) {
    std::promise<void> woken;
    watch.Arm([&] { woken.set_value(); });
    test::WaitFor(woken.get_future());
  }
  void SetRules(const Retention& rules) {
    limits_.retention = rules;
    worker_->SetLimits(limits_);
  }
  std::vector<std::string> Left(const std::string& owner = "ann") {
    std::vector<std::string> ids;
    const auto page = worker_->ListBatches({.owner = owner});
    if (page.ok()) {
      for (const BatchView& batch : page->batches) ids.insert(ids.begin(), batch.name.correlation_id);
    }
    return ids;
  }
  fs::path Folder(const std::string& id, const std::string& owner = "ann") const { return dir_ / "logs" / owner / id; }
  KeptStatus AwaitKept(uint64_t batches, uint64_t undeletable = 0) {
    for (;;) {
      const KeptStatus kept = worker_->GetStatus().kept;
      if (kept.batches == batches && kept.undeletable == undeletable) return kept;
      std::this_thread::yield();
    }
  }
  using Ids = std::vector<std::string>;
};

TEST_F(RetentionTest, WithoutARuleEverythingStays) {
  ASSERT_TRUE(Open().ok());
  Run("a");
  clock_.Advance(10'000 * kDay);
  Run("b");
  const KeptStatus kept = AwaitKept(2);
  EXPECT_GT(kept.bytes, 0u);
  EXPECT_EQ(Left(), (Ids{"a", "b"}));
}

TEST_F(RetentionTest, WhatRunsOrWaitsStaysWhateverItsAge) {
  launcher_ = std::make_unique<FakeLauncher>(logs_.get());
  limits_.retention.all = {.max_age = kDay, .max_bytes = 1, .max_batches = 1};
  ASSERT_TRUE(Open().ok());
  ASSERT_TRUE(Submit("running", Jobs(1)).ok());
  launcher_->Running(launcher_->WaitLaunched(1).key);
  ASSERT_TRUE(Submit("held", Jobs(1), {.hold = true}).ok());
  clock_.Advance(100 * kDay);
  launcher_->RunAtOnce();
  // Ends, is too much by the bound on bytes, and goes: so a whole pass has looked at the others.
  ASSERT_TRUE(Submit("over", Jobs(1)).ok());
  AwaitGone("over");
  EXPECT_EQ(Left(), (Ids{"running", "held"}));
  EXPECT_TRUE(fs::exists(Folder("running") / "exits"));
}

TEST_F(RetentionTest, ByAgeAtTheStart) {
  ASSERT_TRUE(Open().ok());
  Run("old");
  clock_.Advance(2 * kDay);
  Run("young");
  limits_.retention.all.max_age = kDay;
  Restart(true);
  AwaitGone("old");
  EXPECT_EQ(Left(), Ids{"young"});
  EXPECT_FALSE(fs::exists(Folder("old"))) << "logs and rows go";
  EXPECT_TRUE(fs::exists(Folder("young")));
}

TEST_F(RetentionTest, AWallClockThatJumpsYearsOnDeletesNothing) {
  limits_.retention.all.max_age = kDay;
  ASSERT_TRUE(Open().ok());
  Run("before");
  AwaitKept(1);
  clock_.JumpWall(3653 * kDay);
  Run("after");
  AwaitKept(2);  // a whole pass has looked at both
  EXPECT_EQ(Left(), (Ids{"before", "after"}));
  clock_.Advance(2 * kDay);
  SetRules(limits_.retention);
  AwaitGone("before");
}

TEST_F(RetentionTest, ByAgeWhenItsTimeComesAndNothingElseHappens) {
  limits_.retention.all.max_age = 20 * base::kNanosPerMilli;
  clock_.SetStep(1);  // each look at the status is one at the clock
  ASSERT_TRUE(Open().ok());
  Run("a");
  AwaitKept(1);  // this clock stands almost still: it is too young
  clock_.Advance(kDay);
  AwaitGone("a");
}

TEST_F(RetentionTest, ByCountTheFirstToEndGoesFirst) {
  limits_.retention.all.max_batches = 2;
  ASSERT_TRUE(Open().ok());
  for (const char* id : {"a", "b", "c", "d"}) Run(id);
  AwaitGone("a");
  AwaitGone("b");
  AwaitKept(2);
  EXPECT_EQ(Left(), (Ids{"c", "d"}));
}

TEST_F(RetentionTest, BySizeOfAllTogether) {
  ASSERT_TRUE(Open().ok());
  Run("a", "ann", 1 << 20);
  Run("b", "bob", 1 << 20);
  Run("c", "ann", 1 << 20);
  EXPECT_GE(AwaitKept(3).bytes, 3u << 20);
  SetRules({.all = {.max_bytes = 5u << 19}});
  AwaitGone("a");
  EXPECT_LE(AwaitKept(2).bytes, 5u << 19);
  EXPECT_EQ(Left("ann"), Ids{"c"});
  EXPECT_EQ(Left("bob"), Ids{"b"});
}

TEST_F(RetentionTest, UsersHaveRulesOfTheirOwn) {
  ASSERT_TRUE(Open().ok());
  Run("a1", "ann");
  Run("b1", "bob");
  Run("c1", "carl");
  clock_.Advance(2 * kDay);
  Run("a2", "ann");
  Run("b2", "bob");
  // ann: a longer age than all; bob: one batch; carl: as all.
  SetRules(
      {.all = {.max_age = kDay}, .owners = {{"ann", {.max_age = 10 * kDay}}, {"bob", {.max_age = 10 * kDay, .max_batches = 1}}}});
  AwaitGone("b1", "bob");
  AwaitGone("c1", "carl");
  // As many are kept before the rules are in force.
  KeptStatus kept = AwaitKept(3);
  while (kept.own_rules != 2) kept = AwaitKept(3);
  EXPECT_EQ(kept.rule, (RetentionRule{.max_age = kDay}));
  EXPECT_EQ(Left("ann"), (Ids{"a1", "a2"}));
  EXPECT_EQ(Left("bob"), Ids{"b2"});
}

TEST_F(RetentionTest, ARetriedBatchIsMeasuredAndCountedOnce) {
  ASSERT_TRUE(Open().ok());
  Run("a", "ann", 1 << 20);
  const uint64_t before = AwaitKept(1).bytes;
  ASSERT_EQ(*Await<uint32_t>([&](auto done) { worker_->Retry({.batch = {"ann", "a"}}, false, done); }), 1u);
  AwaitEnd("a", "ann");
  Run("b");
  EXPECT_LT(AwaitKept(2).bytes, before + (1 << 20));
  EXPECT_TRUE(*Await<bool>([&](auto done) { worker_->Remove({"ann", "a"}, done); }));
  EXPECT_LT(AwaitKept(1).bytes, 1u << 20);
}

TEST_F(RetentionTest, LinksAndFoldersPutThereByAJobLeadNowhere) {
  ASSERT_TRUE(Open().ok());
  const fs::path outside = dir_ / "outside";
  fs::create_directories(outside / "folder");
  std::ofstream(outside / "folder" / "precious") << "kept";
  Run("a");
  fs::create_directory_symlink(outside / "folder", Folder("a") / "9.out");
  fs::create_directories(Folder("a") / "planted/deep");
  fs::create_symlink(outside / "folder" / "precious", Folder("a") / "planted/deep/link");
  clock_.Advance(2 * kDay);
  SetRules({.all = {.max_age = kDay}});
  AwaitGone("a");
  EXPECT_FALSE(fs::exists(Folder("a")));
  EXPECT_TRUE(fs::exists(outside / "folder" / "precious"));
}

TEST_F(RetentionTest, AFolderThatIsALinkIsNotFollowedAndSaid) {
  ASSERT_TRUE(Open().ok());
  const fs::path outside = dir_ / "outside";
  fs::create_directories(outside);
  std::ofstream(outside / "precious") << "kept";
  Run("a");
  Run("b");
  fs::remove_all(Folder("a"));
  fs::create_directory_symlink(outside, Folder("a"));
  // One too many: the one that cannot go is not made up for by another.
  SetRules({.all = {.max_batches = 1}});
  AwaitKept(2, 1);
  EXPECT_TRUE(fs::exists(outside / "precious"));
  EXPECT_EQ(Left(), (Ids{"a", "b"}));
}

TEST_F(RetentionTest, AMountIsNotEntered) {
  JOBD_REQUIRE(::geteuid() == 0, "needs root, to mount");
  ASSERT_TRUE(Open().ok());
  const fs::path outside = dir_ / "outside";
  fs::create_directories(outside);
  std::ofstream(outside / "precious") << "kept";
  Run("a");
  fs::create_directories(Folder("a") / "mount");
  ASSERT_EQ(::mount(outside.c_str(), (Folder("a") / "mount").c_str(), nullptr, MS_BIND, nullptr), 0);
  clock_.Advance(2 * kDay);
  SetRules({.all = {.max_age = kDay}});
  AwaitKept(1, 1);
  EXPECT_TRUE(fs::exists(outside / "precious"));
  ASSERT_EQ(::umount2((Folder("a") / "mount").c_str(), MNT_DETACH), 0);
  EXPECT_EQ(Left(), Ids{"a"});
}

}  // namespace
}  // namespace jobd::worker
