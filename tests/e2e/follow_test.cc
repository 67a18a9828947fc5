// Followers, many, slow and cut: each gets every byte once, and none costs the service or another one.
#include <gtest/gtest.h>

#include <fstream>

#include "tests/e2e/api/api.h"
#include "tests/e2e/harness/suite.h"

namespace jobd::e2e {
namespace {

constexpr uint64_t kMiB = 1 << 20;

class FollowTest : public DaemonSuite<FollowTest> {
 public:
  static DaemonOptions Options() { return {"[limits]\nmax_running = 4\nmax_streams_per_user = 2000\n", {}, ""}; }

 protected:
  static void SetUpTestSuite() {
    DaemonSuite::SetUpTestSuite();
    spew_ = daemon_->Payload("spew");
  }
  static std::string Gate(const std::string& name) { return daemon_->ShareDir() + "/" + name; }
  static std::string Detached(const std::string& script) { return daemon_->Ok({"run", "-d", "--", "sh", "-c", script}); }
  static std::string LogFile(const std::string& id) { return daemon_->LogDir() + "/operator/" + id + "/1.out"; }
  static uint64_t HashOfFile(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    std::string block(kMiB, '\0');
    uint64_t hash = kHashStart;
    while (in.read(block.data(), static_cast<std::streamsize>(block.size())) || in.gcount() > 0) {
      hash = HashOn(hash, block.substr(0, static_cast<size_t>(in.gcount())));
    }
    return hash;
  }
  static std::string spew_;
};

std::string FollowTest::spew_;

TEST_F(FollowTest, AThousandFollowersOfOneJobGetEveryByte) {
  constexpr uint64_t kHalf = 200'000;
  constexpr size_t kFollowers = 1000;
  const std::string print = spew_ + " " + std::to_string(kHalf) + " 2>/dev/null; ";
  const std::string id = Detached(print + "while ! test -e " + Gate("many") + "; do sleep 0.01; done; " + print);
  const uint64_t before = MemoryOf(daemon_->ServerPid(), "VmRSS");
  std::vector<std::shared_ptr<grpc::Channel>> channels;  // 128 streams each
  for (int i = 0; i < 10; ++i) channels.push_back(Connect(*daemon_));
  std::vector<std::unique_ptr<Follower>> followers;
  for (size_t i = 0; i < kFollowers; ++i) {
    followers.push_back(std::make_unique<Follower>(channels[i % channels.size()], FollowOf(id)));
  }
  for (const auto& follower : followers) ASSERT_TRUE(follower->WaitForBytes(kHalf));
  EXPECT_EQ(daemon_->Do({"run", "--", "echo", "served"}).out, "served\n") << "others are served meanwhile";
  WriteFile(Gate("many"), "");
  for (const auto& follower : followers) ASSERT_TRUE(follower->WaitForEnd());
  const uint64_t hash = HashOfFile(LogFile(id));
  for (const auto& follower : followers) {
    EXPECT_TRUE(follower->status().ok()) << follower->status().error_message();
    EXPECT_EQ(follower->bytes(), 2 * kHalf);
    EXPECT_EQ(follower->hash(), hash);
  }
  const uint64_t most = MemoryOf(daemon_->ServerPid(), "VmHWM");
  std::printf("server: %lu MiB before, %lu MiB at most\n", before / kMiB, most / kMiB);
  EXPECT_LT(most, 400 * kMiB);
}

TEST_F(FollowTest, FollowersThatStopReadingHoldUpNobodyAndTakeNoMemory) {
  constexpr uint64_t kBytes = 64 * kMiB;
  const std::string id = Detached("while ! test -e " + Gate("slow") + "; do sleep 0.01; done; " + spew_ + " " +
                                  std::to_string(kBytes) + " 2>/dev/null");
  const auto slow_channel = Connect(*daemon_);
  const auto fast_channel = Connect(*daemon_);
  std::vector<std::unique_ptr<Follower>> slow;
  std::vector<std::unique_ptr<Follower>> fast;
  for (int i = 0; i < 20; ++i) slow.push_back(std::make_unique<Follower>(slow_channel, FollowOf(id), 1));
  for (int i = 0; i < 2; ++i) fast.push_back(std::make_unique<Follower>(fast_channel, FollowOf(id)));
  // And one behind a jobctl whose output nobody reads for now.
  Process trickle(daemon_->Ctl({"logs", "-f", "--raw", "--stdout", id}));
  const uint64_t before = MemoryOf(daemon_->ServerPid(), "VmRSS");
  WriteFile(Gate("slow"), "");
  for (const auto& follower : fast) ASSERT_TRUE(follower->WaitForEnd());
  EXPECT_EQ(daemon_->Do({"wait", id}).code(), 0) << "nor is the job";
  const uint64_t after = MemoryOf(daemon_->ServerPid(), "VmRSS");
  std::printf("server: %lu MiB before, %lu MiB with 21 stalled followers\n", before / kMiB, after / kMiB);
  EXPECT_LT(after, before + 100 * kMiB);
  const uint64_t hash = HashOfFile(LogFile(id));
  for (const auto& follower : fast) EXPECT_EQ(follower->hash(), hash);
  for (const auto& follower : slow) EXPECT_LT(follower->bytes(), kBytes);
  // They have lost nothing by it.
  for (size_t i = 0; i < 2; ++i) {
    slow[i]->Resume();
    ASSERT_TRUE(slow[i]->WaitForEnd());
    EXPECT_TRUE(slow[i]->status().ok()) << slow[i]->status().error_message();
    EXPECT_EQ(slow[i]->bytes(), kBytes);
    EXPECT_EQ(slow[i]->hash(), hash);
  }
  EXPECT_EQ(HashOn(kHashStart, trickle.Finish().out), hash);
}

TEST_F(FollowTest, CutAThousandTimesItGivesTheFileByteForByte) {
  const std::string id = Detached("i=0; while ! test -e " + Gate("cut") + "; do i=$((i+1)); echo $i; done; echo done");
  // Else each of the cuts may come before the first line, on a busy machine.
  ASSERT_TRUE(WaitUntil([&] { return ReadFileOrEmpty(LogFile(id)).find('\n') != std::string::npos; }));
  std::string all;
  v1::StreamLogsRequest request = FollowOf(id);
  auto channel = Connect(*daemon_);
  for (int cut = 0; cut < 1000; ++cut) {
    if (cut % 10 == 9) channel = Connect(*daemon_);  // by the loss of the connection too
    std::string cursor;
    grpc::ClientContext context;
    const auto stream = v1::JobQueryService::NewStub(channel)->StreamLogs(&context, request);
    v1::StreamLogsResponse response;
    ASSERT_TRUE(stream->Read(&response)) << stream->Finish().error_message();
    for (const auto& chunk : response.chunks()) {
      EXPECT_EQ(chunk.offset(), all.size());
      all += chunk.data();
    }
    request.set_cursor(response.cursor());
    context.TryCancel();
  }
  WriteFile(Gate("cut"), "");
  grpc::ClientContext context;
  const auto stream = v1::JobQueryService::NewStub(channel)->StreamLogs(&context, request);
  for (v1::StreamLogsResponse response; stream->Read(&response);) {
    for (const auto& chunk : response.chunks()) all += chunk.data();
  }
  EXPECT_TRUE(stream->Finish().ok());
  EXPECT_TRUE(all == ReadFileOrEmpty(LogFile(id))) << all.size();
  EXPECT_TRUE(all.ends_with("\ndone\n"));
}

TEST_F(FollowTest, OneLineOf300MiBWithoutANewline) {
  constexpr uint64_t kBytes = 300 * kMiB;
  const std::string id = Detached("head -c " + std::to_string(kBytes) + " /dev/zero | tr '\\0' x");
  Follower follower(Connect(*daemon_), FollowOf(id));
  ASSERT_TRUE(follower.WaitForEnd());
  EXPECT_EQ(follower.bytes(), kBytes);
  // A tail of lines is a tail of this one; nobody keeps it whole to find that out.
  Command tail = daemon_->Ctl({});
  tail.argv = {"/bin/bash", "-c", Binary("jobctl") + " logs -n 1 " + id + " | wc -c"};
  EXPECT_EQ(RunCommand(tail).out, std::to_string(kBytes) + "\n");
  const uint64_t most = MemoryOf(daemon_->ServerPid(), "VmHWM");
  std::printf("server: %lu MiB at most\n", most / kMiB);
  EXPECT_LT(most, 400 * kMiB);
  EXPECT_EQ(daemon_->Do({"status", id}).code(), 0);
  daemon_->Ok({"rm", id});
}

}  // namespace
}  // namespace jobd::e2e
