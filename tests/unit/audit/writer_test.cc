#include "audit/writer.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>

#include "base/text.h"
#include "tests/unit/audit/log_fixture.h"

namespace jobd::audit {
namespace {

class AuditWriter : public LogTest {};

TEST_F(AuditWriter, TheChainGoesOnOverRestarts) {
  for (int i = 0; i < 4; ++i) Fill(*Open(), i);
  EXPECT_EQ(Found(), "whole");
  EXPECT_EQ(Check().records, 6u);
  EXPECT_EQ(Open()->head(), HeadOf(Lines().back()));
  EXPECT_EQ(DecodeRecord(Lines()[0])->record.time, clock_.now);
}

TEST_F(AuditWriter, AGroupIsInOrderAndNothingIsNothing) {
  auto writer = Open();
  ASSERT_TRUE(writer->Append({}).ok());
  EXPECT_EQ(Text(), "");
  ASSERT_TRUE(writer->Append(std::vector{Some("a"), Some("b"), Some("c")}).ok());
  EXPECT_EQ(DecodeRecord(Lines()[2])->record.target, "c");
  EXPECT_EQ(writer->head().seq, 3u);
  EXPECT_EQ(Found(), "whole");
}

TEST_F(AuditWriter, TheFileIsItsOwnersAlone) {
  const auto writer = Open();
  EXPECT_EQ(std::filesystem::status(temp_ / kName).permissions(), std::filesystem::perms{0600});
}

TEST_F(AuditWriter, ATornLineIsCutOffAndThatIsOnRecord) {
  Fill(*Open(), 3);
  const std::string whole = Text();
  const std::string line = Lines().back() + "\n";
  // Whatever of a fourth line came to the disk, zeros of a file that had only grown included.
  for (const std::string& torn : {std::string("{"), line.substr(0, line.size() / 2), std::string(5000, '\0')}) {
    Put(whole + torn);
    EXPECT_EQ(Found(), "audit.jsonl:4: cut off");
    auto writer = Open();
    EXPECT_EQ(Text(), whole);
    Fill(*writer, 1);
    EXPECT_EQ(Found(), "whole");
    const auto lines = Lines();
    ASSERT_EQ(lines.size(), 5u);
    const Record repair = DecodeRecord(lines[3])->record;
    EXPECT_EQ(repair.action, "audit.repair");
    EXPECT_EQ(repair.detail[0], std::pair(std::string("bytes"), std::to_string(torn.size())));
    EXPECT_EQ(repair.detail[1].second, base::Hex(base::Sha256Of(torn)));
  }
}

TEST_F(AuditWriter, WhereverTheCrashCutNothingWholeIsLost) {
  Fill(*Open(), 3);
  const std::string text = Text();
  for (size_t length = 0; length < text.size(); length += 13) {
    Put(text.substr(0, length));
    const auto whole = static_cast<uint64_t>(std::count(text.begin(), text.begin() + static_cast<ptrdiff_t>(length), '\n'));
    auto writer = Open();
    ASSERT_NE(writer, nullptr) << length;
    EXPECT_GE(writer->head().seq, whole);
    Fill(*writer, 1);
    EXPECT_EQ(Found(), "whole") << length;
  }
}

TEST_F(AuditWriter, ALineThatOnlyLacksItsEndGetsIt) {
  Fill(*Open(), 3);
  const std::string text = Text();
  Put(text.substr(0, text.size() - 1));
  const auto writer = Open();
  EXPECT_EQ(Text(), text);
  EXPECT_EQ(writer->head().seq, 3u);
}

TEST_F(AuditWriter, NothingIsWrittenBehindDamage) {
  Fill(*Open(), 3);
  auto lines = Lines();
  lines[2].replace(lines[2].find("batch"), 5, "patch");
  PutLines(lines);
  EXPECT_EQ(
      OpenError(),
      "audit.jsonl: its last line: its hash is not that of its bytes. Check it with jobd --verify-audit, and move the file away to "
      "go on in a new one");
  PutLines({"hello"});
  EXPECT_NE(OpenError(), "OK");
  EXPECT_EQ(Text(), "hello\n");
}

TEST_F(AuditWriter, OneAtATime) {
  const auto writer = Open();
  EXPECT_EQ(OpenError(), "audit.jsonl is written to by another process");
}

TEST_F(AuditWriter, NoLinkIsFollowedAndNoFolderOpened) {
  std::filesystem::create_symlink("/etc/passwd", temp_ / kName);
  EXPECT_NE(OpenError(), "OK");
  std::filesystem::remove(temp_ / kName);
  std::filesystem::create_directory(temp_ / kName);
  EXPECT_NE(OpenError(), "OK");
}

TEST_F(AuditWriter, ALargeFileIsPutAsideAndTheChainGoesOn) {
  auto writer = Open({.max_bytes = 2000});
  Fill(*writer, 30);
  const auto files = *LogFiles(dir_.get(), kName);
  EXPECT_GT(files.size(), 3u);
  EXPECT_EQ(files.back(), kName);
  EXPECT_EQ(HeadOf(Lines(files[0]).back()).seq, std::stoull(files[0].substr(std::string(kName).size() + 1)));
  EXPECT_EQ(Found(), "whole");
  EXPECT_EQ(Check().records, 30u);
  // An empty file is none to put aside, and a restart then finds the head in the others.
  ASSERT_TRUE(writer->Rotate().ok());
  ASSERT_TRUE(writer->Rotate().ok());
  const Head head = writer->head();
  writer.reset();
  EXPECT_EQ(Text(), "");
  EXPECT_EQ(Open()->head(), head);
  // As after a crash between the two names of a rotation.
  std::filesystem::remove(temp_ / kName);
  writer = Open();
  EXPECT_EQ(writer->head(), head);
  Fill(*writer, 1);
  EXPECT_EQ(Found(), "whole");
}

TEST_F(AuditWriter, WhereItCannotBePutAsideItGrowsOn) {
  auto writer = Open({.max_bytes = 1});
  Fill(*writer, 1);
  // The name is taken.
  std::filesystem::create_directory(temp_ / RotatedName(kName, 1));
  Fill(*writer, 1);
  EXPECT_EQ(Lines().size(), 2u);
  EXPECT_FALSE(std::filesystem::exists(temp_ / "audit.jsonl.new"));
}

TEST_F(AuditWriter, WhatLogrotateMovedIsLeftAtReopen) {
  auto writer = Open();
  Fill(*writer, 2);
  ASSERT_TRUE(writer->Reopen().ok());
  std::filesystem::rename(temp_ / kName, temp_ / "audit.jsonl.1");
  Fill(*writer, 1);
  ASSERT_TRUE(writer->Reopen().ok());
  Fill(*writer, 2);
  EXPECT_EQ(Lines("audit.jsonl.1").size(), 3u);
  EXPECT_EQ(Lines().size(), 2u);
  EXPECT_EQ(Found(), "whole");
  // Removed altogether: it does not write where nobody can read.
  std::filesystem::remove(temp_ / kName);
  Fill(*writer, 1);
  EXPECT_EQ(Lines().size(), 1u);
  EXPECT_EQ(Found(), "audit.jsonl:1: missing");
}

TEST_F(AuditWriter, AGapToWhatIsKnownShows) {
  Fill(*Open(), 3);
  const std::string text = Text();
  Head known;
  {
    auto writer = Open();
    Fill(*writer, 2);
    known = writer->head();
  }
  EXPECT_EQ(Open({.known = known})->head(), known);
  Put(text);
  auto writer = Open({.known = known});
  EXPECT_EQ(writer->head(), known);
  Fill(*writer, 1);
  EXPECT_EQ(Found(), "audit.jsonl:4: missing");
  writer.reset();
  Put(text);
  EXPECT_NE(OpenError({.known = Head{.seq = 3, .hash = base::Sha256Of("x")}}), "OK");
  EXPECT_EQ(Open({.known = Head{.seq = 2, .hash = base::Sha256Of("x")}})->head().seq, 3u);
}

// A disk that is full in the middle of a line, made by a bound on the size of files.
class SmallFiles {
 public:
  explicit SmallFiles(rlim_t most) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    handler_ = ::signal(SIGXFSZ, SIG_IGN);
    rlimit now = before_;
    now.rlim_cur = most;
    ::setrlimit(RLIMIT_FSIZE, &now);
  }
  ~SmallFiles() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    ::signal(SIGXFSZ, handler_);
  }

 private:
  rlimit before_{};
  void (*handler_)(int);
};

TEST_F(AuditWriter, AFailedWriteLeavesNothingAndItRecovers) {
  auto writer = Open();
  Fill(*writer, 3);
  const std::string before = Text();
  const Head head = writer->head();
  {
    const SmallFiles full(before.size() + 100);
    EXPECT_FALSE(writer->Append(std::vector{Some("x")}).ok());
    EXPECT_FALSE(writer->Append(std::vector{Some("x"), Some("y")}).ok());
  }
  EXPECT_EQ(Text(), before);
  EXPECT_EQ(writer->head(), head);
  Fill(*writer, 2);
  EXPECT_EQ(Check().records, 5u);
  EXPECT_EQ(Found(), "whole");
}

}  // namespace
}  // namespace jobd::audit
