// The database lost and brought back, as an operator does it.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "tests/e2e/harness/daemon.h"
#include "tests/support/require.h"

namespace jobd::e2e {
namespace {

namespace fs = std::filesystem;

class BackupTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(daemon_.Start()) << daemon_.log(); }
  Output Jobd(std::vector<std::string> args) {
    args.insert(args.begin(), {Binary("jobd"), "--config", daemon_.ConfigFile()});
    return RunCommand({std::move(args), {}, {}, "/"});
  }
  std::string RunOne(const std::string& word) {
    const std::string id = daemon_.Ok({"run", "-d", "--name", word, "--", "echo", word});
    EXPECT_EQ(daemon_.Do({"wait", id}).code(), 0);
    return id;
  }
  void Damage() {
    daemon_.Stop();
    WriteFile(daemon_.folder() + "/state/jobd.db", std::string(50'000, 'x'));
  }
  Daemon daemon_;
  const std::string backup_ = daemon_.folder() + "/backup";
};

TEST_F(BackupTest, RefusesFoldersInUseAndDaemonsAtWork) {
  fs::create_directories(backup_);
  WriteFile(backup_ + "/mine", "precious");
  struct stat before {};
  ASSERT_EQ(::stat(backup_.c_str(), &before), 0);
  const Output full = Jobd({"--backup", backup_});
  EXPECT_NE(full.code(), 0);
  EXPECT_NE(full.err.find("not empty"), std::string::npos) << full.err;
  struct stat after {};
  ASSERT_EQ(::stat(backup_.c_str(), &after), 0);
  EXPECT_EQ(after.st_uid, before.st_uid) << "it was not given away either";
  EXPECT_EQ(after.st_mode, before.st_mode);
  fs::remove(backup_ + "/mine");
  EXPECT_NE(Jobd({"--restore", backup_}).err.find("is not a backup"), std::string::npos);
  ASSERT_EQ(Jobd({"--backup", backup_}).code(), 0);
  const Output again = Jobd({"--backup", backup_});
  EXPECT_NE(again.err.find("is not empty, it holds a backup: name another folder"), std::string::npos) << again.err;
  for (const auto& args : {std::vector<std::string>{"--restore", backup_, "--replace"}, {"--recover"}}) {
    const Output refused = Jobd(args);
    EXPECT_NE(refused.code(), 0);
    EXPECT_NE(refused.err.find("in use by another jobd"), std::string::npos) << refused.err;
  }
  EXPECT_EQ(daemon_.Do({"run", "--", "true"}).code(), 0) << "which goes on";
}

TEST_F(BackupTest, NeitherRestoresNorRecoversOverJobsThatRun) {
  ASSERT_EQ(Jobd({"--backup", backup_}).code(), 0);
  const std::string gate = daemon_.ShareDir() + "/gate";
  const std::string id = daemon_.Ok({"run", "-d", "--", "sh", "-c", "echo up; while ! test -e " + gate + "; do sleep 0.01; done"});
  Process follower(daemon_.Ctl({"logs", "-f", id}));
  ASSERT_TRUE(follower.WaitForOutput("up\n"));
  daemon_.Stop();
  for (const auto& args : {std::vector<std::string>{"--restore", backup_, "--replace"}, {"--recover"}}) {
    const Output refused = Jobd(args);
    EXPECT_NE(refused.code(), 0);
    EXPECT_NE(refused.err.find(id + "/1 still runs"), std::string::npos) << refused.err;
  }
  ASSERT_TRUE(daemon_.Start()) << daemon_.log();
  WriteFile(gate, "");
  EXPECT_EQ(daemon_.Do({"wait", id}).code(), 0);
}

TEST_F(BackupTest, ComesBackAfterTheDatabaseIsLost) {
  const std::string first = RunOne("one");
  const Output made = Jobd({"--backup", backup_});
  ASSERT_EQ(made.code(), 0) << made.err;
  EXPECT_NE(made.out.find("copied 1 batches"), std::string::npos) << made.out;
  const std::string second = RunOne("two");
  Damage();
  EXPECT_FALSE(daemon_.Start());
  EXPECT_NE(daemon_.log().find("jobd --recover"), std::string::npos) << "says what to do: " << daemon_.log();
  EXPECT_NE(Jobd({"--restore", backup_}).code(), 0) << "not over what is there, unless told so";
  const Output restored = Jobd({"--restore", backup_, "--replace"});
  ASSERT_EQ(restored.code(), 0) << restored.err;
  ASSERT_EQ(Jobd({"--recover"}).code(), 0);
  ASSERT_TRUE(daemon_.Start()) << daemon_.log();
  EXPECT_EQ(daemon_.Ok({"logs", first}), "one");
  EXPECT_EQ(nlohmann::json::parse(daemon_.Ok({"status", "--json", first})).at("jobs").at(0).at("argv").size(), 2u);
  EXPECT_EQ(daemon_.Ok({"logs", second}), "two") << "later than the backup, and known from its exit record";
  EXPECT_EQ(daemon_.Do({"wait", second}).code(), 0);
  EXPECT_EQ(daemon_.Do({"run", "--", "true"}).code(), 0);
}

TEST_F(BackupTest, AnIdThatWasUsedAfterTheBackupStaysTaken) {
  RunOne("one");
  ASSERT_EQ(Jobd({"--backup", backup_}).code(), 0);
  EXPECT_EQ(daemon_.Do({"run", "--id", "x1", "--", "echo", "old"}).out, "old\n");
  daemon_.Stop();
  const Output restored = Jobd({"--restore", backup_, "--replace"});
  ASSERT_EQ(restored.code(), 0) << restored.err;
  EXPECT_NE(restored.out.find("recovered 1 batches"), std::string::npos) << restored.out;
  ASSERT_TRUE(daemon_.Start()) << daemon_.log();
  const Output again = daemon_.Do({"run", "--id", "x1", "--", "sh", "-c", "echo new; exit 7"});
  EXPECT_NE(again.code(), 0);
  EXPECT_EQ(again.out, "") << "neither ran, nor has the other's output";
  EXPECT_EQ(daemon_.Ok({"logs", "x1"}), "old");
}

TEST_F(BackupTest, RecoversFromExitRecordsAlone) {
  const std::string id = RunOne("kept");
  EXPECT_EQ(daemon_.Do({"run", "--name", "bad", "--", "sh", "-c", "exit 9"}).code(), 9);
  Damage();
  const Output recovered = Jobd({"--recover"});
  ASSERT_EQ(recovered.code(), 0) << recovered.err;
  EXPECT_NE(recovered.out.find("recovered 2 batches with 2 jobs, the end of 2 of them on record"), std::string::npos)
      << recovered.out;
  EXPECT_TRUE(fs::exists(daemon_.folder() + "/state/jobd.db.damaged-1"));
  ASSERT_TRUE(daemon_.Start()) << daemon_.log();
  EXPECT_EQ(daemon_.Ok({"logs", id}), "kept");
  EXPECT_EQ(daemon_.Do({"wait", id}).code(), 0);
  EXPECT_EQ(daemon_.Do({"run", "--", "echo", "again"}).out, "again\n");
}

// Whose uids are whose is taken from nobody who could have put it there, and from nothing that is no backup.
TEST_F(BackupTest, FaultD10OnlyTheLaunchersOwnMapIsCopied) {
  JOBD_REQUIRE(::geteuid() == 0, "needs root");
  RunOne("one");
  const std::string map = daemon_.folder() + "/state/job-uids";
  const std::string text = ReadFileOrEmpty(map);
  ASSERT_NE(text, "");
  ASSERT_EQ(::chown(map.c_str(), 65534, 65534), 0);
  EXPECT_NE(Jobd({"--backup", backup_}).err.find("not the launcher's own"), std::string::npos);
  ASSERT_EQ(::chown(map.c_str(), 0, 0), 0);
  fs::remove_all(backup_);
  ASSERT_EQ(Jobd({"--backup", backup_}).code(), 0);
  EXPECT_EQ(ReadFileOrEmpty(backup_ + "/job-uids"), text);
}

TEST_F(BackupTest, FaultD10AMapIsNotTakenFromWhatIsNoBackup) {
  JOBD_REQUIRE(::geteuid() == 0, "needs root");
  RunOne("one");
  ASSERT_EQ(Jobd({"--backup", backup_}).code(), 0);
  daemon_.Stop();
  const std::string map = daemon_.folder() + "/state/job-uids";
  const std::string before = ReadFileOrEmpty(map);
  const std::string other = "jobd uids 1\nowner eve 70000 1\nend 1\n";
  WriteFile(backup_ + "/job-uids", other);
  const std::string database = ReadFileOrEmpty(backup_ + "/jobd.db");
  WriteFile(backup_ + "/jobd.db", std::string(50'000, 'x'));
  EXPECT_NE(Jobd({"--restore", backup_, "--replace"}).code(), 0);
  EXPECT_EQ(ReadFileOrEmpty(map), before);
  WriteFile(backup_ + "/jobd.db", database);
  WriteFile(backup_ + "/job-uids", "jobd uids 1\nowner eve\n");
  EXPECT_NE(Jobd({"--restore", backup_, "--replace"}).err.find("damaged"), std::string::npos);
  EXPECT_EQ(ReadFileOrEmpty(map), before);
  WriteFile(backup_ + "/job-uids", other);
  const Output restored = Jobd({"--restore", backup_, "--replace"});
  ASSERT_EQ(restored.code(), 0) << restored.err;
  EXPECT_NE(ReadFileOrEmpty(map).find("owner eve 70000 1\n"), std::string::npos);
  ASSERT_TRUE(daemon_.Start()) << daemon_.log();
}

// Whose uid is whose: kept twice, and not begun anew where both are lost.
TEST_F(BackupTest, FaultD10AMapThatIsLostIsTakenFromItsCopyOrRefused) {
  JOBD_REQUIRE(::geteuid() == 0, "needs root");
  RunOne("one");
  const std::string map = daemon_.folder() + "/state/job-uids";
  const std::string copy = daemon_.LogDir() + "/.job-uids";
  const std::string text = ReadFileOrEmpty(map);
  ASSERT_NE(text.find("owner operator "), std::string::npos) << text;
  EXPECT_EQ(ReadFileOrEmpty(copy), text);
  daemon_.Stop();
  fs::remove(map);
  ASSERT_TRUE(daemon_.Start()) << daemon_.log();
  EXPECT_NE(daemon_.log().find("job-uids in the state directory was missing"), std::string::npos) << daemon_.log();
  EXPECT_EQ(daemon_.Do({"run", "--", "true"}).code(), 0);
  EXPECT_EQ(ReadFileOrEmpty(map), text);
  ASSERT_EQ(Jobd({"--backup", backup_}).code(), 0);
  daemon_.Stop();
  fs::remove(map);
  fs::remove(copy);
  EXPECT_FALSE(daemon_.Start());
  EXPECT_NE(daemon_.log().find("job-uids is missing"), std::string::npos) << daemon_.log();
  ASSERT_EQ(Jobd({"--restore", backup_, "--replace"}).code(), 0);
  ASSERT_TRUE(daemon_.Start()) << daemon_.log();
  EXPECT_EQ(daemon_.Do({"run", "--", "true"}).code(), 0);
  EXPECT_EQ(ReadFileOrEmpty(map), text);
  EXPECT_EQ(ReadFileOrEmpty(copy), text);
}

}  // namespace
}  // namespace jobd::e2e
