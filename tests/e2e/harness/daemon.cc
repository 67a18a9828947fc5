#include "tests/e2e/harness/daemon.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <utility>

#include "base/fd.h"
#include "base/sha256.h"
#include "base/text.h"

namespace jobd::e2e {

namespace {

namespace fs = std::filesystem;

constexpr const char* kConfig = R"([server]
listen = "127.0.0.1:0"
state_dir = "state"
log_dir = "logs"
)";

constexpr const char* kConfigRest = R"(
[tls]
ca = "certs/ca.crt"
cert = "certs/server.crt"
key = "certs/server.key"
revoked = "certs/revoked"
[users]
file = "certs/users.toml"
)";

}  // namespace

std::string Binary(const std::string& name) { return std::string(JOBD_BIN_DIR) + "/" + name; }

std::string ReadFileOrEmpty(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream all;
  all << in.rdbuf();
  return all.str();
}

void WriteFile(const std::string& path, const std::string& content) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out << content;
}

std::string Sha256(const std::string& bytes) { return base::Hex(base::Sha256Of(bytes)); }

Daemon::Daemon(DaemonOptions options) : options_(std::move(options)) {
  const Output certs = RunCommand({{std::string(JOBD_SOURCE_DIR) + "/certs/make-certs.sh", CertDir()}, {}, {}, {}});
  EXPECT_EQ(certs.code(), 0) << certs.err;
  WriteFile(CertDir() + "/revoked", "# nothing is revoked\n");
  // Isolated jobs have a /tmp of their own, in which nothing but their working directory is the machine's.
  const std::string defaults = "[defaults]\nworkdir = \"" + ShareDir() + "\"\n";
  if (options_.external_server) {
    options_.server += "user = \"nobody\"\n";
    // As tmpfiles.d does: the server waits for the socket, not for the folder.
    fs::create_directory(RuntimeDir());
  }
  const std::string runtime = "runtime_dir = \"" + RuntimeDir() + "\"\n";
  WriteFile(ConfigFile(), kConfig + runtime + options_.server + kConfigRest + defaults + options_.config);
}

Daemon::~Daemon() {
  if (!process_) Start();
  if (process_) {
    Do({"admin", "stop", "--now"}, "admin");
    const auto idle = [&] {
      const nlohmann::json status = nlohmann::json::parse(Do({"admin", "status", "--json"}, "admin").out, nullptr, false);
      return !status.is_discarded() && status.value("running", 1) == 0;
    };
    EXPECT_TRUE(WaitUntil(idle)) << "jobs are left after stop --now\n" << Do({"admin", "status"}, "admin").out;
    Stop();
  }
  if (testing::Test::HasFailure()) std::fprintf(stderr, "---- log of jobd ----\n%s---- end ----\n", log().c_str());
}

namespace {

void CopyPrograms(const std::string& bin) {
  fs::create_directories(bin);
  for (const char* program : {"jobd", "jobd-server"}) fs::copy_file(Binary(program), bin + "/" + program);
}

}  // namespace

void Daemon::BelongTo(uid_t uid, std::string bin) {
  if (bin.empty()) bin = folder() + "/bin";
  CopyPrograms(bin);
  for (const std::string& place : {folder(), bin}) {
    EXPECT_EQ(::lchown(place.c_str(), uid, uid), 0) << place;
    for (const auto& entry : fs::recursive_directory_iterator(place))
      EXPECT_EQ(::lchown(entry.path().c_str(), uid, uid), 0) << entry.path();
  }
  const std::string id = std::to_string(uid);
  options_.wrapper = {
      "/bin/sh", "-c",
      "cd / && exe=$1 && shift 2 && exec setpriv --reuid=" + id + " --regid=" + id + " --clear-groups \"$exe\" \"$@\"", "sh",
      bin + "/jobd"};
}

void Daemon::RunFrom(const std::string& bin) {
  CopyPrograms(bin);
  options_.wrapper = {"/bin/sh", "-c", "exe=$1 && shift 2 && exec \"$exe\" \"$@\"", "sh", bin + "/jobd"};
}

