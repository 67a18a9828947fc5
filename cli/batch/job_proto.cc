// Drafts as the API's messages.
#include <map>

#include "cli/batch/job_draft.h"
#include "cli/view/proto_time.h"
#include "cli/view/states.h"
#include "jobd/v1/types.pb.h"

namespace jobd::cli {

void ToProto(const JobDraft& job, v1::JobSpec* spec) {
  for (const std::string& argument : job.argv) spec->add_argv(argument);
  spec->set_shell(job.shell);
  spec->set_name(job.name);
  std::map<std::string, std::string> env;
  for (const auto& [name, value] : job.env) env[name] = value;
  for (const auto& [name, value] : env) {
    v1::EnvVar* variable = spec->add_env();
    variable->set_name(name);
    variable->set_value(value);
  }
  if (job.workdir) spec->set_workdir(*job.workdir);
  if (job.stdin_data) spec->set_stdin(*job.stdin_data);
  if (job.timeout) *spec->mutable_timeout() = ToDuration(*job.timeout);
  if (job.kill_after) *spec->mutable_kill_after() = ToDuration(*job.kill_after);
  if (job.memory_bytes) spec->mutable_limits()->set_memory_bytes(*job.memory_bytes);
  if (job.cpu_millis) spec->mutable_limits()->set_cpu_millis(*job.cpu_millis);
  if (job.pids) spec->mutable_limits()->set_pids(*job.pids);
  if (job.output_bytes) spec->mutable_limits()->set_output_bytes(*job.output_bytes);
  if (job.file_bytes) spec->mutable_limits()->set_file_bytes(*job.file_bytes);
  if (job.open_files) spec->mutable_limits()->set_open_files(*job.open_files);
  if (job.tmp_bytes) spec->mutable_limits()->set_tmp_bytes(*job.tmp_bytes);
  if (job.io_read) spec->mutable_limits()->set_io_read_bytes_per_second(*job.io_read);
  if (job.io_write) spec->mutable_limits()->set_io_write_bytes_per_second(*job.io_write);
  if (job.profile) spec->set_profile(*job.profile);
  if (job.user) spec->set_user(*job.user);
  if (job.retries) spec->set_retries(*job.retries);
}

void ToProto(const BatchDraft& batch, v1::BatchOptions* options) {
  if (batch.correlation_id) options->set_correlation_id(*batch.correlation_id);
  if (batch.name) options->set_name(*batch.name);
  for (const auto& [key, value] : batch.labels) (*options->mutable_labels())[key] = value;
  if (batch.parallel) options->set_parallel(*batch.parallel);
  options->set_fail_fast(batch.fail_fast.value_or(false));
  options->set_hold(batch.hold.value_or(false));
  if (batch.priority) {
    if (const auto priority = ParsePriority(*batch.priority); priority.ok()) options->set_priority(*priority);
  }
}

}  // namespace jobd::cli
