#include "cli/batch/job_options.h"

#include <CLI/CLI.hpp>
#include <array>

namespace jobd::cli {

namespace {

struct Field {
  const char* key;
  const char* type;
  const char* help;
};

constexpr std::array<Field, 15> kJobFields{{
    {"workdir", "DIR", "Where the job runs: an absolute path on the machine that runs it"},
    {"timeout", "TIME", "Send TERM after this long: 90, 10m, 1h30m"},
    {"kill_after", "TIME", "Send KILL this long after TERM"},
    {"memory", "SIZE", "Memory the job may use: 512M, 2G"},
    {"cpus", "N", "Processors the job may use: 1.5"},
    {"pids", "N", "Processes and threads the job may have"},
    {"output", "SIZE", "Output to keep, of both streams together; what is beyond is dropped and counted"},
    {"file_size", "SIZE", "Size of each file the job may write"},
    {"open_files", "N", "Files each of its processes may have open"},
    {"tmp_size", "SIZE", "Disk space of its private /tmp"},
    {"io_read", "SIZE", "Bytes a second it may read from each disk: 20M"},
    {"io_write", "SIZE", "Bytes a second it may write to each disk"},
    {"profile", "NAME", "Isolation profile"},
    {"user", "NAME", "Account the job runs as"},
    {"retries", "N", "How often a job that failed or timed out is started again"},
}};
constexpr std::array<Field, 4> kBatchFields{{
    {"id", "ID", "Correlation ID; default: a new UUIDv7. The same ID with the same content is the same batch"},
    {"name", "NAME", "Name of the batch"},
    {"priority", "urgent|normal|low", "Which waiting jobs go first"},
    {"parallel", "N", "How many jobs of the batch may run at once"},
}};

std::string FlagOf(std::string key) {
  for (char& c : key) {
    if (c == '_') c = '-';
  }
  return "--" + key;
}

template <size_t N>
void AddFields(CLI::App& app, const std::array<Field, N>& fields, std::vector<std::pair<std::string, std::string>>& given,
               const char* group) {
  for (const Field& field : fields) {
    app.add_option_function<std::string>(
           FlagOf(field.key), [&given, key = field.key](const std::string& value) { given.emplace_back(key, value); }, field.help)
        ->type_name(field.type)
        ->group(group);
  }
}

// One value per use of the option, taken as it is.
void AddList(CLI::App& app, const char* flags, std::vector<std::string>& values, const char* type, const char* help,
             const char* group) {
  app.add_option(flags, values, help)->type_name(type)->allow_extra_args(false)->group(group);
}

}  // namespace

void AddJobOptions(CLI::App& app, JobOptions& options) {
  const char* const group = "Job";
  AddFields(app, kJobFields, options.job_fields, group);
  AddList(app, "-e,--env", options.env, "NAME[=VALUE]", "Variable of the job; without a value, the one it has here. Repeatable",
          group);
  AddList(app, "--env-file", options.env_files, "FILE", "File of NAME=VALUE lines. Repeatable", group);
  app.add_option_function<std::string>(
         "--stdin", [&options](const std::string& value) { options.stdin_file = value; },
         "File whose content the job reads; - is jobctl's own standard input. Default: nothing")
      ->type_name("FILE")
      ->group(group);
}

void AddBatchOptions(CLI::App& app, JobOptions& options) {
  const char* const group = "Batch";
  AddFields(app, kBatchFields, options.batch_fields, group);
  AddList(app, "-l,--label", options.labels, "KEY=VALUE", "Label of the batch. Repeatable", group);
  const auto flag = [&](const char* name, const char* key, const char* help) {
    app.add_flag_callback(
           name, [&options, key] { options.batch_fields.emplace_back(key, "true"); }, help)
        ->group(group);
  };
  flag("--fail-fast", "fail_fast", "The first job that does not succeed cancels the rest");
  flag("--hold", "hold", "Start nothing until `jobctl release`");
}

base::Result<JobDraft> BuildJob(const JobOptions& options) {
  JobDraft job;
  job.shell = options.shell;
  for (const std::string& path : options.env_files) {
    if (auto status = AddEnvFile(job, path); !status.ok()) return std::move(status).error().WithContext("--env-file");
  }
  for (const std::string& text : options.env) {
    if (auto status = AddEnv(job, text); !status.ok()) return std::move(status).error().WithContext("--env");
  }
  for (const auto& [key, value] : options.job_fields) {
    if (auto status = SetJobField(job, key, value); !status.ok()) return std::move(status).error().WithContext(FlagOf(key));
  }
  if (options.stdin_file) JOBD_RETURN_IF_ERROR(SetStdinFile(job, *options.stdin_file));
  return job;
}

base::Result<BatchDraft> BuildBatch(const JobOptions& options) {
  BatchDraft batch;
  for (const auto& [key, value] : options.batch_fields) {
    if (auto status = SetBatchField(batch, key, value); !status.ok()) return std::move(status).error().WithContext(FlagOf(key));
  }
  for (const std::string& label : options.labels) {
    if (auto status = AddLabel(batch, label); !status.ok()) return std::move(status).error().WithContext("--label");
  }
  return batch;
}

}  // namespace jobd::cli
