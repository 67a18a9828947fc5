// A small binary encoding for what the worker keeps for itself: specs in the store, cursors, page tokens. Numbers are LEB128, texts
// are a length and their bytes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace jobd::base {

class WireWriter {
 public:
  // Room for so many bytes more, so that they are not moved as they grow.
  void Reserve(size_t bytes) { out_.reserve(out_.size() + bytes); }
  void Number(uint64_t value) {
    while (value >= 0x80) {
      out_.push_back(static_cast<char>((value & 0x7f) | 0x80));
      value >>= 7;
    }
    out_.push_back(static_cast<char>(value));
  }
  void Text(std::string_view text) {
    Number(text.size());
    out_.append(text);
  }
  const std::string& bytes() const { return out_; }
  std::string Take() { return std::move(out_); }

 private:
  std::string out_;
};

// Total: after anything malformed ok() is false and every value is 0 or empty. Views point into the input.
class WireReader {
 public:
  explicit WireReader(std::string_view in) : in_(in) {}

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
  std::string_view Text() {
    const uint64_t size = Number();
    if (!ok_ || size > in_.size()) {
      Fail();
      return {};
    }
    const std::string_view text = in_.substr(0, size);
    in_.remove_prefix(size);
    return text;
  }
  // A count of things of which each takes at least one byte: bounded by what is left.
  uint64_t Count() {
    const uint64_t count = Number();
    return count > in_.size() ? Fail() : count;
  }
  bool ok() const { return ok_; }
  bool AtEnd() const { return ok_ && in_.empty(); }

 private:
  uint64_t Fail() {
    ok_ = false;
    in_ = {};
    return 0;
  }
  std::string_view in_;
  bool ok_ = true;
};

}  // namespace jobd::base
