#include "audit/line_text.h"

#include <array>
#include <charconv>
#include <cstdio>
#include <ctime>

#include "audit/record.h"
#include "base/text.h"

namespace jobd::audit {

namespace {

// Bytes of the character at the front; 0 when it is not UTF-8.
size_t CharacterLength(std::string_view text) {
  for (size_t length = 1; length <= 4 && length <= text.size(); ++length) {
    if (base::IsValidUtf8(text.substr(0, length))) return length;
  }
  return 0;
}

uint32_t CodePoint(std::string_view character) {
  const auto byte = [&](size_t i) { return static_cast<uint32_t>(static_cast<unsigned char>(character[i])); };
  if (character.size() == 1) return byte(0);
  uint32_t point = byte(0) & (0xffu >> (character.size() + 1));
  for (size_t i = 1; i < character.size(); ++i) point = point << 6 | (byte(i) & 0x3fu);
  return point;
}

void AppendUtf8(std::string& text, uint32_t point) {
  const auto add = [&](uint32_t byte) { text += static_cast<char>(byte); };
  if (point < 0x80) return add(point);
  if (point < 0x800) {
    add(0xc0 | point >> 6);
  } else {
    if (point < 0x10000) {
      add(0xe0 | point >> 12);
    } else {
      add(0xf0 | point >> 18);
      add(0x80 | (point >> 12 & 0x3f));
    }
    add(0x80 | (point >> 6 & 0x3f));
  }
  add(0x80 | (point & 0x3f));
}

void AppendUnit(std::string& line, uint32_t unit) {
  std::array<char, 8> escape;
  std::snprintf(escape.data(), escape.size(), "\\u%04x", unit);
  line += escape.data();
}

int HexValue(char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1; }

void AppendCharacter(std::string& line, std::string_view character) {
  if (character == "\"" || character == "\\") {
    line += '\\';
    line += character;
    return;
  }
  // What a terminal would obey, and all that JSON wants escaped.
  if (base::EscapeForTerminal(character) == character) {
    line += character;
    return;
  }
  const uint32_t point = CodePoint(character);
  if (point < 0x10000) return AppendUnit(line, point);
  AppendUnit(line, 0xd800 + ((point - 0x10000) >> 10));
  AppendUnit(line, 0xdc00 + ((point - 0x10000) & 0x3ff));
}

bool IsPlain(char c) { return c >= ' ' && c < 0x7f && c != '"' && c != '\\'; }

}  // namespace

void AppendText(std::string& line, std::string_view text) {
  line += '"';
  size_t room = kMaxTextBytes;
  while (!text.empty()) {
    const size_t length = IsPlain(text[0]) ? 1 : CharacterLength(text);
    const size_t taken = length == 0 ? 1 : length;
    if (taken > room) {
      line += "…";
      break;
    }
    if (length == 0) {
      std::array<char, 8> byte;
      std::snprintf(byte.data(), byte.size(), "\\\\x%02x", static_cast<unsigned char>(text[0]));
      line += byte.data();
    } else if (IsPlain(text[0])) {
      line += text[0];
    } else {
      AppendCharacter(line, text.substr(0, length));
    }
    text.remove_prefix(taken);
    room -= taken;
  }
  line += '"';
}

std::string TimeText(base::Nanos time) {
  const auto seconds = static_cast<time_t>(time / base::kNanosPerSecond);
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  std::array<char, 80> text;
  std::snprintf(text.data(), text.size(), "%04d-%02d-%02dT%02d:%02d:%02d.%09lldZ", parts.tm_year + 1900, parts.tm_mon + 1,
                parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec, static_cast<long long>(time % base::kNanosPerSecond));
  return text.data();
}

bool ParseTimeText(std::string_view text, base::Nanos& time) {
  constexpr std::string_view kShape = "0000-00-00T00:00:00.000000000Z";
  if (text.size() != kShape.size()) return false;
  const auto number = [&](size_t place, size_t digits) {
    int64_t value = 0;
    for (size_t i = place; i < place + digits; ++i) value = value * 10 + (text[i] - '0');
    return value;
  };
  for (size_t i = 0; i < text.size(); ++i) {
    if (kShape[i] == '0' ? text[i] < '0' || text[i] > '9' : text[i] != kShape[i]) return false;
  }
  std::tm parts{};
  parts.tm_year = static_cast<int>(number(0, 4)) - 1900;
  parts.tm_mon = static_cast<int>(number(5, 2)) - 1;
  parts.tm_mday = static_cast<int>(number(8, 2));
  parts.tm_hour = static_cast<int>(number(11, 2));
  parts.tm_min = static_cast<int>(number(14, 2));
  parts.tm_sec = static_cast<int>(number(17, 2));
  const int64_t seconds = ::timegm(&parts);
  constexpr int64_t kMost = INT64_MAX / base::kNanosPerSecond - 1;
  if (seconds < 0 || seconds > kMost) return false;
  time = seconds * base::kNanosPerSecond + number(20, 9);
  // No 31st of February, which timegm would have moved.
  return TimeText(time) == text;
}

bool ParseDigest(std::string_view text, base::Sha256Digest& digest) {
  if (text.size() != digest.size() * 2) return false;
  for (size_t i = 0; i < digest.size(); ++i) {
    const int high = HexValue(text[2 * i]);
    const int low = HexValue(text[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    digest[i] = static_cast<std::byte>(high << 4 | low);
  }
  return true;
}

bool LineScanner::Skip(std::string_view literal) {
  if (!rest_.starts_with(literal)) return false;
  rest_.remove_prefix(literal.size());
  return true;
}

bool LineScanner::Number(uint64_t& number) {
  if (rest_.starts_with('0')) return false;
  const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), number);
  if (error != std::errc()) return false;
  rest_.remove_prefix(static_cast<size_t>(end - rest_.data()));
  return true;
}

bool LineScanner::Unit(uint32_t& unit) {
  if (rest_.size() < 4) return false;
  unit = 0;
  for (size_t i = 0; i < 4; ++i) {
    const int digit = HexValue(rest_[i]);
    if (digit < 0) return false;
    unit = unit << 4 | static_cast<uint32_t>(digit);
  }
  rest_.remove_prefix(4);
  return true;
}

bool LineScanner::Escape(std::string& text) {
  if (rest_.starts_with('"') || rest_.starts_with('\\')) {
    text += rest_[0];
    rest_.remove_prefix(1);
    return true;
  }
  uint32_t point = 0;
  if (!Skip("u") || !Unit(point)) return false;
  if (point >= 0xd800 && point < 0xe000) {
    uint32_t low = 0;
    if (point >= 0xdc00 || !Skip("\\u") || !Unit(low) || low < 0xdc00 || low > 0xdfff) return false;
    point = 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00);
  }
  AppendUtf8(text, point);
  return true;
}

bool LineScanner::Text(std::string& text) {
  text.clear();
  if (!Skip("\"")) return false;
  while (!rest_.empty()) {
    const char c = rest_[0];
    rest_.remove_prefix(1);
    if (c == '"') return true;
    if (c == '\\') {
      if (!Escape(text)) return false;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      return false;
    } else {
      text += c;
    }
  }
  return false;
}

}  // namespace jobd::audit
