#include "server/auth/revocation.h"

#include <algorithm>
#include <cctype>

namespace jobd::server {
namespace {

constexpr size_t kFingerprintDigits = 64;
constexpr size_t kMaxSerialDigits = 40;  // RFC 5280: at most 20 octets

std::string_view Trim(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t\r");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

// The digits in lower case without colons; empty when something else is among them.
std::string Digits(std::string_view entry) {
  std::string digits;
  for (const char c : entry) {
    if (c == ':') continue;
    if (std::isxdigit(static_cast<unsigned char>(c)) == 0) return {};
    digits.push_back(static_cast<char>(std::tolower(static_cast<unsigned char>(c))));
  }
  return digits;
}

// A number above nine whose hex form cannot be told from a decimal one: nobody writes those with a zero in front.
bool MayBeDecimal(std::string_view entry) {
  return entry.size() > 1 && entry.front() != '0' && entry.find_first_not_of("0123456789") == std::string_view::npos;
}

}  // namespace

base::Result<RevocationList> RevocationList::Parse(const std::string& file_name, std::string_view text) {
  RevocationList list;
  size_t line_number = 0;
  while (!text.empty()) {
    ++line_number;
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    line = Trim(line.substr(0, line.find('#')));
    if (line.empty()) continue;
    const bool marked = line.starts_with("0x") || line.starts_with("0X");
    std::string digits = Digits(marked ? line.substr(2) : line);
    if (digits.size() == kFingerprintDigits) {
      list.fingerprints_.insert(std::move(digits));
    } else if (!digits.empty() && digits.size() <= kMaxSerialDigits) {
      if (!marked && MayBeDecimal(line)) {
        return base::Error(base::Code::kInvalidArgument,
                           file_name + ":" + std::to_string(line_number) + ": hex or decimal? write the serial in hex, behind 0x");
      }
      const size_t first = digits.find_first_not_of('0');
      list.serials_.insert(first == std::string::npos ? "0" : digits.substr(first));
    } else {
      return base::Error(base::Code::kInvalidArgument, file_name + ":" + std::to_string(line_number) +
                                                           ": neither a SHA-256 fingerprint nor a serial number in hex");
    }
  }
  return list;
}

bool RevocationList::Contains(const Certificate& certificate) const {
  const auto revoked = [&](const auto& one) { return fingerprints_.contains(one.fingerprint) || serials_.contains(one.serial); };
  return revoked(certificate) || std::ranges::any_of(certificate.issuers, revoked);
}

}  // namespace jobd::server
