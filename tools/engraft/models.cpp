#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "commands.h"
#include "engraft/zoo/zoo.h"
#include "options.h"
#include "terminal.h"

namespace engraft::cli {
namespace {

std::string as_json() {
  auto list = nlohmann::ordered_json::array();
  for (const ZooEntry& entry : zoo()) {
    list.push_back(
        {{"name", entry.name},
         {"image_size", entry.image_size},
         {"parameters", entry.parameters},
         {"top1", entry.top1 ? nlohmann::ordered_json(*entry.top1) : nlohmann::ordered_json()},
         {"file", entry.file},
         {"url", entry.url}});
  }
  return list.dump(2) + "\n";
}

std::string as_csv() {
  std::string text = "name,image_size,parameters,top1,file,url\n";
  for (const ZooEntry& entry : zoo()) {
    text += fmt::format("{},{},{},{},{},{}\n", entry.name, entry.image_size, entry.parameters,
                        entry.top1 ? fmt::format("{:.1f}", *entry.top1) : std::string(), entry.file,
                        entry.url);
  }
  return text;
}

std::string for_people() {
  std::string text = fmt::format("{:<24} {:>6}  {:>10}  {:>7}  {:>14}\n", "name", "pixels",
                                 "parameters", "size", "ImageNet top 1");
  for (const ZooEntry& entry : zoo()) {
    text += fmt::format("{:<24} {:>6}  {:>8.2f} M  {:>4.1f} MB  {:>14}{}\n", entry.name,
                        entry.image_size, static_cast<double>(entry.parameters) / 1e6,
                        static_cast<double>(entry.parameters) * sizeof(float) / 1e6,
                        entry.top1 ? fmt::format("{:.1f} %", *entry.top1) : std::string("–"),
                        entry.name == kDefaultModel ? "  (default)" : "");
  }
  return text +
         "\nUse one with --model NAME; what is not there yet is downloaded. Accuracies are those "
         "documented for the\n"
         "TF-slim weights, n = 50,000.\n";
}

}  // namespace

void declare_models(CLI::App& app, Command& command) {
  auto* sub = app.add_subcommand("models", "List the pre-trained networks");
  const auto output = std::make_shared<OutputOptions>();
  output->declare(*sub);
  sub->callback([&command, output] {
    command.run = [output] {
      print_result(output->json ? as_json() : output->csv ? as_csv() : for_people());
      return 0;
    };
  });
}

}  // namespace engraft::cli
