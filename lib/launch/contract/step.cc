#include "launch/contract/step.h"

#include <array>
#include <cstddef>

namespace jobd::launch {

namespace {

constexpr std::array<std::string_view, static_cast<size_t>(Step::kCount)> kTexts{
    "no step",
    "forking the shim",
    "locking the exit slot",
    "writing the exit record",
    "preparing standard input",
    "making the pipes",
    "making the cgroup",
    "creating the process",
    "entering the cgroup",
    "starting a session",
    "arranging descriptors",
    "setting resource limits",
    "entering namespaces",
    "mounting",
    "switching the user",
    "dropping privileges",
    "installing the system call filter",
    "installing the file access rules",
    "changing to the working directory",
    "executing the program",
};
static_assert(kTexts.back() == "executing the program", "a text for each Step, in its order");

}  // namespace

std::string_view StepText(Step step) {
  const auto index = static_cast<size_t>(step);
  return index < kTexts.size() ? kTexts[index] : "unknown step";
}

}  // namespace jobd::launch
