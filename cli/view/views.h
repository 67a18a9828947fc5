// Batches and jobs as rows for people.
#pragma once

#include <string>
#include <vector>

#include "base/clock.h"
#include "cli/view/table.h"
#include "jobd/v1/types.pb.h"

namespace jobd::cli {

Color StateColor(v1::JobState state);

std::vector<std::string> BatchHeader(bool wide);
// Times are relative; with `wide` absolute.
std::vector<Cell> BatchRow(const v1::Batch& batch, base::Nanos now, bool wide);

std::vector<std::string> JobHeader(bool wide);
std::vector<Cell> JobRow(const v1::JobStatus& job, base::Nanos now, bool wide);

// The lines above a batch's jobs: its name, owner, state and counts. Escaped.
std::string BatchSummary(const v1::Batch& batch, base::Nanos now, bool wide, bool color);

// argv as one could type it in a shell.
std::string CommandLine(const v1::JobStatus& job);

}  // namespace jobd::cli
