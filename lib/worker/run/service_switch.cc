#include "worker/run/service_switch.h"

#include <string>
#include <utility>

namespace jobd::worker {
namespace {

constexpr const char* kKey = "service_state";

std::string TextOf(ServiceState state) { return std::to_string(static_cast<int>(state)); }

// How often a state that could not be recorded is offered to the disk again.
constexpr base::Nanos kOfferAgain = base::kNanosPerSecond;

const char* NameOf(ServiceState state) {
  return state == ServiceState::kStopped ? "stopped" : state == ServiceState::kDraining ? "draining" : "running";
}

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
  Record(++changes_, std::move(done));
}

void ServiceSwitch::Record(uint64_t change, std::function<void(base::Result<ServiceState>)> done) {
  journal_.Append(
      {PutMeta{.key = kKey, .value = TextOf(state_)}}, [this, change, done = std::move(done)](const base::Status& status) {
        if (status.ok()) return done ? done(state_) : void();
        loop_.After(kOfferAgain, [this, change] {
          if (change == changes_) Record(change, {});
        });
        if (!done) return;
        done(base::Error(status.error().code(), status.error().message() + ": the service is " + NameOf(state_) +
                                                    ", which is not recorded yet: a restart of jobd before that would forget it"));
      });
}

void ServiceSwitch::OnIdle() {
  if (state_ != ServiceState::kDraining) return;
  Set(ServiceState::kStopped, [](const base::Result<ServiceState>&) {
    // If it could not be stored, a restart drains again and gets here again.
  });
}

}  // namespace jobd::worker
