#include "cli/batch/job_options.h"

#include <CLI/CLI.hpp>

#include "cli/view/file_line.h"

namespace jobd::cli {

namespace {

template <typename Message>
using GivenTexts = std::vector<std::pair<const Field<Message>*, std::string>>;

// Options for the fields that have a value, in the order of their list.
template <typename Message>
void AddFields(CLI::App& app, std::span<const Field<Message>> fields, GivenTexts<Message>& given, const char* group) {
  for (const Field<Message>& field : fields) {
    if (field.help == nullptr || field.type == nullptr) continue;
    app.add_option_function<std::string>(
           OptionName(field.key), [&given, &field](const std::string& text) { given.emplace_back(&field, text); }, field.help)
        ->type_name(field.type)
        ->group(group);
  }
}

template <typename Message>
void AddFlags(CLI::App& app, std::span<const Field<Message>> fields, GivenTexts<Message>& given, const char* group) {
  for (const Field<Message>& field : fields) {
    if (field.help == nullptr || field.type != nullptr) continue;
    app.add_flag_callback(
           OptionName(field.key), [&given, &field] { given.emplace_back(&field, "true"); }, field.help)
        ->group(group);
  }
}

// An option that may be given several times, with one value each time, which is taken as it is.
void AddList(CLI::App& app, const char* flags, std::vector<std::string>& values, const char* type, const char* help,
             const char* group) {
  app.add_option(flags, values, help)->type_name(type)->allow_extra_args(false)->group(group);
}

template <typename Message>
base::Status SetFields(const GivenTexts<Message>& given, FieldValues<Message>& values) {
  for (const auto& [field, text] : given) {
    if (auto status = values.Set(*field, text); !status.ok()) return AsField(std::move(status).error(), OptionName(field->key));
  }
  return base::Ok();
}

}  // namespace

void AddJobOptions(CLI::App& app, JobOptions& options) {
  const char* const group = "Job";
  AddFields(app, JobFields(), options.job_fields, group);
  AddList(app, "-e,--env", options.env, "NAME[=VALUE]", "Variable of the job; without a value, the one it has here. Repeatable",
          group);
  AddList(app, "--env-file", options.env_files, "FILE", "File of NAME=VALUE lines. Repeatable", group);
  app.add_option_function<std::string>(
         "--stdin", [&options](const std::string& value) { options.stdin_file = value; },
         "File whose content the job reads; - is jobctl's own standard input. At most 3 MiB. Default: nothing")
      ->type_name("FILE")
      ->group(group);
}

void AddBatchOptions(CLI::App& app, JobOptions& options) {
  const char* const group = "Batch";
  AddFields(app, BatchFields(), options.batch_fields, group);
  AddList(app, "-l,--label", options.labels, "KEY=VALUE", "Label of the batch. Repeatable", group);
  AddFlags(app, BatchFields(), options.batch_fields, group);
}

base::Result<JobDraft> BuildJob(const JobOptions& options) {
  JobDraft job;
  job.shell = options.shell;
  for (const std::string& path : options.env_files) {
    if (auto status = AddEnvFile(job, path); !status.ok()) return AsField(std::move(status).error(), "--env-file");
  }
  for (const std::string& text : options.env) {
    if (auto status = AddEnv(job, text); !status.ok()) return AsField(std::move(status).error(), "--env");
  }
  JOBD_RETURN_IF_ERROR(SetFields(options.job_fields, job.fields));
  if (options.stdin_file) JOBD_RETURN_IF_ERROR(SetStdinFile(job, *options.stdin_file));
  return job;
}

base::Result<BatchDraft> BuildBatch(const JobOptions& options) {
  BatchDraft batch;
  JOBD_RETURN_IF_ERROR(SetFields(options.batch_fields, batch.fields));
  for (const std::string& label : options.labels) {
    if (auto status = AddLabel(batch, label); !status.ok()) return AsField(std::move(status).error(), "--label");
  }
  return batch;
}

}  // namespace jobd::cli
