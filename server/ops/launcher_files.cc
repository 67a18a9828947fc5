#include "server/ops/launcher_files.h"

#include <algorithm>
#include <memory>
#include <string_view>

#include "base/files.h"
#include "worker/launcher/local/jobd_connection.h"

namespace jobd::server {
namespace {

constexpr size_t kMaxFileBytes = 16u << 20;
constexpr std::string_view kMetrics = "metrics";

base::Result<FileContents> ContentsOf(worker::JobdConnection::GivenFiles given) {
  std::vector<GivenFile> files;
  for (auto& file : given.files) files.push_back({.name = file.name, .fd = std::move(file.fd)});
  JOBD_ASSIGN_OR_RETURN(FileContents contents, ReadContents(std::move(files)));
  contents.capabilities = std::move(given.capabilities);
  return contents;
}
// What jobd keeps beside the files in force, the private key among it: it is told when that is not taken.
class PreparedReload {
 public:
  PreparedReload(worker::JobdConnection& jobd, uint64_t revision) : jobd_(jobd), revision_(revision) {}
  ~PreparedReload() {
    if (!asked_) (void)jobd_.AbortReload(revision_);
  }
  PreparedReload(const PreparedReload&) = delete;
  PreparedReload& operator=(const PreparedReload&) = delete;

  base::Status Commit() {
    asked_ = true;
    return jobd_.CommitReload(revision_);
  }

 private:
  worker::JobdConnection& jobd_;
  const uint64_t revision_;
  bool asked_ = false;
};

std::vector<std::string> LinesOf(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    lines.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

}  // namespace

base::Result<FileContents> ReadContents(std::vector<GivenFile> files) {
  FileContents contents;
  for (const GivenFile& file : files) {
    if (file.name == kMetrics) continue;  // a socket
    auto bytes = base::ReadAll(file.fd.get(), kMaxFileBytes);
    if (!bytes.ok()) return std::move(bytes).error().WithContext("reading the " + file.name + " file");
    if (file.name == "config")
      contents.config = *std::move(bytes);
    else if (file.name == "users")
      contents.users = *std::move(bytes);
    else if (file.name == "ca")
      contents.tls.ca = *std::move(bytes);
    else if (file.name == "client_ca")
      contents.tls.client_ca = *std::move(bytes);
    else if (file.name == "cert")
      contents.tls.cert = *std::move(bytes);
    else if (file.name == "key")
      contents.tls.key = *std::move(bytes);
    else if (file.name == "revoked")
      contents.revoked = *std::move(bytes);
    else if (file.name == "warnings")
      contents.warnings = LinesOf(*bytes);
  }
  return contents;
}

base::Result<FileContents> ReadLauncherFiles(worker::JobdConnection& jobd) {
  JOBD_ASSIGN_OR_RETURN(auto given, jobd.ReadFiles());
  return ContentsOf(std::move(given));
}

base::Result<FileContents> ReloadLauncherFiles(worker::JobdConnection& jobd) {
  JOBD_ASSIGN_OR_RETURN(auto given, jobd.PrepareReload());
  const auto prepared = std::make_shared<PreparedReload>(jobd, given.revision);
  JOBD_ASSIGN_OR_RETURN(FileContents contents, ContentsOf(std::move(given)));
  contents.commit = [prepared] { return prepared->Commit(); };
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
