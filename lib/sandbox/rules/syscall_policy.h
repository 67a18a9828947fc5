// Which system calls a profile's filter lets through.
#pragma once

#include <linux/filter.h>

#include <vector>

#include "sandbox/rules/bpf_tree.h"
#include "sandbox/rules/profile.h"

namespace jobd::sandbox {

// The verdict for each number from 0 to the last one we know (kernel 6.18). Empty for kNone.
std::vector<Verdict> SyscallPolicy(SyscallFilter filter);

}  // namespace jobd::sandbox
