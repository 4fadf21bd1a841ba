#include "engraft/zoo/transfer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <exception>
#include <memory>
#include <optional>
#include <string_view>

#include "engraft/base/error.h"
#include "engraft/version.h"
#include "engraft/zoo/libcurl.h"

namespace engraft {
namespace {

using Clock = std::chrono::steady_clock;
using End = TransferResult::End;

/// Where libcurl is missing, no server can be reached.
CURLcode load_curl() {
  try {
    return curl_global_init(CURL_GLOBAL_DEFAULT);
  } catch (const Error& error) {
    throw Error(ErrorKind::kNetwork, error.what());
  }
}

void initialise_curl() {
  static const CURLcode result = load_curl();
  if (result != CURLE_OK) {
    throw Error(ErrorKind::kInternal,
                fmt::format("libcurl cannot be initialised: {}", curl_easy_strerror(result)));
  }
}

bool equals_ignoring_case(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return std::ranges::equal(a, b, {}, lower, lower);
}

std::string_view trim(std::string_view text) {
  const auto begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r\n") + 1 - begin);
}

std::optional<std::int64_t> parse_count(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 0) return std::nullopt;
  return value;
}

/// Header fields of one response as they come in; a redirect begins a new one.
class Headers {
 public:
  void line(std::string_view text) {
    if (text.starts_with("HTTP/")) {
      *this = Headers();
      version_2_or_later_ = !text.starts_with("HTTP/1");
      return;
    }
    const auto colon = text.find(':');
    if (colon == std::string_view::npos) return;
    const std::string_view name = trim(text.substr(0, colon));
    const std::string_view value = trim(text.substr(colon + 1));
    if (equals_ignoring_case(name, "content-length")) length_ = parse_count(value);
    if (equals_ignoring_case(name, "content-range")) range_ = value;
    if (equals_ignoring_case(name, "etag")) etag_ = value;
    if (equals_ignoring_case(name, "last-modified")) modified_ = value;
    if (equals_ignoring_case(name, "date")) date_ = value;
    if (equals_ignoring_case(name, "transfer-encoding")) chunked_ = true;
    if (equals_ignoring_case(name, "content-encoding")) {
      encoded_ = !equals_ignoring_case(value, "identity");
    }
  }

  [[nodiscard]] ResponseHead head(long status) const {
    ResponseHead head;
    head.status = status;
    head.framed = length_.has_value() || chunked_ || version_2_or_later_;
    head.encoded = encoded_;
    if (etag_.size() >= 2 && etag_.front() == '"') head.etag = etag_;  // W/"…" is a weak one
    if (modified_tells_versions_apart()) head.modified = modified_;
    if (status == 206) {
      read_range(head);
    } else if (length_ && !chunked_) {
      head.total = *length_;
    }
    return head;
  }

 private:
  /// "bytes FIRST-LAST/TOTAL". Anything else leaves first at -1, which no request asks for.
  void read_range(ResponseHead& head) const {
    head.first = -1;
    std::string_view text = range_;
    if (!text.starts_with("bytes ")) return;
    text.remove_prefix(6);
    const auto dash = text.find('-');
    const auto slash = text.find('/');
    if (dash == std::string_view::npos || slash == std::string_view::npos || slash < dash) return;
    const auto first = parse_count(text.substr(0, dash));
    const auto last = parse_count(text.substr(dash + 1, slash - dash - 1));
    const auto total = parse_count(text.substr(slash + 1));
    if (!first || !last || !total || *last + 1 != *total) return;
    head.first = *first;
    head.total = *total;
  }

  /// Last-Modified has seconds: two versions of the same second look alike (RFC 9110, 8.8.2.2).
  [[nodiscard]] bool modified_tells_versions_apart() const {
    if (modified_.empty() || date_.empty()) return false;
    const time_t modified = curl_getdate(modified_.c_str(), nullptr);
    const time_t now = curl_getdate(date_.c_str(), nullptr);
    return modified >= 0 && now > modified + 1;
  }

  std::optional<std::int64_t> length_;
  std::string range_, etag_, modified_, date_;
  bool chunked_ = false, encoded_ = false, version_2_or_later_ = false;
};

/// What the callbacks share. Nothing may be thrown through libcurl, so exceptions wait in `thrown`.
struct Exchange {
  CURL* handle = nullptr;
  TransferSink* sink = nullptr;
  Headers headers;
  Clock::time_point last_byte = Clock::now();
  bool answered = false, head_given = false, refused = false;
  std::exception_ptr thrown;

