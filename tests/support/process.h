#pragma once

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "support/test_data.h"

namespace engraft::test {

struct ProcessResult {
  int exit_code = -1;  ///< 128 + signal where a signal ended it
  std::string out, err;
};

/// A program to run, with its arguments and what differs in its environment (empty value: unset).
struct Invocation {
  std::filesystem::path program;
  std::vector<std::string> arguments;
  std::map<std::string, std::string> environment;
  std::filesystem::path folder;  ///< working folder; empty: the test's
  /// Give up root's rights, which hide what an ordinary user meets.
  bool unprivileged = false;
  /// Sent, if not 0, when signal_after stands in what it says on standard error.
  int signal = 0;
  std::string signal_after = {};
};

inline std::string slurp(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

[[noreturn]] inline void become(const Invocation& invocation, const std::filesystem::path& out,
                                const std::filesystem::path& err) {
  const auto redirect = [](const std::filesystem::path& to, int descriptor, int flags) {
    const int file = ::open(to.c_str(), flags, 0600);
    if (file < 0 || ::dup2(file, descriptor) < 0) ::_exit(126);
  };
  redirect("/dev/null", STDIN_FILENO, O_RDONLY);
  redirect(out, STDOUT_FILENO, O_WRONLY | O_CREAT | O_TRUNC);
  redirect(err, STDERR_FILENO, O_WRONLY | O_CREAT | O_TRUNC);
  if (!invocation.folder.empty() && ::chdir(invocation.folder.c_str()) != 0) ::_exit(126);
  for (const auto& [name, value] : invocation.environment) {
    value.empty() ? ::unsetenv(name.c_str()) : ::setenv(name.c_str(), value.c_str(), 1);
  }
  if (invocation.unprivileged && ::geteuid() == 0) {
    constexpr ::gid_t kNobody = 65534;
    if (::setgid(kNobody) != 0 || ::setuid(kNobody) != 0) ::_exit(126);
  }
  std::vector<char*> arguments{const_cast<char*>(invocation.program.c_str())};
  for (const std::string& argument : invocation.arguments)
    arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  ::execv(invocation.program.c_str(), arguments.data());
  ::_exit(127);
}

/// Whether it has ended, whatever was its way; its status is left for waitpid().
inline bool has_ended(pid_t child) {
  siginfo_t info{};
  ::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOHANG | WNOWAIT);
  return info.si_pid == child;
}

/// Returns when a child's growing file holds text, or when it has ended: however slow the machine.
inline void wait_for_text(pid_t child, const std::filesystem::path& file, const std::string& text) {
  while (slurp(file).find(text) == std::string::npos && !has_ended(child)) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

/// Runs a program to its end and returns all that it said.
inline ProcessResult run_process(const Invocation& invocation) {
  const TemporaryFolder streams;
  const pid_t child = ::fork();
  if (child == 0) become(invocation, streams / "out", streams / "err");
  if (invocation.signal != 0) {
    wait_for_text(child, streams / "err", invocation.signal_after);
    ::kill(child, invocation.signal);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return {.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
          .out = slurp(streams / "out"),
          .err = slurp(streams / "err")};
}

}  // namespace engraft::test
