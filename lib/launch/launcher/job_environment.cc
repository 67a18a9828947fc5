#include "launch/launcher/job_environment.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/files.h"

namespace jobd::launch {

namespace {

constexpr int kMostNames = 16;

bool IsOf(const struct stat& info, uid_t uid) {
  return S_ISDIR(info.st_mode) && info.st_uid == uid && (info.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

// True when `name` in `dir` is a folder of `uid`, made just now or before; false when it is something else.
base::Result<bool> MakeHome(int dir, const std::string& name, uid_t uid) {
  const bool made = ::mkdirat(dir, name.c_str(), 0700) == 0;
  if (!made && errno != EEXIST) return base::SysError("making a home", errno);
  const auto home = base::OpenAt(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  if (!home.ok()) {
    if (home.error().code() == base::Code::kResourceExhausted) return home.error();
    return false;  // somebody else's file or link, or gone
  }
  struct stat info {};
  if (::fstat(home->get(), &info) != 0) return base::SysError("looking at a home", errno);
  if (!made) return IsOf(info, uid);
  if (!IsOf(info, ::geteuid())) return false;  // not the one that we made
  if (::fchown(home->get(), uid, static_cast<gid_t>(uid)) != 0) return base::SysError("giving a home away", errno);
  return true;
}

}  // namespace

void CompleteEnvironment(const Policy& policy, const sandbox::Profile& profile, const Person& person, LaunchRequest& request) {
  std::vector<std::pair<std::string, std::string>> env{
      {"LANG", "C.UTF-8"}, {"HOME", person.home}, {"USER", person.name}, {"LOGNAME", person.name}, {"SHELL", person.shell}};
  env.insert(env.end(), policy.default_env.begin(), policy.default_env.end());
  env.insert(env.end(), profile.env.begin(), profile.env.end());
  const auto is_path = [](const auto& variable) { return variable.first == "PATH"; };
  const bool own_path = std::any_of(policy.default_env.begin(), policy.default_env.end(), is_path) ||
                        std::any_of(profile.env.begin(), profile.env.end(), is_path);
  for (auto& variable : request.env) {
    if (own_path && is_path(variable) && variable.second == policy.default_path) continue;
    env.push_back(std::move(variable));
  }
  request.env = std::move(env);
}

base::Result<std::string> Homes::Of(uid_t uid) {
  // It may have been removed or given another mode since, and then be made by somebody else.
  struct stat info {};
  if (const auto known = known_.find(uid); known != known_.end() && ::lstat(known->second.c_str(), &info) == 0 && IsOf(info, uid)) {
    return known->second;
  }
  known_.erase(uid);
  base::Error why{base::Code::kNotFound, "there is no folder for the homes of jobs"};
  for (const std::string& folder : places_) {
    const auto dir = base::OpenAt(AT_FDCWD, folder, O_RDONLY | O_DIRECTORY);
    if (!dir.ok()) {
      if (dir.error().code() != base::Code::kNotFound) why = dir.error();
      continue;
    }
    for (int i = 0; i < kMostNames; ++i) {
      const std::string name = "jobd-home-" + std::to_string(uid) + (i == 0 ? "" : "-" + std::to_string(i));
      const auto is_ours = MakeHome(dir->get(), name, uid);
      if (!is_ours.ok()) {
        why = is_ours.error();
        break;
      }
      if (*is_ours) return known_[uid] = folder + "/" + name;
      why = base::SysError("making a home in " + folder, EEXIST);
    }
  }
  return why;
}

}  // namespace jobd::launch
