#include "local_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <stdexcept>

namespace engraft::test {
namespace {

std::string lower(std::string text) {
  std::ranges::transform(text, text.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

/// Up to the empty line; empty if the client went away first.
std::string read_head(int socket, const std::atomic<bool>& closing) {
  std::string text;
  while (text.find("\r\n\r\n") == std::string::npos) {
    pollfd wait{socket, POLLIN, 0};
    if (::poll(&wait, 1, 20) == 0) {
      if (closing) return {};
      continue;
    }
    char buffer[4096];
    const ssize_t got = ::recv(socket, buffer, sizeof buffer, 0);
    if (got <= 0) return {};
    text.append(buffer, static_cast<std::size_t>(got));
  }
  return text;
}

Request parse(const std::string& text) {
  Request request;
  std::size_t begin = text.find("\r\n") + 2;
  const std::string first = text.substr(0, begin - 2);
  const std::size_t space = first.find(' ') + 1;
  request.path = first.substr(space, first.find(' ', space) - space);
  while (begin < text.size()) {
    const std::size_t end = text.find("\r\n", begin);
    const std::string line = text.substr(begin, end - begin);
    const std::size_t colon = line.find(':');
    if (colon != std::string::npos) {
      const std::size_t value = line.find_first_not_of(' ', colon + 1);
      request.headers[lower(line.substr(0, colon))] =
          value == std::string::npos ? "" : line.substr(value);
    }
    begin = end + 2;
  }
  return request;
}

}  // namespace

std::size_t Request::range() const {
  const std::string value = header("range");
  return value.starts_with("bytes=") ? std::stoul(value.substr(6)) : 0;
}

std::string Request::header(const std::string& name) const {
  const auto found = headers.find(name);
  return found == headers.end() ? "" : found->second;
}

void Connection::send(std::string_view bytes) const {
  while (!bytes.empty()) {
    const ssize_t put = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (put <= 0) return;  // the client is gone: the test's own checks say whether it should be
    bytes.remove_prefix(static_cast<std::size_t>(put));
  }
}

void Connection::hang() const {
  for (;;) {
    pollfd wait{socket_, POLLIN, 0};
    if (::poll(&wait, 1, 10) > 0 || closing_) return;
  }
}

bool has_loopback() {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(9);  // of no say: a datagram goes out, or finds no way
  const int socket = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  const bool reached =
      ::connect(socket, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  ::close(socket);
  return reached;
}

LocalServer::LocalServer(Handler handler) : handler_(std::move(handler)) {
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (::bind(listener_, generic, size) != 0 || ::listen(listener_, 16) != 0 ||
      ::getsockname(listener_, generic, &size) != 0) {
    throw std::runtime_error("cannot listen on 127.0.0.1");
  }
  port_ = ntohs(address.sin_port);
  acceptor_ = std::thread([this] { accept_all(); });
}

LocalServer::~LocalServer() {
  closing_ = true;
  acceptor_.join();
  for (std::thread& connection : connections_) connection.join();
  ::close(listener_);
}

void LocalServer::accept_all() {
  while (!closing_) {
    pollfd wait{listener_, POLLIN, 0};
    if (::poll(&wait, 1, 10) <= 0) continue;
    const int socket = ::accept(listener_, nullptr, nullptr);
    if (socket >= 0) connections_.emplace_back([this, socket] { serve(socket); });
  }
}

void LocalServer::serve(int socket) {
  const std::string text = read_head(socket, closing_);
  if (!text.empty()) {
    Request request = parse(text);
    {
      const std::lock_guard lock(mutex_);
      request.number = static_cast<int>(requests_.size()) + 1;
      requests_.push_back(request);
    }
    handler_(request, Connection(socket, closing_));
  }
  ::shutdown(socket, SHUT_WR);
  ::close(socket);
}

std::string LocalServer::url(const std::string& path) const {
  return "http://127.0.0.1:" + std::to_string(port_) + path;
}

std::vector<Request> LocalServer::requests() const {
  const std::lock_guard lock(mutex_);
  return requests_;
}

std::string head(std::string_view status, const std::vector<std::string>& lines) {
  std::string text = "HTTP/1.1 " + std::string(status) + "\r\n";
  for (const std::string& line : lines) text += line + "\r\n";
  return text + "Connection: close\r\n\r\n";
}

}  // namespace engraft::test
