// Why jobs wait, in the words of the API.
#pragma once

#include <string>

#include "worker/model/page.h"
#include "worker/model/wait.h"

namespace jobd::v1 {
class WaitReason;
}  // namespace jobd::v1

namespace jobd::server {

// Asks of those jobs of the page that wait, or may: the answer for one that is on its way is empty when nothing is in it.
worker::WaitQuery WaitsAskedFor(const worker::JobPage& page);

// `owner` is whose batch it is, and `own` whether the caller is that: they read "your limit".
void SetWait(const worker::WaitReason& wait, const std::string& owner, bool own, jobd::v1::WaitReason* message);

}  // namespace jobd::server
