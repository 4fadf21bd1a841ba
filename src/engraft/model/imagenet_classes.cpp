#include <string>
#include <string_view>
#include <vector>

#include "engraft/model/imagenet_table.h"
#include "engraft/model/model.h"

namespace engraft {
namespace {

struct Table {
  std::vector<std::string> synsets, labels;
};

Table parse(std::string_view text) {
  Table table;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    const std::size_t tab = line.find('\t');
    table.synsets.emplace_back(line.substr(0, tab));
    table.labels.emplace_back(line.substr(tab + 1));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
  }
  return table;
}

const Table& table() {
  static const Table parsed = parse(imagenet_table());
  return parsed;
}

}  // namespace

const std::vector<std::string>& imagenet_labels() {
  return table().labels;
}
const std::vector<std::string>& imagenet_synsets() {
  return table().synsets;
}

}  // namespace engraft
