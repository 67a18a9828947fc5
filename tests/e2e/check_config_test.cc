// `jobd --check-config` and a start make the same checks: each fault that keeps jobd from starting is tried with both.
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "base/listener.h"
#include "daemon/start_checks.h"
#include "tests/e2e/harness/daemon.h"
#include "tests/support/require.h"

namespace jobd::e2e {
namespace {

namespace fs = std::filesystem;

class CheckConfigTest : public testing::Test {
 protected:
  // What make-certs.sh makes and openssl can: in a folder beside the one in use.
  std::string Shell(const std::string& script) {
    const Output done = RunCommand({{"/bin/sh", "-ec", script}, {}, {}, daemon_.folder()});
    EXPECT_EQ(done.code(), 0) << script << "\n" << done.err;
    return done.out;
  }
  Output Check(const std::vector<std::string>& flags = {}, const std::vector<std::pair<std::string, std::string>>& env = {}) {
    Command command{{Binary("jobd"), "--check-config", daemon_.ConfigFile()}, env, {}, {}};
    command.argv.insert(command.argv.end(), flags.begin(), flags.end());
    return RunCommand(command);
  }
  // Ends by itself, as nothing of it can start.
  Output StartInVain(const std::vector<std::string>& flags) {
    Command command{{Binary("jobd"), "--config", daemon_.ConfigFile()}, {}, {}, {}};
    command.argv.insert(command.argv.end(), flags.begin(), flags.end());
    return RunCommand(command, Seconds(30));
  }
  // A certificate of the authority for the server's key, with what the caller says of it.
  void Certify(const std::string& name, const std::string& extensions, const std::string& dates) {
    Shell("cd certs && printf '" + extensions +
          "' > ext && openssl req -new -key server.key -subj /CN=server -out csr 2>/dev/null && " +
          "openssl x509 -req -in csr -CA ca.crt -CAkey ca.key -set_serial 77 " + dates + " -extfile ext -out " + name +
          " 2>/dev/null");
  }

