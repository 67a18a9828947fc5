#include "logging/logging.h"

#include <fcntl.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <mutex>
#include <string>
#include <string_view>

#include "base/fd.h"
#include "base/files.h"
#include "logging/fields.h"
#include "logging/log_writer.h"
#include "logging/standard_error.h"

namespace jobd::logging {

namespace {

constexpr int kPatienceAtTheEnd = 1000;  // milliseconds

base::Result<base::Fd> OpenFile(const std::string& file) {
  return base::OpenAt(AT_FDCWD, file, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, 0640);
}

// A line a write(2), so that lines of several processes on one descriptor stay whole. spdlog's own file sinks buffer in stdio and
// open without close-on-exec.
class FdSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  // `file`: what was opened; empty: standard error.
  FdSink(std::string file, base::Fd owned)
      : file_(std::move(file)), owned_(std::move(owned)), fd_(owned_ ? owned_.get() : STDERR_FILENO), error_(fd_) {}

  ~FdSink() override {
    if (elsewhere_) writer_.Leave(kPatienceAtTheEnd);
  }

  base::Status WriteElsewhere() {
    if (file_.empty()) return base::Ok();
    const std::lock_guard lock(mutex_);
    if (::fstat(fd_, &owner_) != 0) return base::SysError("looking at " + file_, errno);
    JOBD_RETURN_IF_ERROR(writer_.Start(fd_));
    elsewhere_ = true;
    owned_.reset();  // or what was rotated away would keep its disk
    return base::Ok();
  }

  base::Status Reopen() {
    if (file_.empty()) return base::Ok();
    if (elsewhere_) {
      const std::lock_guard lock(mutex_);
      auto started = writer_.StartAnew(file_, owner_.st_uid, owner_.st_gid);
      return started.ok() ? base::Ok() : base::Status(std::move(started).error().WithContext("opening " + file_));
    }
    JOBD_ASSIGN_OR_RETURN(base::Fd fresh, OpenFile(file_));
    const std::lock_guard lock(mutex_);
    // The two daemons share the file: made by root, it must be the other's to open, as the one before was.
    struct stat before {
    }, now{};
    if (::fstat(fd_, &before) == 0 && ::fstat(fresh.get(), &now) == 0 && before.st_uid != now.st_uid) {
      (void)!::fchown(fresh.get(), before.st_uid, before.st_gid);
    }
    owned_ = std::move(fresh);
    fd_ = owned_.get();
    return base::Ok();
  }

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    if (elsewhere_ || file_.empty()) return PutWithoutWaiting(message);
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    // A log that cannot be written must not end the service.
    (void)base::WriteAll(fd_, {line.data(), line.size()});
  }
  void flush_() override {}

 private:
  // What is not taken is lost, and counted: neither a disk nor a reader holds us up.
  void PutWithoutWaiting(const spdlog::details::log_msg& message) {
    // Somebody has killed it. Where the disk hangs as well, to ask takes time.
    if (const auto now = std::chrono::steady_clock::now(); elsewhere_ && writer_.gone() && now >= start_again_) {
      (void)writer_.StartAnew(file_, owner_.st_uid, owner_.st_gid);
      start_again_ = now + std::chrono::seconds(1);
    }
    if (lost_ > 0) {
      const std::string text = std::to_string(lost_) + " lines of the log were lost here: " +
                               (elsewhere_ ? "its disk did not take them" : "nobody read standard error");
      if (Put({message.logger_name, spdlog::level::warn, text})) lost_ = 0;
    }
    if (lost_ > 0 || !Put(message)) ++lost_;
  }
  bool Put(const spdlog::details::log_msg& message) {
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    if (!elsewhere_) return error_.Put({line.data(), line.size()});
    return !writer_.gone() && writer_.Put({line.data(), line.size()});
  }

