#include "audit/verifier.h"

#include "tests/unit/audit/log_fixture.h"

namespace jobd::audit {
namespace {

class Verifier : public LogTest {
 protected:
  Verifier() {
    auto writer = Open();
    Fill(*writer, 9);
    lines_ = Lines();
  }
  Anchor AnchorOf(size_t number) const { return {.head = HeadOf(lines_[number - 1]), .time = clock_.now}; }
  // As whoever holds the file could: the chain made anew, with another target in record `number`.
  std::vector<std::string> Forged(size_t number) const {
    Head head;
    std::vector<std::string> lines;
    for (size_t i = 0; i < lines_.size(); ++i) {
      Record record = DecodeRecord(lines_[i])->record;
      if (i + 1 == number) record.target = "forged";
      lines.push_back(EncodeRecord(record, head));
    }
    return lines;
  }

  std::vector<std::string> lines_;  // of nine records
};

TEST_F(Verifier, FindsNothingInAWholeLog) {
  const Report report = Check({AnchorOf(4), AnchorOf(7)});
  EXPECT_FALSE(report.damage);
  EXPECT_EQ(report.files, 1u);
  EXPECT_EQ(report.records, 9u);
  EXPECT_EQ(report.first_seq, 1u);
  EXPECT_EQ(report.last, HeadOf(lines_.back()));
  EXPECT_EQ(report.anchored_to, 7u);
  EXPECT_EQ(Check().anchored_to, 0u);
  Put("");
  EXPECT_EQ(Found(), "whole");
}

TEST_F(Verifier, NamesTheFirstLineThatWasAltered) {
  for (size_t i = 0; i < lines_.size(); ++i) {
    auto lines = lines_;
    lines[i].replace(lines[i].find("batch"), 5, "patch");
    PutLines(lines);
    EXPECT_EQ(Found(), "audit.jsonl:" + std::to_string(i + 1) + ": altered");
    lines[i] = "";
    PutLines(lines);
    EXPECT_EQ(Found(), "audit.jsonl:" + std::to_string(i + 1) + ": altered");
    lines[i] = std::string(3 << 20, 'x');
    PutLines(lines);
    EXPECT_EQ(Found(), "audit.jsonl:" + std::to_string(i + 1) + ": altered");
  }
}

TEST_F(Verifier, EveryFlippedBitOfTheFileIsFound) {
  std::string text = Text();
  for (size_t bit = 0; bit < text.size() * 8; bit += 61) {
    text[bit / 8] = static_cast<char>(text[bit / 8] ^ (1 << (bit % 8)));
    Put(text);
    EXPECT_NE(Found(), "whole") << bit;
    text[bit / 8] = static_cast<char>(text[bit / 8] ^ (1 << (bit % 8)));
  }
}

TEST_F(Verifier, OneAlteredWithItsHashMadeAnewDoesNotFit) {
  Head head;
  head = HeadOf(lines_[3]);
  auto lines = lines_;
  Record record = DecodeRecord(lines[4])->record;
  record.target = "forged";
  lines[4] = EncodeRecord(record, head);
  PutLines(lines);
  EXPECT_EQ(Found(), "audit.jsonl:6: altered");
}

TEST_F(Verifier, NamesWhereSomeAreMissing) {
  for (size_t i = 1; i + 1 < lines_.size(); ++i) {
    auto lines = lines_;
    lines.erase(lines.begin() + static_cast<ptrdiff_t>(i));
    PutLines(lines);
    EXPECT_EQ(Found(), "audit.jsonl:" + std::to_string(i + 1) + ": missing");
  }
  auto lines = lines_;
  lines.erase(lines.begin(), lines.begin() + 3);
  PutLines(lines);
  EXPECT_EQ(Found(), "audit.jsonl:1: missing");
  EXPECT_EQ(Check().damage->problem, "records 1 to 3 should stand before it, and no file holds them");
  // A part that is named may begin anywhere.
  EXPECT_EQ(Found({}, false), "whole");
  EXPECT_EQ(Check({}, false).first_seq, 4u);
}

TEST_F(Verifier, NamesWhatWasReordered) {
  auto lines = lines_;
  std::swap(lines[3], lines[4]);
  PutLines(lines);
  // The fifth comes where the fourth should: one is missing there, which is what shows first.
  EXPECT_EQ(Found(), "audit.jsonl:4: missing");
  lines = lines_;
  lines.insert(lines.begin() + 5, lines[2]);
  PutLines(lines);
  EXPECT_EQ(Found(), "audit.jsonl:6: reordered");
  lines = lines_;
  lines.push_back(lines.back());
  PutLines(lines);
  EXPECT_EQ(Found(), "audit.jsonl:10: reordered");
}

TEST_F(Verifier, NamesWhereItWasCutOff) {
  // Within a line: seen without help.
  const std::string text = Text();
  Put(text.substr(0, text.size() - 1));
  EXPECT_EQ(Found(), "audit.jsonl:9: cut off");
  Put(text.substr(0, text.size() - 100));
  EXPECT_EQ(Found(), "audit.jsonl:9: cut off");
  // Between lines: only an anchor knows.
  PutLines({lines_.begin(), lines_.begin() + 6});
  EXPECT_EQ(Found(), "whole");
  EXPECT_EQ(Found({AnchorOf(6)}), "whole");
  EXPECT_EQ(Found({AnchorOf(6), AnchorOf(8)}), "audit.jsonl:7: cut off");
  EXPECT_EQ(Check({AnchorOf(8)}).damage->problem, "records 7 to 8 should follow: number 8 was anchored");
  EXPECT_EQ(Found({AnchorOf(8)}, false), "audit.jsonl:7: cut off");
  Put("");
  EXPECT_EQ(Found({AnchorOf(1)}), "audit.jsonl:1: cut off");
}

TEST_F(Verifier, AChainMadeAnewIsFoundByTheNextAnchor) {
  PutLines(Forged(5));
  EXPECT_EQ(Found(), "whole");
  EXPECT_EQ(Found({AnchorOf(4)}), "whole");
  const Report report = Check({AnchorOf(4), AnchorOf(7)});
  ASSERT_TRUE(report.damage);
  EXPECT_EQ(report.damage->line, 7u);
  EXPECT_EQ(report.damage->kind, DamageKind::kAltered);
  EXPECT_EQ(report.damage->problem, "is not record 7 as it was anchored: records 5 to 7 may have been written anew");
}

TEST_F(Verifier, APartMustFollowFromTheAnchorBeforeIt) {
  auto lines = Forged(5);
  lines.erase(lines.begin(), lines.begin() + 5);
  PutLines(lines);
  EXPECT_EQ(Found({}, false), "whole");
  EXPECT_EQ(Found({AnchorOf(5)}, false), "audit.jsonl:1: altered");
}

class VerifierFiles : public LogTest {
 protected:
  VerifierFiles() {
    auto writer = Open();
    for (int i = 0; i < 3; ++i) {
      if (i > 0) {
        EXPECT_TRUE(writer->Rotate().ok());
      }
      Fill(*writer, 3);
    }
  }
  const std::string first_ = RotatedName(kName, 3);
  const std::string second_ = RotatedName(kName, 6);
};

TEST_F(VerifierFiles, GoesOverAllInTheOrderOfTheirRecords) {
  const Report report = Check();
  EXPECT_FALSE(report.damage);
  EXPECT_EQ(report.files, 3u);
  EXPECT_EQ(report.records, 9u);
  EXPECT_EQ(Found({}, false, {kName, second_, first_}), "whole");
}

TEST_F(VerifierFiles, AFileThatIsGoneIsMissingAndOneTooManyReordered) {
  EXPECT_EQ(Found({}, false, {first_, kName}), "audit.jsonl:1: missing");
  EXPECT_EQ(Found({}, false, {first_, first_, second_, kName}), first_ + ":1: reordered");
  EXPECT_EQ(Found({}, true, {second_, kName}), second_ + ":1: missing");
  EXPECT_EQ(Found({}, true, {first_, second_}), "whole");
}

TEST_F(VerifierFiles, TheEndOfAPartIsWhatItsNameSays) {
  const std::vector<Anchor> anchors = {{.head = HeadOf(Lines().back())}};
  EXPECT_EQ(Found(anchors), "whole");
  EXPECT_EQ(Found(anchors, false, {first_, second_}), "whole");
  EXPECT_EQ(Found(anchors, true, {first_, second_}), second_ + ":4: cut off");
  auto lines = Lines(second_);
  lines.pop_back();
  PutLines(lines, second_);
  EXPECT_EQ(Found(anchors, false, {first_, second_}), second_ + ":3: cut off");
  EXPECT_EQ(Found(anchors), "audit.jsonl:1: missing");
}

TEST_F(VerifierFiles, AFileWhoseFirstLineIsAlteredStaysInItsPlace) {
  auto lines = Lines(second_);
  lines[0].replace(lines[0].find("batch"), 5, "patch");
  PutLines(lines, second_);
  EXPECT_EQ(Found(), second_ + ":1: altered");
}

}  // namespace
}  // namespace jobd::audit
