// A job as the launcher hands it to a shim, and the shim's answer. Both ends are of one program.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "launch/contract/launch_request.h"
#include "launch/shim/shim.h"

namespace jobd::launch {

// One job for a shim. A shim that has done one waits for the next on its channel, a SOCK_SEQPACKET pair with the launcher.
struct Assignment {
  uint32_t serial = 1;  // among those of this shim; tells signals for this job from late ones for the job before
  LaunchRequest request;
  Identity identity;
  std::string profile;  // the name of one that the isolation has checked
};

// Larger ones are not sent: a socket's buffer might not take them.
inline constexpr size_t kMaxAssignment = 64 * 1024;

std::string EncodeAssignment(const Assignment& job);
// std::nullopt for bytes that EncodeAssignment did not make.
std::optional<Assignment> DecodeAssignment(std::span<const std::byte> bytes);

// On the launcher's side; neither waits. False when the shim cannot be given a job: it is gone, or its socket is full.
bool TrySendAssignment(int channel, const std::string& encoded);
// The status (kShimRecorded or an errno) with which the shim ended its job; std::nullopt when there is none to read.
std::optional<int> TryReceiveStatus(int channel);

// On the shim's side. Neither waits for the launcher's reading nor ends by a signal. False when the launcher is gone.
bool SendStatus(int channel, int status);
// Waits. std::nullopt when no more will come.
std::optional<Assignment> ReceiveAssignment(int channel);

}  // namespace jobd::launch
