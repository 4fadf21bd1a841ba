#include <fmt/format.h>

#include "download_fixture.h"

namespace engraft::download_resume_test {

namespace fs = std::filesystem;
using namespace test;
using std::chrono::milliseconds;
using testing::Contains;
using testing::HasSubstr;

using DownloadResumed = DownloadTest;

TEST_F(DownloadResumed, ResumesWhereItWasCutOff) {
  const std::string bytes = content(2);
  LocalServer server([&](auto& request, auto& connection) {
    serve_rightly(bytes, request, connection, request.number < 3 ? 70'000 : std::string::npos);
  });
  fetch(server.url());
  EXPECT_TRUE(holds(bytes));
  const auto requests = server.requests();
  ASSERT_EQ(requests.size(), 3u);
  EXPECT_EQ(requests[1].header("range"), "bytes=70000-");
  EXPECT_EQ(requests[2].header("range"), "bytes=140000-");
  EXPECT_EQ(progress.notes.size(), 2u);
  EXPECT_EQ(progress.stages.size(), 1u) << "one stage, whatever the number of attempts";
}

TEST_F(DownloadResumed, ALaterCallResumesToo) {
  const std::string bytes = content(3);
  options.attempts = 1;
  LocalServer server([&](auto& request, auto& connection) {
    serve_rightly(bytes, request, connection, request.number < 2 ? 70'000 : std::string::npos);
  });
  EXPECT_EQ(failure(server.url()).kind(), ErrorKind::kNetwork);
  EXPECT_FALSE(fs::exists(to));
  EXPECT_EQ(fs::file_size(part()), 70'000u);
  fetch(server.url());
  EXPECT_TRUE(holds(bytes));
  EXPECT_EQ(server.requests().at(1).range(), 70'000u);
}

TEST_F(DownloadResumed, AStalledTransferIsCutOffAndResumed) {
  const std::string bytes = content(4);
  LocalServer server([&](auto& request, auto& connection) {
    if (request.number > 1) return serve_rightly(bytes, request, connection);
    serve_rightly(bytes, request, connection, 50'000);
    connection.hang();
  });
  fetch(server.url());
  EXPECT_TRUE(holds(bytes));
  EXPECT_EQ(server.requests().at(1).range(), 50'000u);
  EXPECT_THAT(progress.notes, Contains(HasSubstr("no byte for 0.15 s")));
}

TEST_F(DownloadResumed, ContentThatChangesBetweenAttemptsIsNeverSpliced) {
  const std::string before = content(5), after = content(6);
  LocalServer server([&](auto& request, auto& connection) {
    if (request.number == 1) return serve_rightly(before, request, connection, 70'000);
    serve_rightly(after, request, connection);
  });
  fetch(server.url());
  EXPECT_TRUE(holds(after));
}

TEST_F(DownloadResumed, ARangeOfOtherContentIsRefusedEvenWhenIfRangeWasIgnored) {
  const std::string before = content(7), after = content(8);
  LocalServer server([&](auto& request, auto& connection) {
    if (request.number == 1) return serve_rightly(before, request, connection, 70'000);
    if (request.number == 3) return serve_rightly(after, request, connection);
    connection.send(head("206 Partial Content", {"Content-Length: 130000", "ETag: \"other\"",
                                                 "Content-Range: bytes 70000-199999/200000"}));
    connection.send(after.substr(70'000));
  });
  fetch(server.url());
  EXPECT_TRUE(holds(after));
  EXPECT_EQ(server.requests().at(2).range(), 0u);
}

TEST_F(DownloadResumed, AServerThatIgnoresRangesIsReadFromTheBeginning) {
  const std::string bytes = content(9);
  LocalServer server([&](auto& request, auto& connection) {
    connection.send(head("200 OK", {"Content-Length: 200000", "ETag: \"a\""}));
    connection.send(bytes.substr(0, request.number == 1 ? 70'000 : bytes.size()));
  });
  fetch(server.url());
  EXPECT_TRUE(holds(bytes));
  EXPECT_EQ(server.requests().at(1).range(), 70'000u);
}

TEST_F(DownloadResumed, WithoutAValidatorItBeginsAnew) {
  const std::string bytes = content(10);
  for (const std::string& validator :
       {std::string("X-None: 1"), std::string("ETag: W/\"weak\""),
        std::string("Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT"),
        std::string("Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
                    "Date: Sun, 06 Nov 1994 08:49:38 GMT")}) {
    fs::remove_all(to.parent_path());
    LocalServer server([&](auto& request, auto& connection) {
      connection.send(head("200 OK", {"Content-Length: 200000", validator}));
      connection.send(bytes.substr(0, request.number == 1 ? 70'000 : bytes.size()));
    });
    fetch(server.url());
    EXPECT_TRUE(holds(bytes));
    EXPECT_EQ(server.requests().at(1).header("range"), "") << validator;
  }
}

TEST_F(DownloadResumed, LastModifiedServesAsValidatorWhenItIsOldEnough) {
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
  EXPECT_TRUE(holds(bytes));
  EXPECT_EQ(server.requests().at(1).header("if-range"), modified);
}

TEST_F(DownloadResumed, WrongContentRangesAreNotBelieved) {
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
    EXPECT_TRUE(holds(bytes)) << range;
    EXPECT_EQ(server.requests().size(), 3u) << range;
  }
}

TEST_F(DownloadResumed, APartThatTheServerDoesNotKnowIsDropped) {
  const std::string bytes = content(13);
  LocalServer server([&](auto& request, auto& connection) {
    if (request.number == 1) return serve_rightly(bytes, request, connection, 70'000);
    if (request.number == 3) return serve_rightly(bytes, request, connection);
    connection.send(head("416 Range Not Satisfiable", {"Content-Length: 0"}));
  });
  fetch(server.url());
  EXPECT_TRUE(holds(bytes));
}

TEST_F(DownloadResumed, ThePartOfAnotherAddressIsNotContinued) {
  const std::string one = content(14), other = content(15);
  options.attempts = 1;
  LocalServer server([&](auto& request, auto& connection) {
    if (request.path == "/one.h5") return serve_rightly(one, request, connection, 70'000);
    serve_rightly(other, request, connection);
  });
  (void)failure(server.url("/one.h5"));
  fetch(server.url("/other.h5"));
  EXPECT_TRUE(holds(other));
  EXPECT_EQ(server.requests().at(1).header("range"), "");
}

TEST_F(DownloadResumed, AWholePartLeftByAKilledProcessIsTakenAsItIs) {
  const std::string bytes = content(16);
  LocalServer server([](auto&, auto&) {});
  write_file_atomic(part(), bytes);
  write_file_atomic(folder / "sub/weights.h5.part.state",
                    fmt::format("url {}\netag \"e\"\nmodified \ntotal 200000\n", server.url()));
  fetch(server.url());
  EXPECT_TRUE(holds(bytes));
  EXPECT_TRUE(server.requests().empty());
}

TEST_F(DownloadResumed, ADamagedStateMeansABeginningAnew) {
  const std::string bytes = content(17);
  LocalServer server(
      [&](auto& request, auto& connection) { serve_rightly(bytes, request, connection); });
  write_file_atomic(part(), std::string(5'000, 'x'));
  write_file_atomic(folder / "sub/weights.h5.part.state",
                    std::string_view("url\n\n\0total 9e9\netag", 20));
  fetch(server.url());
  EXPECT_TRUE(holds(bytes));
}

}  // namespace engraft::download_resume_test
