// What a server makes of what went on without it, and of what a version that it does not know has written.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/crc.hpp>
#include <chrono>
#include <nlohmann/json.hpp>
#include <span>

#include "base/wire.h"
#include "launch/contract/exit_file.h"
#include "tests/e2e/harness/daemon.h"

namespace jobd::e2e {
namespace {

// FORMAT.md: the version and the check keep their places in every version.
void SetVersion(launch::SlotBytes& slot, uint16_t version) {
  base::StoreLittle(std::span(slot).subspan(4), version);
  boost::crc_32_type crc;
  crc.process_bytes(slot.data(), 252);
  base::StoreLittle<uint32_t>(std::span(slot).subspan(252), crc.checksum());
}

TEST(AdoptionTest, AThousandJobsThatEndedWhileTheServerWasAwayAreImported) {
  constexpr int kJobs = 1000;
  Daemon daemon({"[limits]\nmax_running = 1000\n", {}, "", {}, true});
  ASSERT_TRUE(daemon.Start()) << daemon.log();
  const std::string gate = daemon.ShareDir() + "/gate";
  ASSERT_EQ(::mkfifo(gate.c_str(), 0), 0);
  ASSERT_EQ(::chmod(gate.c_str(), 0666), 0);
  std::string lines;
  for (int i = 1; i <= kJobs; ++i) {
    const std::string end = i % 10 == 0 ? "kill -9 $$" : "exit $((JOBD_INDEX % 5))";
    lines += R"({"argv": ["/bin/sh", "-c", "echo out; read x <)" + gate + "; " + end + R"("], "profile": "open"})" + "\n";
  }
  const std::string id = daemon.Ok({"submit", "-f", "-"}, "operator", lines);
  const auto status = [&] { return nlohmann::json::parse(daemon.Ok({"status", "--json", id})); };
  ASSERT_TRUE(WaitUntil([&] { return status().at("counts").value("RUNNING", 0) == kJobs; })) << status().at("counts");
  ASSERT_TRUE(WaitUntil([&] { return ChildrenNamed(daemon.LauncherPid(), "jobd-shim").size() == kJobs; }));

  daemon.EndServer();
  ASSERT_TRUE(WaitUntil([&] {
    const base::Fd writer(
        ::open(gate.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC));  // whoever waits for one reads the end of the file
    return ChildrenNamed(daemon.LauncherPid(), "jobd-shim").empty();
  }));

  const auto begin = std::chrono::steady_clock::now();
  daemon.StartServer();
  EXPECT_NE(daemon.Do({"wait", id}).code(), 0);
  const auto took = std::chrono::steady_clock::now() - begin;
  std::printf("imported %d in %ld ms, start included\n", kJobs,
              static_cast<long>(std::chrono::duration_cast<std::chrono::milliseconds>(took).count()));
  int accounted = 0;
  const auto imported = status();
  for (const auto& job : imported.at("jobs")) {
    const int index = job.at("index");
    ++accounted;
    if (index % 10 == 0) {
      EXPECT_EQ(job.at("signal"), 9) << job;
    } else {
      EXPECT_EQ(job.at("exit_code"), index % 5) << job;
    }
    EXPECT_FALSE(job.at("ended_at").is_null()) << job;
    EXPECT_EQ(job.at("stdout_bytes"), 4) << job;
  }
  EXPECT_EQ(accounted, kJobs);
}

TEST(AdoptionTest, ANewerVersionsExitRecordStopsTheServerAndDecidesNothing) {
  Daemon daemon;
  ASSERT_TRUE(daemon.Start()) << daemon.log();
  const std::string gate = daemon.ShareDir() + "/gate";
  const std::string id = daemon.Ok({"run", "-d", "--", "sh", "-c", "while ! test -e gate; do sleep 0.01; done; exit 7"});
  ASSERT_TRUE(WaitUntil([&] { return daemon.Ok({"status", "--json", id}).find("RUNNING") != std::string::npos; }));
  daemon.KillLauncher();
  WriteFile(gate, "");
  const std::string file = daemon.LogDir() + "/operator/" + id + "/exits";
  const base::Fd exits(::open(file.c_str(), O_RDWR | O_CLOEXEC));
  ASSERT_TRUE(exits);
  ASSERT_TRUE(WaitUntil([&] {
    const auto record = launch::ReadSlot(exits.get(), 1);
    return record.ok() && record->phase == launch::Phase::kEnded;
  }));

  const std::string ours = ReadFileOrEmpty(file);
  launch::SlotBytes newer{};
  ASSERT_EQ(::pread(exits.get(), newer.data(), newer.size(), 0), static_cast<ssize_t>(newer.size()));
  SetVersion(newer, 2);
  ASSERT_EQ(::pwrite(exits.get(), newer.data(), newer.size(), 0), static_cast<ssize_t>(newer.size()));
  EXPECT_FALSE(daemon.Start(Seconds(3)));
  EXPECT_NE(daemon.log().find("exit record of version 2, newer than ours"), std::string::npos) << daemon.log();

  ASSERT_EQ(::pwrite(exits.get(), ours.data(), ours.size(), 0), static_cast<ssize_t>(ours.size()));
  ASSERT_TRUE(daemon.Start()) << daemon.log();
  EXPECT_EQ(daemon.Do({"wait", id}).code(), 7) << "as the version that knows it finds it";
}

}  // namespace
}  // namespace jobd::e2e
