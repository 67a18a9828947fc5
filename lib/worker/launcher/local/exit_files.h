// The exit files of the batches that have live attempts: opened, read and watched. Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <utility>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "launch/contract/exit_file.h"
#include "worker/launcher/launcher.h"
#include "worker/watch/file_events.h"

namespace jobd::worker {

// One batch's exit file, open, and watched as far as the user's inotify limits allow. Default: none is open, and reading says so.
struct ExitFile {
  base::Fd file;
  std::unique_ptr<FileWatch> watch;

  // kDataLoss when no file is open; else as launch::ReadSlot and launch::SlotHolder.
  base::Result<launch::SlotRecord> Read(uint32_t index) const;
  base::Result<std::optional<int>> Holder(uint32_t index) const;
};

// Reads slots of one file in ascending order, neighbours by one call.
class SlotWindow {
 public:
  // Between these two, both included, slots will be asked for. `file` is borrowed.
  SlotWindow(int file, uint32_t first, uint32_t last);
  // The bytes of a slot, until the next call; none when the file cannot be read there, or ends before.
  std::optional<std::span<const std::byte>> At(uint32_t index);

 private:
  const int file_;
  std::vector<std::byte> bytes_;
  uint32_t first_ = 0;
  size_t count_ = 0;
};

// Opens exit files and tells which of them were written to.
class ExitFiles {
 public:
  // `log_dir` is borrowed. Fails when there is no inotify instance to be had.
  static base::Result<std::unique_ptr<ExitFiles>> Create(int log_dir);
  // All watches are gone before.
  ~ExitFiles();

  // On the loop's thread, from now on calls `written` once for each batch whose file was written to since it was last called. The
  // loop's own thread reads inotify: for a short job, waking another thread would cost as much as all the rest.
  void Begin(LauncherLoop& loop, std::function<void(uint64_t batch)> written);
  void End();

  // What Make has made, to be watched.
  struct Made {
    base::Fd folder;
    base::Fd file;
  };
  // Opens the file, making it and the batch's folder if need be, when `begun` (ascending, of this batch) are marked: see MarkBegun.
  // Thread-safe, as it may wait for the disk. Errors: see Launcher::Open.
  base::Result<Made> Make(const BatchPlace& place, std::span<const launch::JobKey> begun) const;
  ExitFile WatchMade(Made made, uint64_t batch);
  // What is there of a batch's file.
  struct Found {
    ExitFile exits;               // for reading; none where it cannot be had
    bool whole = false;           // it has room for every job of the batch. Else what is not in it says nothing about any job
    bool without_folder = false;  // nor can the batch's folder be opened
  };
  // Opens it and watches it, and writes nothing: the disk may be frozen.
  Found OpenFound(const BatchPlace& place);
  // Writes into the slots of these attempts (ascending, of this batch) that they may have begun, unless a record of theirs or of
  // a later attempt is there, or a shim holds the slot: no record, or a file that was made whole, would otherwise make them look as
  // if they had never begun.
  base::Status MarkBegun(const BatchPlace& place, std::span<const launch::JobKey> attempts) const;
  // The batch's file of stop_reasons.h. Appending has it on the disk, however long that takes; thread-safe. Read: empty where there
  // is none, or it cannot be had.
  base::Status AppendStops(const BatchName& batch, const std::string& text) const;
  std::string ReadStops(const BatchName& batch) const;

 private:
  ExitFiles(int log_dir, std::unique_ptr<FileEvents> events) : log_dir_(log_dir), events_(std::move(events)) {}
  void OnReadable();
  std::unique_ptr<FileWatch> Watch(int folder, uint64_t batch);

  const int log_dir_;
  std::unique_ptr<FileEvents> events_;
  LauncherLoop* loop_ = nullptr;
  std::function<void(uint64_t)> written_;
  std::set<uint64_t> dirty_batches_;
};

}  // namespace jobd::worker
