// Logging in through a host's certificate, as people do it: jobctl login, a token that renews itself, and every way for it to end.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "tests/e2e/harness/suite.h"

namespace jobd::e2e {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr const char* kPassword = "correct horse battery";

// A daemon with a host, two people with passwords, and tokens that live for 9 seconds: jobctl renews them after 6.
class LoginTest : public testing::Test {
 protected:
  void SetUp() override {
    const std::string make = std::string(JOBD_SOURCE_DIR) + "/certs/make-certs.sh";
    Sh(make + " " + daemon_.CertDir() + " host web");
    std::ofstream(daemon_.CertDir() + "/users.toml", std::ios::app) << "\n[[host]]\nname = \"web\"\nmax_role = \"operator\"\n";
    for (const char* user : {"operator", "operator2", "admin"}) SetPassword(user, kPassword);
    ASSERT_TRUE(daemon_.Start()) << daemon_.log();
  }

  static Output Sh(const std::string& script) { return RunCommand({{"/bin/sh", "-c", script}, {}, {}, "/"}); }
  void SetPassword(const std::string& user, const std::string& password) {
    const Output set =
        RunCommand({{Binary("jobd"), "user", "passwd", user, "--config", daemon_.ConfigFile()}, {}, password + "\n", "/"});
    ASSERT_EQ(set.code(), 0) << set.err;
  }
  std::string TokenFile() const { return daemon_.folder() + "/token"; }
  // jobctl with the host's certificate and the token file of the test.
  Command Web(std::vector<std::string> args, const std::string& input = "") const {
    args.insert(args.begin(), {"--token-file", TokenFile()});
    return daemon_.Ctl(std::move(args), "web", input);
  }
  Output Do(std::vector<std::string> args, const std::string& input = "") const { return RunCommand(Web(std::move(args), input)); }
  Output Login(const std::string& user = "operator", const std::string& password = kPassword) const {
    return Do({"login", user, "--password-stdin"}, password + "\n");
  }
  Json WhoAmI() const {
    const Output who = Do({"--json", "whoami"});
    EXPECT_EQ(who.code(), 0) << who.err;
    return who.code() == 0 ? Json::parse(who.out) : Json();
  }

