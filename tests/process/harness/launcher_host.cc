#include "tests/process/harness/launcher_host.h"

#include <fcntl.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <pwd.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>

#include "base/files.h"
#include "launch/server/server_process.h"
#include "launch/server/server_socket.h"

namespace jobd::process_test {

namespace {

constexpr int kPatienceSeconds = 20;

template <typename T>
T Must(base::Result<T> result) {
  if (!result.ok()) {
    ADD_FAILURE() << result.error().message();
    std::abort();
  }
  return std::move(result).value();
}

// One number for each batch of this test program and of any other that runs now.
uint64_t NextNumber() {
  static std::atomic<uint64_t> next{1};
  return static_cast<uint64_t>(::getpid()) * 1'000'000 + next++;
}

// Sleeps until `done` holds; each event of the watched folder asks again.
bool AwaitEvent(const std::string& dir, const std::function<bool()>& done) {
  const base::Fd notify(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  ::inotify_add_watch(notify.get(), dir.c_str(), IN_CREATE | IN_MODIFY | IN_MOVED_TO | IN_CLOSE_WRITE);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(kPatienceSeconds);
  while (!done()) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()).count();
    if (left <= 0) return false;
    pollfd wait{notify.get(), POLLIN, 0};
    ::poll(&wait, 1, static_cast<int>(left));
    std::array<char, 4096> events;
    while (::read(notify.get(), events.data(), events.size()) > 0) {
    }
  }
  return true;
}

}  // namespace

std::string TagOf(const std::string& log_dir) { return "jobd-test-" + std::to_string(std::hash<std::string>{}(log_dir)); }

LauncherHost::LauncherHost(HostOptions options) : log_dir_(options.log_dir) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) std::abort();
  base::Fd theirs(ends[0]);
  socket_.reset(ends[1]);
  pid_ = ::fork();
  if (pid_ == 0) {
    socket_.reset();
    if (options.as_nobody && (::setgroups(0, nullptr) != 0 || ::setgid(65534) != 0 || ::setuid(65534) != 0)) std::abort();
    Run(std::move(theirs), options);
    ::_exit(0);
  }
  if (!options.listen_for) return;
  EXPECT_TRUE(AwaitEvent(log_dir_, [this] { return std::filesystem::exists(SocketPath()); })) << "the launcher does not listen";
}