  bool give_head() {
    if (head_given) return !refused;
    head_given = true;
    long status = 0;
    curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
    refused = !sink->head(headers.head(status));
    return !refused;
  }
};

extern "C" std::size_t engraft_on_header(char* data, std::size_t size, std::size_t count,
                                         void* user) {
  auto& exchange = *static_cast<Exchange*>(user);
  try {
    exchange.last_byte = Clock::now();
    exchange.answered = true;
    exchange.headers.line({data, size * count});
    return size * count;
  } catch (...) {
    exchange.thrown = std::current_exception();
    return 0;
  }
}

extern "C" std::size_t engraft_on_data(char* data, std::size_t size, std::size_t count,
                                       void* user) {
  auto& exchange = *static_cast<Exchange*>(user);
  try {
    exchange.last_byte = Clock::now();
    if (!exchange.give_head()) return CURL_WRITEFUNC_ERROR;
    exchange.sink->data(std::as_bytes(std::span(data, size * count)));
    return size * count;
  } catch (...) {
    exchange.thrown = std::current_exception();
    return CURL_WRITEFUNC_ERROR;
  }
}

struct EasyHandle {
  CURL* get = curl_easy_init();
  EasyHandle() = default;
  ~EasyHandle() { curl_easy_cleanup(get); }
  EasyHandle(const EasyHandle&) = delete;
  EasyHandle& operator=(const EasyHandle&) = delete;
};

struct MultiHandle {
  CURLM* get = curl_multi_init();
  CURL* added = nullptr;
  MultiHandle() = default;
  ~MultiHandle() {
    if (added) curl_multi_remove_handle(get, added);
    curl_multi_cleanup(get);
  }
  MultiHandle(const MultiHandle&) = delete;
  MultiHandle& operator=(const MultiHandle&) = delete;
};

struct ListDeleter {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using HeaderList = std::unique_ptr<curl_slist, ListDeleter>;

HeaderList request_headers(const TransferRequest& request) {
  HeaderList list(curl_slist_append(nullptr, "Accept-Encoding: identity"));
  if (request.offset > 0 && !request.if_range.empty()) {
    const std::string line = fmt::format("If-Range: {}", request.if_range);
    list.reset(curl_slist_append(list.release(), line.c_str()));
  }
  return list;
}

void configure(CURL* handle, const TransferRequest& request, Exchange& exchange,
               curl_slist* headers) {
  const bool secure = request.url.size() > 5 && (request.url[4] == 's' || request.url[4] == 'S');
  curl_easy_setopt(handle, CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(handle, CURLOPT_REDIR_PROTOCOLS_STR, secure ? "https" : "http,https");
  curl_easy_setopt(handle, CURLOPT_FOLLOWLOCATION, 1L);
  curl_easy_setopt(handle, CURLOPT_MAXREDIRS, 10L);
  curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(handle, CURLOPT_QUICK_EXIT, 1L);
  curl_easy_setopt(handle, CURLOPT_USERAGENT, fmt::format("engraft/{}", kVersion).c_str());
  curl_easy_setopt(handle, CURLOPT_HTTPHEADER, headers);
  curl_easy_setopt(handle, CURLOPT_HEADERFUNCTION, &engraft_on_header);
  curl_easy_setopt(handle, CURLOPT_HEADERDATA, &exchange);
  curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, &engraft_on_data);
  curl_easy_setopt(handle, CURLOPT_WRITEDATA, &exchange);
  if (request.offset > 0) {
    curl_easy_setopt(handle, CURLOPT_RANGE, fmt::format("{}-", request.offset).c_str());
  }
}

/// Whether the same request may go better the next time.
End end_of(CURLcode code) {
  switch (code) {
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
      return End::kUnreachable;
    case CURLE_PARTIAL_FILE:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
    case CURLE_WEIRD_SERVER_REPLY:
      return End::kCutOff;
    default:
      return End::kFailed;
  }
}

/// Runs until libcurl is done, the transfer stalls or a stop is requested.
std::optional<TransferResult> drive(MultiHandle& multi, const TransferRequest& request,
                                    Exchange& exchange, const std::stop_token& stop,
                                    CURLcode& code) {
  CURLMcode (*const wake_up)(CURLM*) = curl_multi_wakeup;  // a callback must not fail to find it
  const std::stop_callback wake(stop, [&] { wake_up(multi.get); });
  for (;;) {
    int running = 0;
    curl_multi_perform(multi.get, &running);
    if (running == 0) break;
    if (stop.stop_requested()) return TransferResult{End::kStopped, "stopped on request"};
    const auto silent = Clock::now() - exchange.last_byte;
    const auto allowed =
        exchange.answered ? request.stall : std::min(request.stall, request.answer);
    if (silent >= allowed) {
      return TransferResult{
          End::kStalled,
          fmt::format("no byte for {:.3g} s", std::chrono::duration<double>(allowed).count())};
    }
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(allowed - silent);
    curl_multi_poll(multi.get, nullptr, 0, static_cast<int>(std::clamp<long>(left.count(), 1, 500)),
                    nullptr);
  }
  int queued = 0;
  const CURLMsg* message = curl_multi_info_read(multi.get, &queued);
  code = message && message->msg == CURLMSG_DONE ? message->data.result : CURLE_FAILED_INIT;
  return std::nullopt;
}

}  // namespace

TransferResult transfer(const TransferRequest& request, TransferSink& sink,
                        const std::stop_token& stop) {
  initialise_curl();
  // What libcurl is given pointers to must outlive its handles.
  Exchange exchange;
  const HeaderList headers = request_headers(request);
  std::array<char, CURL_ERROR_SIZE> detail{};
  const EasyHandle easy;
  MultiHandle multi;
  if (!easy.get || !multi.get) throw Error(ErrorKind::kInternal, "libcurl gave no handle");
  exchange.handle = easy.get;
  exchange.sink = &sink;
  configure(easy.get, request, exchange, headers.get());
  curl_easy_setopt(easy.get, CURLOPT_ERRORBUFFER, detail.data());
  curl_multi_add_handle(multi.get, easy.get);
  multi.added = easy.get;

  CURLcode code = CURLE_OK;
  if (const auto ended = drive(multi, request, exchange, stop, code)) return *ended;
  if (code == CURLE_OK && !exchange.thrown) exchange.give_head();  // an answer without content
  if (exchange.thrown) std::rethrow_exception(exchange.thrown);
  if (exchange.refused) return {End::kRefused, "refused"};
  if (code == CURLE_OK) return {};
  return {end_of(code), detail[0] != '\0' ? detail.data() : curl_easy_strerror(code)};
}

}  // namespace engraft
