// Batches: submitted whole, found again by their ID, every job accounted for.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "tests/e2e/harness/suite.h"

namespace jobd::e2e {
namespace {

class BatchTest : public DaemonSuite<BatchTest> {
 public:
  static DaemonOptions Options() { return {"[limits]\nmax_running = 4\n", {}, ""}; }

 protected:
  // Submits from standard input and returns the ID.
  static std::string Submit(const std::string& input, std::vector<std::string> options = {}) {
    options.insert(options.begin(), "submit");
    options.insert(options.end(), {"-f", "-"});
    return daemon_->Ok(options, "operator", input);
  }
  static nlohmann::json Status(const std::string& id) { return nlohmann::json::parse(daemon_->Ok({"status", "--json", id})); }
};

TEST_F(BatchTest, OneBadJobRefusesTheWholeBatchAndNamesTheField) {
  const Output output =
      daemon_->Do({"submit", "--id", "bad-1", "-f", "-"}, "operator",
                  "{\"argv\": [\"true\"]}\n{\"argv\": [\"true\"]}\n{\"argv\": [\"true\"], \"workdir\": \"relative\"}\n");
  EXPECT_EQ(output.code(), 2);
  EXPECT_NE(output.err.find("standard input:3: workdir: "), std::string::npos) << output.err;
  EXPECT_NE(daemon_->Do({"status", "bad-1"}).code(), 0) << "nothing of it may be left";
}

TEST_F(BatchTest, BadFilesAreRefusedBeforeAnythingIsSent) {
  for (const std::string input :
       {"", "{\"argv\": []}\n", "{\"argv\": [\"true\"], \"tiemout\": 3}\n", "{\"argv\": [\"true\"\n", "- 3\n"}) {
    const Output output = daemon_->Do({"submit", "-f", "-"}, "operator", input);
    EXPECT_NE(output.code(), 0) << input;
    EXPECT_TRUE(output.out.empty()) << input;
  }
}

TEST_F(BatchTest, TheThreeFormats) {
  for (const std::string input : {
           "{\"argv\": [\"echo\", \"a b\"]}\n{\"shell\": \"echo $((1+1)) | cat\", \"name\": \"two\"}\n",
           "name: formats\njobs:\n  - argv: [echo, a b]\n  - shell: echo $((1+1)) | cat\n    name: two\n",
           "# a comment\necho 'a b'\n\necho $((1+1)) | cat\n",
       }) {
    const std::string id = Submit(input);
    EXPECT_EQ(daemon_->Do({"wait", id}).code(), 0);
    EXPECT_EQ(daemon_->Ok({"logs", id + "/1"}), "a b") << input;
    EXPECT_EQ(daemon_->Ok({"logs", id + "/2"}), "2") << input;
  }
}

TEST_F(BatchTest, TheSameIdIsTheSameBatch) {
  const std::string lines = "echo one\necho two\n";
  EXPECT_EQ(Submit(lines, {"--id", "same-1"}), "same-1");
  EXPECT_EQ(Submit(lines, {"--id", "same-1"}), "same-1");
  const Output other = daemon_->Do({"submit", "--id", "same-1", "-f", "-"}, "operator", "echo three\n");
  EXPECT_EQ(other.code(), 125);
  EXPECT_NE(other.err.find("same-1"), std::string::npos) << other.err;
  daemon_->Ok({"wait", "same-1"});
  EXPECT_EQ(Status("same-1").at("jobs").size(), 2u);
}

TEST_F(BatchTest, WaitExitsWithTheLargestCode) {
  const std::string id = Submit("exit 0\nexit 4\nexit 2\n");
  EXPECT_EQ(daemon_->Do({"wait", id}).code(), 4);
  EXPECT_EQ(daemon_->Do({"wait", "--timeout", "100ms", Submit("sleep 1000\n", {"--id", "long-1"})}).code(), 124);
  daemon_->Ok({"cancel", "-t", "0s", "long-1"});
  EXPECT_NE(daemon_->Do({"wait", "long-1"}).code(), 0);
}

TEST_F(BatchTest, FailFastCancelsTheRest) {
  const std::string id = Submit("exit 1\nsleep 1000\nsleep 1000\n", {"--fail-fast", "--parallel", "1"});
  EXPECT_NE(daemon_->Do({"wait", id}).code(), 0);
  const auto jobs = Status(id).at("jobs");
  EXPECT_EQ(jobs.at(0).at("state"), "FAILED");
  EXPECT_EQ(jobs.at(1).at("state"), "CANCELLED");
  EXPECT_EQ(jobs.at(2).at("state"), "CANCELLED");
}

TEST_F(BatchTest, ParallelBoundsABatch) {
  const std::string file = daemon_->ShareDir() + "/parallel";
  WriteFile(file, "");
  ::chmod(file.c_str(), 0666);
  const std::string gate = daemon_->ShareDir() + "/parallel-gate";
  std::string lines;
  for (int i = 0; i < 20; ++i) {
    lines += "echo + >>" + file + "; while ! test -e " + gate + "; do sleep 0.01; done; echo - >>" + file + "\n";
  }
  const std::string id = Submit(lines, {"--parallel", "2"});
  // As many as may run do, and stay until they are let go: a third would be seen in the file.
  EXPECT_TRUE(WaitUntil([&] { return ReadFileOrEmpty(file) == "+\n+\n"; }));
  WriteFile(gate, "");
  daemon_->Ok({"wait", id});
  int running = 0;
  int most = 0;
  for (const char c : ReadFileOrEmpty(file)) {
    if (c == '+') most = std::max(most, ++running);
    if (c == '-') --running;
  }
  EXPECT_EQ(most, 2);
}

TEST_F(BatchTest, RetriesCountAttempts) {
  const std::string file = daemon_->ShareDir() + "/attempts";
  WriteFile(file, "");
  ::chmod(file.c_str(), 0666);
  const std::string id = Submit("{\"shell\": \"echo $JOBD_ATTEMPT >>" + file + "; test $JOBD_ATTEMPT = 3\", \"retries\": 5}\n");
  EXPECT_EQ(daemon_->Do({"wait", id}).code(), 0);
  EXPECT_EQ(ReadFileOrEmpty(file), "1\n2\n3\n");
  const std::string failing = Submit("exit 7\n");
  EXPECT_EQ(daemon_->Do({"wait", failing}).code(), 7);
  daemon_->Ok({"retry", "--failed", failing});
  EXPECT_EQ(daemon_->Do({"wait", failing}).code(), 7);
  EXPECT_EQ(Status(failing).at("jobs").at(0).at("attempt"), 2);
}

TEST_F(BatchTest, CancelEndsAStubbornTree) {
  // Double-forked, in a session of its own, deaf to every signal it may ignore; it prints the pid of the process that stays.
  const std::string stubborn = daemon_->Payload("stubborn");
  const std::string id = Submit("{\"argv\": [\"" + stubborn + "\", \"stay\"]}\n");
  Process follower(daemon_->Ctl({"logs", "-f", id}));
  ASSERT_TRUE(follower.WaitForOutput("\n"));
  daemon_->Ok({"cancel", "--reason", "test's end", "-t", "100ms", id});
  EXPECT_NE(daemon_->Do({"wait", id}).code(), 0);
  const auto job = Status(id).at("jobs").at(0);
  EXPECT_EQ(job.at("state"), "CANCELLED");
  EXPECT_NE(job.at("reason").at("text").get<std::string>().find("test's end"), std::string::npos) << job;
  EXPECT_FALSE(AnyProcessRuns(stubborn));
}

TEST_F(BatchTest, TenThousandJobsEachAccountedFor) {
  std::string lines;
  for (int i = 1; i <= 10'000; ++i) lines += "{\"argv\": [\"/bin/sh\", \"-c\", \"exit $(($JOBD_INDEX % 2))\"]}\n";
  const std::string id = Submit(lines);
  EXPECT_EQ(daemon_->Do({"wait", id}, "operator", "", Seconds(400)).code(), 1);
  std::set<int> indices;
  const auto status = Status(id);
  for (const auto& job : status.at("jobs")) {
    const int index = job.at("index");
    indices.insert(index);
    EXPECT_EQ(job.at("state"), index % 2 == 0 ? "SUCCEEDED" : "FAILED") << job;
    EXPECT_EQ(job.at("exit_code"), index % 2) << job;
    EXPECT_EQ(job.at("attempt"), 1) << job;
  }
  EXPECT_EQ(indices.size(), 10'000u);
}

TEST_F(BatchTest, PrefixesAndLastNameABatch) {
  const std::string id = Submit("true\n", {"--id", "prefix-abc"});
  daemon_->Ok({"wait", "prefix-ab"});
  EXPECT_EQ(daemon_->Ok({"status", "-o", "name", "last"}), id);
  Submit("true\n", {"--id", "prefix-abd"});
  const Output ambiguous = daemon_->Do({"status", "prefix-ab"});
  EXPECT_NE(ambiguous.code(), 0);
  EXPECT_NE(ambiguous.err.find("several batches"), std::string::npos) << ambiguous.err;
}

TEST_F(BatchTest, FilesAreFoundByIdAndGoWithIt) {
  const std::string id = Submit("echo out; echo err >&2\n", {"--id", "files-1", "--label", "k=v", "--name", "with files"});
  daemon_->Ok({"wait", id});
  const std::string folder = daemon_->LogDir() + "/operator/files-1";
  EXPECT_EQ(ReadFileOrEmpty(folder + "/1.out"), "out\n");
  EXPECT_EQ(ReadFileOrEmpty(folder + "/1.err"), "err\n");
  EXPECT_EQ(daemon_->Ok({"list", "--label", "k=v", "-o", "name"}), "files-1");
  daemon_->Ok({"rm", id});
  EXPECT_NE(::access(folder.c_str(), F_OK), 0);
  EXPECT_NE(daemon_->Do({"status", id}).code(), 0);
}

}  // namespace
}  // namespace jobd::e2e
