// Finished output that jobd compresses: read by jobctl as before, and by zstd's own program.
#include <gtest/gtest.h>

#include <filesystem>

#include "tests/e2e/harness/daemon.h"
#include "tests/support/require.h"

namespace jobd::e2e {
namespace {

namespace fs = std::filesystem;

class CompressTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(daemon_.Start()) << daemon_.log(); }
  std::string Run(const std::string& script) {
    const std::string id = daemon_.Ok({"run", "-d", "--", "sh", "-c", script});
    daemon_.Ok({"wait", id});
    return id;
  }
  std::string File(const std::string& id, const std::string& name) const {
    return daemon_.LogDir() + "/operator/" + id + "/" + name;
  }
  bool AwaitCompressed(const std::string& id) const {
    return WaitUntil([&] { return fs::exists(File(id, "1.out.zst")) && !fs::exists(File(id, "1.out")); });
  }
  Daemon daemon_{{"[retention]\ncompress_after = \"1s\"\n", {}, ""}};
};

TEST_F(CompressTest, ReadAsBefore) {
  const std::string id = Run("seq 1 300000");  // 2 MB, several frames
  const std::string whole = daemon_.Do({"logs", id}).out;
  ASSERT_EQ(whole.size(), 1'988'895u);
  const std::string sum = Sha256(whole);
  ASSERT_TRUE(AwaitCompressed(id));
  EXPECT_LT(fs::file_size(File(id, "1.out.zst")), whole.size() / 2);
  EXPECT_EQ(Sha256(daemon_.Do({"logs", id}).out), sum);
  EXPECT_EQ(Sha256(daemon_.Do({"logs", "-f", id + "/1"}).out), sum);
  EXPECT_EQ(daemon_.Do({"logs", "-n", "3", id}).out, "299998\n299999\n300000\n");
  const Output zstdcat = RunCommand(
      {{"/bin/sh", "-c", "command -v zstdcat >/dev/null || exit 77; exec zstdcat \"$0\"", File(id, "1.out.zst")}, {}, {}, {}});
  JOBD_REQUIRE(zstdcat.code() != 77, "needs zstdcat");
  EXPECT_EQ(zstdcat.code(), 0) << zstdcat.err;
  EXPECT_EQ(Sha256(zstdcat.out), sum);
}

TEST_F(CompressTest, ARetryAppends) {
  const std::string id = Run("seq 1 10000");
  const std::string whole = daemon_.Do({"logs", id}).out;
  ASSERT_TRUE(AwaitCompressed(id));
  daemon_.Ok({"retry", id});
  daemon_.Ok({"wait", id});
  EXPECT_EQ(daemon_.Do({"logs", "--all-attempts", id}).out, whole + whole);
  ASSERT_TRUE(AwaitCompressed(id));
  EXPECT_EQ(daemon_.Do({"logs", "--all-attempts", id}).out, whole + whole);
}

TEST_F(CompressTest, KilledMeanwhileNothingIsLost) {
  const std::string id = Run("seq 1 10000000");  // 80 MB: a second of work or so
  const std::string folder = daemon_.LogDir() + "/operator/" + id;
  const auto begun = [&] { return fs::exists(folder + "/.1.out.zst.new") || fs::exists(folder + "/1.out.zst"); };
  ASSERT_TRUE(WaitUntil(begun));
  daemon_.KillServer();
  EXPECT_EQ(daemon_.Do({"logs", "-n", "1", id}).out, "10000000\n");
  ASSERT_TRUE(AwaitCompressed(id));
  EXPECT_FALSE(fs::exists(folder + "/.1.out.zst.new"));
  const std::string expected = daemon_.folder() + "/expected";
  ASSERT_EQ(RunCommand({{"/bin/sh", "-c", "seq 1 10000000 > \"$0\"", expected}, {}, {}, {}}).code(), 0);
  Command compare = daemon_.Ctl({});
  compare.argv = {"/bin/sh", "-c", Binary("jobctl") + " logs --raw " + id + " | cmp - \"$0\"", expected};
  EXPECT_EQ(RunCommand(compare).code(), 0);
  daemon_.Ok({"rm", id});
  EXPECT_FALSE(fs::exists(folder));
}

}  // namespace
}  // namespace jobd::e2e
