// The scripts that make shells ask jobctl what may come next.
#pragma once

#include <string>

namespace jobd::cli {

// `self` is the path of this jobctl, for shells that do not find the one that is typed.
std::string BashScript(const std::string& self);
std::string ZshScript(const std::string& self);
std::string FishScript(const std::string& self);

}  // namespace jobd::cli
