#include "logging/logging.h"

#include <fcntl.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <mutex>

#include "base/fd.h"
#include "base/files.h"

namespace jobd::logging {

namespace {

// A line a write(2), so that lines of several processes on one descriptor stay whole. spdlog's own file sinks buffer in stdio and
// open without close-on-exec.
class FdSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  explicit FdSink(base::Fd owned) : owned_(std::move(owned)), fd_(owned_ ? owned_.get() : STDERR_FILENO) {}

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    // A log that cannot be written must not end the service.
    (void)base::WriteAll(fd_, {line.data(), line.size()});
  }
  void flush_() override {}

 private:
  base::Fd owned_;
  int fd_;
};

// The message as a JSON text.
class JsonMessageFlag final : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& message, const std::tm&, spdlog::memory_buf_t& out) override {
    for (const char c : message.payload) {
      const auto byte = static_cast<unsigned char>(c);
      if (c == '"' || c == '\\') {
        out.push_back('\\');
        out.push_back(c);
      } else if (byte < 0x20 || byte == 0x7f) {
        std::array<char, 8> escaped;
        const int length = std::snprintf(escaped.data(), escaped.size(), "\\u%04x", byte);
        out.append(escaped.data(), escaped.data() + length);
      } else {
        out.push_back(c);
      }
    }
  }
  std::unique_ptr<custom_flag_formatter> clone() const override { return std::make_unique<JsonMessageFlag>(); }
};

}  // namespace

base::Result<std::shared_ptr<spdlog::logger>> Create(const Options& options) {
  base::Fd file;
  if (!options.file.empty()) {
    JOBD_ASSIGN_OR_RETURN(file, base::OpenAt(AT_FDCWD, options.file, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, 0640));
  }
  auto formatter = std::make_unique<spdlog::pattern_formatter>(spdlog::pattern_time_type::utc);
  if (options.format == "json") {
    formatter->add_flag<JsonMessageFlag>('*');
    formatter->set_pattern(R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ","program":"%n","level":"%l","message":"%*"})");
  } else {
    formatter->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %n %l %v");
  }
  auto sink = std::make_shared<FdSink>(std::move(file));
  sink->set_formatter(std::move(formatter));
  auto logger = std::make_shared<spdlog::logger>(options.program, std::move(sink));
  SetLevel(*logger, options.level);
  return logger;
}

void SetLevel(spdlog::logger& logger, const std::string& level) {
  const spdlog::level::level_enum value = spdlog::level::from_str(level == "warn" ? "warning" : level);
  if (value != spdlog::level::off) logger.set_level(value);
}

}  // namespace jobd::logging
