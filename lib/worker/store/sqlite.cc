#include "worker/store/sqlite.h"

#include <cerrno>
#include <cstring>

#include "base/errno_text.h"

namespace jobd::worker {
namespace {

constexpr const char* kVfsName = "jobd";

int IdentityFullPathname(sqlite3_vfs* /*vfs*/, const char* name, int size, char* out) {
  const size_t length = std::strlen(name);
  if (length + 1 > static_cast<size_t>(size)) return SQLITE_CANTOPEN;
  std::memcpy(out, name, length + 1);
  return SQLITE_OK;
}

// SQLite keeps its list of file systems per process. Ours is its own for Unix, except that it does not resolve names. Registered
// once, never changed.
bool RegisterVfs() {
  static const bool registered = [] {
    sqlite3_vfs* const system = sqlite3_vfs_find("unix");
    if (system == nullptr) return false;
    static sqlite3_vfs ours = *system;
    ours.pNext = nullptr;
    ours.zName = kVfsName;
    ours.xFullPathname = &IdentityFullPathname;
    return sqlite3_vfs_register(&ours, 0) == SQLITE_OK;
  }();
  return registered;
}

// `system`: the errno behind it, 0 when it has none.
base::Code CodeOf(int extended, int system) {
  if (system == EMFILE || system == ENFILE) return base::Code::kResourceExhausted;
  switch (extended & 0xff) {
    case SQLITE_FULL:
    case SQLITE_NOMEM: return base::Code::kResourceExhausted;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: return base::Code::kDataLoss;
    case SQLITE_IOERR: return extended == SQLITE_IOERR_SHORT_READ ? base::Code::kDataLoss : base::Code::kUnavailable;
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return base::Code::kUnavailable;
    default: return base::Code::kInternal;
  }
}

}  // namespace

base::Error SqliteError(sqlite3* db, std::string_view doing) {
  const int extended = db == nullptr ? SQLITE_NOMEM : sqlite3_extended_errcode(db);
  const int system = db == nullptr ? 0 : sqlite3_system_errno(db);
  std::string text = std::string(doing) + ": " + (db == nullptr ? "out of memory" : sqlite3_errmsg(db));
  const bool from_system =
      (extended & 0xff) == SQLITE_IOERR || (extended & 0xff) == SQLITE_FULL || (extended & 0xff) == SQLITE_CANTOPEN;
  if (from_system && system != 0) text += " (" + base::ErrnoText(system) + ")";
  const int from = from_system ? system : 0;
  return base::Error(CodeOf(extended, from), std::move(text)).WithErrno(from);
}

Statement& Statement::Bind(int parameter, int64_t value) {
  sqlite3_bind_int64(statement_.get(), parameter, value);
  return *this;
}

Statement& Statement::BindText(int parameter, std::string_view text) {
  sqlite3_bind_text64(statement_.get(), parameter, text.empty() ? "" : text.data(), text.size(), SQLITE_STATIC, SQLITE_UTF8);
  return *this;
}

Statement& Statement::BindBlob(int parameter, std::string_view bytes) {
  sqlite3_bind_blob64(statement_.get(), parameter, bytes.empty() ? "" : bytes.data(), bytes.size(), SQLITE_STATIC);
  return *this;
}

base::Result<bool> Statement::Step() {
  const int result = sqlite3_step(statement_.get());
  if (result == SQLITE_ROW) return true;
  if (result == SQLITE_DONE) return false;
  base::Error error = SqliteError(db_, "the database");
  sqlite3_reset(statement_.get());
  return error;
}

base::Status Statement::Run() {
  for (;;) {
    JOBD_ASSIGN_OR_RETURN(const bool row, Step());
    if (!row) break;
  }
  Reset();
  return base::Ok();
}

void Statement::Reset() {
  sqlite3_reset(statement_.get());
  sqlite3_clear_bindings(statement_.get());
}

std::string_view Statement::Bytes(int column) {
  const void* const data = sqlite3_column_blob(statement_.get(), column);
  const int size = sqlite3_column_bytes(statement_.get(), column);
  return data == nullptr ? std::string_view() : std::string_view(static_cast<const char*>(data), static_cast<size_t>(size));
}

base::Result<Database> Database::Open(const std::string& path, bool create) {
  if (!RegisterVfs()) return base::Error(base::Code::kInternal, "SQLite has no Unix file system");
  Database database;
  sqlite3* raw = nullptr;
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW | (create ? SQLITE_OPEN_CREATE : 0);
  const int result = sqlite3_open_v2(path.c_str(), &raw, flags, kVfsName);
  database.db_.reset(raw);
  if (result != SQLITE_OK) return SqliteError(raw, "opening the database");
  sqlite3_extended_result_codes(raw, 1);
  sqlite3_busy_timeout(raw, 5000);
  sqlite3_db_config(raw, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  return database;
}

void Database::MoveLogOnClose() { sqlite3_db_config(db_.get(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, nullptr); }

base::Status Database::Execute(const char* sql) {
  if (sqlite3_exec(db_.get(), sql, nullptr, nullptr, nullptr) != SQLITE_OK) return SqliteError(db_.get(), "the database");
  return base::Ok();
}

base::Result<Statement> Database::Prepare(std::string_view sql) {
  sqlite3_stmt* raw = nullptr;
  const int result =
      sqlite3_prepare_v3(db_.get(), sql.data(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT, &raw, nullptr);
  if (result != SQLITE_OK) return SqliteError(db_.get(), "the database");
  return Statement(db_.get(), raw);
}

base::Result<int64_t> Database::QueryInt(const char* sql) {
  JOBD_ASSIGN_OR_RETURN(Statement statement, Prepare(sql));
  JOBD_ASSIGN_OR_RETURN(const bool row, statement.Step());
  return row ? statement.Int(0) : int64_t{0};
}

base::Result<std::string> Database::QueryText(const char* sql) {
  JOBD_ASSIGN_OR_RETURN(Statement statement, Prepare(sql));
  JOBD_ASSIGN_OR_RETURN(const bool row, statement.Step());
  return row ? statement.String(0) : std::string();
}

}  // namespace jobd::worker