  const std::string file_;
  base::Fd owned_;
  int fd_;
  StandardError error_;  // used where there is no file
  bool elsewhere_ = false;
  LogWriter writer_;
  struct stat owner_ {};  // of the file
  uint64_t lost_ = 0;     // lines
  std::chrono::steady_clock::time_point start_again_;
};

// The message, its fields behind it.
class TextMessageFlag final : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& message, const std::tm&, spdlog::memory_buf_t& out) override {
    for (const char c : message.payload) out.push_back(c == kFieldMark ? ' ' : c);
  }
  std::unique_ptr<custom_flag_formatter> clone() const override { return std::make_unique<TextMessageFlag>(); }
};

void AppendText(std::string_view text, spdlog::memory_buf_t& out) { out.append(text.data(), text.data() + text.size()); }

// Between the quotes of a JSON text.
void AppendQuoted(std::string_view text, spdlog::memory_buf_t& out) {
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out.push_back('\\');
      out.push_back(c);
    } else if (byte < 0x20 || byte == 0x7f) {
      std::array<char, 8> escaped;
      const int length = std::snprintf(escaped.data(), escaped.size(), "\\u%04x", byte);
      AppendText({escaped.data(), static_cast<size_t>(length)}, out);
    } else {
      out.push_back(c);
    }
  }
}

// "message":"…" and a member for each field.
class JsonMessageFlag final : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& message, const std::tm&, spdlog::memory_buf_t& out) override {
    std::string_view rest(message.payload.data(), message.payload.size());
    const auto part = [&rest] {
      const std::string_view one = rest.substr(0, rest.find(kFieldMark));
      rest.remove_prefix(std::min(rest.size(), one.size() + 1));
      return one;
    };
    AppendText("\"message\":\"", out);
    AppendQuoted(part(), out);
    while (!rest.empty()) {
      const std::string_view field = part();
      const size_t equals = std::min(field.find('='), field.size());
      AppendText("\",\"", out);
      AppendQuoted(field.substr(0, equals), out);
      AppendText("\":\"", out);
      AppendQuoted(field.substr(std::min(equals + 1, field.size())), out);
    }
    out.push_back('"');
  }
  std::unique_ptr<custom_flag_formatter> clone() const override { return std::make_unique<JsonMessageFlag>(); }
};

}  // namespace

base::Result<std::shared_ptr<spdlog::logger>> Create(const Options& options) {
  base::Fd file;
  if (!options.file.empty()) {
    JOBD_ASSIGN_OR_RETURN(file, OpenFile(options.file));
  }
  auto formatter = std::make_unique<spdlog::pattern_formatter>(spdlog::pattern_time_type::utc);
  if (options.format == "json") {
    formatter->add_flag<JsonMessageFlag>('*');
    formatter->set_pattern(R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ","program":"%n","level":"%l",%*})");
  } else {
    formatter->add_flag<TextMessageFlag>('*');
    formatter->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %n %l %*");
  }
  auto sink = std::make_shared<FdSink>(options.file, std::move(file));
  sink->set_formatter(std::move(formatter));
  auto logger = std::make_shared<spdlog::logger>(options.program, std::move(sink));
  SetLevel(*logger, options.level);
  return logger;
}

base::Status Reopen(spdlog::logger& logger) {
  for (const auto& sink : logger.sinks()) {
    auto* const file = dynamic_cast<FdSink*>(sink.get());
    if (file != nullptr) JOBD_RETURN_IF_ERROR(file->Reopen());
  }
  return base::Ok();
}

base::Status WriteElsewhere(spdlog::logger& logger) {
  for (const auto& sink : logger.sinks()) {
    auto* const file = dynamic_cast<FdSink*>(sink.get());
    if (file != nullptr) JOBD_RETURN_IF_ERROR(file->WriteElsewhere());
  }
  return base::Ok();
}

void SetLevel(spdlog::logger& logger, const std::string& level) {
  const spdlog::level::level_enum value = spdlog::level::from_str(level == "warn" ? "warning" : level);
  if (value != spdlog::level::off) logger.set_level(value);
}

}  // namespace jobd::logging
