#include "tests/e2e/harness/terminal.h"

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <vector>

namespace jobd::e2e {

namespace {

// One screen without an upper end: a line after the other.
class Canvas {
 public:
  explicit Canvas(size_t columns) : columns_(columns) {}

  void Put(const std::string& character) {
    if (column_ == columns_) {
      column_ = 0;
      ++row_;
    }
    Line().resize(std::max(Line().size(), column_ + 1), " ");
    Line()[column_++] = character;
  }
  void Return() { column_ = 0; }
  void Feed() { ++row_; }
  void Back() { column_ -= column_ > 0 ? 1 : 0; }
  void EraseToEnd() { Line().resize(std::min(Line().size(), column_)); }

  std::string Text() {
    std::string text;
    for (const auto& line : lines_) {
      std::string shown;
      for (const std::string& character : line) shown += character;
      text += shown.substr(0, shown.find_last_not_of(' ') + 1) + "\n";
    }
    while (text.ends_with("\n\n")) text.pop_back();
    return text == "\n" ? "" : text;
  }

 private:
  std::vector<std::string>& Line() {
    if (lines_.size() <= row_) lines_.resize(row_ + 1);
    return lines_[row_];
  }

  const size_t columns_;
  size_t row_ = 0;
  size_t column_ = 0;
  std::vector<std::vector<std::string>> lines_;
};

}  // namespace

Terminal::Terminal(const Command& command, unsigned short columns, unsigned short rows) : columns_(columns) {
  std::vector<std::string> argv = command.argv;
  std::vector<std::string> env;
  const auto given = [&command](const std::string& name) {
    return std::any_of(command.env.begin(), command.env.end(), [&name](const auto& variable) { return variable.first == name; });
  };
  for (const char* name : {"PATH", "HOME"}) {
    const char* const value = std::getenv(name);
    if (value != nullptr && !given(name)) env.push_back(std::string(name) + "=" + value);
  }
  if (!given("TERM")) env.emplace_back("TERM=xterm");
  for (const auto& [name, value] : command.env) env.push_back(name + "=" + value);
  std::vector<char*> argv_pointers;
  std::vector<char*> env_pointers;
  for (std::string& text : argv) argv_pointers.push_back(text.data());
  for (std::string& text : env) env_pointers.push_back(text.data());
  argv_pointers.push_back(nullptr);
  env_pointers.push_back(nullptr);

  winsize size{.ws_row = rows, .ws_col = columns, .ws_xpixel = 0, .ws_ypixel = 0};
  int master = -1;
  pid_ = ::forkpty(&master, nullptr, nullptr, &size);
  if (pid_ < 0) std::abort();
  if (pid_ == 0) {
    if (!command.directory.empty() && ::chdir(command.directory.c_str()) != 0) ::_exit(127);
    ::execve(argv_pointers[0], argv_pointers.data(), env_pointers.data());
    ::_exit(127);
  }
  master_.reset(master);
  ::fcntl(master, F_SETFD, FD_CLOEXEC);
}

Terminal::~Terminal() {
  if (pid_ < 0) return;
  ::kill(-pid_, SIGKILL);
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

void Terminal::Type(const std::string& keys) const { (void)!::write(master_.get(), keys.data(), keys.size()); }

bool Terminal::Pump(std::chrono::steady_clock::time_point deadline) {
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()).count();
  pollfd ready{master_.get(), POLLIN, 0};
  if (left <= 0 || ::poll(&ready, 1, static_cast<int>(left)) <= 0) return false;
  std::array<char, 4096> bytes{};
  const ssize_t got = ::read(master_.get(), bytes.data(), bytes.size());
  if (got <= 0) return false;  // EIO: nobody has the terminal open any more
  seen_.append(bytes.data(), static_cast<size_t>(got));
  return true;
}

bool Terminal::WaitFor(const std::string& text, Seconds patience) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (true) {
    if (const size_t at = seen_.find(text, found_); at != std::string::npos) {
      found_ = at + text.size();
      return true;
    }
    if (!Pump(deadline)) return false;
  }
}

int Terminal::Finish(Seconds patience) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (Pump(deadline)) {
  }
  if (std::chrono::steady_clock::now() >= deadline) ::kill(-pid_, SIGKILL);
  int status = 0;
  ::waitpid(pid_, &status, 0);
  pid_ = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

std::string Terminal::Screen() const {
  Canvas canvas(columns_);
  for (size_t i = 0; i < seen_.size(); ++i) {
    const char c = seen_[i];
    if (c == '\r') {
      canvas.Return();
    } else if (c == '\n') {
      canvas.Feed();
    } else if (c == '\b') {
      canvas.Back();
    } else if (c == '\033' && i + 1 < seen_.size() && seen_[i + 1] == '[') {
      i = std::min(seen_.size() - 1, seen_.find_first_not_of("0123456789;?", i + 2));
      if (seen_[i] == 'K' || seen_[i] == 'J') canvas.EraseToEnd();
    } else if (static_cast<unsigned char>(c) >= 0x20) {
      size_t length = 1;
      while (i + length < seen_.size() && (static_cast<unsigned char>(seen_[i + length]) & 0xc0) == 0x80) ++length;
      canvas.Put(seen_.substr(i, length));
      i += length - 1;
    }
  }
  return canvas.Text();
}

}  // namespace jobd::e2e
