#include "cli/connect/token_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "auth/access_token.h"
#include "base/files.h"
#include "base/sha256.h"
#include "base/text.h"

namespace jobd::cli {

namespace {

using base::Code;
using base::Error;
using base::Result;
using base::Status;
using Json = nlohmann::json;

constexpr size_t kMaxFile = 16384;
constexpr size_t kMaxPem = size_t{1} << 20;

Error Bad(const std::string& path, const std::string& why) { return {Code::kFailedPrecondition, path + " " + why}; }

Error NoToken(const std::string& path) {
  return Bad(path, "holds no access token of jobd's: delete it, and log in again (jobctl login USER)");
}

// An object of texts and numbers; what is missing stays as it is.
Result<StoredToken> Parse(const std::string& path, const std::string& text) {
  StoredToken stored;
  if (!text.starts_with('{')) {
    stored.token = text;
    while (stored.token.ends_with('\n')) stored.token.pop_back();
  } else {
    const Json json = Json::parse(text, nullptr, false);
    if (!json.is_object()) return NoToken(path);
    const auto get = [&](const char* key, std::string& value) {
      if (const auto found = json.find(key); found != json.end() && found->is_string()) value = found->get<std::string>();
    };
    const auto get_time = [&](const char* key, base::Nanos& value) {
      if (const auto found = json.find(key); found != json.end() && found->is_number_integer()) value = found->get<base::Nanos>();
    };
    get("access_token", stored.token);
    get("address", stored.address);
    get("certificate", stored.certificate);
    get("user", stored.user);
    get("session", stored.session);
    get_time("renew_at", stored.renew_at);
    get_time("expires_at", stored.expires_at);
  }
  // Whatever else it is, some other secret perhaps, is sent to nobody.
  if (!auth::AccessToken::Parse(stored.token).ok()) return NoToken(path);
  return stored;
}

std::string CertificateOf(const Connection& connection) {
  const auto pem = base::ReadFile(AT_FDCWD, connection.cert, kMaxPem);
  return pem.ok() ? base::Hex(base::Sha256Of(*pem)) : "";
}

}  // namespace

Result<StoredToken> ReadTokenFile(const std::string& path) {
  JOBD_ASSIGN_OR_RETURN(const base::Fd file, base::OpenAt(AT_FDCWD, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK));
  struct stat info {};
  if (::fstat(file.get(), &info) != 0 || !S_ISREG(info.st_mode)) return Bad(path, "is not a file");
  if ((info.st_mode & 077) != 0) return Bad(path, "can be read by others: chmod 600 " + path);
  auto text = base::ReadAll(file.get(), kMaxFile);
  if (!text.ok()) return std::move(text).error().WithContext(path);
  return Parse(path, *text);
}

Status CheckReplaceable(const std::string& path) {
  struct stat info {};
  if (::lstat(path.c_str(), &info) != 0 || (S_ISREG(info.st_mode) && info.st_size == 0)) return base::Ok();
  if (const auto stored = ReadTokenFile(path); !stored.ok()) return stored.error();
  return base::Ok();
}

Status WriteTokenFile(const std::string& path, const StoredToken& token) {
  const size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  std::error_code failed;
  if (!std::filesystem::exists(folder, failed)) {
    const mode_t before = ::umask(077);
    std::filesystem::create_directories(folder, failed);
    ::umask(before);
    if (failed) return Error(Code::kFailedPrecondition, folder + " cannot be made: " + failed.message());
  }
  JOBD_ASSIGN_OR_RETURN(const base::Fd dir, base::OpenAt(AT_FDCWD, folder, O_RDONLY | O_DIRECTORY));
  const Json json = {
      {"access_token", token.token}, {"address", token.address},   {"certificate", token.certificate}, {"user", token.user},
      {"session", token.session},    {"renew_at", token.renew_at}, {"expires_at", token.expires_at}};
  Status written =
      base::ReplaceFile(dir.get(), slash == std::string::npos ? path : path.substr(slash + 1), json.dump() + "\n", 0600);
  if (!written.ok()) return std::move(written).error().WithContext(path);
  return written;
}

void ForgetToken(const std::string& path) {
  ::unlink(path.c_str());
  ::unlink((path + ".lock").c_str());
}

Result<StoredToken> NewToken(const Connection& connection, std::string token, base::Nanos now, base::Nanos expires_in) {
  StoredToken stored{.token = std::move(token),
                     .address = connection.address,
                     .certificate = CertificateOf(connection),
                     .renew_at = now + expires_in / 3 * 2,
                     .expires_at = now + expires_in};
  if (stored.certificate.empty()) return Error(Code::kFailedPrecondition, connection.cert + " cannot be read");
  return stored;
}

bool IsFor(const StoredToken& token, const Connection& connection) {
  if (token.address.empty()) return true;
  return token.address == connection.address && token.certificate == CertificateOf(connection);
}

}  // namespace jobd::cli
