#include "daemon/audit_check.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <utility>
#include <vector>

#include "audit/anchors.h"
#include "audit/log_files.h"
#include "audit/verifier.h"
#include "base/files.h"
#include "base/text.h"
#include "daemon/configuration.h"
#include "daemon/trusted_path.h"

namespace jobd::daemon {

namespace {

using base::Result;

struct Input {
  std::string anchors_path;  // empty: there is no configuration to say where
  std::vector<audit::Anchor> anchors;
  std::vector<audit::LogFile> files;
};

std::string FolderOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, slash + 1);
}

// No link is followed where the server could have put it.
base::Status Add(Input& input, int dir, const std::string& name, const std::string& shown, int flags) {
  auto file = base::OpenAt(dir, name, O_RDONLY | O_NONBLOCK | O_NOCTTY | flags);
  if (!file.ok()) return std::move(file).error();
  struct stat about {};
  if (::fstat(file->get(), &about) != 0) return base::SysError(shown, errno);
  if (!S_ISREG(about.st_mode)) return base::Error(base::Code::kInvalidArgument, shown + " is not a file");
  input.files.push_back({.name = shown, .file = std::move(*file)});
  return base::Ok();
}

Result<Input> Open(const Options& options) {
  Input input;
  const auto config = LoadConfig(options);
  // With all files named, a machine without jobd will do.
  const bool named = !options.audit_files.empty();
  if (!config.ok() && !named) return config.error();
  input.anchors_path = !options.audit_anchors.empty() ? options.audit_anchors : config.ok() ? AnchorPath(*config) : "";
  // Before the log, which may be written to meanwhile: what is anchored was there before.
  if (!input.anchors_path.empty()) {
    auto anchors = [&]() -> Result<std::vector<audit::Anchor>> {
      // Where the server could have made it, it proves nothing. What is named may be a copy, anywhere.
      if (options.audit_anchors.empty()) JOBD_RETURN_IF_ERROR(OpenTrustedFile(input.anchors_path));
      JOBD_ASSIGN_OR_RETURN(const base::Fd dir, base::OpenAt(AT_FDCWD, FolderOf(input.anchors_path), O_RDONLY | O_DIRECTORY));
      return audit::ReadAnchors(dir.get(), LastName(input.anchors_path));
    }();
    const bool none = !anchors.ok() && anchors.error().sys_errno() == ENOENT && options.audit_anchors.empty();
    if (!anchors.ok() && !none) return std::move(anchors).error().WithContext(FolderOf(input.anchors_path));
    if (anchors.ok()) input.anchors = std::move(*anchors);
  }
  for (const std::string& file : options.audit_files) JOBD_RETURN_IF_ERROR(Add(input, AT_FDCWD, file, file, 0));
  if (!named) {
    const std::string path = AuditPath(*config);
    const std::string folder = FolderOf(path);
    JOBD_ASSIGN_OR_RETURN(const base::Fd dir, base::OpenAt(AT_FDCWD, folder, O_RDONLY | O_DIRECTORY));
    JOBD_ASSIGN_OR_RETURN(const std::vector<std::string> names, audit::LogFiles(dir.get(), LastName(path)));
    for (const std::string& name : names) JOBD_RETURN_IF_ERROR(Add(input, dir.get(), name, folder + name, O_NOFOLLOW));
    if (names.empty() && input.anchors.empty()) return base::Error(base::Code::kNotFound, path + ": there is no audit log yet");
  }
  return input;
}

void Say(const audit::Report& report, const Input& input) {
  const auto range = [](uint64_t first, uint64_t last) {
    return first == last ? std::to_string(first) : std::to_string(first) + "-" + std::to_string(last);
  };
  if (report.records == 0) {
    std::puts("OK: no records");
    return;
  }
  std::printf("OK: %llu records in %llu files, %s\n", static_cast<unsigned long long>(report.records),
              static_cast<unsigned long long>(report.files), range(report.first_seq, report.last.seq).c_str());
  const std::string where =
      input.anchors_path.empty() ? "no anchors to compare with" : "by " + base::EscapeForTerminal(input.anchors_path);
  if (report.anchored_to >= report.first_seq) {
    std::printf("anchored: %s (%s)\n", range(report.first_seq, report.anchored_to).c_str(), where.c_str());
  } else {
    std::printf("anchored: none (%s)\n", where.c_str());
  }
  const uint64_t first = std::max(report.first_seq, report.anchored_to + 1);
  std::printf("not anchored: %s\n", first <= report.last.seq ? range(first, report.last.seq).c_str() : "none");
}

}  // namespace

std::string AuditPath(const config::Config& config) { return config.state_dir + "/audit.jsonl"; }

std::string AnchorPath(const config::Config& config) { return config.state_dir + "-root/audit.anchor"; }

int RunAuditCheck(const Options& options) {
  const auto fail = [](const base::Error& error, int code) {
    std::fprintf(stderr, "jobd: %s\n", base::EscapeForTerminal(error.message()).c_str());
    return code;
  };
  auto input = Open(options);
  // Anchors that are damaged are a finding too.
  if (!input.ok()) return fail(input.error(), input.error().code() == base::Code::kDataLoss ? 1 : 125);
  const auto report = audit::Verify(std::move(input->files), input->anchors, options.audit_files.empty());
  if (!report.ok()) return fail(report.error(), 125);
  if (report->damage) {
    const audit::Damage& damage = *report->damage;
    const std::string file = damage.file.empty() ? "the audit log" : damage.file;
    std::printf("%s:%llu: %s: %s\n", base::EscapeForTerminal(file).c_str(), static_cast<unsigned long long>(damage.line),
                std::string(audit::DamageName(damage.kind)).c_str(), base::EscapeForTerminal(damage.problem).c_str());
    if (report->anchored_to > 0)
      std::printf("anchored and right: up to record %llu\n", static_cast<unsigned long long>(report->anchored_to));
    return 1;
  }
  Say(*report, *input);
  return std::fflush(stdout) == 0 ? 0 : 125;
}

}  // namespace jobd::daemon
