#include "engraft/zoo/download.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <thread>

#include "../support/test_data.h"
#include "engraft/base/file.h"
#include "engraft/base/hash.h"
#include "engraft/base/rng.h"
#include "local_server.h"

namespace engraft {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using test::Connection;
using test::head;
using test::LocalServer;
using test::Request;
using testing::AllOf;
using testing::Contains;
using testing::HasSubstr;

std::string content(std::uint64_t version, std::size_t size = 200'000) {
  Rng rng(version);
  std::string bytes(size, '\0');
  std::ranges::generate(bytes, [&] { return static_cast<char>(rng.next_u32() & 255); });
  return bytes;
}

std::string hex(const std::string& bytes) {
  return sha256(std::as_bytes(std::span(bytes))).hex();
}

/// A server that does everything right: ranges, If-Range, an ETag that follows the content.
void serve_rightly(const std::string& bytes, const Request& request, const Connection& connection,
                   std::size_t stop_after = std::string::npos) {
  const std::string etag = fmt::format("\"{}\"", hex(bytes).substr(0, 8));
  const std::size_t first =
      request.header("if-range") == etag && request.range() < bytes.size() ? request.range() : 0;
  std::vector<std::string> lines{fmt::format("Content-Length: {}", bytes.size() - first),
                                 "ETag: " + etag};
  if (first > 0) {
    lines.push_back(
        fmt::format("Content-Range: bytes {}-{}/{}", first, bytes.size() - 1, bytes.size()));
  }
  connection.send(head(first > 0 ? "206 Partial Content" : "200 OK", lines));
  connection.send(std::string_view(bytes).substr(first, stop_after));
}

/// Remembers what it was shown.
class Recorder final : public Progress {
 public:
  void begin(std::string_view stage, std::int64_t total, std::string_view unit) override {
    stages.push_back(fmt::format("{} {} {}", stage, total, unit));
  }
  void update(std::int64_t count, std::string_view) override { done.push_back(count); }
  void end() override { ++ended; }
  void note(std::string_view line) override { notes.emplace_back(line); }

  std::vector<std::string> stages, notes;
  std::vector<std::int64_t> done;
  int ended = 0;
};

class Download : public testing::Test {
 protected:
  void SetUp() override {
    // A proxy of the machine's would stand between the test and its own server.
    for (const char* name : {"http_proxy", "all_proxy", "ALL_PROXY"}) ::unsetenv(name);
    options.stall = milliseconds(150);
    options.backoff = milliseconds(1);
  }

  void fetch(const std::string& url, const std::stop_token& stop = {}) {
    download(url, to, options, progress, stop);
  }

  /// The error of a download that must fail.
  Error failure(const std::string& url, const std::stop_token& stop = {}) {
    try {
      fetch(url, stop);
    } catch (const Error& error) {
      return error;
    }
    ADD_FAILURE() << "the download succeeded";
    return {ErrorKind::kInternal, ""};
  }

  std::string file() const { return read_text_file(to); }
  fs::path part() const { return folder / "sub/weights.h5.part"; }
  std::size_t files() const {
    std::size_t count = 0;
    for (const auto& entry : fs::directory_iterator(to.parent_path())) count += entry.exists();
    return count;
  }

