#include "config/config.h"

#include <gtest/gtest.h>

#include <map>
#include <vector>

#include "config/setting.h"

namespace jobd::config {
namespace {

constexpr std::string_view kComplete = R"([server]
listen = "127.0.0.1:0"
state_dir = "state"
[tls]
ca = "/c/ca.crt"
cert = "server.crt"
key = "server.key"
[users]
file = "users.toml"
)";

std::string ErrorOf(std::string_view text, const Overrides& overrides = {}) {
  const auto loaded = Load("/etc/jobd/jobd.toml", text, overrides);
  return loaded.ok() ? "OK" : loaded.error().message();
}

std::string With(std::string_view more) { return std::string(kComplete) + std::string(more); }

TEST(Load, NamesFileLineAndKeyOfWhatIsWrong) {
  EXPECT_EQ(ErrorOf(With("[limits]\nmax_runing = 2\n")),
            "/etc/jobd/jobd.toml:11: unknown setting 'limits.max_runing' (did you mean 'limits.max_running'?)");
  EXPECT_EQ(ErrorOf(With("[limits]\nmax_running = -1\n")),
            "/etc/jobd/jobd.toml:11: limits.max_running: must be a number from 0 to 100000");
  EXPECT_EQ(ErrorOf(With("[limits]\nmax_running = [1]\n")),
            "/etc/jobd/jobd.toml:11: limits.max_running must be a text or a number");
  EXPECT_EQ(ErrorOf(With("[log]\nlevel = \"loud\"\n")),
            "/etc/jobd/jobd.toml:11: log.level: must be one of: trace, debug, info, warn, error");
  EXPECT_EQ(ErrorOf("top = 1\n"), "/etc/jobd/jobd.toml:1: 'top' must stand in a [section]");
  EXPECT_TRUE(ErrorOf(With("[log\n")).starts_with("/etc/jobd/jobd.toml:10: ")) << ErrorOf(With("[log\n"));
}

TEST(Load, AsksForWhatItCannotDoWithout) {
  EXPECT_EQ(ErrorOf(""), "/etc/jobd/jobd.toml: tls.ca is missing");
  EXPECT_EQ(ErrorOf(With(""), {{}, {"server.listen=nonsense"}}),
            "/etc/jobd/jobd.toml: server.listen must be host:port, as in 127.0.0.1:7443, and not 'nonsense': a host in numbers, or "
            "localhost");
}

TEST(Load, FaultC14AnAddressThatCannotBeListenedOnIsRefused) {
  for (const char* where : {":0", "", "7443", "example.com:7443", "127.0.0.1", "127.0.0.1:", "127.0.0.1:99999", "127.0.0.1:http",
                            "[::1:7443", "127.0.0.1:-1", " 127.0.0.1:7443", "*:7443"}) {
    EXPECT_NE(ErrorOf(With(""), {{}, {"server.listen=" + std::string(where)}}).find("server.listen must be host:port"),
              std::string::npos)
        << where;
  }
  for (const char* where : {"127.0.0.1:0", "0.0.0.0:7443", "[::1]:7443", "[::]:0", "localhost:7443"}) {
    EXPECT_EQ(ErrorOf(With(""), {{}, {"server.listen=" + std::string(where)}}), "OK") << where;
  }
}

TEST(Load, FaultC15TheAuthorityOfClientsMayBeAnother) {
  std::string text(kComplete);
  text.replace(text.find("ca = "), 5, "client_ca = \"clients.crt\"\nca = ");
  const auto both = Load("/etc/jobd/jobd.toml", text, {});
  ASSERT_TRUE(both.ok()) << both.error().message();
  EXPECT_EQ(both->config.tls_client_ca, "/etc/jobd/clients.crt");
  text.replace(text.find("ca = \"/c/ca.crt\""), 16, "");
  EXPECT_EQ(ErrorOf(text), "OK") << "clients' authority alone will do";
}

TEST(Load, FaultC17MisspeltVariablesAreWarnedOf) {
  const Overrides overrides{{{"JOBD_LIMITS_MAX_RUNNNING", "3"},
                             {"JOBD_NOTHING_OF_OURS", "x"},
                             {"JOBD_SERVER_LISTEN", "127.0.0.1:0"},
                             {"JOBD_JOB_ID", "of a job that started us"},
                             {"JOBD_TEST_STRICT", "1"},
                             {"PATH", "/bin"}},
                            {}};
  const auto loaded = Load("/f", kComplete, overrides);
  ASSERT_TRUE(loaded.ok()) << loaded.error().message();
  ASSERT_EQ(loaded->warnings.size(), 2u);
  EXPECT_NE(loaded->warnings[0].find("JOBD_LIMITS_MAX_RUNNNING"), std::string::npos);
  EXPECT_NE(loaded->warnings[0].find("did you mean 'JOBD_LIMITS_MAX_RUNNING'?"), std::string::npos);
  EXPECT_EQ(loaded->warnings[1], "the environment's JOBD_NOTHING_OF_OURS is no setting, and has no effect");
}

TEST(Load, FaultC17AnAgeThatDeletesNeedsAUnit) {
  for (const char* age : {"7", "\"7\"", "\"1d12\"", "0.5"}) {
    const std::string error = ErrorOf(With("[retention]\nmax_age = " + std::string(age) + "\n"));
    EXPECT_NE(error, "OK") << age;
  }
  EXPECT_NE(ErrorOf(With("[retention]\nmax_age = 7\n")).find("retention.max_age: '7' needs a unit"), std::string::npos);
  EXPECT_NE(ErrorOf(With("[retention]\nmax_age = 7\n")).find("7d for days"), std::string::npos);
  EXPECT_NE(ErrorOf(With(""), {{{"JOBD_RETENTION_MAX_AGE", "7"}}, {}}).find("needs a unit"), std::string::npos);
  EXPECT_NE(ErrorOf(With(""), {{}, {"retention.max_age=30"}}).find("needs a unit"), std::string::npos);
  for (const char* age : {"0", "\"0\"", "\"0d\"", "\"7d\"", "\"1.5h\"", "\"36h30m\"", "\"7D\""}) {
    EXPECT_EQ(ErrorOf(With("[retention]\nmax_age = " + std::string(age) + "\n")), "OK") << age;
  }
  EXPECT_EQ(ErrorOf(With("[retention]\ncompress_after = 60\n[defaults]\ntimeout = 60\n")), "OK") << "these delete nothing";
}

// What an editor of another system leaves, and what is no text at all.
TEST(Load, MarksAndLineEndsOfOtherSystemsAreRead) {
  std::string text = "\xEF\xBB\xBF" + std::string(kComplete);
  for (size_t at = 0; (at = text.find('\n', at)) != std::string::npos; at += 2) text.replace(at, 1, "\r\n");
  const auto loaded = Load("/f", text, {});
  ASSERT_TRUE(loaded.ok()) << loaded.error().message();
  EXPECT_EQ(loaded->config.tls_cert, "/server.crt");
  for (const std::string& bad : {std::string("\xFF\xFE[\0s\0", 6), std::string("[log]\nfile = \"\xC3\x28\"\n"),
                                 std::string("[log]\nfile = \"a\0b\"\n", 20), std::string("[log]\nfile = \"a\\u0000b\"\n")}) {
    EXPECT_NE(ErrorOf(With(bad)), "OK");
  }
}

TEST(Load, RefusesMetricsForAnybodyButThisMachine) {
  for (const char* where : {"0.0.0.0:9464", "10.0.0.1:9464", "[::]:9464", "[::ffff:127.0.0.1]:1", "localhost:9464", "9464",
                            "127.0.0.1", "127.0.0.1:x", "127.0.0.1.evil:9464", "unix:relative", "unix:"}) {
    EXPECT_TRUE(ErrorOf(With(""), {{}, {"metrics.listen=" + std::string(where)}}).find("for this machine alone") !=
                std::string::npos)
        << where;
  }
  for (const char* where : {"", "127.0.0.1:9464", "127.1.2.3:0", "[::1]:9464", "unix:/run/jobd/metrics.sock"}) {
    EXPECT_EQ(ErrorOf(With(""), {{}, {"metrics.listen=" + std::string(where)}}), "OK") << where;
  }
}

TEST(Load, TakesRelativePathsFromTheFilesFolder) {
  const auto loaded = Load("/etc/jobd/jobd.toml", kComplete, {});
  ASSERT_TRUE(loaded.ok());
  EXPECT_EQ(loaded->config.state_dir, "/etc/jobd/state");
  EXPECT_EQ(loaded->config.tls_ca, "/c/ca.crt");
  EXPECT_EQ(loaded->config.users_file, "/etc/jobd/users.toml");
}

TEST(Load, FlagsWinOverTheEnvironmentOverTheFile) {
  const std::string text = With("[limits]\nmax_running = 1\nmax_queued = 10\nmax_batch_jobs = 100\n");
  const Overrides overrides{{{"JOBD_LIMITS_MAX_QUEUED", "20"}, {"JOBD_LIMITS_MAX_BATCH_JOBS", "200"}, {"PATH", "/bin"}},
                            {"limits.max_batch_jobs=300"}};
  const auto loaded = Load("f.toml", text, overrides);
  ASSERT_TRUE(loaded.ok()) << loaded.error().message();
  EXPECT_EQ(loaded->config.max_running, 1u);
  EXPECT_EQ(loaded->config.max_queued, 20u);
  EXPECT_EQ(loaded->config.max_batch_jobs, 300u);
  std::map<std::string, Origin> origins;
  for (const SettingValue& setting : loaded->settings) origins[setting.key] = setting.origin;
  EXPECT_EQ(origins["limits.max_queued"], Origin::kEnvironment);
  EXPECT_EQ(origins["limits.max_batch_jobs"], Origin::kFlag);
  EXPECT_EQ(origins["limits.max_running"], Origin::kFile);
  EXPECT_EQ(origins["log.level"], Origin::kDefault);
}

TEST(Load, NamesTheOverrideThatIsWrong) {
  EXPECT_EQ(ErrorOf(With(""), {{}, {"limits.max_running"}}),
            "--set limits.max_running: expected section.key=value of a known setting");
  EXPECT_EQ(ErrorOf(With(""), {{{"JOBD_LIMITS_MAX_RUNNING", "many"}}, {}}),
            "JOBD_LIMITS_MAX_RUNNING: must be a number from 0 to 100000");
}

TEST(Load, RevisionChangesWithASetting) {
  const auto one = Load("f", kComplete, {});
  const auto two = Load("f", kComplete, {{}, {"limits.max_running=3"}});
  ASSERT_TRUE(one.ok() && two.ok());
  EXPECT_NE(one->revision, two->revision);
}

// What is shown is what is compared after a reload: a changed setting must not look as before.
TEST(Settings, FaultC20WhatIsShownReadsAsTheSame) {
  // For each kind of setting, texts with different values.
  const std::vector<std::string> texts = {"0",      "1",     "7",      "1000",  "1001",          "20000",
                                          "3600s",  "3630s", "90s",    "90.5s", "90.000000001s", "1ms",
                                          "36500d", "1.5",   "0.002",  "10.25", "debug",         "info",
                                          "text",   "json",  "/a b/c", "x:1",   "{A = \"x y\"}", "{\"A\" = \"\\\"\", B = \"\\n\"}"};
  size_t durations = 0;
  for (const Setting& setting : Settings()) {
    std::map<std::string, std::string> shown;
    for (const std::string& text : texts) {
      Config config;
      if (!setting.read(config, text).ok()) continue;
      const std::string value = setting.show(config);
      Config again;
      EXPECT_TRUE(setting.read(again, value).ok()) << setting.key << " = " << value;
      EXPECT_EQ(setting.show(again), value) << setting.key;
      // Sizes are whole bytes, so a fraction of one is the same.
      const bool size = setting.key.ends_with("bytes") || setting.key.ends_with("memory");
      if (size && text.find('.') != std::string::npos) continue;
      EXPECT_TRUE(shown.emplace(value, text).second)
          << setting.key << ": " << text << " is shown as " << value << ", like " << shown[value];
    }
    EXPECT_GE(shown.size(), 2u) << setting.key << ": no text is accepted";
    if (shown.contains("1h30s") && shown.contains("1m30.5s")) ++durations;
  }
  EXPECT_GE(durations, 4u);
}

TEST(Load, ReadsUnitsAsUsersWriteThem) {
  const auto loaded = Load("f", With("[defaults]\ntimeout = \"1h30m\"\nmemory = \"512M\"\ncpus = 1.5\nkill_after = 5\n"), {});
  ASSERT_TRUE(loaded.ok()) << loaded.error().message();
  EXPECT_EQ(loaded->config.default_timeout, 5400 * base::kNanosPerSecond);
  EXPECT_EQ(loaded->config.default_memory, 512u << 20);
  EXPECT_EQ(loaded->config.default_cpu_millis, 1500u);
  EXPECT_EQ(loaded->config.default_kill_after, 5 * base::kNanosPerSecond);
}

}  // namespace
}  // namespace jobd::config