  Daemon daemon_{{.config = "[auth]\ntoken_ttl = \"9s\"\n"}};
};

TEST_F(LoginTest, AHostsCertificateAloneDoesNothing) {
  const Output list = daemon_.Do({"list"}, "web");
  EXPECT_EQ(list.code(), 4);
  EXPECT_NE(list.err.find("this needs an access token"), std::string::npos) << list.err;
  const Output wrong = Login("operator", "a wrong password");
  EXPECT_EQ(wrong.code(), 4);
  EXPECT_NE(wrong.err.find("wrong user name or password"), std::string::npos) << wrong.err;
  EXPECT_EQ(Login("nobody", "a wrong password").err, wrong.err);
  EXPECT_FALSE(fs::exists(TokenFile()));
}

TEST_F(LoginTest, NoPasswordComesByTheCommandLine) {
  for (const std::vector<std::string>& args :
       std::vector<std::vector<std::string>>{{"login", "operator", "--password", kPassword}, {"login", "operator", kPassword}}) {
    EXPECT_EQ(Do(args).code(), 2);
  }
  EXPECT_EQ(Do({"login", "operator"}, "").code(), 2) << "an empty one is none";
}

TEST_F(LoginTest, LoginWhoamiRunAndLogout) {
  const Output login = Login();
  ASSERT_EQ(login.code(), 0) << login.err;
  EXPECT_EQ(login.out, "");
  struct stat about {};
  ASSERT_EQ(::stat(TokenFile().c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 0777, 0600u);
  EXPECT_EQ(login.err.find("jobd_"), std::string::npos) << "the token is shown to nobody";
  const Json who = WhoAmI();
  EXPECT_EQ(who["name"], "operator");
  EXPECT_EQ(who["role"], "operator");
  EXPECT_EQ(who["max_role"], "operator");
  EXPECT_EQ(who["caller"], "host");
  EXPECT_EQ(who["host"], "web");
  EXPECT_EQ(who["x5t#S256"].get<std::string>().size(), 43u);
  for (const char* key : {"session", "auth_time", "expires_at", "certificate_expires_at", "grants", "limits", "quota", "use"}) {
    EXPECT_TRUE(who.contains(key)) << key;
  }
  const Output text = Do({"whoami"});
  EXPECT_NE(text.out.find("operator (operator)\n"), std::string::npos) << text.out;
  EXPECT_NE(text.out.find("of the host web, at most operator"), std::string::npos) << text.out;
  EXPECT_EQ(Do({"run", "--", "echo", "hello"}).out, "hello\n");
  EXPECT_EQ(Do({"admin", "stop"}).code(), 4);
  const std::string token = Json::parse(ReadFileOrEmpty(TokenFile()))["access_token"];
  EXPECT_EQ(Do({"logout"}).code(), 0);
  EXPECT_FALSE(fs::exists(TokenFile()));
  WriteFile(TokenFile(), token);
  ASSERT_EQ(::chmod(TokenFile().c_str(), 0600), 0);
  EXPECT_EQ(Do({"list"}).code(), 4) << "the token that was kept elsewhere has ended";
}

TEST_F(LoginTest, AnAdminThroughAHostIsWhatTheHostMayBe) {
  ASSERT_EQ(Login("admin").code(), 0);
  EXPECT_EQ(WhoAmI()["role"], "operator");
  EXPECT_EQ(Do({"admin", "stop"}).code(), 4);
}

TEST_F(LoginTest, ATokenFileIsTakenFromNobodyElse) {
  ASSERT_EQ(Login().code(), 0);
  ASSERT_EQ(::chmod(TokenFile().c_str(), 0644), 0);
  const Output loose = Do({"list"});
  EXPECT_EQ(loose.code(), 125);
  EXPECT_NE(loose.err.find("chmod 600"), std::string::npos) << loose.err;
  ASSERT_EQ(::chmod(TokenFile().c_str(), 0600), 0);
  fs::rename(TokenFile(), TokenFile() + ".real");
  fs::create_symlink(TokenFile() + ".real", TokenFile());
  EXPECT_EQ(Do({"list"}).code(), 125) << "through a link";
  fs::remove(TokenFile());
  fs::rename(TokenFile() + ".real", TokenFile());
  // With another certificate it is not even sent.
  std::vector<std::string> args = {"--token-file", TokenFile(), "list"};
  const Output other = daemon_.Do(args, "operator");
  EXPECT_EQ(other.code(), 125);
  EXPECT_NE(other.err.find("with another certificate"), std::string::npos) << other.err;
}

TEST_F(LoginTest, AFileThatHoldsNoTokenIsNeitherPassedOverNorSentNorReplaced) {
  const std::string junk = daemon_.folder() + "/junk";
  for (const std::string& text : {std::string("hunter2\n"), std::string("{\"access_token\": \"hunter2\"}"), std::string("\n")}) {
    WriteFile(junk, text);
    ASSERT_EQ(::chmod(junk.c_str(), 0600), 0);
    // A certificate that by itself would do makes no difference.
    for (const std::vector<std::string>& verb :
         std::vector<std::vector<std::string>>{{"list"}, {"whoami"}, {"run", "true"}, {"logout"}, {"login", "operator"}}) {
      std::vector<std::string> args = {"--token-file", junk};
      args.insert(args.end(), verb.begin(), verb.end());
      const Output output = daemon_.Do(args, "operator");
      EXPECT_EQ(output.code(), 125) << verb[0];
      EXPECT_NE(output.err.find(junk + " holds no access token"), std::string::npos) << output.err;
      EXPECT_EQ(output.err.find("hunter2"), std::string::npos) << output.err;
    }
    EXPECT_EQ(ReadFileOrEmpty(junk), text);
  }
  EXPECT_EQ(daemon_.Do({"--token-file", junk + "-that-is-not-there", "list"}, "operator").code(), 125);
}

TEST_F(LoginTest, ATokenIsWorthNothingWithAnotherCertificate) {
  ASSERT_EQ(Login("operator2").code(), 0);
  const std::string bare = daemon_.folder() + "/bare";
  WriteFile(bare, Json::parse(ReadFileOrEmpty(TokenFile()))["access_token"].get<std::string>() + "\n");
  ASSERT_EQ(::chmod(bare.c_str(), 0600), 0);
  EXPECT_EQ(daemon_.Do({"--token-file", bare, "list"}, "web").code(), 0);
  for (const char* user : {"operator", "operator2", "admin"}) {
    EXPECT_EQ(daemon_.Do({"--token-file", bare, "list"}, user).code(), 4) << user;
  }
}

TEST_F(LoginTest, AnAttachedRunOutlivesItsTokens) {
  ASSERT_EQ(Login().code(), 0);
  // Three times as long as a token lives.
  Process run(Web({"run", "--", "sh", "-c", "for i in 1 2 3 4 5 6 7 8 9; do echo $i; sleep 3; done"}));
  const Output output = run.Finish();
  EXPECT_EQ(output.code(), 0) << output.err;
  EXPECT_EQ(output.out, "1\n2\n3\n4\n5\n6\n7\n8\n9\n");
  EXPECT_EQ(WhoAmI()["name"], "operator") << "and so does the login";
}

TEST_F(LoginTest, AStreamEndsWithItsSession) {
  const std::string id = daemon_.Ok({"run", "-d", "--", "sleep", "1000"});
  for (const char* how : {"logout", "end", "password"}) {
    ASSERT_EQ(Login().code(), 0);
    Process follower(Web({"logs", "-f", id}));
    const Json sessions = Json::parse(daemon_.Ok({"--json", "admin", "sessions", "list", "--user", "operator"}, "admin"));
    ASSERT_EQ(sessions.size(), 1u) << sessions;
    if (std::string(how) == "logout") {
      // By its token; the follower's file stays as it was.
      EXPECT_EQ(Do({"logout"}).code(), 0);
    } else if (std::string(how) == "end") {
      EXPECT_EQ(daemon_.Ok({"admin", "sessions", "end", sessions[0]["session"]}, "admin"), "1 session ended");
    } else {
      SetPassword("operator", "another one entirely");
      daemon_.Ok({"admin", "reload"}, "admin");
    }
    EXPECT_EQ(follower.Finish(Seconds(30)).code(), 4) << how;
    EXPECT_EQ(Do({"list"}).code() == 0, false) << how;
  }
  daemon_.Ok({"cancel", "-t", "1s", id});
}

TEST_F(LoginTest, ASessionSurvivesTheServer) {
  ASSERT_EQ(Login().code(), 0);
  const std::string session = WhoAmI()["session"];
  daemon_.KillServer();
  EXPECT_EQ(WhoAmI()["session"], session);
}

TEST_F(LoginTest, ManyLoginsAtOnceAreBoundedAndKeepNobodyWaiting) {
  const auto memory = [&] {
    long kb = 0;
    std::ifstream status("/proc/" + std::to_string(daemon_.ServerPid()) + "/status");
    for (std::string line; std::getline(status, line);) {
      if (line.starts_with("VmHWM:")) kb = std::stol(line.substr(6));
    }
    return kb;
  };
  const long before = memory();
  // jobctl's own start is most of what these cost.
  const Output flood = RunCommand({{"/bin/sh", "-c",
                                    "for i in $(seq 60); do echo wrong-$i | '" + Binary("jobctl") +
                                        "' login user-$i --password-stdin 2>/dev/null & done; wait"},
                                   daemon_.Ctl({}, "web").env,
                                   "",
                                   "/"});
  EXPECT_EQ(flood.code(), 0);
  EXPECT_LT(memory() - before, 4 * 64 * 1024 + 100 * 1024) << "kB";
  EXPECT_EQ(Login().code(), 0);
}

TEST_F(LoginTest, NothingThatJobdWroteHoldsASecret) {
  ASSERT_EQ(Login("operator").code(), 0);
  (void)Login("operator", "a-wrong-secret-word");
  const std::string token = Json::parse(ReadFileOrEmpty(TokenFile()))["access_token"];
  (void)Do({"list"});
  daemon_.Stop();
  for (const std::string& secret : {token, std::string(kPassword), std::string("a-wrong-secret-word")}) {
    EXPECT_EQ(daemon_.log().find(secret), std::string::npos);
    const Output found = Sh("grep -rlF -- '" + secret + "' " + daemon_.folder() + "/state " + daemon_.LogDir());
    EXPECT_EQ(found.out, "") << secret;
  }
}

// A client's first minute: its administrator has handed it three files.
TEST_F(LoginTest, ContextsAreAddedAndRemovedAndEachHasItsLogin) {
  const std::string home = daemon_.folder() + "/home";
  fs::create_directories(home);
  const auto at_home = [&](const std::vector<std::string>& args, const std::string& input = "") {
    Command command{{Binary("jobctl")}, {{"HOME", home}}, input, home};
    command.argv.insert(command.argv.end(), args.begin(), args.end());
    return RunCommand(command);
  };
  const auto add = [&](const std::string& name, const std::string& who) {
    return at_home({"context", "add", name, "--address", daemon_.Address(), "--ca", daemon_.CertDir() + "/ca.crt", "--cert",
                    daemon_.CertDir() + "/" + who + ".crt", "--key", daemon_.CertDir() + "/" + who + ".key"});
  };
  EXPECT_EQ(at_home({"context", "add", "half", "--address", "x:1"}).code(), 2);
  EXPECT_EQ(at_home({"context", "add", "../x"}).code(), 2);
  Output added = add("shop", "web");
  ASSERT_EQ(added.code(), 0) << added.err;
  ASSERT_EQ(add("me", "operator").code(), 0);
  EXPECT_EQ(add("shop", "operator").code(), 2) << "another one of that name";
  EXPECT_EQ(add("shop", "web").code(), 2) << "or the same again";
  EXPECT_EQ(at_home({"context", "list", "-o", "name"}).out, "me\nshop\n");
  EXPECT_EQ(at_home({"context", "show", "-o", "name"}).out, "shop\n") << "the first is the current one";
  ASSERT_EQ(at_home({"login", "operator2", "--password-stdin"}, std::string(kPassword) + "\n").code(), 0);
  EXPECT_EQ(at_home({"whoami", "-o", "name"}).out, "operator2\n");
  EXPECT_EQ(at_home({"--context", "me", "whoami", "-o", "name"}).out, "operator\n") << "whose login is another";
  struct stat about {};
  ASSERT_EQ(::stat((home + "/.config/jobctl/tokens").c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 0777, 0700u);
  EXPECT_EQ(at_home({"context", "rm", "shop"}).code(), 0);
  EXPECT_FALSE(fs::exists(home + "/.config/jobctl/tokens/shop"));
  EXPECT_EQ(at_home({"context", "list", "-o", "name"}).out, "me\n");
  EXPECT_EQ(at_home({"context", "rm", "shop"}).code(), 2);
}

}  // namespace
}  // namespace jobd::e2e
