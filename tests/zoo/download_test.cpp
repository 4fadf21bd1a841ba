#include <fmt/format.h>

#include "download_fixture.h"

namespace engraft::download_test {

namespace fs = std::filesystem;
using namespace test;
using std::chrono::milliseconds;
using testing::AllOf;
using testing::HasSubstr;

using Download = DownloadTest;

TEST_F(Download, BringsTheFileAndPinsItsDigest) {
  const std::string bytes = content(1);
  LocalServer server(
      [&](auto& request, auto& connection) { serve_rightly(bytes, request, connection); });
  fetch(server.url());
  EXPECT_TRUE(holds(bytes));
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

TEST_F(Download, AServerThatNeverAnswersIsGivenUp) {
  options.attempts = 2;
  LocalServer server([](auto&, auto& connection) { connection.hang(); });
  const Error error = failure(server.url());
  EXPECT_EQ(error.kind(), ErrorKind::kNetwork);
  EXPECT_THAT(error.what(), HasSubstr("no byte for"));
  EXPECT_EQ(files(), 0u);
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
  EXPECT_TRUE(holds(bytes));
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
  EXPECT_TRUE(holds(bytes));
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

TEST_F(Download, AFolderThatCannotBeMadeIsNamed) {
  write_file_atomic(folder / "blocked", std::string_view("a file, no folder"));
  to = folder / "blocked/sub/weights.h5";
  const Error error = failure("http://127.0.0.1:1/weights.h5");
  EXPECT_EQ(error.kind(), ErrorKind::kIo);
  EXPECT_THAT(error.what(), HasSubstr("blocked"));
}

}  // namespace engraft::download_test
