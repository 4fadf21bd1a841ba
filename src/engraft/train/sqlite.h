#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>

namespace engraft::sqlite {

/// An error that SQLite reported; code is the primary result code (SQLITE_FULL, …).
struct Failure {
  int code = SQLITE_ERROR;
  std::string what;
};

/// True for codes that mean that the file's contents are not (any more) a database.
[[nodiscard]] inline bool is_damage(int code) {
  return code == SQLITE_CORRUPT || code == SQLITE_NOTADB;
}

/// A connection, used by one thread at a time. Members throw Failure.
class Database {
 public:
  /// Opens or creates; waits up to five seconds for other processes.
  explicit Database(const std::filesystem::path& file);

  void execute(const char* sql);
  /// The first column of the first row.
  [[nodiscard]] std::int64_t integer(const char* sql);
  [[nodiscard]] sqlite3* handle() const { return handle_.get(); }
  [[noreturn]] void fail() const;

 private:
  struct Close {
    void operator()(sqlite3* handle) const { sqlite3_close_v2(handle); }
  };
  std::unique_ptr<sqlite3, Close> handle_;
};

/// A prepared statement. Bound blobs must live until the next reset(). Members throw Failure.
class Statement {
 public:
  Statement(const Database& database, const char* sql);

  Statement& bind(int index, std::int64_t value);
  Statement& bind(int index, std::span<const std::uint8_t> blob);
  /// True when there is a row to read.
  [[nodiscard]] bool step();
  void reset() { sqlite3_reset(statement_.get()); }
  [[nodiscard]] std::int64_t integer(int column) const;
  /// Valid until the next step() or reset().
  [[nodiscard]] std::span<const std::uint8_t> blob(int column) const;

 private:
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
  };
  void check(int code) const;

  const Database* database_;
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

}  // namespace engraft::sqlite
