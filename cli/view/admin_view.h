// The service's state and settings, for people and as JSON.
#pragma once

#include <string>

#include "base/clock.h"
#include "cli/view/json_view.h"
#include "cli/view/table.h"
#include "jobd/v1/admin_service.pb.h"

namespace jobd::cli {

std::string ServiceStateName(v1::ServiceState state);  // "RUNNING"

// Some lines; escaped.
std::string ServiceStatusText(const v1::GetStatusResponse& status, base::Nanos now, bool color);
// {"state", "state_by", "state_since", "warnings": [TEXT], "version", "started_at", "uptime" (seconds), "slots", "running",
// "queued", "finished": {"SUCCEEDED": 3}, "disks":
// [{"name", "free_bytes", "total_bytes", "accepting", "problem"}], "certificate_expires_at", "isolation": [{"name", "available",
// "detail"}], "server_restarts", "config_revision"}.
Json ServiceStatusToJson(const v1::GetStatusResponse& status);

Table ConfigTable(const v1::GetConfigResponse& config);
// {"settings": {KEY: {"value", "origin"}}, "config_revision"}.
Json ConfigToJson(const v1::GetConfigResponse& config);

}  // namespace jobd::cli
