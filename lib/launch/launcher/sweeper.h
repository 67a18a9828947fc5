// Killing and removing what is left of jobs whose shim is gone, without making the launcher wait.
#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "sandbox/cgroup/job_group.h"

namespace jobd::launch {

// Of the context's one thread. Context and driver are borrowed, and outlive it; handlers that it leaves in the context must not run
// after it.
class Sweeper {
 public:
  // `report` is told what a person should know, a line.
  Sweeper(boost::asio::io_context& context, sandbox::GroupDriver& driver, std::function<void(const std::string&)> report);
  ~Sweeper();

  // Kills the group of that name, removes it as soon as it is empty, and then calls `done`: at once when there is none. Sweeps of
  // one group are joined: all of them are done when it is gone. What cannot be killed or removed is tried again every second.
  void Sweep(const std::string& group_name, std::function<void()> done);
  // A sweep of that group is under way, which would end a job that began in it.
  bool IsSweeping(const std::string& group_name) const { return sweeps_.contains(group_name); }

 private:
  class OneSweep;

  void Finish(const std::string& group_name);

  boost::asio::io_context& context_;
  sandbox::GroupDriver& driver_;
  const std::function<void(const std::string&)> report_;
  std::map<std::string, std::shared_ptr<OneSweep>> sweeps_;
};

}  // namespace jobd::launch
