#include <boost/crc.hpp>

#include "base/wire.h"
#include "launch/contract/exit_file.h"

namespace jobd::launch {

namespace {

constexpr uint32_t kMagic = 0x5458424a;  // "JBXT"
constexpr size_t kCheckAt = kSlotSize - 4;

uint32_t Check(std::span<const std::byte> bytes) {
  boost::crc_32_type crc;
  crc.process_bytes(bytes.data(), kCheckAt);
  return crc.checksum();
}

// The one list of fields and their places, for both directions: Field(offset, value).
template <typename Record, typename Field>
void EachField(Record& r, Field&& field) {
  field(8, r.attempt);
  field(12, r.shim_pid);
  field(16, r.job_pid);
  field(20, r.flags);
  field(24, r.boot);
  field(32, r.started_at);
  field(40, r.ended_at);
  field(48, r.wall);
  field(60, r.step_errno);
  field(68, r.exit.value);
  field(72, r.user_cpu_us);
  field(80, r.system_cpu_us);
  field(88, r.peak_memory);
  field(96, r.read_bytes);
  field(104, r.written_bytes);
  field(112, r.voluntary_switches);
  field(120, r.involuntary_switches);
  field(128, r.stdout_bytes);
  field(136, r.stderr_bytes);
  field(144, r.dropped_bytes);
  field(152, r.deadline);
  field(160, r.kill_after);
}

base::Error Damaged(const char* what) { return {base::Code::kDataLoss, std::string("damaged exit record: ") + what}; }

}  // namespace

SlotBytes EncodeSlot(const SlotRecord& record) {
  SlotBytes bytes{};
  const std::span<std::byte> out(bytes);
  base::StoreLittle<uint32_t>(out, kMagic);
  base::StoreLittle<uint16_t>(out.subspan(4), kSlotVersion);
  base::StoreLittle<uint16_t>(out.subspan(6), static_cast<uint16_t>(record.phase));
  base::StoreLittle<uint16_t>(out.subspan(56), static_cast<uint16_t>(record.cause));
  base::StoreLittle<uint16_t>(out.subspan(58), static_cast<uint16_t>(record.step));
  base::StoreLittle<uint32_t>(out.subspan(64), record.exit.kind == base::ExitStatus::Kind::kSignaled ? 1 : 0);
  EachField(record, [&](size_t at, auto value) { base::StoreLittle(out.subspan(at), value); });
  base::StoreLittle<uint32_t>(out.subspan(kCheckAt), Check(bytes));
  return bytes;
}

base::Result<SlotRecord> DecodeSlot(std::span<const std::byte> bytes) {
  if (bytes.size() != kSlotSize) return Damaged("wrong size");
  bool all_zero = true;
  for (const std::byte b : bytes) all_zero = all_zero && b == std::byte{0};
  if (all_zero) return SlotRecord{};
  if (base::LoadLittle<uint32_t>(bytes) != kMagic) return Damaged("not a record");
  if (base::LoadLittle<uint32_t>(bytes.subspan(kCheckAt)) != Check(bytes)) return Damaged("wrong checksum");
  const auto version = base::LoadLittle<uint16_t>(bytes.subspan(4));
  if (version > kSlotVersion) {
    return base::Error(base::Code::kFailedPrecondition, "exit record of version " + std::to_string(version) + ", newer than ours");
  }
  const auto phase = base::LoadLittle<uint16_t>(bytes.subspan(6));
  const auto cause = base::LoadLittle<uint16_t>(bytes.subspan(56));
  const auto step = base::LoadLittle<uint16_t>(bytes.subspan(58));
  const auto kind = base::LoadLittle<uint32_t>(bytes.subspan(64));
  if (phase < static_cast<uint16_t>(Phase::kBorn) || phase > static_cast<uint16_t>(Phase::kEnded)) return Damaged("unknown phase");
  if (cause > static_cast<uint16_t>(EndCause::kShimError)) return Damaged("unknown cause");
  if (step >= static_cast<uint16_t>(Step::kCount)) return Damaged("unknown step");
  if (kind > 1) return Damaged("unknown kind of exit");
  SlotRecord record;
  record.phase = static_cast<Phase>(phase);
  record.cause = static_cast<EndCause>(cause);
  record.step = static_cast<Step>(step);
  record.exit.kind = kind == 1 ? base::ExitStatus::Kind::kSignaled : base::ExitStatus::Kind::kExited;
  EachField(record, [&]<typename T>(size_t at, T& value) { value = base::LoadLittle<T>(bytes.subspan(at)); });
  return record;
}

}  // namespace jobd::launch
