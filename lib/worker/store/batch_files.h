// The folders of log_dir/<owner>/<correlation id>/ and what the server does with them. Nothing here follows a symbolic link, and
// nothing leaves log_dir.
#pragma once

#include <cstdint>
#include <string>

#include "base/fd.h"
#include "base/result.h"
#include "worker/model/model.h"
#include "worker/model/service_status.h"

namespace jobd::worker {

// Opens the folder of a batch for reading in it. kNotFound when there is none.
base::Result<base::Fd> OpenBatchFolder(int log_dir, const BatchName& batch);

// The same, making it if need be, with mode 0750.
base::Result<base::Fd> MakeBatchFolder(int log_dir, const BatchName& batch);

// Deletes the folder of a batch with all that is in it, folders too should somebody have put them there; that it is gone already is
// success. Links are deleted, not followed; a mount in it is not entered, and fails the whole.
base::Status RemoveBatchFolder(int log_dir, const BatchName& batch);

// What the files of a batch take, in bytes; 0 when there is no folder.
uint64_t BatchFolderBytes(int log_dir, const BatchName& batch);

// The disk a directory is on. It accepts nothing when it is read-only, or has fewer than min_free_bytes or hardly any inodes left.
DiskStatus MeasureDisk(int dir, std::string name, uint64_t min_free_bytes);

}  // namespace jobd::worker
