// How often an idle server wakes up.
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <thread>

#include "bench/streams/setup.h"

namespace jobd::bench {
namespace {

// Times that its threads went to sleep by themselves, by their name: as often as that they woke up.
std::map<std::string, uint64_t> Sleeps(pid_t pid) {
  std::map<std::string, uint64_t> sleeps;
  std::error_code gone;
  for (const auto& thread : std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/task", gone)) {
    const std::string status = e2e::ReadFileOrEmpty(thread.path() / "status");
    constexpr std::string_view kCount = "\nvoluntary_ctxt_switches:";
    const size_t name_end = status.find('\n');
    const size_t count = status.find(kCount);
    if (count == std::string::npos) continue;
    sleeps[status.substr(6, name_end - 6)] += std::strtoull(status.c_str() + count + kCount.size(), nullptr, 10);
  }
  return sleeps;
}

}  // namespace

void MeasureIdle(const Host& host, const Options& options) {
  Table table("Wake-ups of an idle server", stdout);
  const int seconds = options.quick ? 5 : 20;
  // What the last call left behind is over by then.
  std::this_thread::sleep_for(std::chrono::seconds(3));
  const auto before = Sleeps(host.daemon().ServerPid());
  std::this_thread::sleep_for(std::chrono::seconds(seconds));
  double sum = 0;
  for (const auto& [name, count] : Sleeps(host.daemon().ServerPid())) {
    const auto known = before.find(name);
    const uint64_t more = count - (known == before.end() ? 0 : known->second);
    if (more == 0) continue;
    const double rate = static_cast<double>(more) / seconds;
    sum += rate;
    table.Row("threads named " + name, Ratio(rate) + " a second");
  }
  table.Row("all", Ratio(sum) + " a second", "< 1", sum < 1);
}

}  // namespace jobd::bench
