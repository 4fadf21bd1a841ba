#include "commands.h"
#include "engraft/version.h"

namespace engraft::cli {

void declare_program(CLI::App& app) {
  app.set_version_flag("--version", std::string("engraft ") + kVersion);
  app.require_subcommand(1);
  app.footer(R"(Begin with:
  engraft classify photo.jpg                       what ImageNet's 1000 classes make of a picture
  engraft train photos/                            one folder per class
  engraft train photos/ --labels metadata.csv      or a CSV of file name and label
  engraft classify --model runs/photos/model.onnx new/*.jpg
  engraft evaluate --model runs/photos/model.onnx test/
  engraft COMMAND --help                           all options of a command

Exit codes:
  0 done    1 defect in engraft    2 wrong usage    3 something is not there    4 broken or unusable input
  5 of a kind that is not supported    6 reading or writing failed    7 download failed    130 stopped (Ctrl-C)

With --json or --csv, standard output holds the result and nothing else; where there is none, it stays empty and the exit
code says why.

Environment:
  ENGRAFT_MODELS    folders with model files, separated by ':'
  ENGRAFT_MIRROR    address of a folder with the files of 'engraft models', in place of the official one
  ENGRAFT_OFFLINE   set: never download; without the default model, the small one that is built in serves
  XDG_CACHE_HOME    where downloads, features and weights made ready are kept, in engraft/ (default ~/.cache)
  NO_COLOR          set: no colours)");
}

}  // namespace engraft::cli
