#include <fmt/format.h>

#include <memory>

#include "choice.h"
#include "commands.h"
#include "engraft/sample/plates.h"
#include "terminal.h"

namespace engraft::cli {

void declare_sample(CLI::App& app, Command& command) {
  struct Arguments {
    std::filesystem::path folder;
    SampleOptions options;
    int threads = 0;
  };
  auto* sub = app.add_subcommand(
      "sample", "Draw a labelled set of pictures to try things on: clean and dirty plates");
  const auto arguments = std::make_shared<Arguments>();
  sub->add_option("DIR", arguments->folder, "A new or empty folder")->required();
  sub->add_option("--count", arguments->options.count, "How many pictures, half of each kind [240]")
      ->type_name("N")
      ->check(between(2, 100'000));
  sub->add_option("--seed", arguments->options.seed, "Another seed, other pictures [0]")
      ->check(at_least(0))
      ->type_name("N");
  sub->add_option("--threads", arguments->threads,
                  "Worker threads; the pictures do not depend on it [one per core]")
      ->type_name("N")
      ->check(between(1, 1024));
  sub->footer(R"(Example:
  engraft sample plates/ && engraft train plates/ --labels labels.csv)");
  sub->callback([&command, arguments] {
    command.run = [&command, arguments] {
      ThreadPool pool(arguments->threads);
      TerminalProgress progress;
      write_plates(arguments->folder, arguments->options, pool, progress, command.stop);
      print_aside(fmt::format("{} pictures and labels.csv in {}\n", arguments->options.count,
                              arguments->folder.string()));
      return 0;
    };
  });
}

}  // namespace engraft::cli
