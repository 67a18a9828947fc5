// Batches and jobs as rows for people.
#pragma once

#include <string>
#include <vector>

#include "base/clock.h"
#include "cli/view/table.h"
#include "jobd/v1/types.pb.h"

namespace jobd::cli {

Color StateColor(v1::JobState state);

// `owners`: of several. Times are relative; with `wide` absolute. UUIDs have a brief form.
std::vector<std::string> BatchHeader(bool wide, bool owners);
std::vector<Cell> BatchRow(const v1::Batch& batch, base::Nanos now, bool wide, bool owners);

std::vector<std::string> JobHeader(bool wide);
inline constexpr size_t kReasonColumn = 2;  // of these
std::vector<Cell> JobRow(const v1::JobStatus& job, base::Nanos now, bool wide);

// The lines above a batch's jobs: its name, owner, state and counts. Escaped.
std::string BatchSummary(const v1::Batch& batch, base::Nanos now, bool wide, bool color);
// The same in a line: "ID FAILED, 200 jobs: 3 FAILED, 197 SUCCEEDED".
std::string BatchInALine(const v1::Batch& batch, bool color);

// argv as one could type it in a shell.
std::string CommandLine(const v1::JobStatus& job);
std::string CommandLine(const v1::JobSummary& job);

// Why a job waits, that it runs, or how it ended: a line, and one more, indented, for each further reason. Escaped, with a newline
// at the end.
std::string Explanation(const v1::JobStatus& job, base::Nanos now);
// The same of several jobs, of which `job` is the first: `who` is "jobs 2 and 3".
std::string Explanation(const v1::JobStatus& job, base::Nanos now, const std::string& who);

}  // namespace jobd::cli
