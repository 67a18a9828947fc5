// Compressed streams: the same bytes at the same offsets, and a clear no to what is damaged.
#include "worker/logs/stream_file.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <random>

#include "tests/unit/worker/worker_fixture.h"
#include "worker/keep/stream_compress.h"

namespace jobd::worker {
namespace {

namespace fs = std::filesystem;
using launch::Stream;

constexpr uint64_t kRoom = 1ull << 40;

bool Never() { return false; }

std::string LogText(size_t size) {
  std::mt19937 random(11);
  std::string text;
  for (int line = 0; text.size() < size; ++line) {
    text += "line " + std::to_string(line) + " took " + std::to_string(random() % 100'000) + " us\n";
  }
  text.resize(size);
  return text;
}

std::string RandomBytes(size_t size) {
  std::mt19937 random(12);
  std::string bytes(size, '\0');
  for (char& one : bytes) one = static_cast<char>(random());
  return bytes;
}

class StreamFileTest : public ::testing::Test {
 protected:
  fs::path Path(const std::string& name) const { return dir_ / "batch" / name; }
  bool Exists(const std::string& name) const { return fs::exists(Path(name)); }
  void Write(const std::string& name, const std::string& data) const { std::ofstream(Path(name), std::ios::binary) << data; }
  std::string Bytes(const std::string& name) const {
    std::ifstream file(Path(name), std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  base::Result<Compressed> Compress(uint32_t index = 1) { return CompressJob(folder_.get(), index, kRoom, Never); }
  base::Status Expand(uint32_t index = 1) { return ExpandJob(folder_.get(), index, Never); }
  base::Result<StreamFile> Open(uint32_t index = 1) { return StreamFile::Open(folder_.get(), index, Stream::kOut, cache_); }
  // What can be read at an offset; the error's message where nothing can.
  static std::string Read(StreamFile& file, uint64_t offset, size_t size) {
    std::string data(size, '\0');
    const auto got = file.PreadUpTo(std::as_writable_bytes(std::span(data)), offset);
    if (!got.ok()) return "error: " + got.error().message();
    data.resize(*got);
    return data;
  }
  std::string ReadWhole(uint32_t index = 1) {
    auto file = Open(index);
    return file.ok() ? Read(*file, 0, 4 * kFrameBytes) : "error: " + file.error().message();
  }
  base::Code OpenCode(uint32_t index = 1) {
    const auto file = Open(index);
    return file.ok() ? base::Code::kCancelled : file.error().code();
  }

  TempDir dir_;
  base::Fd folder_ = dir_.Open("batch");
  FrameCache cache_;
};

std::span<const std::byte> AsBytes(const std::string& text) { return std::as_bytes(std::span(text)); }

SeekTable TableOf(std::vector<uint64_t> ends, uint64_t size) { return {.size = size, .ends = std::move(ends)}; }

TEST(SeekTableTest, WhatIsDamagedIsRefused) {
  const SeekTable table = TableOf({1000, 1900, 2000}, 2 * kFrameBytes + 7);
  const std::string good = EncodeSeekTable(table);
  const uint64_t size = 2000 + good.size();
  const auto decoded = DecodeSeekTable(AsBytes(good), size);
  ASSERT_TRUE(decoded.ok());
  EXPECT_EQ(*decoded, table);
  for (size_t cut = 0; cut < good.size(); ++cut) {
    EXPECT_FALSE(DecodeSeekTable(AsBytes(good.substr(0, cut)), size).ok()) << cut;
    EXPECT_FALSE(DecodeSeekTable(AsBytes(good.substr(good.size() - cut)), size).ok()) << cut;
  }
  EXPECT_FALSE(DecodeSeekTable(AsBytes(good), size + 1).ok()) << "a byte of the file that belongs to nothing";
  EXPECT_FALSE(DecodeSeekTable(AsBytes(good), size - 1).ok());
  const size_t last_raw = 8 + 2 * 8 + 4;  // where the size of the last frame is
  for (size_t at = 0; at < good.size(); ++at) {
    if (at >= last_raw && at < last_raw + 3) continue;  // any other size up to kFrameBytes is as good
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 0x41);
    EXPECT_FALSE(DecodeSeekTable(AsBytes(bad), size).ok()) << at;
  }
}

TEST(SeekTableTest, SizesAreBoundedBeforeAnythingIsAllocated) {
  const auto footer = [](uint32_t frames) {
    std::string bytes;
    for (int shift = 0; shift < 32; shift += 8) bytes.push_back(static_cast<char>(frames >> shift & 0xff));
    return bytes + std::string("\0\xb1\xea\x92\x8f", 5);
  };
  EXPECT_FALSE(SeekTableSize(AsBytes(footer(0)), 1 << 20).ok());
  EXPECT_FALSE(SeekTableSize(AsBytes(footer(UINT32_MAX)), UINT64_MAX).ok());
  EXPECT_FALSE(SeekTableSize(AsBytes(footer(kMaxFrames + 1)), UINT64_MAX).ok());
  EXPECT_TRUE(SeekTableSize(AsBytes(footer(kMaxFrames)), UINT64_MAX).ok());
  EXPECT_FALSE(SeekTableSize(AsBytes(footer(100)), 800).ok()) << "more than the file";
  EXPECT_FALSE(DecodeSeekTable(AsBytes(EncodeSeekTable(TableOf({kMaxFrameSize + 1}, 10))), kMaxFrameSize + 1 + 25).ok());
}

TEST_F(StreamFileTest, WhatWouldGainNothingStaysPlain) {
  Write("1.out", LogText(kMinCompressedBytes - 1));
  Write("1.err", RandomBytes(20'000));
  const auto done = Compress();
  ASSERT_TRUE(done.ok());
  EXPECT_FALSE(done->any);
  EXPECT_FALSE(HasCompressed(folder_.get(), 1));
  EXPECT_EQ(Bytes("1.out"), LogText(kMinCompressedBytes - 1));
  EXPECT_EQ(Bytes("1.err"), RandomBytes(20'000));
  Write("2.out", LogText(20'000));
  ASSERT_TRUE(CompressJob(folder_.get(), 2, 19'999, Never).ok());
  EXPECT_TRUE(Exists("2.out")) << "there is no room for it";
  EXPECT_TRUE(Compress(3).ok()) << "a job that wrote nothing";
  EXPECT_EQ(std::distance(fs::directory_iterator(Path("")), {}), 3) << "nothing is left behind";
}

TEST_F(StreamFileTest, TheSameBytesAtEveryOffset) {
  const std::string small = LogText(kMinCompressedBytes);
  Write("1.out", small);
  ASSERT_TRUE(Compress().ok());
  ASSERT_FALSE(Exists("1.out"));
  auto file = Open();
  ASSERT_TRUE(file.ok());
  EXPECT_TRUE(file->compressed());
  EXPECT_EQ(*file->Size(), small.size());
  for (size_t offset = 0; offset <= small.size() + 1; ++offset) {
    ASSERT_EQ(Read(*file, offset, 100), offset < small.size() ? small.substr(offset, 100) : "") << offset;
  }
  for (const size_t size : {kFrameBytes, kFrameBytes + 1, 3 * kFrameBytes, 3 * kFrameBytes + 4321}) {
    const std::string text = LogText(size);
    Write("2.out", text);
    ASSERT_TRUE(Compress(2).ok());
    auto large = Open(2);
    ASSERT_TRUE(large.ok());
    EXPECT_EQ(*large->Size(), size);
    std::mt19937 random(13);
    for (int i = 0; i < 300; ++i) {
      const size_t near = (random() % 4) * kFrameBytes + random() % 5 - std::min<size_t>(2, size);
      const size_t offset = i % 2 == 0 ? random() % size : near;
      const size_t length = random() % (i % 5 == 0 ? 2 * kFrameBytes : 3000);
      ASSERT_EQ(Read(*large, offset, length), offset < size ? text.substr(offset, length) : "") << offset << " " << length;
    }
    ASSERT_TRUE(Expand(2).ok());
    EXPECT_FALSE(Exists("2.out.zst"));
    EXPECT_EQ(Bytes("2.out"), text);
  }
}

TEST_F(StreamFileTest, DamageIsToldByTheJobsName) {
  Write("1.out", LogText(3 * kFrameBytes));
  Write("2.out", LogText(5000));
  ASSERT_TRUE(Compress(1).ok());
  ASSERT_TRUE(Compress(2).ok());
  const std::string good = Bytes("1.out.zst");

  std::string bad = good;
  bad[bad.size() / 2] = static_cast<char>(bad[bad.size() / 2] ^ 1);  // in the second frame
  Write("1.out.zst", bad);
  {
    auto file = Open();
    ASSERT_TRUE(file.ok());
    EXPECT_EQ(Read(*file, 10, 50), LogText(3 * kFrameBytes).substr(10, 50));
    EXPECT_EQ(Read(*file, 2 * kFrameBytes, 50), LogText(3 * kFrameBytes).substr(2 * kFrameBytes, 50));
    EXPECT_EQ(Read(*file, kFrameBytes, 50), "error: stdout of job 1: a compressed frame is damaged");
  }
  EXPECT_EQ(Expand().error().code(), base::Code::kDataLoss);
  EXPECT_EQ(Bytes("1.out.zst"), bad) << "it is left for whoever can save something of it";
  EXPECT_FALSE(Exists("1.out"));

  for (const size_t cut : {size_t{0}, size_t{5}, good.size() / 2, good.size() - 1}) {
    Write("1.out.zst", good.substr(0, cut));
    EXPECT_EQ(OpenCode(), base::Code::kDataLoss) << cut;
  }
  EXPECT_EQ(Open().error().message(), "stdout of job 1: the seek table is damaged");
  EXPECT_EQ(ReadWhole(2), LogText(5000)) << "the other job's is not affected";
  EXPECT_EQ(OpenCode(3), base::Code::kNotFound);
}

TEST_F(StreamFileTest, CutShortWhileCompressing) {
  const std::string text = LogText(9000);
  Write("1.out", text);
  Write(".1.out.zst.new", "half a fr");  // killed while writing
  EXPECT_EQ(ReadWhole(), text);
  ASSERT_TRUE(Compress().ok());
  EXPECT_EQ(ReadWhole(), text);
  EXPECT_FALSE(Exists(".1.out.zst.new"));
  // Killed between the rename and the end of the plain file; and this is what counts, whatever the other one holds.
  Write("1.out", text);
  EXPECT_EQ(ReadWhole(), text);
  Write("1.out.zst", "of old");
  EXPECT_EQ(ReadWhole(), text);
  ASSERT_TRUE(Compress().ok());
  EXPECT_FALSE(Exists("1.out"));
  EXPECT_EQ(ReadWhole(), text);
  // Asked to stop: as it was.
  Write("2.out", text);
  const auto stopped = CompressJob(folder_.get(), 2, kRoom, [] { return true; });
  EXPECT_EQ(stopped.error().code(), base::Code::kCancelled);
  EXPECT_EQ(ReadWhole(2), text);
  EXPECT_FALSE(Exists(".2.out.zst.new"));
}

TEST_F(StreamFileTest, CutShortWhileExpanding) {
  const std::string text = LogText(9000);
  Write("1.out", text);
  ASSERT_TRUE(Compress().ok());
  Write(".1.out.new", text.substr(0, 100));  // killed while writing
  EXPECT_EQ(ReadWhole(), text);
  const std::string compressed = Bytes("1.out.zst");
  ASSERT_TRUE(Expand().ok());
  EXPECT_FALSE(Exists(".1.out.new"));
  EXPECT_EQ(Bytes("1.out"), text);
  // Killed, or without power, before the compressed one was gone: an attempt may have appended to the plain one since.
  Write("1.out", text + "more\n");
  Write("1.out.zst", compressed);
  EXPECT_EQ(ReadWhole(), text + "more\n");
  ASSERT_TRUE(Expand().ok());
  EXPECT_FALSE(Exists("1.out.zst"));
  EXPECT_EQ(ReadWhole(), text + "more\n");
  EXPECT_TRUE(Expand().ok()) << "nothing to do";
}

TEST_F(StreamFileTest, OpenFilesOutliveTheChangeAndKnowWhenThereIsMore) {
  const std::string text = LogText(9000);
  Write("1.out", text);
  auto plain = Open();
  ASSERT_TRUE(plain.ok());
  EXPECT_TRUE(plain->Holds(9001)) << "more may come";
  ASSERT_TRUE(Compress().ok());
  auto compressed = Open();
  ASSERT_TRUE(compressed.ok());
  EXPECT_TRUE(plain->Holds(9000));
  EXPECT_FALSE(plain->Holds(9001)) << "but not here";
  EXPECT_FALSE(compressed->Holds(9001));
  ASSERT_TRUE(Expand().ok());
  EXPECT_EQ(Read(*plain, 0, 10'000), text);
  EXPECT_EQ(Read(*compressed, 0, 10'000), text);
}

TEST_F(StreamFileTest, LinksAreNotFollowed) {
  Write("elsewhere", LogText(9000));
  fs::create_symlink("elsewhere", Path("1.out"));
  ASSERT_TRUE(Compress().ok());
  EXPECT_FALSE(HasCompressed(folder_.get(), 1));
  fs::remove(Path("1.out"));
  fs::create_symlink("elsewhere", Path("1.out.zst"));
  EXPECT_FALSE(HasCompressed(folder_.get(), 1));
  EXPECT_FALSE(Open().ok());
}

}  // namespace
}  // namespace jobd::worker
