// `jobd user …`, which needs no service: the real program on a users file of the test's own.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "auth/password.h"
#include "config/users.h"
#include "tests/e2e/harness/process.h"
#include "tests/support/require.h"
#include "tests/support/temp_dir.h"

namespace jobd::e2e {
namespace {

constexpr const char* kUsers = R"(# Ours.
[[user]]
name = "boss"   # of all
role = "admin"

# Of the ops.
[[user]]
name = "ops"
role = "operator"
)";

class UserCommand : public testing::Test {
 protected:
  UserCommand() {
    // The certificates are not there: this must work when nothing else does.
    std::ofstream(temp_ / "jobd.toml")
        << "[tls]\nca = \"ca.crt\"\ncert = \"s.crt\"\nkey = \"s.key\"\n[users]\nfile = \"users.toml\"\n";
    std::ofstream(temp_ / "users.toml") << kUsers;
    ::chmod(Path().c_str(), 0640);
  }
  std::string Path() const { return temp_ / "users.toml"; }
  std::string Text() const {
    std::ifstream file(Path());
    return {std::istreambuf_iterator<char>(file), {}};
  }
  config::Users Users() const {
    auto users = config::Users::Parse("users.toml", Text());
    EXPECT_TRUE(users.ok()) << Text();
    return std::move(*users);
  }
  Command Asked(std::vector<std::string> arguments, const std::string& input = "") const {
    std::vector<std::string> argv = {std::string(JOBD_BIN_DIR) + "/jobd", "user"};
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    argv.insert(argv.end(), {"--config", temp_ / "jobd.toml"});
    return {.argv = argv, .env = {}, .input = input, .directory = {}};
  }
  Output Run(std::vector<std::string> arguments, const std::string& input = "") const {
    return RunCommand(Asked(std::move(arguments), input));
  }
  static bool IsPasswordOf(const config::User& user, const std::string& password) {
    const auto hasher = auth::PasswordHasher::Create({});
    const auto right = (*hasher)->Verify(user.password, password);
    return right.ok() && *right;
  }

