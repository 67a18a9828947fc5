#include "server/ops/file_set.h"

#include <algorithm>
#include <utility>

#include "server/auth/certificate_chain.h"
#include "server/auth/tls_change.h"

namespace jobd::server {

base::Result<FileSet> CheckFiles(FileContents contents, const std::string& config_name, const config::Overrides& overrides,
                                 base::Nanos now) {
  JOBD_ASSIGN_OR_RETURN(config::LoadedConfig loaded, config::Load(config_name, contents.config, overrides));
  AccessRules rules;
  JOBD_ASSIGN_OR_RETURN(rules.users, config::Users::Parse(loaded.config.users_file, contents.users));
  const bool has_admin = std::ranges::any_of(
      rules.users.all(), [](const config::User& user) { return user.role == config::Role::kAdmin && !user.disabled; });
  if (!has_admin) {
    return base::Error(base::Code::kInvalidArgument, loaded.config.users_file + ": no admin is left who could change it again");
  }
  if (!loaded.config.tls_revoked.empty()) {
    if (!contents.revoked) return base::Error(base::Code::kInvalidArgument, "tls.revoked is configured, but was not read");
    JOBD_ASSIGN_OR_RETURN(rules.revoked, RevocationList::Parse(loaded.config.tls_revoked, *contents.revoked));
  }
  if (!loaded.config.tls_client_ca.empty() && contents.tls.client_ca.empty()) {
    return base::Error(base::Code::kInvalidArgument, "tls.client_ca: it holds no certificate");
  }
  rules.ca = ClientCaOf(contents.tls);
  rules.authorities = FingerprintsOf(rules.ca);
  JOBD_ASSIGN_OR_RETURN(TlsMaterial tls, CheckTlsFiles(std::move(contents.tls), now));
  return FileSet{.config = std::make_shared<const config::LoadedConfig>(std::move(loaded)),
                 .rules = std::make_shared<const AccessRules>(std::move(rules)),
                 .tls = std::make_shared<const TlsMaterial>(std::move(tls)),
                 .warnings = std::move(contents.warnings),
                 .capabilities = std::move(contents.capabilities)};
}

std::vector<std::string> FileSet::Warnings(base::Nanos now) const {
  std::vector<std::string> all = warnings;
  for (std::string& warning : TlsWarnings(*tls, now)) all.push_back(std::move(warning));
  return all;
}

}  // namespace jobd::server