  test::TemporaryFolder folder;
  fs::path to = folder / "sub/weights.h5";
  DownloadOptions options;
  Recorder progress;
};

TEST_F(Download, BringsTheFileAndPinsItsDigest) {
  const std::string bytes = content(1);
  LocalServer server(
      [&](auto& request, auto& connection) { serve_rightly(bytes, request, connection); });
  fetch(server.url());
  EXPECT_EQ(file(), bytes);
  EXPECT_EQ(read_text_file(folder / "sub/weights.h5.sha256"), hex(bytes) + "  weights.h5\n");
  EXPECT_EQ(files(), 2u) << "nothing but the file and its digest stays";
  EXPECT_THAT(progress.stages, testing::ElementsAre("downloading weights.h5 200000 bytes"));
  EXPECT_EQ(progress.done.back(), 200'000);
  EXPECT_TRUE(std::ranges::is_sorted(progress.done));
  EXPECT_EQ(progress.ended, 1);
}

TEST_F(Download, AsksNothingWhenTheFileIsThere) {
  LocalServer server([](auto&, auto&) {});
  write_file_atomic(to, std::string_view("here"));
  fetch(server.url());
  EXPECT_EQ(file(), "here");
  EXPECT_TRUE(server.requests().empty());
}

TEST_F(Download, ResumesWhereItWasCutOff) {
  const std::string bytes = content(2);
  LocalServer server([&](auto& request, auto& connection) {
    serve_rightly(bytes, request, connection, request.number < 3 ? 70'000 : std::string::npos);
  });
  fetch(server.url());
  EXPECT_EQ(file(), bytes);
  const auto requests = server.requests();
  ASSERT_EQ(requests.size(), 3u);
  EXPECT_EQ(requests[1].header("range"), "bytes=70000-");
  EXPECT_EQ(requests[2].header("range"), "bytes=140000-");
  EXPECT_EQ(progress.notes.size(), 2u);
  EXPECT_EQ(progress.stages.size(), 1u) << "one stage, whatever the number of attempts";
}

TEST_F(Download, ALaterCallResumesToo) {
  const std::string bytes = content(3);
  options.attempts = 1;
  LocalServer server([&](auto& request, auto& connection) {
    serve_rightly(bytes, request, connection, request.number < 2 ? 70'000 : std::string::npos);
  });
  EXPECT_EQ(failure(server.url()).kind(), ErrorKind::kNetwork);
  EXPECT_FALSE(fs::exists(to));
  EXPECT_EQ(fs::file_size(part()), 70'000u);
  fetch(server.url());
  EXPECT_EQ(file(), bytes);
  EXPECT_EQ(server.requests()[1].range(), 70'000u);
}

TEST_F(Download, AStalledTransferIsCutOffAndResumed) {
  const std::string bytes = content(4);
  LocalServer server([&](auto& request, auto& connection) {
    if (request.number > 1) return serve_rightly(bytes, request, connection);
    serve_rightly(bytes, request, connection, 50'000);
    connection.hang();
  });
  fetch(server.url());
  EXPECT_EQ(file(), bytes);
  EXPECT_EQ(server.requests()[1].range(), 50'000u);
  EXPECT_THAT(progress.notes, Contains(HasSubstr("no byte for 0.15 s")));
}

TEST_F(Download, AServerThatNeverAnswersIsGivenUp) {
  options.attempts = 2;
  LocalServer server([](auto&, auto& connection) { connection.hang(); });
  const Error error = failure(server.url());
  EXPECT_EQ(error.kind(), ErrorKind::kNetwork);
  EXPECT_THAT(error.what(), HasSubstr("no byte for"));
  EXPECT_EQ(files(), 0u);
}

TEST_F(Download, ContentThatChangesBetweenAttemptsIsNeverSpliced) {
  const std::string before = content(5), after = content(6);
  LocalServer server([&](auto& request, auto& connection) {
    if (request.number == 1) return serve_rightly(before, request, connection, 70'000);
    serve_rightly(after, request, connection);
  });
  fetch(server.url());
  EXPECT_EQ(file(), after);
}

TEST_F(Download, ARangeOfOtherContentIsRefusedEvenWhenIfRangeWasIgnored) {
  const std::string before = content(7), after = content(8);
  LocalServer server([&](auto& request, auto& connection) {
    if (request.number == 1) return serve_rightly(before, request, connection, 70'000);
    if (request.number == 3) return serve_rightly(after, request, connection);
    connection.send(head("206 Partial Content", {"Content-Length: 130000", "ETag: \"other\"",
                                                 "Content-Range: bytes 70000-199999/200000"}));
    connection.send(after.substr(70'000));
  });
  fetch(server.url());
  EXPECT_EQ(file(), after);
  EXPECT_EQ(server.requests()[2].range(), 0u);
}

TEST_F(Download, AServerThatIgnoresRangesIsReadFromTheBeginning) {
  const std::string bytes = content(9);
  LocalServer server([&](auto& request, auto& connection) {
    connection.send(head("200 OK", {"Content-Length: 200000", "ETag: \"a\""}));
    connection.send(bytes.substr(0, request.number == 1 ? 70'000 : bytes.size()));
  });
  fetch(server.url());
  EXPECT_EQ(file(), bytes);
  EXPECT_EQ(server.requests()[1].range(), 70'000u);
}

TEST_F(Download, WithoutAValidatorItBeginsAnew) {
  const std::string bytes = content(10);
  for (const std::string& validator :
       {std::string("X-None: 1"), std::string("ETag: W/\"weak\""),
        std::string("Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT")}) {
    fs::remove_all(to.parent_path());
    LocalServer server([&](auto& request, auto& connection) {
      connection.send(head("200 OK", {"Content-Length: 200000", validator}));
      connection.send(bytes.substr(0, request.number == 1 ? 70'000 : bytes.size()));
    });
    fetch(server.url());
    EXPECT_EQ(file(), bytes);
    EXPECT_EQ(server.requests()[1].header("range"), "") << validator;
  }
}

TEST_F(Download, LastModifiedServesAsValidatorWhenItIsOldEnough) {
  const std::string bytes = content(11);
  const std::string modified = "Sun, 06 Nov 1994 08:49:37 GMT";
  LocalServer server([&](auto& request, auto& connection) {
    const std::size_t first = request.range();
    std::vector<std::string> lines{"Date: Mon, 07 Nov 1994 08:49:37 GMT",
                                   "Last-Modified: " + modified,
                                   fmt::format("Content-Length: {}", bytes.size() - first),
                                   fmt::format("Content-Range: bytes {}-199999/200000", first)};
    if (first == 0) lines.pop_back();
    connection.send(head(first > 0 ? "206 Partial Content" : "200 OK", lines));
    connection.send(bytes.substr(first, request.number == 1 ? 70'000 : bytes.size()));
  });
  fetch(server.url());
  EXPECT_EQ(file(), bytes);
  EXPECT_EQ(server.requests()[1].header("if-range"), modified);
}

TEST_F(Download, WrongContentRangesAreNotBelieved) {
  const std::string bytes = content(12);
  for (const std::string& range :
       {std::string("bytes 60000-199999/200000"), std::string("bytes 70000-199999/300000"),
        std::string("bytes 70000-100000/200000"), std::string("bytes */200000"),
        std::string("nonsense"), std::string("bytes 70000-99999999999999999999/200000")}) {
    fs::remove_all(to.parent_path());
    LocalServer server([&](auto& request, auto& connection) {
      if (request.number == 1) return serve_rightly(bytes, request, connection, 70'000);
      if (request.number == 3) return serve_rightly(bytes, request, connection);
      connection.send(
          head("206 Partial Content", {"Content-Length: 130000", "Content-Range: " + range}));
      connection.send(std::string(130'000, 'x'));
    });
    fetch(server.url());
    EXPECT_EQ(file(), bytes) << range;
    EXPECT_EQ(server.requests().size(), 3u) << range;
  }
}

TEST_F(Download, APartThatTheServerDoesNotKnowIsDropped) {
  const std::string bytes = content(13);
  LocalServer server([&](auto& request, auto& connection) {
    if (request.number == 1) return serve_rightly(bytes, request, connection, 70'000);
    if (request.number == 3) return serve_rightly(bytes, request, connection);
    connection.send(head("416 Range Not Satisfiable", {"Content-Length: 0"}));
  });
  fetch(server.url());
  EXPECT_EQ(file(), bytes);
}

TEST_F(Download, ThePartOfAnotherAddressIsNotContinued) {
  const std::string one = content(14), other = content(15);
  options.attempts = 1;
  LocalServer server([&](auto& request, auto& connection) {
    if (request.path == "/one.h5") return serve_rightly(one, request, connection, 70'000);
    serve_rightly(other, request, connection);
  });
  (void)failure(server.url("/one.h5"));
  fetch(server.url("/other.h5"));
  EXPECT_EQ(file(), other);
  EXPECT_EQ(server.requests()[1].header("range"), "");
}

TEST_F(Download, AWholePartLeftByAKilledProcessIsTakenAsItIs) {
  const std::string bytes = content(16);
  LocalServer server([](auto&, auto&) {});
  write_file_atomic(part(), bytes);
  write_file_atomic(folder / "sub/weights.h5.part.state",
                    fmt::format("url {}\netag \"e\"\nmodified \ntotal 200000\n", server.url()));
  fetch(server.url());
  EXPECT_EQ(file(), bytes);
  EXPECT_TRUE(server.requests().empty());
}

TEST_F(Download, ADamagedStateMeansABeginningAnew) {
  const std::string bytes = content(17);
  LocalServer server(
      [&](auto& request, auto& connection) { serve_rightly(bytes, request, connection); });
  write_file_atomic(part(), std::string(5'000, 'x'));
  write_file_atomic(folder / "sub/weights.h5.part.state",
                    std::string_view("url\n\n\0total 9e9\netag", 20));
  fetch(server.url());
  EXPECT_EQ(file(), bytes);
}

TEST_F(Download, LessThanAnnouncedNeverGetsTheFinalName) {
  const std::string bytes = content(18);
  options.attempts = 3;
  LocalServer server([&](auto&, auto& connection) {
    connection.send(head("200 OK", {"Content-Length: 200001", "ETag: \"liar\""}));
    connection.send(bytes);
  });
  EXPECT_EQ(failure(server.url()).kind(), ErrorKind::kNetwork);
  EXPECT_EQ(server.requests().size(), 3u);
  EXPECT_FALSE(fs::exists(to));
  EXPECT_FALSE(fs::exists(folder / "sub/weights.h5.sha256"));
}

TEST_F(Download, AnswersWithoutAnyEndAreRefused) {
  LocalServer server([](auto&, auto& connection) {
    connection.send(head("200 OK", {}));
    connection.send("half a file, or a whole one?");
  });
  EXPECT_THAT(failure(server.url()).what(), HasSubstr("announces no length"));
  EXPECT_EQ(files(), 0u);
}

TEST_F(Download, ChunkedAnswersAreTakenWholeOnly) {
  LocalServer server([](auto& request, auto& connection) {
    connection.send(head("200 OK", {"Transfer-Encoding: chunked"}));
    connection.send("4\r\nwhol\r\n");
    if (request.number > 1) connection.send("1\r\ne\r\n0\r\n\r\n");
  });
  fetch(server.url());
  EXPECT_EQ(file(), "whole");
  EXPECT_EQ(server.requests().size(), 2u);
}

TEST_F(Download, EmptyAnswersAreNoFile) {
  options.attempts = 2;
  LocalServer server(
      [](auto&, auto& connection) { connection.send(head("200 OK", {"Content-Length: 0"})); });
  EXPECT_THAT(failure(server.url()).what(), HasSubstr("empty file"));
  EXPECT_EQ(files(), 0u);
}

TEST_F(Download, CompressedAnswersAreRefused) {
  LocalServer server([](auto&, auto& connection) {
    connection.send(head("200 OK", {"Content-Length: 3", "Content-Encoding: gzip"}));
    connection.send("abc");
  });
  EXPECT_THAT(failure(server.url()).what(), HasSubstr("compressed"));
}

TEST_F(Download, NotFoundIsFinal) {
  LocalServer server([](auto&, auto& connection) {
    connection.send(head("404 Not Found", {"Content-Length: 9"}));
    connection.send("not here\n");
  });
  EXPECT_THAT(failure(server.url()).what(), AllOf(HasSubstr(server.url()), HasSubstr("404")));
  EXPECT_EQ(server.requests().size(), 1u);
  EXPECT_EQ(files(), 0u) << "an error page is never kept";
}

TEST_F(Download, ServerErrorsAreTriedAgain) {
  const std::string bytes = content(19);
  LocalServer server([&](auto& request, auto& connection) {
    if (request.number > 2) return serve_rightly(bytes, request, connection);
    connection.send(
        head(request.number == 1 ? "500 Oops" : "429 Too Many Requests", {"Content-Length: 3"}));
    connection.send("no\n");
  });
  fetch(server.url());
  EXPECT_EQ(file(), bytes);
  EXPECT_EQ(server.requests().size(), 3u);
}

TEST_F(Download, AServerThatOnlyFailsIsGivenUpAfterAllAttempts) {
  options.attempts = 3;
  LocalServer server(
      [](auto&, auto& connection) { connection.send(head("503 Busy", {"Content-Length: 0"})); });
  EXPECT_THAT(failure(server.url()).what(), AllOf(HasSubstr("503"), HasSubstr("attempt 3 of 3")));
  EXPECT_EQ(server.requests().size(), 3u);
}

TEST_F(Download, ContentThatDiffersFromThePinIsRemovedAndBothDigestsNamed) {
  std::string bytes = content(20);
  LocalServer server(
      [&](auto& request, auto& connection) { serve_rightly(bytes, request, connection); });
  fetch(server.url());
  const std::string first = hex(bytes);
  fs::remove(to);
  bytes = content(21);
  EXPECT_THAT(failure(server.url()).what(),
              AllOf(HasSubstr(first), HasSubstr(hex(bytes)), HasSubstr("weights.h5.sha256")));
  EXPECT_FALSE(fs::exists(to));
  EXPECT_FALSE(fs::exists(part()));
  EXPECT_EQ(read_text_file(folder / "sub/weights.h5.sha256").substr(0, 64), first);
}

TEST_F(Download, ADamagedPinIsSaidBeforeAnythingIsFetched) {
  LocalServer server([](auto&, auto&) {});
  write_file_atomic(folder / "sub/weights.h5.sha256", std::string_view("not a digest"));
  EXPECT_EQ(failure(server.url()).kind(), ErrorKind::kBadInput);
  EXPECT_TRUE(server.requests().empty());
}

TEST_F(Download, RedirectsAreFollowedToHttpOnly) {
  const std::string bytes = content(22);
  const fs::path secret = folder / "secret";
  write_file_atomic(secret, std::string_view("secret"));
  LocalServer server([&](auto& request, auto& connection) {
    if (request.path == "/there.h5") return serve_rightly(bytes, request, connection);
    const std::string target = request.path == "/away"   ? "file://" + secret.string()
                               : request.path == "/ftp"  ? "ftp://127.0.0.1/x"
                               : request.path == "/loop" ? "/loop"
                                                         : "/there.h5";
    connection.send(head("302 Found", {"Content-Length: 5", "Location: " + target}));
    connection.send("moved");
  });
  fetch(server.url("/here.h5"));
  EXPECT_EQ(file(), bytes);
  for (const char* path : {"/away", "/ftp", "/loop"}) {
    fs::remove_all(to.parent_path());
    EXPECT_EQ(failure(server.url(path)).kind(), ErrorKind::kNetwork) << path;
    EXPECT_EQ(files(), 0u) << path;
  }
}

TEST_F(Download, OtherProtocolsAreRefused) {
  for (const char* url : {"file:///etc/passwd", "ftp://127.0.0.1/x", "", "http://", "weights.h5"}) {
    EXPECT_EQ(failure(url).kind(), ErrorKind::kUsage) << url;
  }
  EXPECT_TRUE(is_http_url("HTTPS://example.org/x"));
  EXPECT_FALSE(is_http_url("httpx://example.org/x"));
}

TEST_F(Download, MoreThanTheLimitIsRefusedHoweverItIsAnnounced) {
  options.max_bytes = 1000;
  LocalServer server([](auto& request, auto& connection) {
    if (request.path == "/announced") {
      connection.send(head("200 OK", {"Content-Length: 1001"}));
    } else {
      connection.send(head("200 OK", {"Transfer-Encoding: chunked"}));
    }
    for (int i = 0; i < 100; ++i) connection.send("10\r\n0123456789abcdef\r\n");
  });
  for (const char* path : {"/announced", "/chunked"}) {
    EXPECT_THAT(failure(server.url(path)).what(), HasSubstr("the limit is 1000")) << path;
    EXPECT_EQ(files(), 0u) << path;
  }
  EXPECT_EQ(server.requests().size(), 2u) << "no second attempt";
}

TEST_F(Download, NobodyThereIsSaidAfterTheSecondAttempt) {
  std::string url;
  {
    LocalServer gone([](auto&, auto&) {});
    url = gone.url();
  }
  options.attempts = 5;
  EXPECT_THAT(failure(url).what(), HasSubstr("attempt 2 of 2"));
  EXPECT_EQ(files(), 0u);
}

TEST_F(Download, AStopEndsASilentTransferAndKeepsThePart) {
  const std::string bytes = content(23);
  options.stall = std::chrono::minutes(10);
  std::stop_source source;
  LocalServer server([&](auto& request, auto& connection) {
    if (request.number > 1) return serve_rightly(bytes, request, connection);
    serve_rightly(bytes, request, connection, 70'000);
    connection.hang();
  });
  std::thread stopper([&] {
    while (!fs::exists(part()) || fs::file_size(part()) < 70'000) {
      std::this_thread::sleep_for(milliseconds(2));
    }
    source.request_stop();
  });
  EXPECT_EQ(failure(server.url(), source.get_token()).kind(), ErrorKind::kCancelled);
  stopper.join();
  EXPECT_FALSE(fs::exists(to));
  fetch(server.url());
  EXPECT_EQ(file(), bytes);
  EXPECT_EQ(server.requests()[1].range(), 70'000u);
}

TEST_F(Download, AStopEndsAPauseBetweenAttempts) {
  options.backoff = std::chrono::minutes(10);
  std::stop_source source;
  LocalServer server([&](auto&, auto& connection) {
    connection.send(head("500 Oops", {"Content-Length: 0"}));
    source.request_stop();
  });
  EXPECT_EQ(failure(server.url(), source.get_token()).kind(), ErrorKind::kCancelled);
  EXPECT_EQ(files(), 0u);
}

TEST_F(Download, ThreadsThatWantTheSameFileFetchItOnce) {
  const std::string bytes = content(24);
  LocalServer server([&](auto& request, auto& connection) {
    std::this_thread::sleep_for(milliseconds(50));
    serve_rightly(bytes, request, connection);
  });
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      NoProgress silent;
      download(server.url(), to, options, silent);
      EXPECT_EQ(file(), bytes);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(server.requests().size(), 1u);
  EXPECT_EQ(files(), 2u);
}

TEST_F(Download, ProcessesThatWantTheSameFileFetchItOnce) {
  const std::string bytes = content(25);
  // Children first: a process with threads should not fork. They learn the address from a pipe.
  int pipe_ends[2];
  ASSERT_EQ(::pipe(pipe_ends), 0);
  std::vector<pid_t> children;
  for (int i = 0; i < 3; ++i) {
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      char url[128] = {};
      if (::read(pipe_ends[0], url, sizeof url) <= 0) ::_exit(9);
      try {
        NoProgress silent;
        download(url, to, options, silent);
      } catch (...) {
        ::_exit(1);
      }
      ::_exit(0);
    }
    children.push_back(child);
  }
  LocalServer server([&](auto& request, auto& connection) {
    std::this_thread::sleep_for(milliseconds(50));
    serve_rightly(bytes, request, connection);
  });
  std::string message = server.url();
  message.resize(128);  // one fixed-size message each
  for (std::size_t i = 0; i < children.size(); ++i) {
    ASSERT_EQ(::write(pipe_ends[1], message.data(), message.size()), 128);
  }
  for (const pid_t child : children) {
    int status = -1;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
  }
  ::close(pipe_ends[0]);
  ::close(pipe_ends[1]);
  EXPECT_EQ(file(), bytes);
  EXPECT_EQ(server.requests().size(), 1u);
}

TEST_F(Download, AFolderThatCannotBeMadeIsNamed) {
  write_file_atomic(folder / "blocked", std::string_view("a file, no folder"));
  to = folder / "blocked/sub/weights.h5";
  const Error error = failure("http://127.0.0.1:1/weights.h5");
  EXPECT_EQ(error.kind(), ErrorKind::kIo);
  EXPECT_THAT(error.what(), HasSubstr("blocked"));
}

}  // namespace
}  // namespace engraft
