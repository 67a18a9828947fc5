#include "bench/streams/setup.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <sstream>

namespace jobd::bench {
namespace {

constexpr const char* kConfig = R"([limits]
max_running = 4
max_streams_per_user = 100000
max_connections_per_address = 100000
max_output_bytes = "0"
)";

}  // namespace

Host::Host() : daemon_({.config = kConfig, .flags = {"--set", "log.level=warn"}}) {
  // For an ordinary user `open` is by grant.
  const std::string users = daemon_.CertDir() + "/users.toml";
  e2e::WriteFile(users, e2e::ReadFileOrEmpty(users) + "\n[role.operator]\nprofiles = [\"open\", \"standard\"]\n");
  if (!daemon_.Start()) {
    problem_ = "jobd does not start:\n" + daemon_.log();
    return;
  }
  writer_ = daemon_.ShareDir() + "/writer";
  std::filesystem::copy_file(e2e::Binary("bench_stream_writer"), writer_);
  ::chmod(writer_.c_str(), 0755);
}

std::string Host::Start(const std::vector<std::string>& args) const {
  std::vector<std::string> words = {"run", "-d", "--profile", "open", "--", writer_};
  words.insert(words.end(), args.begin(), args.end());
  return daemon_.Ok(words);
}

std::string Host::Run(const std::vector<std::string>& args) const {
  std::string id = Start(args);
  (void)daemon_.Ok({"wait", id});
  return id;
}

std::string Host::MakeFifo(const std::string& name) const {
  const std::string path = daemon_.ShareDir() + "/" + name;
  ::unlink(path.c_str());
  if (::mkfifo(path.c_str(), 0666) != 0 || ::chmod(path.c_str(), 0666) != 0) std::abort();
  return path;
}

namespace {

e2e::Command PeerCommand(const Host& host, const std::string& role, const std::vector<std::string>& args) {
  e2e::Command command{{"/proc/self/exe", "--role", role, host.daemon().CertDir()}, {}, {}, {}};
  command.argv[0] = std::filesystem::read_symlink("/proc/self/exe");
  command.argv.insert(command.argv.end(), args.begin(), args.end());
  return command;
}

}  // namespace

Peer::Peer(const Host& host, const std::string& role, const std::vector<std::string>& args)
    : process_(PeerCommand(host, role, args)) {
  if (!process_.WaitForOutput("\n")) {
    std::fprintf(stderr, "%s does not start: %s\n", role.c_str(), process_.Finish().err.c_str());
    std::exit(1);
  }
  address_ = "127.0.0.1:" + process_.out().substr(0, process_.out().find('\n'));
}

double CpuOf(pid_t pid) {
  const std::string stat = e2e::ReadFileOrEmpty("/proc/" + std::to_string(pid) + "/stat");
  const size_t name_end = stat.rfind(')');
  if (name_end == std::string::npos) return 0;
  std::istringstream rest(stat.substr(name_end + 2));
  std::string word;
  for (int i = 0; i < 11; ++i) rest >> word;  // state and what follows, up to utime: proc(5)
  double user = 0;
  double system = 0;
  rest >> user >> system;
  return (user + system) / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

uint64_t PrivateBytesOf(pid_t pid) {
  std::istringstream lines(e2e::ReadFileOrEmpty("/proc/" + std::to_string(pid) + "/smaps_rollup"));
  uint64_t sum = 0;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("Private_")) sum += std::strtoull(line.c_str() + line.find(':') + 1, nullptr, 10) * 1024;
  }
  return sum;
}

}  // namespace jobd::bench
