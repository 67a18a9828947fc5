#include "cli/view/explanations.h"

#include <map>

#include "cli/view/exit_code.h"
#include "cli/view/states.h"
#include "cli/view/views.h"

namespace jobd::cli {

namespace {

constexpr size_t kNamed = 5;  // jobs of a group that are named by their number

struct Group {
  const v1::JobStatus* first = nullptr;
  std::vector<uint32_t> named;
  size_t jobs = 0;
};

// What jobs of one group have in common; empty: there is nothing to explain.
std::string KeyOf(const v1::JobStatus& job) {
  const v1::JobState state = job.result().state();
  if (IsFailure(state)) return "ended " + Ending(job.result(), job.attempt() == 0 && state == v1::JOB_STATE_CANCELLED);
  std::string key;
  // Their texts differ in how many are before them, or since when: that is no other reason.
  for (const v1::WaitReason& wait : job.waits()) key += "waits " + WaitName(wait.code());
  if (key.empty() && (state == v1::JOB_STATE_QUEUED || state == v1::JOB_STATE_HELD)) return "about to start";
  return key;
}

// "jobs 1, 2 and 3", "jobs 1, 2, 3, 4, 5 and 20 more".
std::string Who(const Group& group) {
  std::string text = "jobs ";
  const size_t more = group.jobs - group.named.size();
  for (size_t i = 0; i < group.named.size(); ++i) {
    const bool last = more == 0 && i + 1 == group.named.size();
    if (i > 0) text += last ? " and " : ", ";
    text += std::to_string(group.named[i]);
  }
  return more == 0 ? text : text + " and " + std::to_string(more) + " more";
}

}  // namespace

Explained ExplainTogether(const std::vector<v1::JobStatus>& jobs, base::Nanos now, size_t most) {
  std::vector<Group> groups;
  std::map<std::string, size_t> places;
  for (const v1::JobStatus& job : jobs) {
    const std::string key = KeyOf(job);
    if (key.empty()) continue;
    const auto [place, is_new] = places.try_emplace(key, groups.size());
    if (is_new) groups.push_back({.first = &job, .named = {}, .jobs = 0});
    Group& group = groups[place->second];
    ++group.jobs;
    if (group.named.size() < kNamed) group.named.push_back(job.index());
  }
  Explained explained;
  for (size_t i = 0; i < groups.size() && i < most; ++i) {
    explained.text += groups[i].jobs == 1 ? Explanation(*groups[i].first, now) : Explanation(*groups[i].first, now, Who(groups[i]));
    explained.jobs += groups[i].jobs;
  }
  return explained;
}

}  // namespace jobd::cli
