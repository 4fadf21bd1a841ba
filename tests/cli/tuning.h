#pragma once

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>

#include "cli/program.h"
#include "engraft/base/file.h"
#include "engraft/base/rng.h"
#include "engraft/graph/mobilenet_v2.h"
#include "engraft/graph/random_weights.h"
#include "engraft/image/encode.h"
#include "engraft/model/model.h"

namespace engraft::test {

inline std::vector<std::string> names_in(const std::filesystem::path& folder) {
  std::vector<std::string> names;
  if (!std::filesystem::exists(folder)) return names;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    names.push_back(entry.path().filename().string());
  }
  std::ranges::sort(names);
  return names;
}

/// A CSV as rows of fields.
inline std::vector<std::vector<std::string>> rows_of(const std::filesystem::path& csv) {
  std::vector<std::vector<std::string>> rows;
  std::istringstream lines(slurp(csv));
  for (std::string line; std::getline(lines, line);) {
    std::istringstream fields(line);
    rows.emplace_back();
    for (std::string field; std::getline(fields, field, ',');) rows.back().push_back(field);
  }
  return rows;
}

/// results.csv without the times.
inline std::vector<std::vector<std::string>> results_of(const std::filesystem::path& run) {
  auto rows = rows_of(run / "results.csv");
  for (auto& row : rows) row.pop_back();
  return rows;
}

/// Everything but times, which no two runs share.
inline void expect_same_run(const std::filesystem::path& a, const std::filesystem::path& b) {
  EXPECT_EQ(names_in(a), names_in(b));
  for (const char* name :
       {"model.onnx", "last.onnx", "predictions.csv", "split.csv", "args.json", "augmented.png"}) {
    EXPECT_TRUE(slurp(a / name) == slurp(b / name)) << name;
  }
  EXPECT_EQ(results_of(a), results_of(b));
}

/// Whole runs on pictures of noise in two colours and a small random network, so that a run takes
/// half a second.
class TuningRuns : public ::testing::Test {
 protected:
  static constexpr int kSide = 32;
  static constexpr int kEach = 10;  ///< pictures a class

  void SetUp() override {
    Model base;
    base.network.graph = mobilenet_v2({.width = 0.35f, .image_size = kSide, .classes = 10});
    base.network.weights = random_weights(base.network.graph, 7);
    base.preprocessing.width = base.preprocessing.height = kSide;
    for (int i = 0; i < 10; ++i) base.labels.push_back("thing " + std::to_string(i));
    save_model(base, in("base.onnx"));
    for (int i = 0; i < kEach; ++i) {
      write_picture("photos/blue", i, 2);
      write_picture("photos/red", i, 0);
    }
  }

  [[nodiscard]] std::filesystem::path in(const std::filesystem::path& name) const {
    return program_.folder() / name;
  }

  void write_picture(const std::filesystem::path& folder, int number, int channel) const {
    Image image(kSide, kSide);
    Rng rng(static_cast<std::uint64_t>(number), static_cast<std::uint64_t>(channel));
    for (std::size_t i = 0; i < image.pixels.size(); ++i) {
      const std::uint32_t least = static_cast<int>(i % 3) == channel ? 80 : 48;
      image.pixels[i] = static_cast<std::uint8_t>(least + rng.below(128));
    }
    write_file_atomic(in(folder) / (std::to_string(number) + ".png"), encode_png(image));
  }

  /// The command line of a run with few epochs of the head.
  [[nodiscard]] static std::vector<std::string> command(const std::vector<std::string>& more) {
    std::vector<std::string> arguments{"train", "photos"};
    const auto given = [&](const char* option) { return std::ranges::count(more, option) > 0; };
    if (!given("--recipe")) arguments.insert(arguments.end(), {"--tune-batch", "8"});
    if (!given("--from-scratch")) {
      arguments.insert(arguments.end(), {"--model", "base.onnx", "--epochs", "3"});
    }
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }
  [[nodiscard]] ProcessResult train(const std::vector<std::string>& more) const {
    return program_.run(command(more));
  }
  /// The run, which must succeed.
  std::filesystem::path trained(const std::vector<std::string>& more,
                                const std::filesystem::path& run = "runs/photos") const {
    const ProcessResult result = train(more);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    return in(run);
  }
  /// The stages in results.csv, each once, in their order.
  [[nodiscard]] static std::vector<std::string> stages_of(const std::filesystem::path& run) {
    std::vector<std::string> stages;
    for (const auto& row : rows_of(run / "results.csv")) {
      if (row.at(1) != "stage" && (stages.empty() || stages.back() != row[1])) {
        stages.push_back(row[1]);
      }
    }
    return stages;
  }
  /// Fails with that code in one line, behind what is said of its progress.
  static void expect_failure(const ProcessResult& result, int exit_code, const std::string& named) {
    EXPECT_EQ(result.exit_code, exit_code) << result.err;
    EXPECT_EQ(result.out, "");
    ASSERT_THAT(result.err, ::testing::EndsWith("\n"));
    std::string last = result.err.substr(0, result.err.size() - 1);
    last = last.substr(last.rfind('\n') + 1);
    EXPECT_THAT(last,
                ::testing::AllOf(::testing::StartsWith("engraft: "), ::testing::HasSubstr(named)));
  }

  Program program_;
};

}  // namespace engraft::test