void LauncherHost::Run(base::Fd socket, const HostOptions& options) {
  const base::Fd log_dir = Must(base::OpenAt(AT_FDCWD, options.log_dir, O_RDONLY | O_DIRECTORY));
  const auto driver = options.without_cgroups ? sandbox::MakeProcessTreeDriver(TagOf(options.log_dir), "asked for")
                                              : Must(sandbox::DetectGroupDriver(TagOf(options.log_dir)));
  auto isolation = sandbox::Isolation::Make({.privileged = ::geteuid() == 0,
                                             .hidden = options.hidden,
                                             .emptied = options.emptied,
                                             .home = options.home,
                                             .resolver = options.resolver,
                                             .driver = driver.get()});
  boost::asio::io_context context(1);
  launch::LauncherOptions launcher_options;
  launcher_options.shim.log_dir = log_dir.get();
  launcher_options.shim.log_owner = options.log_owner;
  launcher_options.shim.driver = driver.get();
  launcher_options.shim.isolation = &isolation;
  launcher_options.shim.default_workdir = options.default_workdir;
  ::getrlimit(RLIMIT_NOFILE, &launcher_options.shim.job_files);
  launcher_options.shim_turn = options.shim_turn;
  launcher_options.policy = options.policy;
  launcher_options.policy.privileged = ::geteuid() == 0;
  launch::OwnerRights& rights = launcher_options.policy.owners["owner"];
  if (!launcher_options.policy.privileged && !options.as_nobody && rights.profiles.empty()) {
    // Who runs the tests as an ordinary user tries `open` too, which must be granted then.
    for (const sandbox::Profile& profile : launcher_options.policy.profiles.all()) rights.profiles.push_back(profile.name);
  }
  launcher_options.policy.own_account = ::getpwuid(::geteuid())->pw_name;
  const int uids_dir = options.keeps_uids ? log_dir.get() : -1;
  const uid_t first = kFirstUid + static_cast<uid_t>(::getppid() % 2048) * 65'536;
  launcher_options.uids = std::make_shared<launch::OwnerUids>(Must(launch::OwnerUids::Open(uids_dir, first, options.uid_count)));
  launcher_options.home_places = {homes_.path()};
  launch::LauncherHooks hooks;
  hooks.on_ready = [](const std::string&) {};
  hooks.on_server_gone = [&context, &options](const std::string&) {
    if (!options.listen_for) context.stop();
  };
  hooks.read_files = [](std::vector<base::Fd>&) { return launch::Files{.names = {}, .error = "none here", .capabilities = {}}; };
  uint64_t revision = 0;
  hooks.prepare_files = [&] {
    // The same once more, as when nothing but the time of the files has changed; but without owners, where that is asked for.
    launch::PreparedFiles prepared{.files = {.revision = ++revision}, .fds = {}, .policy = launcher_options.policy};
    if (options.reload_without_owners) prepared.policy.owners.clear();
    return prepared;
  };
  hooks.commit_files = [] {};
  hooks.drop_files = [] {};
  hooks.report = [](const std::string& text) { std::fprintf(stderr, "launcher: %s\n", text.c_str()); };
  launch::Launcher launcher(context, launcher_options, hooks);
  uint32_t served = 0;
  std::unique_ptr<launch::ServerProcess> server;
  launch::ServerSocketHooks socket_hooks;
  socket_hooks.report = hooks.report;
  socket_hooks.on_server = [&](launch::ConnectedServer next) {
    launcher.Disconnect();
    server = launch::ServerProcess::Watch(context, next.pid, std::move(next.pidfd), [&launcher](auto) { launcher.Disconnect(); });
    launcher.Serve(std::move(next.socket), served++);
  };
  std::unique_ptr<launch::ServerSocket> server_socket;
  if (options.listen_for) {
    server_socket = Must(launch::ServerSocket::Listen(
        context, {.dir = log_dir.get(), .owner = options.log_owner, .server_uid = *options.listen_for}, socket_hooks));
  } else {
    launcher.Serve(std::move(socket), served++);
  }
  context.run();
}

LauncherHost::~LauncherHost() {
  Kill();
  if (const auto driver = sandbox::DetectGroupDriver(TagOf(log_dir_)); driver.ok()) (*driver)->RemoveRoot();
}

void LauncherHost::Kill() {
  if (pid_ == 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  pid_ = 0;
}

void LauncherHost::LimitDescriptors(std::optional<int> more) const {
  rlimit limit{};
  ASSERT_EQ(::prlimit(pid_, RLIMIT_NOFILE, nullptr, &limit), 0);
  limit.rlim_cur = limit.rlim_max;
  if (more) {
    // The numbers that are free and below the limit are those that it can have.
    const std::filesystem::path open = "/proc/" + std::to_string(pid_) + "/fd";
    limit.rlim_cur = 0;
    for (int left = *more; left >= 0; ++limit.rlim_cur)
      left -= std::filesystem::exists(std::filesystem::symlink_status(open / std::to_string(limit.rlim_cur))) ? 0 : 1;
    --limit.rlim_cur;
  }
  ASSERT_EQ(::prlimit(pid_, RLIMIT_NOFILE, &limit, nullptr), 0);
}

void LauncherHost::Send(const launch::ServerFrame& frame) {
  const auto status = launch::SendFrame(socket_.get(), frame);
  ASSERT_TRUE(status.ok()) << status.error().message();
}

launch::LauncherFrame LauncherHost::Receive(int seconds) { return Must(ReceiveFrom(socket_.get(), seconds)); }

base::Result<launch::LauncherFrame> ReceiveFrom(int socket, int seconds) {
  pollfd wait{socket, POLLIN, 0};
  if (::poll(&wait, 1, seconds * 1000) != 1) {
    ADD_FAILURE() << "no frame within " << seconds << " s";
    std::abort();
  }
  JOBD_ASSIGN_OR_RETURN(auto received, launch::ReceiveLauncherFrame(socket, true));
  return std::move(received.frame);
}

base::Fd LauncherHost::Connect() const {
  base::Fd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  SocketPath().copy(address.sun_path, sizeof address.sun_path - 1);
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    ADD_FAILURE() << base::SysError("connecting to " + SocketPath(), errno).message();
    std::abort();
  }
  return socket;
}

