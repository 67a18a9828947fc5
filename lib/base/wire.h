// The binary encoding of everything that jobd keeps or sends in a format of its own: frames between the daemons, exit slots and log
// indexes (launch/contract/FORMAT.md), specs in the store, cursors and page tokens. Two kinds of numbers: fixed ones are
// little-endian and as wide as their type; Number is LEB128, from 1 byte to 10. A format uses one kind for its numbers, lengths and
// counts.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace jobd::base {

// Stores `value` at the front of `out`, which must be large enough.
template <std::integral Int>
void StoreLittle(std::span<std::byte> out, Int value) {
  auto bits = static_cast<std::make_unsigned_t<Int>>(value);
  for (size_t i = 0; i < sizeof(Int); ++i) {
    out[i] = static_cast<std::byte>(bits & 0xff);
    if constexpr (sizeof(Int) > 1) bits = static_cast<std::make_unsigned_t<Int>>(bits >> 8);
  }
}

// The value at the front of `in`, which must be large enough.
template <std::integral Int>
Int LoadLittle(std::span<const std::byte> in) {
  uint64_t bits = 0;
  for (size_t i = sizeof(Int); i-- > 0;) bits = bits << 8 | static_cast<uint64_t>(in[i]);
  return static_cast<Int>(bits);
}

class WireWriter {
 public:
  WireWriter() = default;
  // Appends to `start`, as to a header that is filled in later.
  explicit WireWriter(std::string start) : out_(std::move(start)) {}

  // Makes room for so many bytes more, so that they are not moved as they grow.
  void Reserve(size_t bytes) { out_.reserve(out_.size() + bytes); }

  void Number(uint64_t value) {
    while (value >= 0x80) {
      out_.push_back(static_cast<char>((value & 0x7f) | 0x80));
      value >>= 7;
    }
    out_.push_back(static_cast<char>(value));
  }
  // Its length is a Number.
  void Text(std::string_view text) {
    Number(text.size());
    out_.append(text);
  }

  template <std::integral Int>
  void Fixed(Int value) {
    std::byte bytes[sizeof(Int)];
    StoreLittle<Int>(bytes, value);
    out_.append(reinterpret_cast<const char*>(bytes), sizeof bytes);
  }
  // One byte, 0 or 1.
  void Flag(bool value) { Fixed<uint8_t>(value ? 1 : 0); }
  // Its length is a fixed uint32_t, so `text` must be shorter than 4 GiB.
  void Text32(std::string_view text) {
    Fixed(static_cast<uint32_t>(text.size()));
    out_.append(text);
  }

  const std::string& bytes() const { return out_; }
  std::string Take() { return std::move(out_); }

 private:
  std::string out_;
};

// Reads bytes that it borrows; texts are views into them. Total: after anything malformed ok() is false and every further value is
// 0 or empty, so callers check once, at the end.
class WireReader {
 public:
  explicit WireReader(std::string_view in) : in_(in) {}
  explicit WireReader(std::span<const std::byte> in) : in_(reinterpret_cast<const char*>(in.data()), in.size()) {}

  uint64_t Number() {
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      if (in_.empty()) return Fail();
      const auto byte = static_cast<unsigned char>(in_.front());
      in_.remove_prefix(1);
      if (shift == 63 && byte > 1) return Fail();
      value |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if ((byte & 0x80) == 0) return value;
    }
    return Fail();
  }
  std::string_view Text() { return Take(Number()); }
  // The number of items that follow, each at least one byte long: a count that cannot be true is malformed, before anything is
  // allocated for it.
  uint64_t Count() { return Bounded(Number(), 1); }

  template <std::integral Int>
  Int Fixed() {
    const std::string_view bytes = Take(sizeof(Int));
    return bytes.empty() ? Int{0} : LoadLittle<Int>(std::as_bytes(std::span(bytes)));
  }
  // Anything but 0 and 1 is malformed, so that each value has one encoding.
  bool Flag() {
    const auto value = Fixed<uint8_t>();
    if (value > 1) Fail();
    return value == 1;
  }
  std::string_view Text32() { return Take(Fixed<uint32_t>()); }
  // As Count, of items that are each at least min_size bytes long; min_size is not 0.
  uint32_t Count32(size_t min_size) { return static_cast<uint32_t>(Bounded(Fixed<uint32_t>(), min_size)); }

  bool ok() const { return ok_; }
  // Everything was read and nothing was missing.
  bool AtEnd() const { return ok_ && in_.empty(); }

 private:
  uint64_t Fail() {
    ok_ = false;
    in_ = {};
    return 0;
  }
  std::string_view Take(uint64_t size) {
    if (size > in_.size()) Fail();
    const std::string_view taken = in_.substr(0, ok_ ? size : 0);
    in_.remove_prefix(taken.size());
    return taken;
  }
  uint64_t Bounded(uint64_t count, size_t min_size) { return count > in_.size() / min_size ? Fail() : count; }

  std::string_view in_;
  bool ok_ = true;
};

}  // namespace jobd::base
