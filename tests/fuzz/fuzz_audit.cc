// Lines of the audit log: any bytes are a record or an error, what is read can be written and read again, and any texts of a record
// come back as one line that can be read. The fuzzer cannot guess a hash, so its bytes are also hashed for it.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "audit/record.h"
#include "base/text.h"

namespace audit = jobd::audit;

namespace {

void CheckLine(std::string_view bytes) {
  const auto line = audit::DecodeRecord(bytes);
  if (!line.ok()) return;
  audit::Head head{.seq = line->head.seq - 1, .hash = line->prev};
  const std::string again = audit::EncodeRecord(line->record, head);
  const auto twice = audit::DecodeRecord(again);
  if (!twice.ok()) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  CheckLine(bytes);
  CheckLine(bytes + ",\"hash\":\"" + jobd::base::Hex(jobd::base::Sha256Of(bytes)) + "\"}");

  audit::Record record;
  record.actor = bytes.substr(0, size / 2);
  record.target = bytes.substr(size / 2);
  record.detail = {{record.target, record.actor}};
  audit::Head head;
  const std::string line = audit::EncodeRecord(record, head);
  if (line.find('\n') != std::string::npos || !jobd::base::IsValidUtf8(line)) std::abort();
  const auto read = audit::DecodeRecord(line);
  if (!read.ok() || read->head != head) std::abort();
  if (size < audit::kMaxTextBytes && jobd::base::IsValidUtf8(record.actor) && read->record.actor != record.actor) std::abort();
  return 0;
}