  test::TempDir temp_;
};

TEST_F(UserCommand, RefusalsHaveTheirCodesAndChangeNothing) {
  EXPECT_EQ(Run({}).code(), 2);
  EXPECT_EQ(Run({"promote", "ops"}).code(), 2);
  EXPECT_EQ(Run({"rm"}).code(), 2);
  EXPECT_EQ(Run({"add", "new", "--role", "root"}).code(), 2);
  EXPECT_EQ(Run({"passwd", "ops", "--password", "secret"}).code(), 2);
  for (const char* verb : {"rm", "passwd", "disable", "enable"}) {
    const Output none = Run({verb, "nobody"}, "correct horse\n");
    EXPECT_EQ(none.code(), 3) << verb;
    EXPECT_EQ(none.err, "jobd: there is no user 'nobody' in " + Path() + "\n");
  }
  EXPECT_EQ(Run({"add", "ops"}).code(), 125);
  EXPECT_EQ(Run({"add", "../x"}).code(), 125);
  const Output last = Run({"disable", "boss"});
  EXPECT_EQ(last.code(), 125);
  EXPECT_NE(last.err.find("no enabled admin would be left"), std::string::npos);
  EXPECT_EQ(Run({"passwd", "ops"}, "short\n").err, "jobd: a password has at least 8 characters\n");
  EXPECT_EQ(Run({"passwd", "ops"}, "").code(), 125);
  EXPECT_EQ(Run({"passwd", "ops"}, std::string(1 << 20, 'x')).code(), 125);
  EXPECT_EQ(Text(), kUsers);
  std::filesystem::remove(temp_ / "jobd.toml");
  EXPECT_EQ(Run({"list"}).code(), 125);
}

TEST_F(UserCommand, AUsersLife) {
  const Output added = Run({"add", "eve", "--role", "viewer"}, "correct horse\nnot this line\n");
  EXPECT_EQ(added.code(), 0) << added.err;
  EXPECT_EQ(added.err, "added eve, viewer, with a password\n");
  EXPECT_TRUE(Text().starts_with(std::string(kUsers) +
                                 "\n[[user]]\nname = \"eve\"\nrole = \"viewer\"\npassword = \"$argon2id$v=19$m=65536,t=2,p=1$"));
  EXPECT_TRUE(IsPasswordOf(*Users().Find("eve"), "correct horse"));

  EXPECT_EQ(Run({"passwd", "eve"}, "battery staple").code(), 0);
  EXPECT_TRUE(IsPasswordOf(*Users().Find("eve"), "battery staple"));
  EXPECT_FALSE(IsPasswordOf(*Users().Find("eve"), "correct horse"));

  EXPECT_EQ(Run({"disable", "eve"}).code(), 0);
  EXPECT_TRUE(Users().Find("eve")->disabled);
  EXPECT_EQ(Run({"disable", "eve"}).code(), 0);
  EXPECT_EQ(Run({"list"}).out,
            "NAME  ROLE      STATE     PASSWORD\n"
            "boss  admin     enabled   no\n"
            "eve   viewer    disabled  yes\n"
            "ops   operator  enabled   no\n");
  EXPECT_EQ(Run({"enable", "eve"}).code(), 0);
  EXPECT_FALSE(Users().Find("eve")->disabled);

  EXPECT_EQ(Run({"rm", "eve"}).code(), 0);
  EXPECT_EQ(Text(), kUsers);
}

TEST_F(UserCommand, WithoutAPasswordTheCertificateIsTheOnlyWayIn) {
  EXPECT_EQ(Run({"add", "a"}).err, "added a, operator, without a password\n");
  EXPECT_EQ(Run({"add", "b", "--no-password"}, "a line of somebody else's\n").code(), 0);
  EXPECT_EQ(Users().Find("a")->password, "");
  EXPECT_EQ(Users().Find("b")->password, "");
}

TEST_F(UserCommand, ModeOwnerAndLinkStay) {
  std::filesystem::create_directory(temp_ / "real");
  std::filesystem::rename(Path(), temp_ / "real/people.toml");
  std::filesystem::create_symlink("real/people.toml", Path());
  const bool root = ::geteuid() == 0;
  if (root) {
    ASSERT_EQ(::chown((temp_ / "real/people.toml").c_str(), 0, 54321), 0);
  }
  const Output added = Run({"add", "a"});
  EXPECT_EQ(added.code(), 0) << added.err;
  EXPECT_TRUE(std::filesystem::is_symlink(Path()));
  struct stat about {};
  ASSERT_EQ(::stat(Path().c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 07777, 0640u);
  if (root) {
    EXPECT_EQ(about.st_gid, 54321u);
  }
  // Nothing is left beside it but the lock.
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(temp_ / "real")) files.push_back(entry.path().filename());
  std::sort(files.begin(), files.end());
  EXPECT_EQ(files, (std::vector<std::string>{".people.toml.lock", "people.toml"}));
}

TEST_F(UserCommand, WhereOthersCanWriteNothingIsTrusted) {
  ::chmod(Path().c_str(), 0666);
  EXPECT_EQ(Run({"add", "a"}).code(), 4);
  ::chmod(Path().c_str(), 0640);
  ::chmod(temp_.path().c_str(), 0777);
  EXPECT_EQ(Run({"add", "a"}).code(), 4);
  ::chmod(temp_.path().c_str(), 0755);
  EXPECT_EQ(Text(), kUsers);
}

TEST_F(UserCommand, ManyAtOnceAllCount) {
  std::vector<Process> all;
  for (int i = 0; i < 20; ++i) all.emplace_back(Asked({"add", "u" + std::to_string(i), "--no-password"}));
  for (Process& process : all) EXPECT_EQ(process.Finish().code(), 0);
  EXPECT_EQ(Users().all().size(), 22u);
}

// Killed at every system call that changes something: the old file or the new one, and the next command goes on.
TEST_F(UserCommand, AKillLeavesTheOldOrTheNewFile) {
  JOBD_REQUIRE(std::filesystem::exists("/usr/bin/strace"), "needs strace");
  const Command once = Asked({"disable", "ops"});
  int kills = 0;
  for (const std::string call : {"flock", "unlinkat", "openat", "fchmod", "write", "fsync", "renameat"}) {
    for (int when = 1; when <= 3; ++when) {
      std::ofstream(Path(), std::ios::trunc) << kUsers;
      Command killed = once;
      const std::string inject = "inject=" + call + ":signal=KILL:when=" + std::to_string(when);
      killed.argv.insert(killed.argv.begin(),
                         {"/usr/bin/strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=" + call, "-e", inject});
      kills += RunCommand(killed).code() == 128 + SIGKILL ? 1 : 0;
      const bool old = Text() == kUsers;
      EXPECT_TRUE(old || Users().Find("ops")->disabled) << call << when << Text();
      EXPECT_EQ(RunCommand(once).code(), 0);
      EXPECT_TRUE(Users().Find("ops")->disabled);
    }
  }
  EXPECT_GE(kills, 10);
}

// The master end of a terminal: what is typed on it, and what it shows.
class Typist {
 public:
  Typist() : master_(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)) {
    if (master_ && ::grantpt(master_.get()) == 0 && ::unlockpt(master_.get()) == 0) name_ = ::ptsname(master_.get());
    // Held open, or what was set on it would be gone between two programs.
    if (ok()) slave_ = base::Fd(::open(name_.c_str(), O_RDWR | O_NOCTTY | O_CLOEXEC));
  }
  bool ok() const { return !name_.empty(); }
  const std::string& name() const { return name_; }
  void Type(const std::string& text) {
    EXPECT_EQ(::write(master_.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  std::string Shown() {
    std::array<char, 4096> bytes;
    ::fcntl(master_.get(), F_SETFL, O_NONBLOCK);
    for (ssize_t got = 0; (got = ::read(master_.get(), bytes.data(), bytes.size())) > 0;) {
      shown_.append(bytes.data(), static_cast<size_t>(got));
    }
    return shown_;
  }

 private:
  base::Fd master_;
  base::Fd slave_;
  std::string name_;
  std::string shown_;
};

TEST_F(UserCommand, OnATerminalItAsksTwiceAndShowsNothing) {
  Typist typist;
  JOBD_REQUIRE(typist.ok(), "needs pseudo-terminals");
  const auto start = [&](const std::string& arguments) {
    return Process({.argv = {"/bin/sh", "-c",
                             "exec " + std::string(JOBD_BIN_DIR) + "/jobd user " + arguments + " --config " +
                                 (temp_ / "jobd.toml").string() + " <" + typist.name()},
                    .env = {},
                    .input = {},
                    .directory = {}});
  };
  {
    Process process = start("passwd ops");
    ASSERT_TRUE(process.WaitForError("Password for ops: "));
    typist.Type("correct horse\n");
    ASSERT_TRUE(process.WaitForError("Once more: "));
    typist.Type("correct hors\n");
    const Output output = process.Finish();
    EXPECT_EQ(output.code(), 125);
    EXPECT_NE(output.err.find("the two passwords differ"), std::string::npos);
    EXPECT_EQ(Text(), kUsers);
  }
  {
    Process process = start("passwd ops");
    ASSERT_TRUE(process.WaitForError("Password for ops: "));
    typist.Type("correct horse\n");
    ASSERT_TRUE(process.WaitForError("Once more: "));
    typist.Type("correct horse\n");
    EXPECT_EQ(process.Finish().code(), 0);
    EXPECT_TRUE(IsPasswordOf(*Users().Find("ops"), "correct horse"));
  }
  {
    Process process = start("add eve");
    ASSERT_TRUE(process.WaitForError("certificate only): "));
    typist.Type("\n");
    EXPECT_EQ(process.Finish().code(), 0);
    EXPECT_EQ(Users().Find("eve")->password, "");
  }
  EXPECT_EQ(typist.Shown().find("horse"), std::string::npos) << typist.Shown();
  {
    // A signal ends it, and the terminal shows again what is typed.
    Process process = start("passwd ops");
    ASSERT_TRUE(process.WaitForError("Password for ops: "));
    process.Signal(SIGINT);
    EXPECT_EQ(process.Finish().code(), 128 + SIGINT);
    typist.Type("seen");
    EXPECT_TRUE(WaitUntil([&] { return typist.Shown().find("seen") != std::string::npos; }));
  }
}

}  // namespace
}  // namespace jobd::e2e
