#include "launch/contract/frames.h"

#include <optional>

#include "launch/contract/frame_fields.h"
#include "launch/contract/frame_header.h"

namespace jobd::launch {

namespace {

// Frame types are the place in the variant plus a base, so that a frame of one direction never decodes as one of the other.
constexpr uint16_t kServerTypes = 1;
constexpr uint16_t kLauncherTypes = 101;
static_assert(kServerTypes + std::variant_size_v<ServerFrame> <= kLaunchInMemfdType);

base::Error Bad(const char* what) { return {base::Code::kInvalidArgument, std::string("bad frame: ") + what}; }

template <typename Variant>
std::string Encode(const Variant& frame, uint16_t first_type) {
  Encoder io(std::string(kHeaderSize, '\0'));
  std::visit([&](const auto& f) { Fields(io, f); }, frame);
  std::string out = io.Take();
  StoreHeader(out, static_cast<uint16_t>(first_type + frame.index()));
  return out;
}

// Decodes the alternative of number `index`, trying them one after the other from `I` on.
template <typename Variant, size_t I = 0>
std::optional<Variant> DecodeBody(size_t index, base::WireReader& wire) {
  if constexpr (I < std::variant_size_v<Variant>) {
    if (index != I) return DecodeBody<Variant, I + 1>(index, wire);
    Variant frame(std::in_place_index<I>);
    Decoder io(wire);
    Fields(io, std::get<I>(frame));
    return frame;
  } else {
    return std::nullopt;
  }
}

template <typename Variant>
base::Result<Variant> Decode(std::span<const std::byte> bytes, uint16_t first_type) {
  JOBD_ASSIGN_OR_RETURN(const uint16_t type, LoadHeader(bytes));
  if (type < first_type) return Bad("unknown type");
  base::WireReader wire(bytes.subspan(kHeaderSize));
  auto frame = DecodeBody<Variant>(static_cast<size_t>(type - first_type), wire);
  if (!frame) return Bad("unknown type");
  if (!wire.AtEnd()) return Bad("its fields do not fill it");
  return std::move(*frame);
}

}  // namespace

void StoreHeader(std::string& frame, uint16_t type) {
  const std::span<std::byte> out(reinterpret_cast<std::byte*>(frame.data()), kHeaderSize);
  base::StoreLittle<uint16_t>(out, kProtocolVersion);
  base::StoreLittle<uint16_t>(out.subspan(2), type);
  base::StoreLittle<uint32_t>(out.subspan(4), static_cast<uint32_t>(frame.size() - kHeaderSize));
}

base::Result<uint16_t> LoadHeader(std::span<const std::byte> bytes) {
  if (bytes.size() < kHeaderSize) return Bad("too short");
  if (base::LoadLittle<uint16_t>(bytes) != kProtocolVersion) return Bad("another protocol version");
  if (base::LoadLittle<uint32_t>(bytes.subspan(4)) != bytes.size() - kHeaderSize) return Bad("wrong length");
  return base::LoadLittle<uint16_t>(bytes.subspan(2));
}

std::string EncodeFrame(const ServerFrame& frame) { return Encode(frame, kServerTypes); }
std::string EncodeFrame(const LauncherFrame& frame) { return Encode(frame, kLauncherTypes); }

base::Result<ServerFrame> DecodeServerFrame(std::span<const std::byte> bytes) { return Decode<ServerFrame>(bytes, kServerTypes); }
base::Result<LauncherFrame> DecodeLauncherFrame(std::span<const std::byte> bytes) {
  return Decode<LauncherFrame>(bytes, kLauncherTypes);
}

}  // namespace jobd::launch
