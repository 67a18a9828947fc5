// Metrics: who is turned away at their door, and what is said behind it.
#include "server/ops/metrics.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "base/files.h"
#include "base/listener.h"
#include "server/ops/metrics_endpoint.h"
#include "tests/support/temp_dir.h"

namespace jobd::server {
namespace {

class EndpointTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto listener = base::Listen("127.0.0.1:0");
    ASSERT_TRUE(listener.ok());
    address_ = listener->address;
    auto endpoint = MetricsEndpoint::Start(std::move(listener->sockets.front()), [] { return std::string("jobd_up 1\n"); });
    ASSERT_TRUE(endpoint.ok()) << endpoint.error().message();
    endpoint_ = *std::move(endpoint);
  }
  // What comes back until the other side ends.
  std::string Answer(const std::string& request) {
    const auto connection = base::ConnectTo(address_, 20'000);
    if (!connection.ok()) return connection.error().message();
    (void)base::WriteAll(connection->get(), request);
    auto answer = base::ReadAll(connection->get(), 1 << 20);
    return answer.ok() ? *answer : answer.error().message();
  }
  std::string address_;
  std::unique_ptr<MetricsEndpoint> endpoint_;
};

TEST_F(EndpointTest, AnswersNothingToWhatIsNotHttp) { EXPECT_EQ(Answer(std::string("\0\x16\x03\x01 garbage\r\n\r\n", 16)), ""); }

TEST_F(EndpointTest, RefusesOtherPathsOtherMethodsAndBodies) {
  EXPECT_TRUE(Answer("GET /../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n").starts_with("HTTP/1.1 404 "));
  EXPECT_TRUE(Answer("GET / HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 404 "));
  EXPECT_TRUE(Answer("DELETE /metrics HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 405 "));
  EXPECT_EQ(Answer("POST /metrics HTTP/1.1\r\nContent-Length: 1000000\r\n\r\nx").find("jobd_up"), std::string::npos);
  // A header without end is not waited for, let alone kept.
  EXPECT_EQ(Answer("GET /metrics HTTP/1.1\r\nX: " + std::string(100'000, 'x')).find("jobd_up"), std::string::npos);
}

TEST_F(EndpointTest, ManySilentConnectionsKeepNobodyOutForLong) {
  std::vector<base::Fd> silent;
  for (int i = 0; i < 20; ++i) {
    auto connection = base::ConnectTo(address_, 20'000);
    ASSERT_TRUE(connection.ok());
    silent.push_back(std::move(*connection));
  }
  EXPECT_TRUE(Answer("GET /metrics HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 200 "));
}

TEST_F(EndpointTest, ServesOnePage) {
  const std::string answer = Answer("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 OK\r\n")) << answer;
  EXPECT_NE(answer.find("Content-Type: text/plain; version=0.0.4"), std::string::npos) << answer;
  EXPECT_TRUE(answer.ends_with("\r\n\r\njobd_up 1\n")) << answer;
}

TEST(ListenUnixTest, ReplacesASocketAndNothingElse) {
  const test::TempDir temp;
  const base::Fd dir = temp.Open();
  const auto here = std::filesystem::current_path();
  std::ofstream(temp / "file") << "precious";
  EXPECT_FALSE(base::ListenUnix(dir.get(), "file", 0660).ok());
  EXPECT_EQ(*base::ReadFile(AT_FDCWD, temp / "file"), "precious");
  std::filesystem::create_symlink(temp / "target", temp / "link");
  EXPECT_FALSE(base::ListenUnix(dir.get(), "link", 0660).ok()) << "a link is not followed";
  for (const std::string& name : {std::string(200, 'x'), std::string(), std::string("../s")}) {
    EXPECT_FALSE(base::ListenUnix(dir.get(), name, 0660).ok()) << name;
  }
  for (int i = 0; i < 2; ++i) {
    const auto socket = base::ListenUnix(dir.get(), "s", 0660);
    ASSERT_TRUE(socket.ok()) << socket.error().message();
    struct stat about {};
    ASSERT_EQ(::stat((temp / "s").c_str(), &about), 0);
    EXPECT_EQ(about.st_mode & 0777, 0660u);
  }
  EXPECT_EQ(std::filesystem::current_path(), here);
}

class MetricsTest : public ::testing::Test {
 protected:
  // The value of a line; nothing when there is none.
  std::string Value(const std::string& name, const MetricsSnapshot& snapshot = {}) {
    const std::string text = "\n" + metrics_.Text(snapshot);
    const size_t at = text.find("\n" + name + " ");
    if (at == std::string::npos) return "";
    const size_t from = at + name.size() + 2;
    return text.substr(from, text.find('\n', from) - from);
  }
  Metrics metrics_;
};

TEST_F(MetricsTest, CountFromZero) {
  EXPECT_EQ(Value("jobd_jobs_submitted_total"), "0");
  EXPECT_EQ(Value("jobd_jobs_ended_total{state=\"lost\"}"), "0");
  EXPECT_EQ(Value("jobd_job_duration_seconds_count"), "0");
}

TEST_F(MetricsTest, CountWhatTheWorkerTells) {
  metrics_.OnAccepted(7);
  metrics_.OnStarted(3 * base::kNanosPerMilli);
  worker::JobRow row{.started_at = 1};
  row.usage.wall = 2 * base::kNanosPerSecond;
  row.stdout_bytes = 10;
  row.stderr_bytes = 5;
  row.dropped_bytes = 3;
  metrics_.OnAttempt(row);
  metrics_.OnEnded({"ann", "b"}, 1, {.state = worker::JobState::kTimedOut}, 1);
  metrics_.OnEnded({"ann", "b"}, 0, {.state = worker::JobState::kCancelled}, 6);
  metrics_.OnCommit(base::kNanosPerMilli / 5, false);
  EXPECT_EQ(Value("jobd_batches_submitted_total"), "1");
  EXPECT_EQ(Value("jobd_jobs_submitted_total"), "7");
  EXPECT_EQ(Value("jobd_jobs_started_total"), "1");
  EXPECT_EQ(Value("jobd_start_latency_seconds_bucket{le=\"0.0025\"}"), "0");
  EXPECT_EQ(Value("jobd_start_latency_seconds_bucket{le=\"0.005\"}"), "1");
  EXPECT_EQ(Value("jobd_job_duration_seconds_sum"), "2");
  EXPECT_EQ(Value("jobd_output_recorded_bytes_total"), "15");
  EXPECT_EQ(Value("jobd_output_dropped_bytes_total"), "3");
  EXPECT_EQ(Value("jobd_jobs_ended_total{state=\"timed_out\"}"), "1");
  EXPECT_EQ(Value("jobd_jobs_ended_total{state=\"cancelled\"}"), "6");
  EXPECT_EQ(Value("jobd_commit_failures_total"), "1");
}

TEST_F(MetricsTest, CountCallsAndThoseWhoFollow) {
  metrics_.OnRefused("PERMISSION_DENIED");
  metrics_.OnRefused("permission_denied");
  metrics_.OnStreamed(100);
  EXPECT_EQ(Value("jobd_calls_refused_total{reason=\"permission_denied\"}"), "2");
  EXPECT_EQ(Value("jobd_output_streamed_bytes_total"), "100");
  {
    const Metrics::Follower one(metrics_);
    const Metrics::Follower two(metrics_);
    EXPECT_EQ(Value("jobd_followers"), "2");
  }
  EXPECT_EQ(Value("jobd_followers"), "0");
}

TEST_F(MetricsTest, ShowTheStateOfTheService) {
  MetricsSnapshot snapshot{.server_restarts = 2, .certificate_expiry = 2'000'000'000, .calls = 4};
  snapshot.worker.state = worker::ServiceState::kDraining;
  snapshot.worker.queued = 5;
  snapshot.worker.running = 2;
  snapshot.worker.slots = 8;
  snapshot.worker.disks = {{.name = "log", .free_bytes = 1024, .total_bytes = 4096, .accepting = false}};
  snapshot.worker.kept.bytes = 77;
  EXPECT_EQ(Value("jobd_server_restarts_total", snapshot), "2");
  EXPECT_EQ(Value("jobd_server_restarts_total", snapshot), "2") << "and not more at each look";
  EXPECT_EQ(Value("jobd_service_state{state=\"draining\"}", snapshot), "1");
  EXPECT_EQ(Value("jobd_service_state{state=\"running\"}", snapshot), "0");
  EXPECT_EQ(Value("jobd_jobs_queued", snapshot), "5");
  EXPECT_EQ(Value("jobd_jobs_running", snapshot), "2");
  EXPECT_EQ(Value("jobd_slots", snapshot), "8");
  EXPECT_EQ(Value("jobd_disk_free_bytes{disk=\"log\"}", snapshot), "1024");
  EXPECT_EQ(Value("jobd_disk_accepting{disk=\"log\"}", snapshot), "0");
  EXPECT_EQ(Value("jobd_kept_bytes", snapshot), "77");
  EXPECT_EQ(Value("jobd_certificate_expiry_timestamp_seconds", snapshot), "2000000000");
}

}  // namespace
}  // namespace jobd::server
