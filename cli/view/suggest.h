// "did you mean": the name a person probably had in mind.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace jobd::cli {

// " (did you mean 'env_file'?)" when one of `names` is a typing error away from `word`, else "".
std::string DidYouMean(std::string_view word, const std::vector<std::string>& names);

}  // namespace jobd::cli