  Daemon daemon_;
};

struct Fault {
  const char* check;  // of StartChecks, or what reads the files
  std::string what;
  std::vector<std::string> flags;
  std::string said;  // by both
};

TEST_F(CheckConfigTest, FaultC14EveryCheckOfAStartIsMadeByTheCheck) {
  const bool root = ::geteuid() == 0;
  const std::string certs = daemon_.CertDir();
  Shell(
      "cd certs && openssl ecparam -name prime256v1 -genkey -noout -out other.key && : > empty.crt && printf '\\357\\273\\277' > "
      "bom.crt");
  Shell("cp certs/operator.crt certs/client.crt && cp certs/operator.key certs/client.key");
  Certify("expired.crt", "extendedKeyUsage=serverAuth\\nsubjectAltName=DNS:localhost\\n", "-days -1");
  Shell(
      "cd certs && openssl genrsa -traditional -out weak.key 512 2>/dev/null && openssl req -new -x509 -key weak.key -subj "
      "/CN=weak "
      "-addext subjectAltName=DNS:localhost -out weak.crt 2>/dev/null");
  Shell("cd certs && chmod 600 *.key && chmod 644 *.crt");
  const auto taken = base::Listen("127.0.0.1:0");
  ASSERT_TRUE(taken.ok());
  const std::vector<Fault> faults = {
      {"files", "the key is another's", {"--set", "tls.key=" + certs + "/other.key"}, "tls.key is not the key of tls.cert"},
      {"files", "an expired certificate", {"--set", "tls.cert=" + certs + "/expired.crt"}, "tls.cert has expired"},
      {"files",
       "a client's certificate",
       {"--set", "tls.cert=" + certs + "/client.crt", "--set", "tls.key=" + certs + "/client.key"},
       "is not for a server"},
      {"files", "an authority's file without one", {"--set", "tls.ca=" + certs + "/empty.crt"}, "tls.ca: it holds no certificate"},
      {"files",
       "an authority's file with a mark alone",
       {"--set", "tls.ca=" + certs + "/bom.crt"},
       "tls.ca: it holds no certificate"},
      {"files",
       "a leaf for an authority",
       {"--set", "tls.client_ca=" + certs + "/server.crt"},
       "tls.client_ca: a certificate in it is not a CA's"},
      {"files",
       "a key that is too weak",
       {"--set", "tls.cert=" + certs + "/weak.crt", "--set", "tls.key=" + certs + "/weak.key"},
       "cannot be used for TLS 1.3"},
      {"files", "no port", {"--set", "server.listen=:0"}, "server.listen must be host:port"},
      {"files", "a host name", {"--set", "server.listen=jobs.example.com:7443"}, "server.listen must be host:port"},
      {"files", "no admin", {"--set", "users.file=" + daemon_.folder() + "/nobody.toml"}, "no admin is left"},
      {"files", "an unknown profile", {"--set", "defaults.profile=stanard"}, "did you mean 'standard'?"},
      {"address", "an address in use", {"--set", "server.listen=" + taken->address}, "server.listen"},
      {"address", "an address of another machine", {"--set", "server.listen=192.0.2.1:0"}, "server.listen"},
      {"metrics address", "an address in use", {"--set", "metrics.listen=" + taken->address}, "metrics.listen"},
      {"metrics address", "a folder that is not there", {"--set", "metrics.listen=unix:/nowhere/at/all"}, "metrics.listen"},
      {"folders", "below a file", {"--set", "server.state_dir=" + daemon_.ConfigFile() + "/state"}, "/state"},
      {"folders", "where nothing can be made", {"--set", "server.log_dir=/proc/nowhere"}, "/proc"},
      {"log file", "a folder that is not there", {"--set", "log.file=/nowhere/jobd.log"}, "log.file"},
      {"log file", "a folder in its place", {"--set", "log.file=" + daemon_.folder()}, "log.file"},
      {"accounts", "a server that is root", {"--set", "server.user=root"}, "server.user"},
      // As long as it stands alone, nothing of a start can be without it: tried below.
      {"programs", "", {}, ""},
  };
  WriteFile(daemon_.folder() + "/nobody.toml", "[[user]]\nname = \"v\"\nrole = \"viewer\"\n");
  std::set<std::string> tried;
  for (const Fault& fault : faults) {
    tried.insert(fault.check);
    if (fault.flags.empty() || (!root && std::string(fault.check) == "accounts")) continue;
    const Output checked = Check(fault.flags);
    EXPECT_EQ(checked.code(), 1) << fault.what << ": " << checked.out << checked.err;
    EXPECT_NE(checked.out.find(fault.said), std::string::npos) << fault.what << ": " << checked.out << checked.err;
    EXPECT_EQ(checked.out.find("OK"), std::string::npos) << fault.what;
    const Output started = StartInVain(fault.flags);
    EXPECT_NE(started.code(), 0) << fault.what;
    EXPECT_NE(started.err.find(fault.said), std::string::npos) << fault.what << ": " << started.err;
  }
  for (const daemon::StartCheck& check : daemon::StartChecks())
    EXPECT_TRUE(tried.contains(check.name)) << check.name << " is not tried";
  EXPECT_EQ(Check().out, "OK\n") << Check().err;
}

TEST_F(CheckConfigTest, FaultC14TheConfigurationOfAServiceThatRunsIsNoFault) {
  ASSERT_TRUE(daemon_.Start()) << daemon_.log();
  const Output checked = Check({"--set", "server.listen=" + daemon_.Address()});
  EXPECT_EQ(checked.out, "OK\n") << checked.err;
  EXPECT_EQ(daemon_.Do({"run", "--", "true"}).code(), 0);
}

TEST_F(CheckConfigTest, FaultA1ALimitThatStaysKeepsAStartFromHalfWorking) {
  JOBD_REQUIRE(::geteuid() == 0, "only root can give up the right to lift limits and start jobd all the same");
  const std::vector<std::string> limited{"/usr/bin/prlimit", "--fsize=4096:4096", "/usr/bin/setpriv",
                                         "--bounding-set=-sys_resource", Binary("jobd")};
  const auto run = [&](std::vector<std::string> flags) {
    flags.insert(flags.begin(), limited.begin(), limited.end());
    return RunCommand({std::move(flags), {}, {}, {}});
  };
  const std::string said = "limit that this account may not lift: files may have 4096 bytes (ulimit -f)";
  const Output checked = run({"--check-config", daemon_.ConfigFile()});
  EXPECT_EQ(checked.code(), 1);
  EXPECT_NE(checked.out.find(said), std::string::npos) << checked.out << checked.err;
  const Output started = run({"--config", daemon_.ConfigFile()});
  EXPECT_EQ(started.code(), 1);
  EXPECT_NE(started.err.find(said), std::string::npos) << started.err;
}

TEST_F(CheckConfigTest, FaultC14WithoutTheServersProgramNothingIsOk) {
  const std::string alone = daemon_.folder() + "/bin";
  fs::create_directory(alone);
  fs::copy_file(Binary("jobd"), alone + "/jobd");
  const Output checked = RunCommand({{alone + "/jobd", "--check-config", daemon_.ConfigFile()}, {}, {}, {}});
  EXPECT_EQ(checked.code(), 1);
  EXPECT_NE(checked.out.find(alone + "/jobd-server"), std::string::npos) << checked.out << checked.err;
}

TEST_F(CheckConfigTest, FaultC17WhatWasProbablyMeantOtherwiseIsSaidAtCheckStartAndReload) {
  const std::string users = daemon_.CertDir() + "/users.toml";
  WriteFile(users, ReadFileOrEmpty(users) + "profiles = [\"strikt\"]\n");
  const Output checked = Check({}, {{"JOBD_LIMITS_MAX_RUNNNING", "3"}});
  EXPECT_EQ(checked.out, "OK\n");
  EXPECT_NE(checked.err.find("warning: "), std::string::npos) << checked.err;
  EXPECT_NE(checked.err.find("did you mean 'JOBD_LIMITS_MAX_RUNNING'?"), std::string::npos) << checked.err;
  EXPECT_NE(checked.err.find("there is no profile 'strikt' (did you mean 'strict'?)"), std::string::npos) << checked.err;
  ASSERT_TRUE(daemon_.Start()) << daemon_.log();
  EXPECT_NE(daemon_.log().find("there is no profile 'strikt'"), std::string::npos) << daemon_.log();
  EXPECT_NE(daemon_.Ok({"admin", "status"}, "admin").find("there is no profile 'strikt'"), std::string::npos);
  const Output reloaded = daemon_.Do({"admin", "reload"}, "admin");
  EXPECT_EQ(reloaded.code(), 0) << reloaded.err;
  EXPECT_NE(reloaded.err.find("there is no profile 'strikt'"), std::string::npos) << reloaded.err;
}

TEST_F(CheckConfigTest, FaultC15TheServersCertificateMayBeOfAnotherAuthority) {
  Shell(std::string(JOBD_SOURCE_DIR) + "/certs/make-certs.sh other >/dev/null 2>&1 && cp other/server.crt other/server.key certs/");
  ASSERT_TRUE(daemon_.Start()) << daemon_.log();
  EXPECT_TRUE(WaitUntil([&] { return daemon_.log().find("does not chain to tls.ca") != std::string::npos; })) << "it is warned of";
  Command mine = daemon_.Ctl({"run", "--", "true"});
  for (std::string& word : mine.argv) {
    if (word == daemon_.CertDir() + "/ca.crt") word = daemon_.folder() + "/other/ca.crt";
  }
  for (auto& [name, value] : mine.env) {
    if (value == daemon_.CertDir() + "/ca.crt") value = daemon_.folder() + "/other/ca.crt";
  }
  const Output ran = RunCommand(mine);
  EXPECT_EQ(ran.code(), 0) << ran.err;
  // Back, so that the harness can stop it.
  Shell("cp other/ca.crt theirs.crt && rm certs/server.crt certs/server.key && " + std::string(JOBD_SOURCE_DIR) +
        "/certs/make-certs.sh certs >/dev/null 2>&1");
  daemon_.Stop();
}

TEST_F(CheckConfigTest, FaultD17ACertificateForAnotherNameIsTakenByForceAlone) {
  ASSERT_TRUE(daemon_.Start()) << daemon_.log();
  const std::string good = ReadFileOrEmpty(daemon_.CertDir() + "/server.crt");
  Certify("elsewhere.crt", "extendedKeyUsage=serverAuth\\nsubjectAltName=DNS:elsewhere.example.com,IP:127.0.0.1\\n", "-days 30");
  WriteFile(daemon_.CertDir() + "/server.crt", ReadFileOrEmpty(daemon_.CertDir() + "/elsewhere.crt"));
  const Output refused = daemon_.Do({"admin", "reload"}, "admin");
  EXPECT_EQ(refused.code(), 125);
  EXPECT_NE(refused.err.find("tls.cert is not for localhost, ::1"), std::string::npos) << refused.err;
  EXPECT_NE(refused.err.find("--force"), std::string::npos) << refused.err;
  EXPECT_EQ(daemon_.Do({"run", "--", "true"}).code(), 0) << "the one before stays";
  const Output forced = daemon_.Do({"admin", "reload", "--force"}, "admin");
  EXPECT_EQ(forced.code(), 0) << forced.err;
  EXPECT_NE(forced.err.find("is not for localhost"), std::string::npos) << forced.err;
  WriteFile(daemon_.CertDir() + "/server.crt", good);
  daemon_.Ok({"admin", "reload", "--force"}, "admin");
}

TEST_F(CheckConfigTest, FaultG5AnotherJobdThatGivesOutTheSameUidsIsSaid) {
  JOBD_REQUIRE(::geteuid() == 0, "only a jobd that is root gives out some of the uids");
  // A range that no other test's has.
  const std::vector<std::string> mine{"--set", "policy.job_uid_first=2000000000", "--set", "policy.job_uid_count=1000"};
  const std::vector<std::string> upper{"--set", "policy.job_uid_first=2000000999", "--set", "policy.job_uid_count=1000"};
  const std::vector<std::string> beside{"--set", "policy.job_uid_first=2000001000", "--set", "policy.job_uid_count=1000"};
  Daemon first({"", mine});
  ASSERT_TRUE(first.Start()) << first.log();
  EXPECT_EQ(first.log().find("gives out some of the uids"), std::string::npos) << first.log();
  const std::string said =
      "whose state is in " + first.folder() + "/state, gives out some of the uids 2000000999 to 2000001998 as well";
  const Output checked = Check(upper);
  EXPECT_EQ(checked.out, "OK\n");
  EXPECT_NE(checked.err.find(said), std::string::npos) << checked.err;
  EXPECT_EQ(Check(beside).err.find("gives out some of the uids"), std::string::npos);
  {
    Daemon second({"", upper});
    ASSERT_TRUE(second.Start()) << second.log();
    EXPECT_NE(second.log().find(said), std::string::npos) << second.log();
    EXPECT_EQ(second.Do({"run", "--", "true"}).code(), 0) << "it is said and no more";
  }
  // Its own is no other's, whether it runs or was killed.
  const Output own =
      RunCommand({{Binary("jobd"), "--check-config", first.ConfigFile(), mine[0], mine[1], mine[2], mine[3]}, {}, {}, {}});
  EXPECT_EQ(own.err.find("gives out some of the uids"), std::string::npos) << own.err;
  first.KillLauncher();
  EXPECT_EQ(Check(upper).err.find("gives out some of the uids"), std::string::npos);
  ASSERT_TRUE(first.Start()) << first.log();
  EXPECT_EQ(first.log().find("gives out some of the uids"), std::string::npos) << first.log();
}

TEST_F(CheckConfigTest, FaultC18AStopIsSaidAtTheNextStart) {
  ASSERT_TRUE(daemon_.Start()) << daemon_.log();
  daemon_.Ok({"admin", "stop"}, "admin");
  daemon_.Stop();
  ASSERT_TRUE(daemon_.Start()) << daemon_.log();
  EXPECT_TRUE(WaitUntil([&] { return daemon_.log().find("the service is stopped by admin since 20") != std::string::npos; }))
      << daemon_.log();
  const Output status = daemon_.Do({"admin", "status"}, "admin");
  EXPECT_EQ(status.code(), 3);
  EXPECT_NE(status.out.find("STOPPED by admin since"), std::string::npos) << status.out;
  daemon_.Ok({"admin", "start"}, "admin");
}

}  // namespace
}  // namespace jobd::e2e
