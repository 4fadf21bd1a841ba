#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <new>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "commands.h"
#include "engraft/base/edit_distance.h"
#include "engraft/base/error.h"
#include "engraft/base/utf8.h"
#include "heap.h"
#include "signals.h"
#include "terminal.h"

namespace {

int fail(const std::string& message, int code) {
  engraft::cli::print_error(message);
  return code;
}

/// The command that a word is likely to mean, or nothing.
std::string_view nearest_command(const CLI::App& app, std::string_view word) {
  constexpr std::size_t kFarthest = 2;
  std::string_view nearest;
  std::size_t least = kFarthest + 1;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    const std::size_t distance = engraft::edit_distance(word, command->get_name());
    if (distance < least) nearest = command->get_name();
    least = std::min(least, distance);
  }
  return nearest;
}

std::string complaint(const CLI::App& app, const CLI::ParseError& error,
                      std::span<const std::string> words) {
  const bool named = !words.empty() && !words[0].starts_with('-');
  const std::string_view nearest = named ? nearest_command(app, words[0]) : "";
  if (!named || nearest == words[0]) return fmt::format("{}; see engraft --help", error.what());
  return fmt::format("{}: there is no such command{}; see engraft --help",
                     engraft::printable(words[0]),
                     nearest.empty() ? "" : fmt::format(", did you mean {}?", nearest));
}

int parse_and_run(int argc, char** argv, const std::stop_token& stop) {
  CLI::App app{"Classify pictures with MobileNetV2, and retrain it to your own classes.",
               "engraft"};
  engraft::cli::Command command{.stop = stop, .run = {}, .words = {argv + 1, argv + argc}};
  engraft::cli::declare_program(app);
  engraft::cli::declare_classify(app, command);
  engraft::cli::declare_train(app, command);
  engraft::cli::declare_find_lr(app, command);
  engraft::cli::declare_distill(app, command);
  engraft::cli::declare_evaluate(app, command);
  engraft::cli::declare_models(app, command);
  engraft::cli::declare_compact(app, command);
  engraft::cli::declare_sample(app, command);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& help) {
    return app.exit(help);
  } catch (const CLI::ParseError& error) {
    return fail(complaint(app, error, command.words), exit_code(engraft::ErrorKind::kUsage));
  }
  return command.run();
}

}  // namespace

int main(int argc, char** argv) {
  engraft::cli::use_huge_pages_for_heap();
  const engraft::cli::StopOnSignal signals;  // before any thread: they inherit its signal mask
  try {
    return parse_and_run(argc, argv, signals.token());
  } catch (const engraft::Error& error) {
    return fail(error.what(), exit_code(error.kind()));
  } catch (const std::filesystem::filesystem_error& error) {
    return fail(fmt::format("{}: {}", error.path1().string(), error.code().message()),
                exit_code(engraft::ErrorKind::kIo));
  } catch (const std::bad_alloc&) {
    return fail("not enough memory", exit_code(engraft::ErrorKind::kIo));
  } catch (const std::exception& error) {
    return fail(fmt::format("unexpected: {}", error.what()),
                exit_code(engraft::ErrorKind::kInternal));
  }
}
