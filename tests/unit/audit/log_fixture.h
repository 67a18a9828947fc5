// An audit log in a folder of its own.
#pragma once

#include <gtest/gtest.h>

#include <fcntl.h>

#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "audit/log_files.h"
#include "audit/verifier.h"
#include "audit/writer.h"
#include "base/files.h"
#include "tests/support/temp_dir.h"

namespace jobd::audit {

class SetClock final : public base::Clock {
 public:
  base::Nanos Realtime() const override { return now; }
  base::Nanos Monotonic() const override { return now; }
  base::Nanos now = 1'790'000'000'123'456'789;
};

class LogTest : public testing::Test {
 protected:
  static constexpr const char* kName = "audit.jsonl";

  std::unique_ptr<Writer> Open(Writer::Options options = {}) {
    auto writer = Writer::Open(dir_.get(), kName, options, clock_);
    EXPECT_TRUE(writer.ok()) << (writer.ok() ? "" : writer.error().message());
    return writer.ok() ? std::move(*writer) : nullptr;
  }
  std::string OpenError(Writer::Options options = {}) {
    const auto writer = Writer::Open(dir_.get(), kName, options, clock_);
    return writer.ok() ? "OK" : writer.error().message();
  }

  static Record Some(const std::string& target) {
    return {.request = "r1",
            .via = Via::kGrpc,
            .actor = "operator",
            .role = "operator",
            .action = "Cancel",
            .target = target,
            .code = "OK"};
  }
  // `count` records more.
  static void Fill(Writer& writer, int count) {
    for (int i = 0; i < count; ++i) ASSERT_TRUE(writer.Append(std::vector{Some("batch" + std::to_string(i))}).ok());
  }

  std::string Text(const std::string& name = kName) const {
    std::ifstream file(temp_ / name, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  std::vector<std::string> Lines(const std::string& name = kName) const {
    std::vector<std::string> lines;
    std::ifstream file(temp_ / name, std::ios::binary);
    for (std::string line; std::getline(file, line);) lines.push_back(line);
    return lines;
  }
  void Put(const std::string& text, const std::string& name = kName) const {
    std::ofstream(temp_ / name, std::ios::binary | std::ios::trunc) << text;
  }
  void PutLines(const std::vector<std::string>& lines, const std::string& name = kName) const {
    std::string text;
    for (const std::string& line : lines) text += line + "\n";
    Put(text, name);
  }
  static Head HeadOf(const std::string& line) {
    const auto read = DecodeRecord(line);
    EXPECT_TRUE(read.ok()) << line;
    return read.ok() ? read->head : Head{};
  }

  Report Check(const std::vector<Anchor>& anchors = {}, bool whole = true, std::vector<std::string> names = {}) const {
    if (names.empty()) names = *LogFiles(dir_.get(), kName);
    std::vector<LogFile> files;
    for (const std::string& name : names) files.push_back({name, std::move(*base::OpenAt(dir_.get(), name, O_RDONLY))});
    auto report = Verify(std::move(files), anchors, whole);
    EXPECT_TRUE(report.ok());
    return report.ok() ? std::move(*report) : Report{};
  }
  // "audit.jsonl:3: altered", or "whole".
  std::string Found(const std::vector<Anchor>& anchors = {}, bool whole = true, std::vector<std::string> names = {}) const {
    const Report report = Check(anchors, whole, std::move(names));
    if (!report.damage) return "whole";
    return report.damage->file + ":" + std::to_string(report.damage->line) + ": " + std::string(DamageName(report.damage->kind));
  }

  test::TempDir temp_;
  base::Fd dir_ = temp_.Open();
  SetClock clock_;
};

}  // namespace jobd::audit
