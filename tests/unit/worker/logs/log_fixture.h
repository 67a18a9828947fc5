// A worker whose jobs' output is written as a shim writes it, and read back.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tests/unit/worker/worker_fixture.h"

namespace jobd::worker {

using base::ExitStatus;
using launch::Stream;

class LogSessionTest : public WorkerTest {
 protected:
  void SetUp() override {
    limits_.max_running = 8;
    ASSERT_TRUE(Open().ok());
  }
  FakeOutput Output(uint32_t index) { return FakeOutput(logs_.get(), "ann/b", index); }
  // All pages of a query that does not follow.
  base::Result<std::vector<LogChunk>> ReadAll(LogQuery query, size_t page_size = 65536) {
    query.batch = {"ann", "b"};
    auto session = worker_->OpenLogs(query);
    if (!session.ok()) return std::move(session).error();
    std::vector<LogChunk> chunks;
    for (;;) {
      auto page = (*session)->Read(page_size);
      if (!page.ok()) return std::move(page).error();
      for (auto& chunk : page->chunks) chunks.push_back(std::move(chunk));
      if (page->finished) return chunks;
    }
  }
  std::string Text(LogQuery query) {
    const auto chunks = ReadAll(std::move(query));
    if (!chunks.ok()) return "error: " + chunks.error().message();
    std::string text;
    for (const auto& chunk : *chunks) text += chunk.data;
    return text;
  }
  base::Code CodeOf(LogQuery query) {
    const auto chunks = ReadAll(std::move(query));
    return chunks.ok() ? base::Code::kInternal : chunks.error().code();
  }
  // Three jobs, launched and running.
  void StartThree() {
    ASSERT_TRUE(Submit("b", Jobs(3)).ok());
    for (size_t i = 1; i <= 3; ++i) keys_.push_back(launcher_->WaitLaunched(i).key);
  }
  std::vector<launch::JobKey> keys_;
  static constexpr base::Nanos kT = FakeLauncher::kStarted + base::kNanosPerSecond;
  static constexpr base::Nanos kMs = base::kNanosPerMilli;
};

}  // namespace jobd::worker
