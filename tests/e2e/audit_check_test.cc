// `jobd --verify-audit`: the real program on logs that the real writer wrote, whole and damaged.
#include <fcntl.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "audit/anchors.h"
#include "audit/log_files.h"
#include "audit/writer.h"
#include "tests/e2e/harness/process.h"
#include "tests/support/temp_dir.h"

namespace jobd::e2e {
namespace {

class AuditCheck : public testing::Test {
 protected:
  AuditCheck() {
    std::ofstream(temp_ / "jobd.toml")
        << "[server]\nstate_dir = \"state\"\n[tls]\nca = \"ca.crt\"\ncert = \"s.crt\"\nkey = \"s.key\"\n"
           "[users]\nfile = \"users.toml\"\n";
    std::filesystem::create_directory(temp_ / "state-root");
  }
  // `count` records, in files of about ten.
  void Write(int count) {
    auto writer = audit::Writer::Open(state_.get(), "audit.jsonl", {.max_bytes = 3000}, clock_);
    ASSERT_TRUE(writer.ok()) << writer.error().message();
    for (int i = 0; i < count; ++i) {
      ASSERT_TRUE((*writer)->Append(std::vector{audit::Record{.action = "Cancel", .code = "OK"}}).ok());
    }
    head_ = (*writer)->head();
  }
  void Anchor() {
    const base::Fd dir = temp_.Open("state-root");
    auto anchors = audit::AnchorFile::Open(dir.get(), "audit.anchor");
    ASSERT_TRUE(anchors.ok()) << anchors.error().message();
    ASSERT_TRUE(anchors->Append({.head = head_, .time = clock_.Realtime()}).ok());
  }
  Output Check(std::vector<std::string> arguments = {}) const {
    std::vector<std::string> argv = {std::string(JOBD_BIN_DIR) + "/jobd", "--config", temp_ / "jobd.toml", "--verify-audit"};
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    return RunCommand({.argv = argv, .env = {}, .input = {}, .directory = {}});
  }
  std::string File(const std::string& name = "audit.jsonl") const { return temp_ / "state" / name; }
  std::vector<std::string> Names() const { return *audit::LogFiles(state_.get(), "audit.jsonl"); }
  static std::string Text(const std::string& file) {
    std::ifstream stream(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
  }
  static void Put(const std::string& file, const std::string& text) {
    std::ofstream(file, std::ios::binary | std::ios::trunc) << text;
  }

  test::TempDir temp_;
  base::Fd state_ = temp_.Open("state");
  base::SystemClock clock_;
  audit::Head head_;
};

TEST_F(AuditCheck, TellsAnchoredFromUnanchored) {
  EXPECT_EQ(Check().code(), 125);
  Write(20);
  const std::string by = " (by " + (temp_ / "state-root/audit.anchor").string() + ")\n";
  EXPECT_TRUE(Check().out.ends_with("anchored: none" + by + "not anchored: 1-20\n")) << Check().out << Check().err;
  Anchor();
  Write(5);
  const Output output = Check();
  EXPECT_EQ(output.code(), 0) << output.err;
  EXPECT_TRUE(output.out.starts_with("OK: 25 records in ")) << output.out;
  EXPECT_TRUE(output.out.ends_with("\nanchored: 1-20" + by + "not anchored: 21-25\n")) << output.out;
  Anchor();
  EXPECT_TRUE(Check().out.ends_with("not anchored: none\n"));
}

TEST_F(AuditCheck, NamesTheFirstLineThatIsWrong) {
  Write(20);
  Anchor();
  const std::string first = File(Names()[0]);
  const std::string text = Text(first);
  const auto found = [&](const std::string& damaged) {
    Put(first, damaged);
    const Output output = Check();
    EXPECT_EQ(output.code(), 1);
    Put(first, text);
    return output.out;
  };
  const size_t second = text.find('\n') + 1;
  const size_t third = text.find('\n', second) + 1;
  std::string altered = text;
  altered.replace(altered.find("Cancel", second), 6, "Submit");
  EXPECT_EQ(found(altered), first + ":2: altered: its hash is not that of its bytes\n");
  EXPECT_EQ(found(text.substr(0, second) + text.substr(third)), first + ":2: missing: record 2 should stand before it\n");
  EXPECT_EQ(found(text.substr(0, third) + text.substr(second)), first + ":3: reordered: record 2 comes after number 2\n");
  EXPECT_NE(found(text.substr(0, text.size() - 20)).find(": cut off: the line has no end"), std::string::npos);
  EXPECT_EQ(found(text.substr(second)), first + ":1: missing: record 1 should stand before it, and no file holds them\n");
  EXPECT_EQ(Check().code(), 0);
  // All of the file that is written to, which only the anchor remembers.
  Put(File(), "");
  EXPECT_NE(Check().out.find("audit.jsonl:1: cut off: "), std::string::npos);
  // Nothing is left at all.
  for (const std::string& name : Names()) std::filesystem::remove(File(name));
  EXPECT_EQ(Check().out, "the audit log:0: cut off: records 1 to 20 should follow: number 20 was anchored\n");
}

TEST_F(AuditCheck, FilesCanBeNamedAndNeedNoConfiguration) {
  Write(30);
  Anchor();
  const auto names = Names();
  ASSERT_GT(names.size(), 3u);
  EXPECT_EQ(Check({File(names[1])}).code(), 0);
  EXPECT_EQ(Check({File(names[2]), File(names[1])}).code(), 0);
  EXPECT_EQ(Check({File(names[0]), File(names[2])}).code(), 1);
  const std::string anchors = temp_ / "state-root/audit.anchor";
  std::filesystem::remove(temp_ / "jobd.toml");
  EXPECT_EQ(Check().code(), 125);
  const Output bare = Check({File(names[0])});
  EXPECT_EQ(bare.code(), 0) << bare.err;
  EXPECT_NE(bare.out.find("anchored: none (no anchors to compare with)"), std::string::npos);
  EXPECT_EQ(Check({File(), "--anchors", anchors}).code(), 0);
  EXPECT_EQ(Check({File(), "--anchors", anchors + "x"}).code(), 125);
  EXPECT_EQ(Check({File("none")}).code(), 125);
  EXPECT_EQ(Check({temp_.path()}).code(), 125);
}

TEST_F(AuditCheck, NoLinkOfTheServersIsFollowed) {
  Write(3);
  std::filesystem::create_symlink("/etc/shadow", File("audit.jsonl.1"));
  EXPECT_EQ(Check().code(), 125);
}

TEST_F(AuditCheck, DamagedAnchorsAreDamage) {
  Write(3);
  Anchor();
  Put(temp_ / "state-root/audit.anchor", "v1 2 xyz\n");
  EXPECT_EQ(Check().code(), 1);
}

}  // namespace
}  // namespace jobd::e2e
