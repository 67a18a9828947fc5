#include "server/rpc/handler.h"

#include <atomic>
#include <cassert>

namespace jobd::server {

class Reply::Once {
 public:
  explicit Once(std::shared_ptr<Answerable> call) : call_(std::move(call)) {}
  Once(const Once&) = delete;
  Once& operator=(const Once&) = delete;
  ~Once() {
    if (!answered_.load()) call_->Fail(base::Error(base::Code::kInternal, "the handler gave no answer"), 0);
  }

  // Nothing when the call was answered before.
  Answerable* Take() {
    const bool again = answered_.exchange(true);
    assert(!again && "a call is answered once");
    return again ? nullptr : call_.get();
  }

 private:
  const std::shared_ptr<Answerable> call_;
  std::atomic<bool> answered_ = false;
};

Reply::Reply(std::shared_ptr<Answerable> call) : once_(std::make_shared<Once>(std::move(call))) {}

void Reply::Succeed() const {
  if (Answerable* const call = once_->Take()) call->Succeed();
}

void Reply::Fail(const base::Error& error, base::Nanos retry_after) const {
  if (Answerable* const call = once_->Take()) call->Fail(error, retry_after);
}

void Reply::Await(std::unique_ptr<StreamSource> source) const {
  if (Answerable* const call = once_->Take()) call->Await(std::move(source));
}

}  // namespace jobd::server
