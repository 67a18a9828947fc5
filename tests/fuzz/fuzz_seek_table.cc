// The seek table of a compressed log, and the frames behind it: any bytes give a table that fits the file, or an error.
#include <algorithm>
#include <cstdlib>
#include <span>
#include <vector>

#include "worker/logs/seek_table.h"
#include "worker/logs/zstd_frame.h"

namespace worker = jobd::worker;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto file = std::as_bytes(std::span(data, size));
  if (size < worker::kSeekFooterSize) return 0;
  const auto table_size = worker::SeekTableSize(file.last(worker::kSeekFooterSize), size);
  if (!table_size.ok()) return 0;
  if (*table_size > size) std::abort();
  const auto table = worker::DecodeSeekTable(file.last(*table_size), size);
  if (!table.ok()) return 0;
  const std::string again = worker::EncodeSeekTable(*table);
  const auto bytes = file.last(*table_size);
  if (!std::equal(bytes.begin(), bytes.end(), std::as_bytes(std::span(again)).begin(), std::as_bytes(std::span(again)).end()))
    std::abort();
  worker::FrameDecompressor decompressor;
  for (size_t frame = 0; frame < table->ends.size(); ++frame) {
    if (table->ends[frame] > size) std::abort();
    std::vector<std::byte> raw(table->RawSize(frame));
    (void)decompressor.Decompress(file.subspan(table->Begin(frame), table->ends[frame] - table->Begin(frame)), raw);
  }
  return 0;
}
