// Lists of batches, as `list` and `status` print them.
#pragma once

#include <cstdint>

namespace jobd::v1 {
class ListBatchesRequest;
}

namespace jobd::cli {

class Session;

// Prints the batches asked for, newest first, at most `limit` (0: all), and says when there are more. Returns the exit code.
int PrintBatches(Session& session, v1::ListBatchesRequest request, uint32_t limit);

}  // namespace jobd::cli
