// SQLite, wrapped: the one place that knows its C API. Errors are values; statements and connections are owned.
#pragma once

#include <sqlite3.h>

#include <concepts>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace jobd::worker {

// kResourceExhausted for a full disk, kDataLoss for a damaged or foreign file, kUnavailable for a disk that fails or is read-only,
// else kInternal. sys_errno is that of the system call that failed, where there was one.
base::Error SqliteError(sqlite3* db, std::string_view doing);

// A prepared statement. Parameters count from 1, columns from 0. One thread at a time.
class Statement {
 public:
  Statement() = default;
  Statement(sqlite3* db, sqlite3_stmt* owned) : db_(db), statement_(owned, &sqlite3_finalize) {}

  Statement& Bind(int parameter, int64_t value);
  Statement& Bind(int parameter, uint64_t value) { return Bind(parameter, static_cast<int64_t>(value)); }
  Statement& Bind(int parameter, uint32_t value) { return Bind(parameter, static_cast<int64_t>(value)); }
  Statement& Bind(int parameter, int value) { return Bind(parameter, static_cast<int64_t>(value)); }
  // Borrowed until the next Reset; so a temporary is none to bind.
  Statement& BindText(int parameter, std::string_view text);
  Statement& BindBlob(int parameter, std::string_view bytes);
  template <std::same_as<std::string> Temporary>
  Statement& BindText(int parameter, Temporary&& text) = delete;
  template <std::same_as<std::string> Temporary>
  Statement& BindBlob(int parameter, Temporary&& bytes) = delete;

  // True: a row is there. False: done. Errors end the statement.
  base::Result<bool> Step();
  // Steps to the end and resets.
  base::Status Run();
  void Reset();

  int64_t Int(int column) { return sqlite3_column_int64(statement_.get(), column); }
  uint64_t Uint(int column) { return static_cast<uint64_t>(Int(column)); }
  uint32_t Uint32(int column) { return static_cast<uint32_t>(Int(column)); }
  bool IsNull(int column) { return sqlite3_column_type(statement_.get(), column) == SQLITE_NULL; }
  // Valid until the next Step or Reset.
  std::string_view Bytes(int column);
  std::string String(int column) { return std::string(Bytes(column)); }

 private:
  sqlite3* db_ = nullptr;
  std::unique_ptr<sqlite3_stmt, int (*)(sqlite3_stmt*)> statement_{nullptr, &sqlite3_finalize};
};

// Resets a statement when a scope is left, so that no read transaction outlives its use.
class StatementScope {
 public:
  explicit StatementScope(Statement& statement) : statement_(statement) {}
  ~StatementScope() { statement_.Reset(); }
  StatementScope(const StatementScope&) = delete;
  StatementScope& operator=(const StatementScope&) = delete;

 private:
  Statement& statement_;
};

// A connection. One thread at a time.
class Database {
 public:
  Database() = default;
  // Through a VFS that takes path names as they are: "/proc/self/fd/N/jobd.db" must not be resolved, because this process may not
  // be able to walk to where it leads. With create the file is made if need be. Opening and closing change nothing: the log stays
  // as it is, or what is found wrong with a database would not be found a second time.
  static base::Result<Database> Open(const std::string& path, bool create);
  // From now on the last connection that closes moves the commits in the log to the file, and deletes the log.
  void MoveLogOnClose();

  base::Status Execute(const char* sql);
  base::Result<Statement> Prepare(std::string_view sql);
  // The first column of the first row.
  base::Result<int64_t> QueryInt(const char* sql);
  base::Result<std::string> QueryText(const char* sql);
  int64_t last_insert_rowid() { return sqlite3_last_insert_rowid(db_.get()); }
  int64_t changes() { return sqlite3_changes64(db_.get()); }
  bool in_transaction() { return sqlite3_get_autocommit(db_.get()) == 0; }
  // SQLITE_IOERR_FSYNC and so on: of the last failure.
  int extended_error() { return sqlite3_extended_errcode(db_.get()); }
  sqlite3* raw() { return db_.get(); }

 private:
  std::unique_ptr<sqlite3, int (*)(sqlite3*)> db_{nullptr, &sqlite3_close_v2};
};

}  // namespace jobd::worker
