// The configuration: what a file, the environment and flags may set, checked, as one value. Both jobd (the launcher) and
// jobd-server read it, from the same bytes. Pure: nothing here opens a file.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace jobd::config {

struct Config {
  // [server]
  std::string listen = "127.0.0.1:7443";
  std::string state_dir = "/var/lib/jobd";
  std::string log_dir = "/var/lib/jobd/logs";
  std::string runtime_dir = "/run/jobd";
  std::string server_user = "jobd";
  // [tls]
  std::string tls_ca;
  std::string tls_client_ca;  // empty: tls_ca
  std::string tls_cert;
  std::string tls_key;
  std::string tls_revoked;
  // [log]
  std::string log_level = "info";   // trace debug info warn error
  std::string log_format = "text";  // text json
  std::string log_file;             // empty: standard error
  // [users]
  std::string users_file;
  // [auth]
  base::Nanos token_ttl = 900 * base::kNanosPerSecond;
  base::Nanos session_ttl = 12 * 3600 * base::kNanosPerSecond;
  uint32_t login_rate = 10;  // wrong passwords a minute, of one certificate for one user; 0: no bound
  // [limits]
  uint32_t max_running = 0;  // 0: the number of processors
  uint64_t max_queued = 2'000'000;
  uint64_t max_queued_per_user = 1'000'000;
  uint32_t max_batch_jobs = 100'000;
  uint64_t max_output_bytes = 1ull << 30;  // of one job; 0: no limit
  uint32_t max_streams_per_user = 256;     // concurrent calls
  uint32_t max_connections_per_address = 256;
  uint64_t min_free_bytes = 64ull << 20;  // below this on the state or log disk no new work is accepted
  // [defaults], for jobs that do not say
  std::string default_profile = "standard";
  base::Nanos default_timeout = 0;  // 0: none
  base::Nanos default_kill_after = 10 * base::kNanosPerSecond;
  uint64_t default_memory = 0;
  uint32_t default_cpu_millis = 0;
  uint32_t default_pids = 0;
  std::string default_workdir = "/tmp";
  std::vector<std::pair<std::string, std::string>> default_env;  // the job's own --env wins
  std::string default_path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  // [retention], of batches that have ended; 0: no bound
  base::Nanos retention_max_age = 0;
  uint64_t retention_max_bytes = 0;
  uint64_t retention_max_batches = 0;
  base::Nanos retention_compress_after = 0;  // 0: never
  // [metrics]
  std::string metrics_listen;  // a loopback address or unix:PATH; empty: off
  // [policy], of the launcher: whom jobs run as when neither they nor the user's entry name an account. "auto": a uid of its own
  // for each job, from the range, when jobd is root; else jobd's own account.
  std::string job_user = "auto";
  uint32_t job_uid_first = 1'879'048'192;
  uint32_t job_uid_count = 65'536;
  std::string profiles_file;  // empty: the built-in profiles alone
};

// Where a setting's value came from.
enum class Origin { kDefault, kFile, kEnvironment, kFlag };

// One key as shown by `jobctl admin config`; secrets do not occur in the configuration.
struct SettingValue {
  std::string key;  // "limits.max_running"
  std::string value;
  Origin origin = Origin::kDefault;
  bool reloadable = false;
  std::string help;
};

struct LoadedConfig {
  Config config;
  std::vector<SettingValue> settings;  // all of them, in the order of declaration
  std::string revision;                // SHA-256, hex, of keys and values
  std::vector<std::string> warnings;   // what was probably meant otherwise; a line each
};

// SHA-256, hex, of keys and values: equal settings have equal revisions.
std::string RevisionOf(const std::vector<SettingValue>& settings);

// What overrides the file: JOBD_SECTION_KEY of the environment (given as pairs, others ignored), then --set section.key=value.
struct Overrides {
  std::vector<std::pair<std::string, std::string>> environment;
  std::vector<std::string> flags;
};

// Parses and checks. Errors read "FILE:LINE: what is wrong" (file as named), or name the variable or flag. Unknown keys are errors.
// Relative paths are taken from the folder of file_name.
base::Result<LoadedConfig> Load(const std::string& file_name, std::string_view text, const Overrides& overrides);

}  // namespace jobd::config
