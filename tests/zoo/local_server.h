#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace engraft::test {

/// A request as the server saw it.
struct Request {
  int number = 0;  ///< 1 for the first that this server got
  std::string path;
  std::map<std::string, std::string> headers;  ///< names in lower case

  /// Where "Range: bytes=N-" begins; 0 without one.
  [[nodiscard]] std::size_t range() const;
  [[nodiscard]] std::string header(const std::string& name) const;
};

/// One connection of the server's; closed when the handler returns.
class Connection {
 public:
  explicit Connection(int socket, const std::atomic<bool>& closing)
      : socket_(socket), closing_(closing) {}
  /// Exactly these bytes.
  void send(std::string_view bytes) const;
  /// Keeps the connection open and silent until the client or the server goes.
  void hang() const;

 private:
  int socket_;
  const std::atomic<bool>& closing_;
};

/// An HTTP server on 127.0.0.1 that does exactly what a test tells it, lies and all. Each
/// connection is one request on a thread of its own.
class LocalServer {
 public:
  using Handler = std::function<void(const Request&, const Connection&)>;
  explicit LocalServer(Handler handler);
  ~LocalServer();
  LocalServer(const LocalServer&) = delete;
  LocalServer& operator=(const LocalServer&) = delete;

  [[nodiscard]] std::string url(const std::string& path = "/weights.h5") const;
  [[nodiscard]] std::vector<Request> requests() const;

 private:
  void accept_all();
  void serve(int socket);

  Handler handler_;
  int listener_ = -1;
  int port_ = 0;
  std::atomic<bool> closing_ = false;
  mutable std::mutex mutex_;
  std::vector<Request> requests_;
  std::vector<std::thread> connections_;
  std::thread acceptor_;
};

/// Whether this machine can reach itself at 127.0.0.1: a container without a network may have no
/// loopback interface, or one that is down, where a LocalServer listens and nobody comes.
[[nodiscard]] bool has_loopback();
inline constexpr const char* kNoLoopback =
    "nothing reaches 127.0.0.1 here: set the loopback interface up";

/// "HTTP/1.1 STATUS", the header lines (each "Name: value") and the empty line.
[[nodiscard]] std::string head(std::string_view status, const std::vector<std::string>& lines);

}  // namespace engraft::test
