#include "audit/record.h"

#include <gtest/gtest.h>

#include "audit/line_text.h"
#include "base/text.h"

namespace jobd::audit {
namespace {

Record Full() {
  return {.time = 1'790'000'000'123'456'789,
          .request = "01HX",
          .session = "s-7",
          .via = Via::kHttp,
          .actor = "alice",
          .role = "operator",
          .certificate = std::string(64, 'a'),
          .peer = "127.0.0.1:4711",
          .action = "JobScheduleService.Cancel",
          .owner = "bob",
          .target = "b1/2",
          .outcome = Outcome::kRefused,
          .code = "NOT_FOUND",
          .detail = {{"reason", "not theirs"}, {"grace", "10s"}},
          .late = true,
          .count = 12};
}

std::string Encoded(const Record& record) {
  Head head;
  return EncodeRecord(record, head);
}

TEST(AuditRecord, IsWrittenAsSpecified) {
  Head head;
  const std::string line = EncodeRecord(Full(), head);
  const std::string hashed =
      "{\"v\":1,\"seq\":1,\"time\":\"2026-09-21T14:13:20.123456789Z\",\"prev\":\"" + std::string(64, '0') +
      "\",\"request\":\"01HX\",\"session\":\"s-7\",\"via\":\"http\",\"actor\":\"alice\",\"role\":\"operator\",\"certificate\":\"" +
      std::string(64, 'a') +
      "\",\"peer\":\"127.0.0.1:4711\",\"action\":\"JobScheduleService.Cancel\",\"owner\":\"bob\",\"target\":\"b1/2\","
      "\"outcome\":\"refused\",\"code\":\"NOT_FOUND\",\"detail\":{\"reason\":\"not "
      "theirs\",\"grace\":\"10s\"},\"late\":true,\"count\":12";
  const std::string hash = base::Hex(base::Sha256Of(hashed));
  EXPECT_EQ(line, hashed + ",\"hash\":\"" + hash + "\"}");
  EXPECT_EQ(head.seq, 1u);
  EXPECT_EQ(base::Hex(head.hash), hash);
  const std::string next = EncodeRecord(Record{}, head);
  EXPECT_NE(next.find("\"seq\":2,"), std::string::npos);
  EXPECT_NE(next.find("\"prev\":\"" + hash + "\""), std::string::npos);
  EXPECT_EQ(next.find("late"), std::string::npos);
  EXPECT_EQ(next.find("count"), std::string::npos);
}

TEST(AuditRecord, ComesBackAsItWas) {
  for (const Record& record : {Full(), Record{}, Record{.detail = {{"", ""}}}}) {
    Head head{.seq = 41, .hash = base::Sha256Of("before")};
    const auto prev = head.hash;
    const auto read = DecodeRecord(EncodeRecord(record, head));
    ASSERT_TRUE(read.ok()) << read.error().message();
    EXPECT_EQ(read->record, record);
    EXPECT_EQ(read->head, head);
    EXPECT_EQ(read->prev, prev);
  }
}

TEST(AuditRecord, EveryFlippedBitIsSeen) {
  const std::string good = Encoded(Full());
  for (size_t bit = 0; bit < good.size() * 8; ++bit) {
    std::string bad = good;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_FALSE(DecodeRecord(bad).ok()) << bit;
  }
  for (size_t length = 0; length < good.size(); ++length) EXPECT_FALSE(DecodeRecord(good.substr(0, length)).ok()) << length;
  EXPECT_FALSE(DecodeRecord(good + " ").ok());
  EXPECT_FALSE(DecodeRecord(" " + good).ok());
}

TEST(AuditRecord, AnotherShapeIsRefusedThoughItsHashIsRight) {
  const auto with_hash = [](const std::string& hashed) {
    return hashed + ",\"hash\":\"" + base::Hex(base::Sha256Of(hashed)) + "\"}";
  };
  const std::string good = Encoded(Full());
  const std::string hashed = good.substr(0, good.size() - 75);
  ASSERT_TRUE(DecodeRecord(with_hash(hashed)).ok());
  const auto changed = [&](const std::string& from, const std::string& to) {
    std::string other = hashed;
    other.replace(other.find(from), from.size(), to);
    return DecodeRecord(with_hash(other)).ok();
  };
  EXPECT_FALSE(changed("\"v\":1", "\"v\":2"));
  EXPECT_FALSE(changed("\"seq\":1", "\"seq\":01"));
  EXPECT_FALSE(changed("\"seq\":1", "\"seq\":0"));
  EXPECT_FALSE(changed("\"seq\":1", "\"seq\":99999999999999999999"));
  EXPECT_FALSE(changed("\"seq\":1", "\"seq\": 1"));
  EXPECT_FALSE(changed("2026-09-21", "2026-02-31"));
  EXPECT_FALSE(changed("\"via\":\"http\"", "\"via\":\"ftp\""));
  EXPECT_FALSE(changed("\"outcome\":\"refused\"", "\"outcome\":\"\""));
  EXPECT_FALSE(changed("\"late\":true", "\"late\":false"));
  EXPECT_FALSE(changed("\"count\":12", "\"count\":1"));
  EXPECT_FALSE(changed("\"owner\":\"bob\",", ""));
  EXPECT_FALSE(changed("\"bob\"", "\"b\nob\""));
  EXPECT_FALSE(changed("\"bob\"", "\"\\ud800\""));
  EXPECT_FALSE(changed("\"bob\"", "\"\\q\""));
  EXPECT_FALSE(changed("\"count\":12", "\"count\":12,\"more\":1"));
  EXPECT_FALSE(DecodeRecord("").ok());
  EXPECT_FALSE(DecodeRecord(with_hash("")).ok());
  EXPECT_FALSE(DecodeRecord(std::string(kMaxLineBytes + 1, 'x')).ok());
}

TEST(AuditRecord, HostileTextsStayOneLineAndComeBack) {
  Record record = Full();
  record.actor = "admin\n{\"v\":1,\"hash\":\"";
  record.target = std::string("a\0\x1b[31m\x7f\xc2\x9b\"\\", 13);
  record.peer = "\xe2\x80\xae\xf3\xa0\x80\x81 аdmin ü €😀";  // right-to-left override, a tag character, a Cyrillic letter
  const std::string line = Encoded(record);
  for (const char c : line) EXPECT_TRUE(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f);
  EXPECT_EQ(line, base::EscapeForTerminal(line));
  const auto read = DecodeRecord(line);
  ASSERT_TRUE(read.ok()) << read.error().message();
  EXPECT_EQ(read->record, record);
}

TEST(AuditRecord, BytesThatAreNoTextAreShownAsSuch) {
  Record record;
  record.actor = "a\xff\xc3";
  const std::string line = Encoded(record);
  EXPECT_TRUE(base::IsValidUtf8(line));
  const auto read = DecodeRecord(line);
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(read->record.actor, "a\\xff\\xc3");
}

TEST(AuditRecord, IsBounded) {
  Record record = Full();
  record.target = std::string(1 << 20, 'x');
  record.peer = std::string(1023, 'x') + "üü";  // never cut within a character
  for (int i = 0; i < 100; ++i) record.detail.emplace_back(std::string(5000, '\x01'), std::string(5000, '\x01'));
  const std::string line = Encoded(record);
  EXPECT_LT(line.size(), kMaxLineBytes);
  const auto read = DecodeRecord(line);
  ASSERT_TRUE(read.ok()) << read.error().message();
  EXPECT_EQ(read->record.target, std::string(kMaxTextBytes, 'x') + "…");
  EXPECT_EQ(read->record.peer, std::string(1023, 'x') + "…");
  EXPECT_EQ(read->record.detail.size(), kMaxDetails);
}

TEST(AuditTime, GoesBothWays) {
  for (const base::Nanos time :
       {base::Nanos{0}, base::Nanos{1}, base::Nanos{1'709'164'800'000'000'000}, INT64_MAX - 2'000'000'000}) {
    base::Nanos back = -1;
    EXPECT_TRUE(ParseTimeText(TimeText(time), back));
    EXPECT_EQ(back, time);
  }
  base::Nanos time = 0;
  for (const char* text : {"", "2026-13-01T00:00:00.000000000Z", "2026-01-01T24:00:00.000000000Z", "2026-01-01T00:00:61.000000000Z",
                           "2026-01-01 00:00:00.000000000Z", "2026-01-01T00:00:00.000000000z", "1969-12-31T23:59:59.000000000Z",
                           "9999-12-31T23:59:59.000000000Z"}) {
    EXPECT_FALSE(ParseTimeText(text, time)) << text;
  }
}

}  // namespace
}  // namespace jobd::audit
