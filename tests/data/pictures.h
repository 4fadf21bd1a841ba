#pragma once

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "engraft/base/file.h"
#include "engraft/data/dataset.h"
#include "engraft/image/encode.h"

namespace engraft::test {

/// A small picture, black; its folders are made.
inline void put_picture(const std::filesystem::path& path) {
  static const Bytes kBytes = encode_png(Image(2, 2));
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(kBytes.data()),
             static_cast<std::streamsize>(kBytes.size()));
}

inline void put_text(const std::filesystem::path& path, std::string_view text) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << text;
}

/// "name=class" of each sample, in order.
inline std::vector<std::string> labelled(const Dataset& dataset) {
  std::vector<std::string> all;
  for (const Sample& sample : dataset.samples) {
    all.push_back(sample.name + "=" +
                  dataset.class_names.at(static_cast<std::size_t>(sample.label)));
  }
  return all;
}

/// "kind|where|what" of each problem, in order.
inline std::vector<std::string> described(const std::vector<Problem>& problems) {
  std::vector<std::string> all;
  for (const Problem& problem : problems) {
    all.push_back(std::string(name_of(problem.kind)) + "|" + problem.where + "|" + problem.what);
  }
  return all;
}

}  // namespace engraft::test