bool Daemon::Start(Seconds patience) {
  // Those of a daemon that was killed say nothing of the one that starts.
  ::unlink((RuntimeDir() + "/address").c_str());
  ::unlink((RuntimeDir() + "/server.pid").c_str());
  const size_t log_begin = log().size();
  Command command{{Binary("jobd"), "--config", ConfigFile()}, options_.env, {}, "/"};
  for (const std::string& flag : options_.flags) command.argv.push_back(flag);
  if (options_.external_server) command.argv.emplace_back("--external-server");
  const auto wrapper = std::exchange(options_.wrapper, {});
  command.argv.insert(command.argv.begin(), wrapper.begin(), wrapper.end());
  // Through a shell, so that the log goes to a file that the test can read at any time.
  command.argv.insert(command.argv.begin(), {"/bin/sh", "-c", "exec 2>>\"$0\"; exec \"$@\"", folder() + "/jobd.log"});
  process_.emplace(command);
  if (options_.external_server) server_.emplace(ServerCommand());
  if (WaitReady(-1, patience) && (!options_.external_server || WaitSaid("jobd info ready at", log_begin))) return true;
  process_.reset();
  server_.reset();
  // A process that it was about to start shares its lock until exec, which comes late where the calls are watched.
  EXPECT_TRUE(WaitUntil([&] {
    const base::Fd state(::open((folder() + "/state").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    return !state || ::flock(state.get(), LOCK_EX | LOCK_NB) == 0;
  }));
  return false;
}

bool Daemon::WaitReady(pid_t other_than, Seconds patience) {
  return WaitUntil(
             [&] {
               if (!ProcessLives(process_->pid())) return true;
               return !Address().empty() && ServerPid() > 0 && ServerPid() != other_than;
             },
             patience) &&
         ProcessLives(process_->pid());
}

bool Daemon::WaitSaid(const std::string& text, size_t begin) const {
  return WaitUntil([&] { return log().find(text, begin) != std::string::npos || !ProcessLives(process_->pid()); }) &&
         ProcessLives(process_->pid());
}

Output Daemon::Stop() {
  process_->Signal(SIGTERM);
  Output output = process_->Finish();
  process_.reset();
  if (server_) {
    EXPECT_EQ(server_->Finish().code(), 0) << "the server is stopped with jobd";
    server_.reset();
  }
  return output;
}

void Daemon::KillLauncher() { Reap(); }

void Daemon::Reap() {
  const pid_t server = ServerPid();
  process_->Signal(SIGKILL);
  (void)process_->Finish();
  process_.reset();
  EXPECT_TRUE(server <= 0 || WaitUntil([&] { return !ProcessLives(server); })) << "the server outlives its launcher";
  server_.reset();
}

void Daemon::KillServer() {
  EndServer();
  StartServer();
}

void Daemon::EndServer() {
  ended_server_ = ServerPid();
  ::kill(ended_server_, SIGKILL);
  EXPECT_TRUE(WaitUntil([&] { return !ProcessLives(ended_server_); }));
  server_.reset();
}

void Daemon::StartServer() {
  if (options_.external_server) server_.emplace(ServerCommand());
  EXPECT_TRUE(WaitReady(ended_server_)) << "no new server after the old one was killed\n" << log();
}

std::string Daemon::Address() const {
  std::string address = ReadFileOrEmpty(RuntimeDir() + "/address");
  while (!address.empty() && address.back() == '\n') address.pop_back();
  return address;
}

int Daemon::Port() const {
  const std::string address = Address();
  return std::atoi(address.substr(address.rfind(':') + 1).c_str());
}

pid_t Daemon::ServerPid() const { return std::atoi(ReadFileOrEmpty(RuntimeDir() + "/server.pid").c_str()); }

std::string Daemon::Payload(const std::string& name) const {
  const std::string copy = ShareDir() + "/payload_" + name;
  fs::copy_file(std::string(JOBD_PAYLOAD_DIR) + "/payload_" + name, copy, fs::copy_options::overwrite_existing);
  ::chmod(copy.c_str(), 0755);
  return copy;
}

std::string Daemon::log() const { return ReadFileOrEmpty(folder() + "/jobd.log"); }

// An external server must be able to walk to the socket.
std::string Daemon::RuntimeDir() const { return (options_.external_server ? ShareDir() : folder()) + "/run"; }

Command Daemon::ServerCommand() const {
  // By a descriptor: the account may be unable to walk to the program.
  Command command{
      {"/bin/sh", "-c", "exec 2>>\"$0\" 9<\"$1\"; shift; exec \"$@\"", folder() + "/jobd.log", Binary("jobd-server")}, {}, {}, "/"};
  if (::geteuid() == 0) {
    for (const char* word : {"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"}) command.argv.emplace_back(word);
  }
  for (const std::string& word : {std::string("/proc/self/fd/9"), std::string("--connect"), RuntimeDir() + "/launcher.sock"}) {
    command.argv.push_back(word);
  }
  return command;
}

Command Daemon::Ctl(std::vector<std::string> args, const std::string& user, std::string input) const {
  args.insert(args.begin(), Binary("jobctl"));
  return {std::move(args),
          {{"JOBCTL_ADDRESS", Address()},
           {"JOBCTL_CA", CertDir() + "/ca.crt"},
           {"JOBCTL_CERT", CertDir() + "/" + user + ".crt"},
           {"JOBCTL_KEY", CertDir() + "/" + user + ".key"}},
          std::move(input),
          "/"};
}

Output Daemon::Do(std::vector<std::string> args, const std::string& user, std::string input, Seconds patience) const {
  return RunCommand(Ctl(std::move(args), user, std::move(input)), patience);
}

std::string Daemon::Ok(std::vector<std::string> args, const std::string& user, std::string input) const {
  const Output output = Do(args, user, std::move(input));
  EXPECT_EQ(output.code(), 0) << testing::PrintToString(args) << "\n" << output.out << output.err;
  std::string out = output.out;
  if (!out.empty() && out.back() == '\n') out.pop_back();
  return out;
}

}  // namespace jobd::e2e