Batch::Batch(std::string log_dir, uint32_t jobs, std::string id, std::string owner)
    : log_dir_(std::move(log_dir)), id_(std::move(id)), owner_(std::move(owner)), number_(NextNumber()), jobs_(jobs) {
  std::filesystem::create_directories(path());
  const base::Fd dir = Must(base::OpenAt(AT_FDCWD, path(), O_RDONLY | O_DIRECTORY));
  exits_ = Must(launch::OpenExitFile(dir.get(), jobs_));
}

launch::LaunchRequest Batch::Request(std::vector<std::string> argv, uint32_t index, uint32_t attempt) const {
  launch::LaunchRequest request;
  request.key = {number_, index, attempt};
  request.owner = owner_;
  request.correlation_id = id_;
  request.job_count = jobs_;
  request.argv = std::move(argv);
  request.env = {{"PATH", "/usr/local/bin:/usr/bin:/bin"}};
  request.profile = "open";
  request.kill_after = base::kNanosPerSecond / 5;
  return request;
}

launch::Watch Batch::WatchOf(const launch::LaunchRequest& request) const {
  return {.key = request.key, .owner = request.owner, .correlation_id = request.correlation_id};
}

std::string Batch::File(const std::string& name) const {
  std::ifstream in(path() + "/" + name, std::ios::binary);
  std::ostringstream content;
  content << in.rdbuf();
  return content.str();
}

bool Batch::Has(const std::string& name) const { return std::filesystem::exists(path() + "/" + name); }

launch::SlotRecord Batch::Slot(uint32_t index) const { return Must(launch::ReadSlot(exits_.get(), index)); }

launch::SlotRecord Batch::AwaitSlot(const std::function<bool(const launch::SlotRecord&)>& condition, uint32_t index) const {
  EXPECT_TRUE(AwaitEvent(path(), [&] { return condition(Slot(index)); })) << "the slot never came to what was waited for";
  return Slot(index);
}

launch::SlotRecord RunToEnd(LauncherHost& host, const Batch& batch, const launch::LaunchRequest& request) {
  host.Send(launch::Launch{request});
  const launch::LauncherFrame answer = host.Receive();
  if (const auto* refused = std::get_if<launch::Refused>(&answer)) {
    ADD_FAILURE() << "refused: " << refused->text;
    return {};
  }
  EXPECT_EQ(std::get<launch::ShimExited>(answer).key, request.key);
  return batch.Slot(request.key.index);
}

std::string AwaitFile(const std::string& dir, const std::string& name, const std::function<bool(const std::string&)>& condition) {
  std::string content;
  EXPECT_TRUE(AwaitEvent(dir,
                         [&] {
                           auto read = base::ReadFile(AT_FDCWD, dir + "/" + name);
                           content = read.ok() ? *read : "";
                           return condition(content);
                         }))
      << dir << "/" << name << " never came; it holds: " << content;
  return content;
}

const std::string& PayloadDir() {
  // Where every account and every profile sees them: the build may lie below a closed folder or below /tmp, of which isolated jobs
  // have one of their own.
  struct Copies {
    Copies() {
      if (::geteuid() != 0) return;  // then the jobs are ours too
      folder.emplace("/srv");
      for (const auto& entry : std::filesystem::directory_iterator(JOBD_PAYLOAD_DIR)) {
        if (entry.is_regular_file())
          std::filesystem::copy_file(entry.path(), std::filesystem::path(folder->path()) / entry.path().filename());
      }
      path = folder->path();
    }
    std::optional<TempDir> folder;
    std::string path = JOBD_PAYLOAD_DIR;
  };
  static const Copies copies;
  return copies.path;
}

std::string Payload(const std::string& name) { return PayloadDir() + "/payload_" + name; }

}  // namespace jobd::process_test
