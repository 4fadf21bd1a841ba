#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "support/synthetic_network.h"

/// What PyTorch computes in float64: tests/train/golden/torch_gradients.json, written by
/// scripts/torch_gradients.py, which says what every number means.
namespace engraft::test {

/// Many values in a few: norm, sum, three products with ±1 vectors, the first and the last values.
struct Summary {
  double norm = 0, sum = 0;
  std::array<double, 3> products{};
  std::vector<double> first, last;  ///< min(4, n) and min(2, n) of them
};

/// The summary of a parameter's values (or of its gradient's), in row-major order.
template <typename T>
[[nodiscard]] Summary summary_of(const std::string& parameter, std::span<const T> values) {
  const SyntheticStream signs(parameter + "/signs");
  Summary summary;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto value = static_cast<double>(values[i]);
    summary.norm += value * value;
    summary.sum += value;
    const std::uint64_t bits = signs.at(i);
    for (std::size_t j = 0; j < 3; ++j) {
      summary.products[j] += ((bits >> j) & 1) != 0 ? value : -value;
    }
    if (i < 4) summary.first.push_back(value);
    if (i + 2 >= values.size()) summary.last.push_back(value);
  }
  summary.norm = std::sqrt(summary.norm);
  return summary;
}

struct SummaryTolerance {
  double relative = 0;  ///< of the golden's norm
  double absolute = 0;  ///< beside it; for what is zero but for rounding
  double sum = 0;       ///< of the sum, if not `relative`; errors of one sign add up in it
};

/// Expects every number of a summary within the tolerance of the golden's. An error e of the values
/// moves the norm and each product by about ‖e‖ at most; the sum of n values by up to √n·‖e‖.
inline void expect_near(const std::string& parameter, const Summary& found, const Summary& golden,
                        const SummaryTolerance& tolerance) {
  const double allowed = tolerance.relative * golden.norm + tolerance.absolute;
  const double sum = std::max(tolerance.relative, tolerance.sum) * golden.norm + tolerance.absolute;
  const auto close = [&](double a, double b, const std::string& what) {
    EXPECT_NEAR(a, b, allowed) << parameter << ": " << what;
  };
  close(found.norm, golden.norm, "norm");
  EXPECT_NEAR(found.sum, golden.sum, sum) << parameter << ": sum";
  for (std::size_t j = 0; j < 3; ++j) {
    close(found.products[j], golden.products[j], "product " + std::to_string(j));
  }
  ASSERT_EQ(found.first.size(), golden.first.size()) << parameter;
  ASSERT_EQ(found.last.size(), golden.last.size()) << parameter;
  for (std::size_t i = 0; i < golden.first.size(); ++i) {
    close(found.first[i], golden.first[i], "value " + std::to_string(i));
  }
  for (std::size_t i = 0; i < golden.last.size(); ++i) {
    close(found.last[i], golden.last[i], "value " + std::to_string(i) + " of the last");
  }
}

/// One problem: a network, pictures, a loss, and ten steps of SGD with momentum on one batch.
struct TorchCase {
  float width = 0;
  int image_size = 0, pictures = 0, classes = 0;  ///< picture i is of class i mod classes
  double label_smoothing = 0;
  double momentum = 0, learning_rate = 0;
  double batch_norm_momentum = 0;  ///< 0: frozen, the moving statistics are used and stay
  std::uint64_t seed = 0;          ///< of the synthetic pictures
  double beta_centre = 0;          ///< of the synthetic weights
  std::string sha256;              ///< of the synthetic parameters by name, then the pictures
  std::vector<double> losses;      ///< before each step
  std::map<std::string, Summary> gradients;  ///< of the first loss, every trained parameter
  std::map<std::string, Summary> moving;     ///< moving statistics after the steps; frozen: empty

  [[nodiscard]] bool frozen() const { return batch_norm_momentum == 0; }
};

namespace torch_golden_detail {

inline std::map<std::string, Summary> summaries(const nlohmann::json& json,
                                                const std::string& key) {
  std::map<std::string, Summary> result;
  if (!json.contains(key)) return result;
  for (const auto& [name, value] : json.at(key).items()) {
    result[name] = {.norm = value.at(0).get<double>(),
                    .sum = value.at(1).get<double>(),
                    .products = {value.at(2).get<double>(), value.at(3).get<double>(),
                                 value.at(4).get<double>()},
                    .first = value.at(5).get<std::vector<double>>(),
                    .last = value.at(6).get<std::vector<double>>()};
  }
  return result;
}

}  // namespace torch_golden_detail

/// The case of that name: "synthetic_frozen", "synthetic_trainable" or "real_frozen". Throws
/// nlohmann::json's exceptions for a file that is not as it should be.
[[nodiscard]] inline TorchCase torch_case(const std::string& name) {
  std::ifstream file(std::filesystem::path(ENGRAFT_SOURCE_DIR) /
                     "tests/train/golden/torch_gradients.json");
  const nlohmann::json json = nlohmann::json::parse(file).at("cases").at(name);
  return {.width = json.at("width").get<float>(),
          .image_size = json.at("image_size").get<int>(),
          .pictures = json.at("pictures").get<int>(),
          .classes = json.at("classes").get<int>(),
          .label_smoothing = json.at("label_smoothing").get<double>(),
          .momentum = json.at("momentum").get<double>(),
          .learning_rate = json.at("learning_rate").get<double>(),
          .batch_norm_momentum = json.value("batch_norm_momentum", 0.0),
          .seed = json.value("seed", std::uint64_t{0}),
          .beta_centre = json.value("beta_centre", 0.0),
          .sha256 = json.value("sha256", std::string()),
          .losses = json.at("losses").get<std::vector<double>>(),
          .gradients = torch_golden_detail::summaries(json, "gradients"),
          .moving = torch_golden_detail::summaries(json, "moving")};
}

}  // namespace engraft::test
