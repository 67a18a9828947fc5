#include "server/ops/launcher_files.h"

#include <string_view>

#include "base/files.h"
#include "worker/launcher/local/jobd_connection.h"

namespace jobd::server {
namespace {

constexpr size_t kMaxFileBytes = 16u << 20;
constexpr std::string_view kMetrics = "metrics";

base::Result<FileContents> ContentsOf(worker::JobdConnection::GivenFiles given) {
  FileContents contents;
  contents.capabilities = std::move(given.capabilities);
  for (const auto& file : given.files) {
    if (file.name == kMetrics) continue;
    auto bytes = base::ReadAll(file.fd.get(), kMaxFileBytes);
    if (!bytes.ok()) return std::move(bytes).error().WithContext("reading the " + file.name + " file");
    if (file.name == "config")
      contents.config = *std::move(bytes);
    else if (file.name == "users")
      contents.users = *std::move(bytes);
    else if (file.name == "ca")
      contents.tls.ca = *std::move(bytes);
    else if (file.name == "cert")
      contents.tls.cert = *std::move(bytes);
    else if (file.name == "key")
      contents.tls.key = *std::move(bytes);
    else if (file.name == "revoked")
      contents.revoked = *std::move(bytes);
  }
  return contents;
}

}  // namespace

base::Result<FileContents> ReadLauncherFiles(worker::JobdConnection& jobd) {
  JOBD_ASSIGN_OR_RETURN(auto given, jobd.ReadFiles());
  return ContentsOf(std::move(given));
}

base::Result<FileContents> ReloadLauncherFiles(worker::JobdConnection& jobd) {
  JOBD_ASSIGN_OR_RETURN(auto given, jobd.PrepareReload());
  const uint64_t revision = given.revision;
  JOBD_ASSIGN_OR_RETURN(FileContents contents, ContentsOf(std::move(given)));
  contents.commit = [&jobd, revision] { return jobd.CommitReload(revision); };
  return contents;
}

base::Result<base::Fd> MetricsSocket(worker::JobdConnection& jobd) {
  JOBD_ASSIGN_OR_RETURN(auto files, jobd.ReadFiles());
  for (auto& file : files.files) {
    if (file.name == kMetrics) return std::move(file.fd);
  }
  return base::Fd();
}

}  // namespace jobd::server
