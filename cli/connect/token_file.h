// The file in which a login is kept from one run to the next: a secret, for its owner alone.
#pragma once

#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "cli/connect/settings.h"

namespace jobd::cli {

struct StoredToken {
  std::string token;
  // What it is for. Empty of a bare token, as another program may have written it.
  std::string address;
  std::string certificate;  // SHA-256 of the certificate's file, in hex
  std::string user;
  std::string session;
  // By this machine's wall clock; 0: not known.
  base::Nanos renew_at = 0;
  base::Nanos expires_at = 0;
  bool operator==(const StoredToken&) const = default;
};

// A JSON object, or nothing but a token in a line. The file must be a regular one, no link, and readable by nobody else.
// kFailedPrecondition when it is not, or holds no well-formed token; the error says what to do, and quotes nothing of the file.
base::Result<StoredToken> ReadTokenFile(const std::string& path);
// kFailedPrecondition when something is there that is no token file of ours, and so is not to be replaced.
base::Status CheckReplaceable(const std::string& path);
// Replaces the file, with its folder if need be; mode 600.
base::Status WriteTokenFile(const std::string& path, const StoredToken& token);
// Deletes it, whether it is there or not.
void ForgetToken(const std::string& path);

// A token that was given now, for this connection, with so long to live: to be renewed at two thirds of that.
base::Result<StoredToken> NewToken(const Connection& connection, std::string token, base::Nanos now, base::Nanos expires_in);
// Whether it is for this connection: of a bare token nobody knows, so it is.
bool IsFor(const StoredToken& token, const Connection& connection);

}  // namespace jobd::cli
