#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

#include "download_fixture.h"

namespace engraft::download_concurrency_test {

namespace fs = std::filesystem;
using namespace test;
using std::chrono::milliseconds;
using testing::HasSubstr;

using DownloadConcurrently = DownloadTest;

TEST_F(DownloadConcurrently, AStopEndsASilentTransferAndKeepsThePart) {
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
  EXPECT_TRUE(holds(bytes));
  EXPECT_EQ(server.requests().at(1).range(), 70'000u);
}

TEST_F(DownloadConcurrently, AStopEndsAPauseBetweenAttempts) {
  options.backoff = std::chrono::minutes(10);
  std::stop_source source;
  LocalServer server([&](auto&, auto& connection) {
    connection.send(head("500 Oops", {"Content-Length: 0"}));
    source.request_stop();
  });
  EXPECT_EQ(failure(server.url(), source.get_token()).kind(), ErrorKind::kCancelled);
  EXPECT_EQ(files(), 0u);
}

TEST_F(DownloadConcurrently, ThreadsThatWantTheSameFileFetchItOnce) {
  const std::string bytes = content(24);
  LocalServer server([&](auto& request, auto& connection) {
    std::this_thread::sleep_for(milliseconds(50));
    serve_rightly(bytes, request, connection);
  });
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      NoProgress silent;
      EXPECT_NO_THROW(download(server.url(), to, options, silent));
      EXPECT_TRUE(fs::exists(to) && holds(bytes));
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(server.requests().size(), 1u);
  EXPECT_EQ(files(), 2u);
}

TEST_F(DownloadConcurrently, ProcessesThatWantTheSameFileFetchItOnce) {
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
  EXPECT_TRUE(holds(bytes));
  EXPECT_EQ(server.requests().size(), 1u);
}

}  // namespace engraft::download_concurrency_test
