#include "audit/verifier.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "audit/line_reader.h"
#include "audit/log_files.h"
#include "base/text.h"

namespace jobd::audit {

namespace {

std::string Range(uint64_t first, uint64_t last) {
  return first == last ? "record " + std::to_string(first) : "records " + std::to_string(first) + " to " + std::to_string(last);
}

// The number of the first record that can be read in a file, or nothing when there is none: what files are ordered by. A line that
// was altered is passed over, so that its file still comes where it belongs and the check names the line.
base::Result<std::optional<uint64_t>> FirstSeq(int fd) {
  LineReader lines(fd);
  std::string_view text;
  for (uint64_t before = 0;; ++before) {
    JOBD_ASSIGN_OR_RETURN(const LineReader::Got got, lines.Next(text));
    if (got != LineReader::Got::kLine) return std::optional<uint64_t>();
    const auto line = DecodeRecord(text);
    if (line.ok()) return std::optional<uint64_t>(line->head.seq > before ? line->head.seq - before : 1);
  }
}

class Check {
 public:
  Check(const std::vector<Anchor>& anchors, bool whole) : anchors_(anchors), whole_(whole) {}

  // False after the first damage.
  base::Result<bool> File(const LogFile& file) {
    place_ = {.file = file.name};
    LineReader lines(file.file.get());
    const uint64_t before = report_.records;
    for (std::string_view text;;) {
      JOBD_ASSIGN_OR_RETURN(const LineReader::Got got, lines.Next(text));
      ++place_.line;
      if (got == LineReader::Got::kEnd) break;
      if (got == LineReader::Got::kTorn) return Wrong(DamageKind::kCutOff, "the line has no end");
      if (got == LineReader::Got::kTooLong) return Wrong(DamageKind::kAltered, "is longer than a record can be");
      if (!OneLine(text)) return false;
    }
    if (report_.records > before) ++report_.files;
    return true;
  }

  Report Finish() {
    // What was anchored last must be here, unless a part was asked for, and ends as its name says.
    const bool part = !whole_ && place_.file.ends_with(RotatedName("", report_.last.seq));
    if (!report_.damage && next_anchor_ < anchors_.size() && !part) {
      const uint64_t last = anchors_.back().head.seq;
      Wrong(DamageKind::kCutOff,
            Range(report_.last.seq + 1, last) + " should follow: number " + std::to_string(last) + " was anchored");
    }
    return std::move(report_);
  }

 private:
  bool Wrong(DamageKind kind, std::string problem) {
    report_.damage = place_;
    report_.damage->kind = kind;
    report_.damage->problem = std::move(problem);
    return false;
  }

  bool OneLine(std::string_view text) {
    const auto line = DecodeRecord(text);
    if (!line.ok()) return Wrong(DamageKind::kAltered, line.error().message());
    const uint64_t seq = line->head.seq;
    if (report_.records == 0) {
      if (!Beginning(*line)) return false;
    } else if (seq > report_.last.seq + 1) {
      return Wrong(DamageKind::kMissing, Range(report_.last.seq + 1, seq - 1) + " should stand before it");
    } else if (seq <= report_.last.seq) {
      return Wrong(DamageKind::kReordered,
                   "record " + std::to_string(seq) + " comes after number " + std::to_string(report_.last.seq));
    } else if (line->prev != report_.last.hash) {
      return Wrong(DamageKind::kAltered, "does not follow from the record before: one of the two is not what was written");
    }
    if (!Anchored(line->head)) return false;
    if (report_.records++ == 0) report_.first_seq = seq;
    report_.last = line->head;
    return true;
  }

  bool Beginning(const Line& line) {
    const uint64_t seq = line.head.seq;
    if (seq == 1 && line.prev != base::Sha256Digest{}) return Wrong(DamageKind::kAltered, "is number 1 and names one before it");
    if (seq > 1 && whole_)
      return Wrong(DamageKind::kMissing, Range(1, seq - 1) + " should stand before it, and no file holds them");
    // Anchors of what is not here; the record just before is known by what this one says of it.
    while (next_anchor_ < anchors_.size() && anchors_[next_anchor_].head.seq < seq) {
      const Head& anchored = anchors_[next_anchor_++].head;
      if (anchored.seq + 1 == seq && anchored.hash != line.prev) {
        return Wrong(DamageKind::kAltered, "does not follow from record " + std::to_string(anchored.seq) + " as it was anchored");
      }
    }
    return true;
  }

  bool Anchored(const Head& head) {
    if (next_anchor_ >= anchors_.size() || anchors_[next_anchor_].head.seq != head.seq) return true;
    if (anchors_[next_anchor_].head.hash != head.hash) {
      const uint64_t from = report_.anchored_to > 0 ? report_.anchored_to + 1 : report_.records > 0 ? report_.first_seq : head.seq;
      return Wrong(DamageKind::kAltered, "is not record " + std::to_string(head.seq) +
                                             " as it was anchored: " + Range(from, head.seq) + " may have been written anew");
    }
    report_.anchored_to = head.seq;
    ++next_anchor_;
    return true;
  }

  const std::vector<Anchor>& anchors_;
  bool whole_;
  size_t next_anchor_ = 0;
  Damage place_;
  Report report_;
};

}  // namespace

std::string_view DamageName(DamageKind kind) {
  switch (kind) {
    case DamageKind::kAltered: return "altered";
    case DamageKind::kMissing: return "missing";
    case DamageKind::kReordered: return "reordered";
    case DamageKind::kCutOff: return "cut off";
  }
  return "altered";
}

base::Result<Report> Verify(std::vector<LogFile> files, const std::vector<Anchor>& anchors, bool whole) {
  std::vector<std::pair<uint64_t, LogFile>> ordered;
  for (LogFile& file : files) {
    auto first = FirstSeq(file.file.get());
    if (!first.ok()) return std::move(first).error().WithContext(file.name);
    // A file without a record comes last: it is new, or nothing of it can be read.
    ordered.emplace_back(first->value_or(UINT64_MAX), std::move(file));
  }
  std::stable_sort(ordered.begin(), ordered.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  Check check(anchors, whole);
  for (const auto& [seq, file] : ordered) {
    auto right = check.File(file);
    if (!right.ok()) return std::move(right).error().WithContext(file.name);
    if (!*right) break;
  }
  return check.Finish();
}

}  // namespace jobd::audit
