#include "engraft/train/feature_cache.h"

#include <fmt/format.h>

#include <chrono>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

#include "engraft/train/cache_file.h"
#include "engraft/train/feature_row.h"
#include "engraft/train/sqlite.h"

namespace engraft {
namespace {

namespace fs = std::filesystem;
using row::Blob;
using Key = std::pair<Digest, std::uint64_t>;  ///< content, view

constexpr std::int64_t kSchemaVersion = 1;
constexpr std::int64_t kTables = 2;
/// Pictures per transaction: about a third of a megabyte, and a fifth of a second's work.
constexpr std::size_t kBatch = 64;

constexpr std::chrono::seconds kConnectPatience{5};
constexpr std::chrono::milliseconds kBetweenAttempts{20};

/// The file holds no feature cache, or one that lacks something.
struct Foreign {
  std::string what;
};

bool is_ours(sqlite::Database& database) {
  const std::int64_t owner = database.integer("PRAGMA application_id");
  const std::int64_t version = database.integer("PRAGMA user_version");
  if (owner == cache_file::kApplicationId && version == kSchemaVersion &&
      database.integer("SELECT count(*) FROM sqlite_master WHERE type = 'table'") == kTables) {
    return true;
  }
  if (owner == cache_file::kApplicationId && version > kSchemaVersion) {
    throw sqlite::Failure{SQLITE_ERROR, "it was written by a newer engraft"};
  }
  if (owner == 0 && version == 0 && database.integer("SELECT count(*) FROM sqlite_master") == 0) {
    return false;
  }
  throw Foreign{"it is no feature cache of this version"};
}

/// Everything that one open file needs.
struct Connection {
  explicit Connection(const fs::path& file, const Digest& digest)
      : database(file),
        network(prepare(database, digest)),
        find(database,
             "SELECT pixels, features, checksum FROM pictures "
             "WHERE network = ?1 AND content = ?2 AND view = ?3"),
        insert(database,
               "INSERT OR REPLACE INTO pictures (network, content, view, pixels, features, "
               "checksum) VALUES (?1, ?2, ?3, ?4, ?5, ?6)") {}

  /// Makes the tables where there are none; the network's number.
  static std::int64_t prepare(sqlite::Database& database, const Digest& digest) {
    // Before anything is changed; in a transaction, for another process may be creating it.
    database.execute("BEGIN");
    is_ours(database);
    database.execute("COMMIT");
    database.execute("PRAGMA page_size = 16384");
    database.execute("PRAGMA journal_mode = WAL");
    // A crash of the machine may lose the last batches, never damage the file.
    database.execute("PRAGMA synchronous = NORMAL");
    database.execute("BEGIN IMMEDIATE");
    const bool empty = !is_ours(database);
    if (empty) create(database);
    sqlite::Statement add(database, "INSERT OR IGNORE INTO networks (digest) VALUES (?1)");
    (void)add.bind(1, Blob(digest.bytes)).step();
    sqlite::Statement number(database, "SELECT id FROM networks WHERE digest = ?1");
    const bool found = number.bind(1, Blob(digest.bytes)).step();
    const std::int64_t id = found ? number.integer(0) : 0;
    number.reset();
    database.execute("COMMIT");
    // Into the file itself, not only its journal: is_engrafts() must know it, whatever happens
    // next.
    if (empty) database.execute("PRAGMA wal_checkpoint(PASSIVE)");
    return id;
  }

  static void create(sqlite::Database& database) {
    database.execute("CREATE TABLE networks (id INTEGER PRIMARY KEY, digest BLOB NOT NULL UNIQUE)");
    database.execute(
        "CREATE TABLE pictures (network INTEGER NOT NULL, content BLOB NOT NULL, view INTEGER NOT "
        "NULL, pixels BLOB NOT NULL, features BLOB NOT NULL, checksum INTEGER NOT NULL, "
        "PRIMARY KEY (network, content, view))");
    database.execute(fmt::format("PRAGMA application_id = {}", cache_file::kApplicationId).c_str());
    database.execute(fmt::format("PRAGMA user_version = {}", kSchemaVersion).c_str());
  }

  sqlite::Database database;
  std::int64_t network;
  sqlite::Statement find, insert;
};

}  // namespace

// Every member is called with the mutex held.
struct FeatureCache::Impl {
  fs::path file;
  Digest network;
  std::size_t feature_size = 0;

  mutable std::mutex mutex;
  std::unique_ptr<Connection> connection;  ///< null: caching is off
  bool writable = true;
  bool begun_anew = false;
  cache_file::Identity identity;
  std::map<Key, CachedPicture> pending;
  std::string problem;

  void open() {
    std::error_code error;
    if (file.has_parent_path()) fs::create_directories(file.parent_path(), error);
    identity = cache_file::identity_of(file);
    guarded([&] { connect(); });
  }

