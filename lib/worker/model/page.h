// Questions about batches and jobs, and their answers a page at a time.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "worker/model/model.h"

namespace jobd::worker {

struct JobQuery {
  BatchName batch;  // the ID may be a unique prefix
  std::optional<uint32_t> index;
  std::vector<JobState> states;  // empty: all
  uint32_t page_size = 1000;
  std::string page_token;      // of an earlier answer
  bool with_settings = false;  // JobView::asked and in_force
};
struct JobPage {
  BatchView batch;
  std::vector<JobView> jobs;  // by index
  std::string next_page_token;
};

struct BatchQuery {
  std::optional<std::string> owner;  // absent: all owners
  std::vector<JobState> states;      // of the batch
  std::map<std::string, std::string> labels;
  uint32_t page_size = 100;
  std::string page_token;
};
struct BatchPage {
  std::vector<BatchView> batches;  // newest first, each with its first job
  std::string next_page_token;
};

}  // namespace jobd::worker
