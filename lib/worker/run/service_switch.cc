#include "worker/run/service_switch.h"

#include <string>
#include <utility>

namespace jobd::worker {
namespace {

constexpr const char* kKey = "service_state";

std::string TextOf(ServiceState state) { return std::to_string(static_cast<int>(state)); }

}  // namespace

base::Status ServiceSwitch::Restore(LiveReader& reader) {
  JOBD_ASSIGN_OR_RETURN(const auto stored, reader.Meta(kKey));
  for (const ServiceState state : {ServiceState::kDraining, ServiceState::kStopped}) {
    if (stored && *stored == TextOf(state)) state_ = state;
  }
  return base::Ok();
}

std::optional<base::Error> ServiceSwitch::Refusal() const {
  if (state_ == ServiceState::kStopped) return base::Error(base::Code::kFailedPrecondition, "the service is stopped");
  if (state_ == ServiceState::kDraining) return base::Error(base::Code::kFailedPrecondition, "the service is draining");
  return std::nullopt;
}

void ServiceSwitch::Set(ServiceState state, std::function<void(base::Result<ServiceState>)> done) {
  state_ = state;
  journal_.Append({PutMeta{.key = kKey, .value = TextOf(state)}}, [this, done = std::move(done)](const base::Status& status) {
    done(status.ok() ? base::Result<ServiceState>(state_) : base::Result<ServiceState>(status.error()));
  });
}

void ServiceSwitch::OnIdle() {
  if (state_ != ServiceState::kDraining) return;
  Set(ServiceState::kStopped, [](const base::Result<ServiceState>&) {
    // If it could not be stored, a restart drains again and gets here again.
  });
}

}  // namespace jobd::worker
