// Little-endian bytes, written and read with bounds. Private to the codecs of this folder.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

namespace jobd::launch {

// Stores `value` at the front of `out`, which must be large enough.
template <typename Int>
void StoreLittle(std::span<std::byte> out, Int value) {
  auto bits = static_cast<std::make_unsigned_t<Int>>(value);
  for (size_t i = 0; i < sizeof(Int); ++i) {
    out[i] = static_cast<std::byte>(bits & 0xff);
    if constexpr (sizeof(Int) > 1) bits = static_cast<std::make_unsigned_t<Int>>(bits >> 8);
  }
}

template <typename Int>
Int LoadLittle(std::span<const std::byte> in) {
  uint64_t bits = 0;
  for (size_t i = sizeof(Int); i-- > 0;) bits = bits << 8 | static_cast<uint64_t>(in[i]);
  return static_cast<Int>(bits);
}

// Appends to a string it borrows.
class WireWriter {
 public:
  explicit WireWriter(std::string& out) : out_(out) {}

  template <typename Int>
  void Number(Int value) {
    std::byte bytes[sizeof(Int)];
    StoreLittle<Int>(bytes, value);
    out_.append(reinterpret_cast<const char*>(bytes), sizeof bytes);
  }
  void Flag(bool value) { Number<uint8_t>(value ? 1 : 0); }
  void Text(std::string_view text) {
    Number(static_cast<uint32_t>(text.size()));
    out_.append(text);
  }

 private:
  std::string& out_;
};

// Reads from bytes it borrows. After the first read past the end, ok() is false and every value is zero or empty: callers check
// once, at the end.
class WireReader {
 public:
  explicit WireReader(std::span<const std::byte> in) : in_(in) {}

  template <typename Int>
  Int Number() {
    if (!Need(sizeof(Int))) return 0;
    const Int value = LoadLittle<Int>(in_);
    in_ = in_.subspan(sizeof(Int));
    return value;
  }
  // Anything but 0 and 1 is an error, so that each value has one encoding.
  bool Flag() {
    const auto value = Number<uint8_t>();
    if (value > 1) ok_ = false;
    return value == 1;
  }
  std::string Text() {
    const auto size = Number<uint32_t>();
    if (!Need(size)) return {};
    std::string text(reinterpret_cast<const char*>(in_.data()), size);
    in_ = in_.subspan(size);
    return text;
  }
  // The number of items that follow, each at least min_size bytes long: a count that cannot be true is an error before anything
  // is allocated for it.
  uint32_t Count(size_t min_size) {
    const auto count = Number<uint32_t>();
    if (!ok_ || count > in_.size() / min_size) {
      ok_ = false;
      return 0;
    }
    return count;
  }
  bool ok() const { return ok_; }
  // Everything was read and nothing was missing.
  bool Done() const { return ok_ && in_.empty(); }

 private:
  bool Need(size_t size) {
    if (size > in_.size()) ok_ = false;
    return ok_;
  }

  std::span<const std::byte> in_;
  bool ok_ = true;
};

}  // namespace jobd::launch
