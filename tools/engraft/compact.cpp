#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "choice.h"
#include "commands.h"
#include "engraft/base/error.h"
#include "options.h"
#include "terminal.h"

namespace engraft::cli {
namespace {

namespace fs = std::filesystem;

struct CompactArguments {
  std::string model;
  std::optional<int> image_size;
  fs::path out;
  bool overwrite = false;
  OutputOptions output;
};

std::uintmax_t bytes_of(const fs::path& model) {
  return is_embedded_model(model) ? embedded_model().size() : fs::file_size(model);
}

std::string megabytes(std::uintmax_t bytes) {
  return fmt::format("{:.2f} MB", static_cast<double>(bytes) / 1e6);
}

void refuse_existing(const CompactArguments& arguments) {
  std::error_code ignored;
  if (arguments.overwrite || !fs::exists(arguments.out, ignored)) return;
  throw Error(ErrorKind::kUsage,
              fmt::format("{}: is there already; give another name, or --overwrite",
                          arguments.out.string()));
}

int compact(const CompactArguments& arguments, const std::stop_token& stop) {
  refuse_existing(arguments);
  fs::path file;
  {
    TerminalProgress progress;
    file = find_model(arguments.model, places_from_environment(), progress, stop);
  }
  const Model model = load_model(file, {.image_size = arguments.image_size});
  const std::uintmax_t before = bytes_of(file);
  save_model(model, arguments.out, WeightStorage::kCompact);
  const std::uintmax_t after = bytes_of(arguments.out);
  if (arguments.output.json) {
    print_result(nlohmann::ordered_json{{"model", file.string()},
                                        {"bytes", before},
                                        {"compact", arguments.out.string()},
                                        {"compact_bytes", after}}
                     .dump(2, ' ', false, nlohmann::json::error_handler_t::replace) +
                 "\n");
  } else if (arguments.output.csv) {
    print_result(fmt::format("bytes,compact_bytes\n{},{}\n", before, after));
  } else {
    print_result(fmt::format("{}: {}, was {}\n", arguments.out.string(), megabytes(after),
                             megabytes(before)));
  }
  return 0;
}

}  // namespace

void declare_compact(CLI::App& app, Command& command) {
  auto* sub = app.add_subcommand("compact", "Store a model in about a quarter of the bytes");
  const auto arguments = std::make_shared<CompactArguments>();
  sub->add_option("MODEL", arguments->model,
                  "A model file, a name from 'engraft models', or an http(s) address")
      ->required();
  sub->add_option("--out", arguments->out, "The compact model.onnx to write")
      ->type_name("FILE")
      ->required();
  sub->add_flag("--overwrite", arguments->overwrite, "Replace FILE where it is there already");
  sub->add_option("--image-size", arguments->image_size,
                  "Side of the network's input in pixels, for weights that do not fix it")
      ->type_name("PIXELS")
      ->check(between(32, 1024));
  arguments->output.declare(*sub);
  sub->footer(R"(Example:
  engraft compact runs/photos/model.onnx --out small.onnx

Large kernels are kept as 8-bit integers with a scale for each output channel, small ones as half-precision floats. The
result is ONNX like any other model of engraft's: classify, evaluate and train take it, and so do ONNX runtimes. Rounding
moves probabilities a little; engraft evaluate says what that comes to on your pictures.)");
  sub->callback([&command, arguments] {
    command.run = [&command, arguments] { return compact(*arguments, command.stop); };
  });
}

}  // namespace engraft::cli
