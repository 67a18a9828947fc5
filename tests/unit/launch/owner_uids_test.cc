// Whose uid is whose, for ever.
#include "launch/launcher/owner_uids.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "base/files.h"
#include "launch/launcher/job_environment.h"
#include "sandbox/isolation/accounts.h"
#include "tests/support/freezable_disk.h"
#include "tests/support/require.h"
#include "tests/support/temp_dir.h"

namespace jobd::launch {
namespace {

constexpr uid_t kFirst = 1'879'048'192;

// Asks again for as long as the disk, or a machine with much to do, does not answer in time.
class PatientUids {
 public:
  explicit PatientUids(OwnerUids uids) : uids_(std::move(uids)) {}
  base::Result<uid_t> OfOwner(const std::string& owner) {
    return Asked([&] { return uids_.OfOwner(owner); });
  }
  base::Result<uid_t> TakeForJob(const std::string& owner) {
    return Asked([&] { return uids_.TakeForJob(owner); });
  }
  void Release(uid_t uid) { uids_.Release(uid); }
  void Mark(uid_t uid) { uids_.Mark(uid); }
  base::Status Merge(std::string_view text) { return uids_.Merge(text); }
  base::Status Save() const { return uids_.Save(); }
  std::string Text() const { return uids_.Text(); }
  size_t owners() const { return uids_.owners(); }

 private:
  template <typename Ask>
  static base::Result<uid_t> Asked(Ask ask) {
    for (;;) {
      auto answer = ask();
      if (answer.ok() || answer.error().message().find("does not answer") == std::string::npos) return answer;
    }
  }
  OwnerUids uids_;
};

class OwnerUidsTest : public testing::Test {
 protected:
  PatientUids Open(uint32_t count = 65'536, uid_t first = kFirst) {
    auto uids = OwnerUids::Open(dir_.get(), first, count);
    EXPECT_TRUE(uids.ok()) << uids.error().message();
    return PatientUids(std::move(uids).value());
  }
  std::string File() const { return folder_.path() + "/" + kUidsFile; }

