// What was asked of jobd, and what must have become of it.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace jobd::soak {

// How a job of the soak must end when nobody kills its shim.
struct Expectation {
  std::string state;   // "SUCCEEDED", …
  int exit_code = -1;  // -1: none
  int lines = 0;       // of output: the numbers from 1
};

struct BatchPlan {
  std::string id;
  std::string input;  // of `submit -f -`
  std::vector<Expectation> jobs;
  bool may_be_cancelled = false;
};

// Everything that is found wrong is a line in `faults`; the rest is counted.
struct Account {
  uint64_t batches = 0;
  uint64_t jobs = 0;
  uint64_t lost = 0;
  uint64_t cancelled = 0;
  uint64_t lines = 0;  // of output, compared
  std::vector<std::string> faults;
};

// Counts "BATCH/INDEX/ATTEMPT" lines that jobs wrote when they were started.
std::map<std::string, int> CountStarts(const std::string& file);

}  // namespace jobd::soak
