// "did you mean": the name a person probably had in mind.
#pragma once

#include "base/suggest.h"

namespace jobd::cli {

using base::DidYouMean;

}  // namespace jobd::cli
