// Killing and removing what is left of jobs whose shim is gone, without making the launcher wait.
#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <string>

#include "sandbox/cgroup/job_group.h"

namespace jobd::launch {

// Kills the group of that name, removes it as soon as it is empty and then calls `done`, at once when there is none. Context and
// driver are borrowed and outlive the sweep. `report` is told what a person should know.
void SweepGroup(boost::asio::io_context& context, sandbox::GroupDriver& driver, const std::string& group_name,
                std::function<void()> done, const std::function<void(const std::string&)>& report);

}  // namespace jobd::launch
