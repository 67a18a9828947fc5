// Why attempts were told to end, beside their exit records: read where the store did not come to record it. FORMAT.md of the
// launcher's contract has the form.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "launch/contract/launch_request.h"
#include "worker/model/model.h"

namespace jobd::worker {

inline constexpr const char* kStopsName = "stops";  // in the folder of a batch

// One for each attempt, to be appended.
std::string EncodeStops(const std::vector<launch::JobKey>& attempts, const Reason& why);

// By index and attempt; the first of several. What follows something that cannot be read is left out.
using Stops = std::map<std::pair<uint32_t, uint32_t>, Reason>;
Stops DecodeStops(std::string_view text);

}  // namespace jobd::worker