  void connect() {
    connection.reset();
    if (!cache_file::may_be_database(file)) throw Foreign{"it is no database"};
    // SQLite's own waiting does not cover the switch to WAL, which several processes may ask for at
    // the same time.
    const auto deadline = std::chrono::steady_clock::now() + kConnectPatience;
    while (!connection) {
      try {
        connection = std::make_unique<Connection>(file, network);
      } catch (const sqlite::Failure& failure) {
        const bool late = std::chrono::steady_clock::now() > deadline;
        if (failure.code != SQLITE_BUSY || late) throw;
        std::this_thread::sleep_for(kBetweenAttempts);
      }
    }
    identity = cache_file::identity_of(file);
  }

  /// Runs work on the file. Damage begins the file anew, once, if it is engraft's, and `again` is
  /// run on the new one; anything else turns caching off.
  template <typename Work, typename Again>
  void guarded(const Work& work, const Again& again) {
    std::string damage;
    try {
      work();
      return;
    } catch (const Foreign& foreign) {
      damage = foreign.what;
    } catch (const sqlite::Failure& failure) {
      if (!sqlite::is_damage(failure.code)) return turn_off(failure.what);
      damage = failure.what;
    }
    if (begun_anew) return turn_off(damage);
    begun_anew = true;
    try {
      begin_anew(damage);
      again();
    } catch (const Foreign& foreign) {
      turn_off(foreign.what);
    } catch (const sqlite::Failure& failure) {
      turn_off(failure.what);
    }
  }
  template <typename Work>
  void guarded(const Work& work) {
    guarded(work, [] {});
  }

  void begin_anew(const std::string& damage) {
    connection.reset();
    // Another process may have put a good file in place meanwhile.
    if (identity == cache_file::identity_of(file)) {
      if (!cache_file::is_engrafts(file)) {
        throw Foreign{damage + "; it is not engraft's and stays as it is: name another file"};
      }
      const fs::path aside = cache_file::set_aside(file);
      problem = fmt::format("{}: {}; it is now {}, and a new cache was begun", file.string(),
                            damage, aside.filename().string());
    }
    connect();
  }

  void turn_off(const std::string& why) {
    connection.reset();
    writable = false;
    pending.clear();
    problem = fmt::format("{}: features are not kept: {}", file.string(), why);
  }

  std::optional<CachedPicture> load(const Key& key) {
    auto& statement = connection->find;
    statement.bind(1, connection->network)
        .bind(2, Blob(key.first.bytes))
        .bind(3, static_cast<std::int64_t>(key.second));
    std::optional<CachedPicture> found;
    if (statement.step()) {
      const Blob pixels = statement.blob(0), features = statement.blob(1);
      CachedPicture picture;
      if (pixels.size() == picture.pixels.bytes.size() &&
          features.size() == feature_size * sizeof(float) &&
          row::checksum_of(pixels, features) == statement.integer(2)) {
        std::copy(pixels.begin(), pixels.end(), picture.pixels.bytes.begin());
        picture.features = row::from_blob(features);
        found = std::move(picture);
      }
    }
    statement.reset();
    return found;
  }

  /// One transaction: the batch is kept whole or not at all.
  void store() {
    connection->database.execute("BEGIN IMMEDIATE");
    auto& statement = connection->insert;
    for (const auto& [key, picture] : pending) {
      const std::vector<std::uint8_t> features = row::to_blob(picture.features);
      const Blob pixels(picture.pixels.bytes);
      statement.bind(1, connection->network)
          .bind(2, Blob(key.first.bytes))
          .bind(3, static_cast<std::int64_t>(key.second))
          .bind(4, pixels)
          .bind(5, Blob(features))
          .bind(6, row::checksum_of(pixels, features));
      (void)statement.step();
      statement.reset();
    }
    connection->database.execute("COMMIT");
  }

  void write_pending() {
    if (!connection || pending.empty()) return;
    const auto write = [this] { store(); };
    guarded(write, write);
    pending.clear();
  }
};

FeatureCache::FeatureCache(const fs::path& file, const Digest& network, int feature_size)
    : impl_(std::make_unique<Impl>()) {
  impl_->file = file;
  impl_->network = network;
  impl_->feature_size = static_cast<std::size_t>(feature_size);
  impl_->open();
}

FeatureCache::~FeatureCache() {
  flush();
}

std::optional<CachedPicture> FeatureCache::find(const Digest& content, std::uint64_t view) {
  const std::lock_guard lock(impl_->mutex);
  const Key key{content, view};
  if (const auto waiting = impl_->pending.find(key); waiting != impl_->pending.end()) {
    return waiting->second;
  }
  if (!impl_->connection) return std::nullopt;
  std::optional<CachedPicture> found;
  impl_->guarded([&] { found = impl_->load(key); });
  return found;
}

void FeatureCache::put(const Digest& content, std::uint64_t view, CachedPicture picture) {
  const std::lock_guard lock(impl_->mutex);
  if (!impl_->writable || picture.features.size() != impl_->feature_size) return;
  impl_->pending.insert_or_assign(Key{content, view}, std::move(picture));
  if (impl_->pending.size() >= kBatch) impl_->write_pending();
}

void FeatureCache::flush() {
  const std::lock_guard lock(impl_->mutex);
  impl_->write_pending();
}

std::string FeatureCache::problem() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->problem;
}

}  // namespace engraft
