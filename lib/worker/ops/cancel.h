// A client's cancel.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "worker/model/request.h"
#include "worker/run/engine.h"

namespace jobd::worker {

// Lives on the loop's thread until it is answered.
class CancelOp : public std::enable_shared_from_this<CancelOp> {
 public:
  // From any thread. The answer comes on the loop, after the commit.
  static void Post(Engine& engine, JobSelector jobs, Reason reason, std::optional<base::Nanos> grace, Callback<CancelCounts> done);

  CancelOp(Engine& engine, JobSelector jobs, Reason reason, std::optional<base::Nanos> grace, Callback<CancelCounts> done);

 private:
  void Run();

  Engine& engine_;
  const JobSelector jobs_;
  const Reason reason_;
  const std::optional<base::Nanos> grace_;
  const Callback<CancelCounts> done_;
};

}  // namespace jobd::worker
