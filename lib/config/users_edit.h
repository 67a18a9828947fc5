// Changes to the text of a users file, as a person would make them: comments, order, blank lines and all that a change is not about
// stay byte for byte. Pure: nothing here opens a file.
//
// Each takes the text and returns the whole new one, which Users::Parse accepts, and which means the old one with that one change
// and nothing else; both are checked before it is returned. Errors: those of Users::Parse for the old text; kNotFound for a user
// who is not there; kFailedPrecondition where the entry is written in a way that is not edited here (an inline table to be removed,
// a table in several places), or when no enabled admin would be left, which a running jobd would not take up.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "config/users.h"

namespace jobd::config {

// Behind all others. kInvalidArgument for a name that is not safe, kAlreadyExists. `password_hash` may be empty.
base::Result<std::string> AddUser(const std::string& file_name, const std::string& text, const std::string& name, Role role,
                                  const std::string& password_hash);
// With all comments within the entry; those before it stay.
base::Result<std::string> RemoveUser(const std::string& file_name, const std::string& text, const std::string& name);
base::Result<std::string> SetPassword(const std::string& file_name, const std::string& text, const std::string& name,
                                      const std::string& password_hash);
// The same text when it is so already.
base::Result<std::string> SetDisabled(const std::string& file_name, const std::string& text, const std::string& name,
                                      bool disabled);

}  // namespace jobd::config
