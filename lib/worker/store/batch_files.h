// The folders log_dir/<owner>/<correlation id>/. Nothing here follows a symbolic link, and
// nothing leaves log_dir.
#pragma once

#include <cstdint>
#include <string>

#include "base/fd.h"
#include "base/result.h"
#include "worker/model/model.h"

namespace jobd::worker {

// Opens the folder of a batch for reading in it. kNotFound when there is none.
base::Result<base::Fd> OpenBatchFolder(int log_dir, const BatchName& batch);

// The same, and makes the folder if there is none, with mode 0700.
base::Result<base::Fd> MakeBatchFolder(int log_dir, const BatchName& batch);

// Deletes the folder of a batch with all that is in it, also with folders that somebody has put there. Success when it is gone
// already. Links are deleted, not followed. A mount in it is not entered, and fails the whole.
base::Status RemoveBatchFolder(int log_dir, const BatchName& batch);

// The room that the files of a batch take on the disk, in bytes; 0 when there is no folder.
uint64_t BatchFolderBytes(int log_dir, const BatchName& batch);

}  // namespace jobd::worker
