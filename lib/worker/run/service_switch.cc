#include "worker/run/service_switch.h"

#include <charconv>
#include <string>
#include <utility>

namespace jobd::worker {
namespace {

constexpr const char* kKey = "service_state";
// When it was made so, in nanoseconds since 1970, a blank, and by whom.
constexpr const char* kMadeKey = "service_state_made";

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
  if (state_ == ServiceState::kRunning) return base::Ok();
  JOBD_ASSIGN_OR_RETURN(const auto made, reader.Meta(kMadeKey));
  if (!made) return base::Ok();
  const auto [end, error] = std::from_chars(made->data(), made->data() + made->size(), since_);
  if (error == std::errc() && end != made->data() + made->size()) by_ = std::string(end + 1, made->data() + made->size());
  return base::Ok();
}

std::optional<base::Error> ServiceSwitch::Refusal() const {
  if (state_ == ServiceState::kStopped)
    return base::Error(base::Code::kFailedPrecondition,
                       "the service is stopped: an administrator starts it with `jobctl admin start`");
  if (state_ == ServiceState::kDraining)
    return base::Error(base::Code::kFailedPrecondition,
                       "the service is draining, and takes no new jobs: an administrator ends that with `jobctl admin start`");
  return std::nullopt;
}

void ServiceSwitch::Set(ServiceState state, std::string by, std::function<void(base::Result<ServiceState>)> done) {
  const bool runs = state == ServiceState::kRunning;
  if (state != state_ || runs) {
    by_ = runs ? std::string() : std::move(by);
    since_ = runs ? 0 : clock_.Realtime();
  }
  state_ = state;
  Record(++changes_, std::move(done));
}

void ServiceSwitch::Record(uint64_t change, std::function<void(base::Result<ServiceState>)> done) {
  journal_.Append(
      {PutMeta{.key = kKey, .value = TextOf(state_)}, PutMeta{.key = kMadeKey, .value = std::to_string(since_) + " " + by_}},
      [this, change, done = std::move(done)](const base::Status& status) {
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
  Set(ServiceState::kStopped, by_, [](const base::Result<ServiceState>&) {
    // If it could not be stored, a restart drains again and gets here again.
  });
}

}  // namespace jobd::worker
