// An address as a person writes it: which batch, and perhaps which job, it means. The order in which it is understood is the API's:
// see JobQueryService.
#pragma once

#include <string>

#include "base/result.h"
#include "worker/model/request.h"
#include "worker/store/readers.h"

namespace jobd::worker {

// kNotFound: nothing of the owner's is called so. kInvalidArgument: it is no address, or means several, some of which are named.
base::Result<Target> ResolveAddress(CatalogueReader& reader, const std::string& owner, const std::string& address);

}  // namespace jobd::worker