  test::TempDir folder_;
  base::Fd dir_{base::OpenAt(AT_FDCWD, folder_.path(), O_RDONLY | O_DIRECTORY).value()};
};

TEST_F(OwnerUidsTest, FaultB1AnOwnerKeepsItsUidAcrossRestarts) {
  const uid_t alice = *Open().OfOwner("alice");
  EXPECT_GE(alice, kFirst);
  EXPECT_LT(alice, kFirst + 65'536);
  PatientUids again = Open();
  const uid_t bob = *again.OfOwner("bob");
  EXPECT_NE(alice, bob);
  EXPECT_EQ(*again.OfOwner("alice"), alice);
  struct stat info {};
  ASSERT_EQ(::stat(File().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0600u);
}

TEST_F(OwnerUidsTest, FaultD10AUidIsNeverHandedOnAndAFullRangeSaysSo) {
  PatientUids uids = Open(4);  // two for owners, two blocks of one
  std::set<uid_t> all{*uids.OfOwner("a"), *uids.OfOwner("b"), *uids.TakeForJob("a"), *uids.TakeForJob("b")};
  EXPECT_EQ(all.size(), 4u);
  const auto third = uids.OfOwner("c");
  ASSERT_FALSE(third.ok());
  EXPECT_EQ(third.error().code(), base::Code::kFailedPrecondition);
  EXPECT_NE(third.error().message().find("job_uid_count"), std::string::npos);
  // Not even when no job of theirs lives any more.
  for (const uid_t uid : all) uids.Release(uid);
  EXPECT_FALSE(uids.TakeForJob("c").ok());
  EXPECT_TRUE(uids.TakeForJob("a").ok());
  const auto second = uids.TakeForJob("a");
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().sys_errno(), EAGAIN) << "one of its own comes free again";
}

TEST_F(OwnerUidsTest, AUidOfAnotherRangeStaysOutOfUse) {
  const uid_t before = *Open(4, 5000).OfOwner("alice");
  PatientUids moved = Open(8, 4999);
  std::set<uid_t> given;
  for (const char* owner : {"a", "b", "c", "d"}) {
    if (const auto uid = moved.OfOwner(owner); uid.ok()) given.insert(*uid);
  }
  EXPECT_FALSE(given.contains(before));
  EXPECT_EQ(*moved.OfOwner("alice"), before) << "it lies in both";
  PatientUids elsewhere = Open(8, 9000);
  EXPECT_GE(*elsewhere.OfOwner("alice"), 9000u);
}

TEST_F(OwnerUidsTest, AMapThatIsLostComesOutTheSame) {
  const uid_t alice = *Open().OfOwner("alice");
  ASSERT_EQ(::unlink(File().c_str()), 0);
  PatientUids uids = Open();
  (void)uids.OfOwner("bob");
  EXPECT_EQ(*uids.OfOwner("alice"), alice);
}

TEST_F(OwnerUidsTest, AnOlderCopyTakesNothingAway) {
  PatientUids uids = Open();
  const uid_t alice = *uids.OfOwner("alice");
  const std::string copy = uids.Text();
  const uid_t bob = *uids.OfOwner("bob");
  ASSERT_TRUE(uids.Merge(copy).ok());
  ASSERT_TRUE(uids.Save().ok());
  EXPECT_EQ(*Open().OfOwner("bob"), bob);
  // Into a new machine's state.
  ASSERT_EQ(::unlink(File().c_str()), 0);
  PatientUids fresh = Open();
  ASSERT_TRUE(fresh.Merge(copy).ok());
  EXPECT_NE(::access(File().c_str(), F_OK), 0) << "not before it is said";
  ASSERT_TRUE(fresh.Save().ok());
  EXPECT_EQ(*Open().OfOwner("alice"), alice);
  // Where somebody else has got the place meanwhile, it stays theirs.
  ASSERT_EQ(::unlink(File().c_str()), 0);
  PatientUids taken = Open();
  ASSERT_TRUE(taken.Merge("jobd uids 1\nowner carol " + std::to_string(alice) + " 1\nend 1\n").ok());
  ASSERT_TRUE(taken.Merge(copy).ok());
  EXPECT_EQ(*taken.OfOwner("carol"), alice);
  EXPECT_NE(*taken.OfOwner("alice"), alice);
}

// The map in the state directory and its copy in the log directory.
class OwnerUidsCopyTest : public OwnerUidsTest {
 protected:
  base::Result<OwnerUids> OpenBoth() { return OwnerUids::Open(dir_.get(), kFirst, 4, copy_dir_.get()); }
  // With alice's uid as the first: with so few, others want her place.
  void SetUp() override {
    auto uids = OpenBoth();
    ASSERT_TRUE(uids.ok());
    EXPECT_FALSE(uids->found());
    PatientUids patient(std::move(uids).value());
    alice_ = *patient.OfOwner("alice");
    bob_ = *patient.OfOwner("bob");
  }
  std::string Copy() const { return logs_.path() + "/" + kUidsCopy; }
  static std::string Content(const std::string& path) { return base::ReadFile(AT_FDCWD, path).value(); }
  static void Put(const std::string& path, const std::string& text) {
    ::unlink(path.c_str());
    std::ofstream(path) << text;
  }
  void ExpectBothKept(const std::string& note) {
    auto uids = OpenBoth();
    ASSERT_TRUE(uids.ok()) << uids.error().message();
    EXPECT_TRUE(uids->found());
    EXPECT_EQ(uids->note().empty(), note.empty()) << uids->note();
    EXPECT_NE(uids->note().find(note), std::string::npos) << uids->note();
    ASSERT_TRUE(uids->Complete().ok());
    PatientUids patient(std::move(uids).value());
    EXPECT_EQ(*patient.OfOwner("alice"), alice_);
    EXPECT_EQ(*patient.OfOwner("bob"), bob_);
    EXPECT_FALSE(patient.OfOwner("carol").ok()) << "both places are taken for ever";
    ASSERT_TRUE(patient.Save().ok());
    EXPECT_EQ(Content(File()), Content(Copy()));
  }

  test::TempDir logs_;
  base::Fd copy_dir_{base::OpenAt(AT_FDCWD, logs_.path(), O_RDONLY | O_DIRECTORY).value()};
  uid_t alice_ = 0;
  uid_t bob_ = 0;
};

TEST_F(OwnerUidsCopyTest, FaultD10AMapThatIsMissingIsTakenFromItsCopy) {
  ASSERT_EQ(::unlink(File().c_str()), 0);
  ExpectBothKept("was missing");
}

TEST_F(OwnerUidsCopyTest, FaultD10AMapThatIsCutOffIsTakenFromItsCopy) {
  const std::string whole = Content(File());
  for (const size_t size : {size_t{0}, whole.size() / 2, whole.size() - 1}) {
    Put(File(), whole.substr(0, size));
    ExpectBothKept("was damaged");
  }
}

TEST_F(OwnerUidsCopyTest, FaultD10AnOlderMapThatCameBackGivesNothingAway) {
  Put(File(), "jobd uids 1\nowner alice " + std::to_string(alice_) + " 1\nend 1\n");
  ExpectBothKept("was older");
  Put(File(), "jobd uids 1\nend 0\n");
  ExpectBothKept("was older");
}

TEST_F(OwnerUidsCopyTest, ACopyThatIsMissingOrDamagedIsMadeAgain) {
  ASSERT_EQ(::unlink(Copy().c_str()), 0);
  ExpectBothKept("");
  Put(Copy(), "jobd");
  ExpectBothKept("");
}

TEST_F(OwnerUidsCopyTest, WhereBothAreDamagedOrContradictEachOtherNothingIsGiven) {
  const std::string whole = Content(File());
  Put(File(), "jobd uids 1\n");
  ASSERT_EQ(::unlink(Copy().c_str()), 0);
  EXPECT_EQ(OpenBoth().error().code(), base::Code::kDataLoss);
  Put(Copy(), "jobd uids 1\n");
  EXPECT_EQ(OpenBoth().error().code(), base::Code::kDataLoss);
  Put(File(), whole);
  Put(Copy(), "jobd uids 1\nowner eve " + std::to_string(alice_) + " 1\nend 1\n");
  EXPECT_NE(OpenBoth().error().message().find("two owners'"), std::string::npos);
  // And where somebody else has put it.
  Put(Copy(), whole);
  ASSERT_EQ(::chmod(Copy().c_str(), 0666), 0);
  EXPECT_EQ(OpenBoth().error().code(), base::Code::kPermissionDenied);
}

TEST_F(OwnerUidsCopyTest, NothingIsGivenThatTheCopyDoesNotHave) {
  ASSERT_EQ(::mkdir((logs_.path() + "/.job-uids.new").c_str(), 0700), 0);
  auto uids = OpenBoth();
  ASSERT_TRUE(uids.ok());
  PatientUids patient(std::move(uids).value());
  EXPECT_FALSE(patient.TakeForJob("alice").ok());
  ASSERT_EQ(::rmdir((logs_.path() + "/.job-uids.new").c_str()), 0);
  EXPECT_TRUE(patient.TakeForJob("alice").ok());
  EXPECT_NE(Content(Copy()).find("jobs alice"), std::string::npos);
}

TEST_F(OwnerUidsCopyTest, ARestoreTakesFromADamagedMapWhatCanBeRead) {
  ASSERT_EQ(::unlink(Copy().c_str()), 0);
  const std::string whole = Content(File());
  Put(File(), whole.substr(0, whole.find("end")) + "owner x");
  auto uids = OwnerUids::Open(dir_.get(), kFirst, 4, copy_dir_.get(), OwnerUids::Damage::kSalvage);
  ASSERT_TRUE(uids.ok()) << uids.error().message();
  EXPECT_EQ(uids->owners(), 2u);
}

TEST_F(OwnerUidsTest, DamageAndForgeryAreRefused) {
  const std::string good = "jobd uids 1\nowner alice 5 1\nend 1\n";
  for (const std::string& bad :
       {std::string(), good.substr(0, good.size() - 1), std::string("jobd uids 1\nend 1\n"), std::string("jobd uids 2\nend 0\n"),
        std::string("jobd uids 1\nowner alice 0 1\nend 1\n"), std::string("jobd uids 1\nowner alice 5 2\nend 1\n"),
        std::string("jobd uids 1\nroot alice 5 1\nend 1\n"), std::string("jobd uids 1\nowner a 5 1\nowner b 5 1\nend 2\n"),
        std::string("jobd uids 1\njobs a 5 64\nowner b 6 1\nend 2\n"), std::string("jobd uids 1\njobs a 4294967290 64\nend 1\n")}) {
    ::unlink(File().c_str());
    std::ofstream(File()) << bad;
    EXPECT_FALSE(OwnerUids::Open(dir_.get(), kFirst, 10).ok()) << bad;
  }
  ::unlink(File().c_str());
  std::ofstream(File()) << good;
  EXPECT_TRUE(OwnerUids::Open(dir_.get(), kFirst, 10).ok());
  ASSERT_EQ(::chmod(File().c_str(), 0666), 0);
  EXPECT_FALSE(OwnerUids::Open(dir_.get(), kFirst, 10).ok());
  ::unlink(File().c_str());
  ASSERT_EQ(::symlink("/etc/passwd", File().c_str()), 0);
  EXPECT_FALSE(OwnerUids::Open(dir_.get(), kFirst, 10).ok());
}

TEST_F(OwnerUidsTest, WhatCannotBeWrittenIsNotGiven) {
  PatientUids uids = Open();
  (void)uids.OfOwner("alice");
  // Somebody has put a folder where the new file is to be.
  ASSERT_EQ(::mkdir((folder_.path() + "/.job-uids.new").c_str(), 0700), 0);
  EXPECT_FALSE(uids.OfOwner("bob").ok());
  EXPECT_EQ(uids.owners(), 1u);
  ASSERT_EQ(::rmdir((folder_.path() + "/.job-uids.new").c_str()), 0);
  EXPECT_TRUE(uids.OfOwner("bob").ok());
}

TEST_F(OwnerUidsTest, FaultD8ADiskThatHangsHoldsNobodyUp) {
  test::FreezableDisk disk;
  JOBD_REQUIRE(disk.mounted(), "needs to mount an ext4 file system by a loop device");
  const base::Fd dir = base::OpenAt(AT_FDCWD, disk.path(), O_RDONLY | O_DIRECTORY).value();
  auto uids = OwnerUids::Open(dir.get(), kFirst, 65'536);
  ASSERT_TRUE(uids.ok());
  auto granted = uids->OfOwner("alice");
  while (!granted.ok() && granted.error().sys_errno() == EAGAIN) granted = uids->OfOwner("alice");
  ASSERT_TRUE(granted.ok()) << granted.error().message();
  const uid_t alice = *granted;
  ASSERT_TRUE(disk.Freeze());
  EXPECT_EQ(*uids->OfOwner("alice"), alice) << "what is granted needs no disk";
  for (const char* owner : {"bob", "bob", "carol"}) {
    const auto refused = uids->OfOwner(owner);
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().sys_errno(), EAGAIN) << refused.error().message();
  }
  EXPECT_EQ(uids->TakeForJob("alice").error().sys_errno(), EAGAIN);
  disk.Thaw();
  auto bob = uids->OfOwner("bob");
  while (!bob.ok() && bob.error().sys_errno() == EAGAIN) bob = uids->OfOwner("bob");
  ASSERT_TRUE(bob.ok()) << bob.error().message();
  auto again = OwnerUids::Open(dir.get(), kFirst, 65'536);
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(*again->OfOwner("bob"), *bob);
}

TEST(HomesTest, FaultB2AHomeIsLookedAtEachTime) {
  const test::TempDir folder;
  Homes homes({folder.path()});
  const uid_t uid = ::geteuid() == 0 ? kFirst : ::geteuid();
  const std::string home = *homes.Of(uid);
  EXPECT_EQ(*homes.Of(uid), home);
  // Others may write there: not theirs alone any more.
  ASSERT_EQ(::chmod(home.c_str(), 0777), 0);
  const std::string second = *homes.Of(uid);
  EXPECT_NE(second, home);
  // A link that somebody has put into its place.
  ASSERT_EQ(::rmdir(second.c_str()), 0);
  ASSERT_EQ(::symlink("/etc", second.c_str()), 0);
  const std::string third = *homes.Of(uid);
  EXPECT_NE(third, second);
  // A folder of somebody else.
  ASSERT_EQ(::rmdir(third.c_str()), 0);
  ASSERT_EQ(::mkdir(third.c_str(), 0700), 0);
  if (::geteuid() == 0) {
    EXPECT_NE(*homes.Of(uid), third);
  }
  struct stat info {};
  ASSERT_EQ(::lstat(homes.Of(uid)->c_str(), &info), 0);
  EXPECT_EQ(info.st_uid, uid);
}

TEST(HomesTest, FaultB2AnotherPlaceWhereTheFirstCannotBeUsed) {
  const test::TempDir folder;
  Homes homes({folder.path() + "/none", folder.path()});
  EXPECT_TRUE(homes.Of(::geteuid() == 0 ? kFirst : ::geteuid())->starts_with(folder.path()));
  EXPECT_FALSE(Homes({folder.path() + "/none"}).Of(kFirst).ok());
}

TEST(AccountFilesTest, FaultB1OneEntryMoreNamedAfterTheOwner) {
  const std::string passwd = "root:x:0:0:root:/root:/bin/bash\nalice:x:1000:1000::/home/alice:/bin/sh";
  const std::string group = "root:x:0:\nbuild:x:7:\n";
  const auto bob = sandbox::WithAccount(passwd, group, "bob", 77, 77, "/tmp");
  EXPECT_EQ(bob.name, "bob");
  EXPECT_EQ(bob.passwd, passwd + "\nbob:x:77:77:jobs of bob:/tmp:/bin/sh\n");
  EXPECT_EQ(bob.group, group + "bob:x:77:\n");
  EXPECT_EQ(sandbox::WithAccount(passwd, group, "alice", 77, 77, "/tmp").name, "alice-2");
  const auto build = sandbox::WithAccount(passwd, group, "build", 77, 77, "/tmp");
  EXPECT_EQ(build.name, "build") << "a group of that name is another thing";
  EXPECT_EQ(build.group, group + "build-2:x:77:\n");
  EXPECT_EQ(sandbox::WithAccount(passwd, group, "root", 77, 77, "/tmp").name, "root-2");
  EXPECT_EQ(sandbox::WithAccount(passwd, group, "a:b", 77, 77, "/tmp").name, "a_b");
  EXPECT_EQ(sandbox::WithAccount(passwd, group, "0", 77, 77, "/tmp").name, "u0");
  EXPECT_EQ(sandbox::WithAccount(passwd, group, std::string(128, 'x'), 77, 77, "/tmp").name.size(), 28u);
  EXPECT_EQ(sandbox::WithAccount("", "", "bob", 77, 77, "/tmp").group, "bob:x:77:\n");
  EXPECT_EQ(sandbox::WithAccount(passwd, group, "bob", 77, 7, "/tmp").group, group) << "the group has a name";
}

TEST(AccountFilesTest, FaultB1AnAccountOfTheMachineGetsTheJobsHome) {
  const auto files =
      sandbox::WithHome("a:x:5:6:A:/home/a:/bin/bash\n", "g:x:6:\n",
                        {.uid = 5, .gid = 6, .groups = {}, .name = "a", .home = "/home/a", .shell = "/bin/bash"}, "/tmp");
  EXPECT_EQ(files.passwd, "a:x:5:6::/tmp:/bin/bash\na:x:5:6:A:/home/a:/bin/bash\n") << "the first entry counts";
  EXPECT_EQ(files.group, "g:x:6:\n");
  EXPECT_EQ(files.name, "a");
}

TEST(CompleteEnvironmentTest, FaultB2TheJobsOwnWinsThenTheProfileThenTheDefaults) {
  Policy policy;
  policy.default_env = {{"A", "default"}, {"B", "default"}, {"PATH", "/default"}};
  policy.default_path = "/usr/bin";
  sandbox::Profile profile;
  profile.env = {{"B", "profile"}, {"C", "profile"}};
  LaunchRequest request;
  request.env = {{"C", "own"}, {"HOME", "/own"}, {"PATH", "/usr/bin"}};
  CompleteEnvironment(policy, profile, {.name = "bob", .home = "/tmp", .shell = "/bin/sh"}, request);
  std::map<std::string, std::string> last;
  for (const auto& [name, value] : request.env) last[name] = value;
  EXPECT_EQ(last, (std::map<std::string, std::string>{{"A", "default"},
                                                      {"B", "profile"},
                                                      {"C", "own"},
                                                      {"HOME", "/own"},
                                                      {"USER", "bob"},
                                                      {"LOGNAME", "bob"},
                                                      {"SHELL", "/bin/sh"},
                                                      {"LANG", "C.UTF-8"},
                                                      {"PATH", "/default"}}));
}

}  // namespace
}  // namespace jobd::launch
