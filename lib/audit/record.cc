#include "audit/record.h"

#include <array>
#include <optional>

#include "audit/line_text.h"
#include "base/text.h"

namespace jobd::audit {

namespace {

constexpr std::string_view kHashKey = ",\"hash\":\"";
constexpr size_t kHashChars = 2 * sizeof(base::Sha256Digest);
constexpr size_t kTailChars = kHashKey.size() + kHashChars + 2;

// The texts, in the order of the line. One list, for both ways.
struct TextKey {
  std::string_view key;
  std::string Record::*text;
};
constexpr std::array<TextKey, 2> kBeforeVia{{{"request", &Record::request}, {"session", &Record::session}}};
constexpr std::array<TextKey, 7> kAfterVia{{{"actor", &Record::actor},
                                            {"role", &Record::role},
                                            {"certificate", &Record::certificate},
                                            {"peer", &Record::peer},
                                            {"action", &Record::action},
                                            {"owner", &Record::owner},
                                            {"target", &Record::target}}};

void AppendKey(std::string& line, std::string_view key) {
  line += ",\"";
  line += key;
  line += "\":";
}

template <size_t kCount>
void AppendTexts(std::string& line, const Record& record, const std::array<TextKey, kCount>& keys) {
  for (const TextKey& key : keys) {
    AppendKey(line, key.key);
    AppendText(line, record.*key.text);
  }
}

bool TakeText(LineScanner& line, std::string_view key, std::string& text) {
  std::string before;
  AppendKey(before, key);
  return line.Skip(before) && line.Text(text);
}

template <size_t kCount>
bool TakeTexts(LineScanner& line, Record& record, const std::array<TextKey, kCount>& keys) {
  for (const TextKey& key : keys) {
    if (!TakeText(line, key.key, record.*key.text)) return false;
  }
  return true;
}

template <typename Value, size_t kCount>
bool TakeName(LineScanner& line, std::string_view key, const std::array<Value, kCount>& values, std::string_view (*name)(Value),
              Value& value) {
  std::string text;
  if (!TakeText(line, key, text)) return false;
  for (const Value candidate : values) {
    if (name(candidate) == text) {
      value = candidate;
      return true;
    }
  }
  return false;
}

bool TakeDetail(LineScanner& line, Record& record) {
  if (!line.Skip(",\"detail\":{")) return false;
  if (line.Skip("}")) return true;
  do {
    std::pair<std::string, std::string> pair;
    if (!line.Text(pair.first) || !line.Skip(":") || !line.Text(pair.second)) return false;
    record.detail.push_back(std::move(pair));
  } while (record.detail.size() <= kMaxDetails && line.Skip(","));
  return record.detail.size() <= kMaxDetails && line.Skip("}");
}

// All between the braces but the hash.
bool TakeRecord(LineScanner& line, Line& read) {
  Record& record = read.record;
  std::string time;
  std::string prev;
  if (!line.Skip("{\"v\":1,\"seq\":") || !line.Number(read.head.seq)) return false;
  if (!TakeText(line, "time", time) || !ParseTimeText(time, record.time)) return false;
  if (!TakeText(line, "prev", prev) || !ParseDigest(prev, read.prev)) return false;
  if (!TakeTexts(line, record, kBeforeVia)) return false;
  if (!TakeName(line, "via", std::array{Via::kGrpc, Via::kHttp, Via::kLocal}, ViaName, record.via)) return false;
  if (!TakeTexts(line, record, kAfterVia)) return false;
  if (!TakeName(line, "outcome", std::array{Outcome::kAllowed, Outcome::kRefused, Outcome::kFailed}, OutcomeName, record.outcome)) {
    return false;
  }
  if (!TakeText(line, "code", record.code) || !TakeDetail(line, record)) return false;
  record.late = line.Skip(",\"late\":true");
  if (line.Skip(",\"count\":") && (!line.Number(record.count) || record.count < 2)) return false;
  return line.AtEnd();
}

}  // namespace

std::string_view ViaName(Via via) {
  switch (via) {
    case Via::kGrpc: return "grpc";
    case Via::kHttp: return "http";
    case Via::kLocal: return "local";
  }
  return "local";
}

std::string_view OutcomeName(Outcome outcome) {
  switch (outcome) {
    case Outcome::kAllowed: return "allowed";
    case Outcome::kRefused: return "refused";
    case Outcome::kFailed: return "failed";
  }
  return "failed";
}

std::string EncodeRecord(const Record& record, Head& head) {
  std::string line = "{\"v\":1,\"seq\":" + std::to_string(head.seq + 1);
  AppendKey(line, "time");
  AppendText(line, TimeText(record.time < 0 ? 0 : record.time));
  AppendKey(line, "prev");
  AppendText(line, base::Hex(head.hash));
  AppendTexts(line, record, kBeforeVia);
  AppendKey(line, "via");
  AppendText(line, ViaName(record.via));
  AppendTexts(line, record, kAfterVia);
  AppendKey(line, "outcome");
  AppendText(line, OutcomeName(record.outcome));
  AppendKey(line, "code");
  AppendText(line, record.code);
  AppendKey(line, "detail");
  line += '{';
  for (size_t i = 0; i < record.detail.size() && i < kMaxDetails; ++i) {
    if (i > 0) line += ',';
    AppendText(line, record.detail[i].first);
    line += ':';
    AppendText(line, record.detail[i].second);
  }
  line += '}';
  if (record.late) line += ",\"late\":true";
  if (record.count > 1) line += ",\"count\":" + std::to_string(record.count);
  head = {.seq = head.seq + 1, .hash = base::Sha256Of(line)};
  line += kHashKey;
  line += base::Hex(head.hash);
  line += "\"}";
  return line;
}

base::Result<Line> DecodeRecord(std::string_view line) {
  const auto damaged = [](std::string problem) { return base::Error(base::Code::kDataLoss, std::move(problem)); };
  if (line.size() > kMaxLineBytes) return damaged("is longer than a record can be");
  Line read;
  const std::string_view tail = line.substr(line.size() < kTailChars ? 0 : line.size() - kTailChars);
  if (!tail.starts_with(kHashKey) || !tail.ends_with("\"}") ||
      !ParseDigest(tail.substr(kHashKey.size(), kHashChars), read.head.hash)) {
    return damaged("is not an audit record");
  }
  const std::string_view hashed = line.substr(0, line.size() - kTailChars);
  if (base::Sha256Of(hashed) != read.head.hash) return damaged("its hash is not that of its bytes");
  LineScanner scanner(hashed);
  if (!TakeRecord(scanner, read)) return damaged("is not an audit record of version 1");
  return read;
}

}  // namespace jobd::audit
