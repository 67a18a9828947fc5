#include "audit/line_reader.h"

#include <span>

#include "audit/record.h"
#include "base/files.h"

namespace jobd::audit {

base::Result<LineReader::Got> LineReader::Next(std::string_view& line) {
  constexpr size_t kPiece = 256 << 10;
  for (size_t searched = place_;;) {
    const size_t end = buffer_.find('\n', searched);
    if (end != std::string::npos) {
      line = std::string_view(buffer_).substr(place_, end - place_);
      place_ = end + 1;
      return line.size() > kMaxLineBytes ? Got::kTooLong : Got::kLine;
    }
    if (buffer_.size() - place_ > kMaxLineBytes) return Got::kTooLong;
    if (end_) {
      line = std::string_view(buffer_).substr(place_);
      place_ = buffer_.size();
      return line.empty() ? Got::kEnd : Got::kTorn;
    }
    buffer_.erase(0, place_);
    place_ = 0;
    const size_t had = buffer_.size();
    buffer_.resize(had + kPiece);
    JOBD_ASSIGN_OR_RETURN(const size_t got, base::PreadUpTo(fd_, std::as_writable_bytes(std::span(buffer_).subspan(had)), offset_));
    buffer_.resize(had + got);
    offset_ += got;
    end_ = got < kPiece;
    searched = had;
  }
}

}  // namespace jobd::audit
