#include "audit/anchors.h"

#include <sys/stat.h>

#include <filesystem>

#include "tests/unit/audit/log_fixture.h"

namespace jobd::audit {
namespace {

class Anchors : public LogTest {
 protected:
  static constexpr const char* kAnchors = "audit.anchor";
  static Anchor Some(uint64_t seq) {
    return {.head = {.seq = seq, .hash = base::Sha256Of(std::to_string(seq))}, .time = 1'790'000'000'000'000'000};
  }
  AnchorFile OpenAnchors() {
    auto file = AnchorFile::Open(dir_.get(), kAnchors);
    EXPECT_TRUE(file.ok()) << (file.ok() ? "" : file.error().message());
    return std::move(*file);
  }
  std::string ReadProblem() const {
    const auto anchors = ReadAnchors(dir_.get(), kAnchors);
    return anchors.ok() ? "OK" : anchors.error().message();
  }
};

TEST_F(Anchors, AreAppendedAndReadAgain) {
  {
    AnchorFile file = OpenAnchors();
    EXPECT_EQ(file.last(), Head{});
    ASSERT_TRUE(file.Append(Some(3)).ok());
    ASSERT_TRUE(file.Append(Some(3)).ok());
    ASSERT_TRUE(file.Append(Some(7)).ok());
  }
  AnchorFile file = OpenAnchors();
  EXPECT_EQ(file.last(), Some(7).head);
  ASSERT_TRUE(file.Append(Some(8)).ok());
  const auto anchors = ReadAnchors(dir_.get(), kAnchors);
  ASSERT_TRUE(anchors.ok());
  EXPECT_EQ(*anchors, (std::vector{Some(3), Some(7), Some(8)}));
  EXPECT_EQ(std::filesystem::status(temp_ / kAnchors).permissions(), std::filesystem::perms{0600});
  EXPECT_TRUE(
      Lines(kAnchors)[0].starts_with("v1 3 4e07408562bedb8b60ce05c1decfe3ad16b72230967de01f640b7e4729b49fce 2026-09-21T14:13:20."));
}

TEST_F(Anchors, NoneIsTakenBack) {
  AnchorFile file = OpenAnchors();
  ASSERT_TRUE(file.Append(Some(7)).ok());
  EXPECT_EQ(file.Append(Some(6)).error().message(), "record 7 is anchored already, and 6 does not come after it");
  Anchor other = Some(7);
  other.head.hash = base::Sha256Of("forged");
  EXPECT_FALSE(file.Append(other).ok());
  EXPECT_FALSE(file.Append(Anchor{}).ok());
  EXPECT_EQ(Lines(kAnchors).size(), 1u);
}

TEST_F(Anchors, ATornLineIsOfACrashAndAnyOtherDamageIsNot) {
  ASSERT_TRUE(OpenAnchors().Append(Some(3)).ok());
  const std::string whole = Text(kAnchors);
  Put(whole + "v1 7 4e0740", kAnchors);
  EXPECT_EQ(ReadAnchors(dir_.get(), kAnchors)->size(), 1u);
  {
    AnchorFile file = OpenAnchors();
    EXPECT_EQ(Text(kAnchors), whole);
    ASSERT_TRUE(file.Append(Some(9)).ok());
  }
  EXPECT_EQ(ReadAnchors(dir_.get(), kAnchors)->size(), 2u);
  const std::string problem = ": is not an anchor that follows from the one before: somebody altered the file";
  Put(whole + whole, kAnchors);
  EXPECT_EQ(ReadProblem(), "audit.anchor:2" + problem);
  for (const std::string& line : {std::string("hello\n"), std::string("\n"), whole.substr(1),
                                  whole.substr(0, whole.size() - 2) + "\n", "v1 0" + whole.substr(4)}) {
    Put(line, kAnchors);
    EXPECT_EQ(ReadProblem(), "audit.anchor:1" + problem) << line;
    EXPECT_FALSE(AnchorFile::Open(dir_.get(), kAnchors).ok());
  }
}

TEST_F(Anchors, TheFileMustBeOursAlone) {
  (void)OpenAnchors();
  ASSERT_EQ(::chmod((temp_ / kAnchors).c_str(), 0620), 0);
  EXPECT_EQ(AnchorFile::Open(dir_.get(), kAnchors).error().code(), base::Code::kPermissionDenied);
  std::filesystem::remove(temp_ / kAnchors);
  std::filesystem::create_symlink("other", temp_ / kAnchors);
  EXPECT_FALSE(AnchorFile::Open(dir_.get(), kAnchors).ok());
  EXPECT_EQ(ReadAnchors(dir_.get(), "none").error().code(), base::Code::kNotFound);
}

}  // namespace
}  // namespace jobd::audit
