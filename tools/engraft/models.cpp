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
         {"top1_pictures",
          entry.top1 ? nlohmann::ordered_json(entry.top1_pictures) : nlohmann::ordered_json()},
         {"built_in", entry.embedded()},
         {"file", entry.file},
         {"url", entry.embedded() ? nlohmann::ordered_json() : nlohmann::ordered_json(entry.url)}});
  }
  return list.dump(2) + "\n";
}

std::string as_csv() {
  std::string text = "name,image_size,parameters,top1,file,url,top1_pictures,built_in\n";
  for (const ZooEntry& entry : zoo()) {
    text +=
        fmt::format("{},{},{},{},{},{},{},{}\n", entry.name, entry.image_size, entry.parameters,
                    entry.top1 ? fmt::format("{:.1f}", *entry.top1) : std::string(), entry.file,
                    entry.url, entry.top1 ? fmt::format("{}", entry.top1_pictures) : std::string(),
                    entry.embedded() ? "yes" : "no");
  }
  return text;
}

/// Bytes of the file.
std::int64_t size_of(const ZooEntry& entry) {
  if (entry.embedded()) return static_cast<std::int64_t>(embedded_model().size());
  return entry.parameters * static_cast<std::int64_t>(sizeof(float));
}

std::string accuracy(const ZooEntry& entry) {
  return entry.top1 ? fmt::format("{:.1f} %", *entry.top1) : std::string("–");
}

std::string remark_on(const ZooEntry& entry) {
  if (entry.name == kDefaultModel) return "  (default)";
  return entry.embedded() ? "  (built in)" : "";
}

/// What the embedded model is and what its figure is worth.
std::string embedded_text() {
  const ZooEntry& entry = *find_entry(kEmbeddedModel);
  std::string text = fmt::format(
      "{} is part of the program, for where the default is not there and cannot be downloaded.",
      entry.name);
  if (entry.top1) {
    text += fmt::format(" Its accuracy\nwas measured on {} of ImageNet's pictures.",
                        entry.top1_pictures);
  }
  return text + "\n";
}

std::string for_people() {
  std::string text = fmt::format("{:<24} {:>6}  {:>10}  {:>7}  {:>14}\n", "name", "pixels",
                                 "parameters", "size", "ImageNet top 1");
  for (const ZooEntry& entry : zoo()) {
    text +=
        fmt::format("{:<24} {:>6}  {:>8.2f} M  {:>4.1f} MB  {:>14}{}\n", entry.name,
                    entry.image_size, static_cast<double>(entry.parameters) / 1e6,
                    static_cast<double>(size_of(entry)) / 1e6, accuracy(entry), remark_on(entry));
  }
  return text +
         "\nUse one with --model NAME; what is not there yet is downloaded. Accuracies are those "
         "documented for the\n"
         "TF-slim weights, n = 50,000.\n" +
         embedded_text();
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
