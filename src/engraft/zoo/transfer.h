#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <stop_token>
#include <string>

namespace engraft {

struct TransferRequest {
  std::string url;
  std::int64_t offset = 0;  ///< first byte wanted; 0: the whole file
  std::string if_range;     ///< validator of the bytes that are there already; with offset > 0
  std::chrono::milliseconds stall{20'000};   ///< the longest silence
  std::chrono::milliseconds answer{20'000};  ///< the longest silence before the answer begins
};

/// What a server says before the content, after redirects.
struct ResponseHead {
  long status = 0;
  std::int64_t first = 0;   ///< place of the first byte that follows
  std::int64_t total = -1;  ///< bytes of the whole file; -1: not announced
  bool framed = false;      ///< a cut-off can be told from the end
  bool encoded = false;     ///< compressed for transport, though that was not asked for
  std::string etag;         ///< strong ones only, with quotes; else empty
  std::string modified;     ///< Last-Modified, where it can tell two versions apart; else empty
};

/// Receives one response.
class TransferSink {
 public:
  virtual ~TransferSink() = default;
  /// Once, before any data. False ends the transfer.
  virtual bool head(const ResponseHead& head) = 0;
  virtual void data(std::span<const std::byte> bytes) = 0;
};

struct TransferResult {
  enum class End {
    kComplete,     ///< everything that was announced arrived
    kCutOff,       ///< the connection broke: worth another attempt
    kUnreachable,  ///< no connection came about
    kStalled,      ///< no byte for the stall time: worth another attempt
    kRefused,      ///< by the sink's head()
    kFailed,       ///< will fail again: a forbidden redirect, a malformed address or certificate
    kStopped,      ///< on request
  };
  End end = End::kComplete;
  std::string reason;  ///< one phrase, unless complete
};

/// One GET by libcurl, which is initialised on the first call. What the sink throws is passed on.
[[nodiscard]] TransferResult transfer(const TransferRequest& request, TransferSink& sink,
                                      const std::stop_token& stop);

}  // namespace engraft
