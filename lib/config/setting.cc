#include "config/setting.h"

#include <cctype>
#include <charconv>
#include <limits>

#include "base/bounds.h"
#include "base/text.h"
#include "base/units.h"
#include "config/toml_text.h"

namespace jobd::config {

namespace {

using base::Code;
using base::Error;
using base::Status;

constexpr bool kReload = true;
constexpr bool kRestart = false;

Setting Text(std::string_view key, std::string Config::*field, bool reloadable, std::string_view help) {
  return {key, help, reloadable,
          [field](Config& config, std::string_view text) -> Status {
            if (text.find('\0') != std::string_view::npos || text.find('\n') != std::string_view::npos) {
              return Error(Code::kInvalidArgument, "must be one line of text");
            }
            config.*field = std::string(text);
            return base::Ok();
          },
          [field](const Config& config) { return config.*field; }};
}

Setting Path(std::string_view key, std::string Config::*field, bool reloadable, std::string_view help) {
  Setting setting = Text(key, field, reloadable, help);
  setting.path = field;
  return setting;
}

Setting Choice(std::string_view key, std::string Config::*field, bool reloadable, std::vector<std::string_view> choices,
               std::string_view help) {
  Setting setting = Text(key, field, reloadable, help);
  setting.read = [field, choices = std::move(choices)](Config& config, std::string_view text) -> Status {
    std::string list;
    for (const std::string_view choice : choices) {
      if (choice == text) {
        config.*field = std::string(text);
        return base::Ok();
      }
      list += (list.empty() ? "" : ", ") + std::string(choice);
    }
    return Error(Code::kInvalidArgument, "must be one of: " + list);
  };
  return setting;
}

template <typename Integer>
Setting Number(std::string_view key, Integer Config::*field, bool reloadable, uint64_t low, uint64_t high, std::string_view help) {
  return {key, help, reloadable,
          [=](Config& config, std::string_view text) -> Status {
            uint64_t value = 0;
            const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
            if (error != std::errc() || end != text.data() + text.size() || value < low || value > high) {
              return Error(Code::kInvalidArgument, "must be a number from " + std::to_string(low) + " to " + std::to_string(high));
            }
            config.*field = static_cast<Integer>(value);
            return base::Ok();
          },
          [field](const Config& config) { return std::to_string(config.*field); }};
}

Setting Size(std::string_view key, uint64_t Config::*field, bool reloadable, std::string_view help) {
  return {key, help, reloadable,
          [field](Config& config, std::string_view text) -> Status {
            JOBD_ASSIGN_OR_RETURN(config.*field, base::ParseSize(text));
            return base::Ok();
          },
          [field](const Config& config) { return std::to_string(config.*field); }};
}

Setting Duration(std::string_view key, base::Nanos Config::*field, bool reloadable, std::string_view help) {
  return {key, help, reloadable,
          [field](Config& config, std::string_view text) -> Status {
            JOBD_ASSIGN_OR_RETURN(config.*field, base::ParseDuration(text));
            return base::Ok();
          },
          [field](const Config& config) { return base::ExactDuration(config.*field); }};
}

Setting Between(std::string_view key, base::Nanos Config::*field, bool reloadable, base::Nanos low, base::Nanos high,
                std::string_view help) {
  Setting setting = Duration(key, field, reloadable, help);
  setting.read = [=](Config& config, std::string_view text) -> Status {
    JOBD_ASSIGN_OR_RETURN(const base::Nanos value, base::ParseDuration(text));
    if (value < low || value > high) {
      return Error(Code::kInvalidArgument, "must be from " + base::ExactDuration(low) + " to " + base::ExactDuration(high));
    }
    config.*field = value;
    return base::Ok();
  };
  return setting;
}

// What is longer ago than this is deleted.
Setting Age(std::string_view key, base::Nanos Config::*field, bool reloadable, std::string_view help) {
  Setting setting = Duration(key, field, reloadable, help);
  setting.read = [field](Config& config, std::string_view text) -> Status {
    JOBD_ASSIGN_OR_RETURN(config.*field, base::ParseDurationWithUnit(text));
    return base::Ok();
  };
  return setting;
}

Setting Cpus(std::string_view key, uint32_t Config::*field, bool reloadable, std::string_view help) {
  return {key, help, reloadable,
          [field](Config& config, std::string_view text) -> Status {
            if (text == "0") {
              config.*field = 0;
              return base::Ok();
            }
            JOBD_ASSIGN_OR_RETURN(config.*field, base::ParseCpus(text));
            return base::Ok();
          },
          [field](const Config& config) {
            const uint32_t millis = config.*field;
            std::string text = std::to_string(millis / 1000);
            if (millis % 1000 != 0) text += "." + std::to_string(1000 + millis % 1000).substr(1);
            return text;
          }};
}

Setting Variables(std::string_view key, std::vector<std::pair<std::string, std::string>> Config::*field, bool reloadable,
                  std::string_view help) {
  Setting setting{key, help, reloadable,
                  [field](Config& config, std::string_view text) -> Status {
                    const auto parsed = ParseToml("", "value = " + std::string(text));
                    const toml::table* table = parsed.ok() ? (*parsed)["value"].as_table() : nullptr;
                    if (table == nullptr) return Error(Code::kInvalidArgument, "must be a table, as in { NAME = \"value\" }");
                    JOBD_ASSIGN_OR_RETURN(config.*field, VariablesOf(*table));
                    return base::Ok();
                  },
                  [field](const Config& config) { return VariablesText(config.*field); }};
  setting.is_table = true;
  return setting;
}

std::vector<Setting> Declare() {
  constexpr uint64_t kMax32 = std::numeric_limits<uint32_t>::max();
  return {
      Text("server.listen", &Config::listen, kRestart, "host:port for gRPC; port 0 picks one"),
      Path("server.state_dir", &Config::state_dir, kRestart, "the database"),
      Path("server.log_dir", &Config::log_dir, kRestart, "a folder per batch, with the output of its jobs"),
      Path("server.runtime_dir", &Config::runtime_dir, kRestart, "pid, server.pid and address of the running service"),
      Text("server.user", &Config::server_user, kRestart,
           "whom jobd-server runs as when jobd is started as root; without such a user: nobody"),
      Path("tls.ca", &Config::tls_ca, kReload, "the authority that clients know the service by, and that signs their certificates"),
      Path("tls.client_ca", &Config::tls_client_ca, kReload, "the authority that signs clients' certificates, where it is another"),
      Path("tls.cert", &Config::tls_cert, kReload, "the server's certificate"),
      Path("tls.key", &Config::tls_key, kReload, "its key; may be readable by root alone"),
      Path("tls.revoked", &Config::tls_revoked, kReload,
           "revoked certificates: a SHA-256 fingerprint or serial number in hex a line"),
      Choice("log.level", &Config::log_level, kReload, {"trace", "debug", "info", "warn", "error"}, "what is logged"),
      Choice("log.format", &Config::log_format, kRestart, {"text", "json"}, "how"),
      Path("log.file", &Config::log_file, kRestart, "where to; empty: standard error"),
      Path("users.file", &Config::users_file, kReload, "names, roles and what each may ask for"),
      Between("auth.token_ttl", &Config::token_ttl, kReload, base::kNanosPerSecond, 900 * base::kNanosPerSecond,
              "how long an access token is good for; its client renews it before"),
      Between("auth.session_ttl", &Config::session_ttl, kReload, base::kNanosPerSecond, 30 * 24 * 3600 * base::kNanosPerSecond,
              "how long after its login a session ends, however often its token was renewed"),
      Number("auth.login_rate", &Config::login_rate, kReload, 0, 1'000'000,
             "wrong passwords a minute, of one certificate for one user, before more are refused unseen; 0: no bound"),
      Number("limits.max_running", &Config::max_running, kReload, 0, base::kMaxRunning,
             "jobs that run at once; 0: one per processor"),
      Number("limits.max_queued", &Config::max_queued, kReload, 1, base::kMaxQueued, "jobs waiting, of all users"),
      Number("limits.max_queued_per_user", &Config::max_queued_per_user, kReload, 1, base::kMaxQueued, "jobs waiting, of one user"),
      Number("limits.max_batch_jobs", &Config::max_batch_jobs, kReload, 1, base::kMaxJobs, "jobs in one batch"),
      Size("limits.max_output_bytes", &Config::max_output_bytes, kReload,
           "kept of one job's output, with what its index has beyond 48 KiB and a 64th; what is more is dropped, counted and said; "
           "0: all"),
      Number("limits.max_streams_per_user", &Config::max_streams_per_user, kReload, 1, kMax32, "calls of one user at once"),
      Number("limits.max_connections_per_address", &Config::max_connections_per_address, kReload, 1, kMax32,
             "connections from one address at once"),
      Size("limits.min_free_bytes", &Config::min_free_bytes, kReload,
           "with less room on the state or log disk no new work is accepted"),
      Text("defaults.profile", &Config::default_profile, kReload, "isolation of jobs that do not say"),
      Duration("defaults.timeout", &Config::default_timeout, kReload, "time a job may run; 0: as long as it likes"),
      Duration("defaults.kill_after", &Config::default_kill_after, kReload, "grace between TERM and KILL"),
      Size("defaults.memory", &Config::default_memory, kReload, "memory of a job; 0: no limit"),
      Cpus("defaults.cpus", &Config::default_cpu_millis, kReload, "processors of a job; 0: no limit"),
      Number("defaults.pids", &Config::default_pids, kReload, 0, base::kMaxPids, "processes of a job; 0: no limit"),
      Text("defaults.workdir", &Config::default_workdir, kReload, "working directory of a job"),
      Variables("defaults.env", &Config::default_env, kReload, "variables of a job that neither its profile nor --env sets"),
      Text("defaults.path", &Config::default_path, kReload, "PATH of a job"),
      Age("retention.max_age", &Config::retention_max_age, kReload,
          "batches that ended longer ago, as 7d, are deleted, logs and all; 0: none; users may have their own"),
      Size("retention.max_bytes", &Config::retention_max_bytes, kReload,
           "files of ended batches; above it those that ended first are deleted; 0: no bound"),
      Number("retention.max_batches", &Config::retention_max_batches, kReload, 0, 1'000'000'000'000,
             "ended batches; above it those that ended first are deleted; 0: no bound"),
      Duration("retention.compress_after", &Config::retention_compress_after, kReload,
               "output of batches that ended longer ago is compressed; 0: never"),
      Text("metrics.listen", &Config::metrics_listen, kRestart,
           "Prometheus metrics: 127.0.0.1:PORT, [::1]:PORT or unix:/PATH; empty: off"),
      Text("policy.job_user", &Config::job_user, kRestart,
           "whom jobs run as unless they or their user's entry say; never root; auto: those of each user as a uid of their "
           "own (as root), else as jobd's own user"),
      Number("policy.job_uid_first", &Config::job_uid_first, kRestart, 1000, kMax32 - 1, "the first uid for auto"),
      Number("policy.job_uid_count", &Config::job_uid_count, kRestart, 1, 16'777'216, "how many uids for auto"),
      Path("policy.profiles", &Config::profiles_file, kReload, "isolation profiles beside open, standard and strict"),
  };
}

}  // namespace

const std::vector<Setting>& Settings() {
  static const std::vector<Setting> settings = Declare();
  return settings;
}

std::string EnvironmentName(std::string_view key) {
  std::string name = "JOBD_";
  for (const char c : key) name += c == '.' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return name;
}

}  // namespace jobd::config
