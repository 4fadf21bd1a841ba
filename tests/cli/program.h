#pragma once

#include <map>
#include <string>
#include <vector>

#include "support/process.h"

namespace engraft::test {

/// Runs the engraft binary with a cache and a working folder of the test's own, off line.
class Program {
 public:
  [[nodiscard]] ProcessResult run(std::vector<std::string> arguments,
                                  std::map<std::string, std::string> environment = {}) const {
    return run_process(invocation(std::move(arguments), std::move(environment)));
  }

  [[nodiscard]] Invocation invocation(std::vector<std::string> arguments,
                                      std::map<std::string, std::string> environment = {}) const {
    environment.try_emplace("XDG_CACHE_HOME", (folder_ / "cache").string());
    environment.try_emplace("ENGRAFT_OFFLINE", "1");
    environment.try_emplace("ENGRAFT_MODELS", "");
    return {.program = ENGRAFT_PROGRAM,
            .arguments = std::move(arguments),
            .environment = std::move(environment),
            .folder = folder_.path()};
  }

  [[nodiscard]] const TemporaryFolder& folder() const { return folder_; }

 private:
  TemporaryFolder folder_;
};

}  // namespace engraft::test
