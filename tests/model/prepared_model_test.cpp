#include "engraft/model/prepared_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <utility>

#include "../formats/keras_writer.h"
#include "../support/errors.h"
#include "../support/test_data.h"
#include "engraft/base/crc32c.h"
#include "engraft/base/file.h"
#include "engraft/graph/mobilenet_v2.h"
#include "engraft/graph/shape_inference.h"
#include "small_model.h"

namespace engraft::prepared_model_test {

namespace fs = std::filesystem;
using test::same_bits;

class PreparedModel : public testing::Test {
 protected:
  PreparedModel() { write(1); }

  /// Keras weights of 32 × 32 pixels as they were written an hour ago.
  void write(std::uint64_t seed) {
    Network network{.graph = mobilenet_v2({.width = 0.35f, .image_size = 32, .classes = 1000}),
                    .weights = {}};
    network.weights = test::random_weights(network.graph, seed);
    fs::remove(weights);
    test::write_keras(weights, network);
    age(std::chrono::hours(1));
  }
  void age(std::chrono::seconds seconds) const {
    fs::last_write_time(weights, fs::file_time_type::clock::now() - seconds);
  }
  [[nodiscard]] Model load() const { return load_prepared_model(weights, {}, copies); }
  [[nodiscard]] std::vector<fs::path> kept() const {
    std::vector<fs::path> files;
    if (!fs::exists(copies)) return files;
    for (const fs::directory_entry& entry : fs::directory_iterator(copies)) {
      files.push_back(entry.path());
    }
    return files;
  }

  test::TemporaryFolder folder;
  fs::path weights = folder / "weights.h5";
  fs::path copies = folder / "cache/prepared";
};

void expect_equal(const Model& a, const Model& b) {
  EXPECT_TRUE(a.network.graph == b.network.graph);
  EXPECT_TRUE(same_bits(a.network.weights, b.network.weights));
  EXPECT_EQ(a.preprocessing, b.preprocessing);
  EXPECT_EQ(a.labels, b.labels);
  EXPECT_EQ(a.provenance, b.provenance);
}

TEST_F(PreparedModel, IsTheSameBitForBitTheFirstAndTheSecondTime) {
  const Model plain = load_model(weights);
  expect_equal(load(), plain);
  ASSERT_EQ(kept().size(), 1u);
  expect_equal(load(), plain);
}

TEST_F(PreparedModel, TheSecondTimeIsReadFromTheCopy) {
  (void)load();
  ASSERT_EQ(kept().size(), 1u);
  save_model(test::small_model({"clean", "dirty"}), kept()[0]);
  EXPECT_THAT(load().labels, testing::ElementsAre("clean", "dirty"));
}

TEST_F(PreparedModel, OfChangedWeightsIsMadeAnewAndTheOldCopyGoes) {
  (void)load();
  const fs::path before = kept().at(0);
  write(2);
  expect_equal(load(), load_model(weights));
  ASSERT_EQ(kept().size(), 1u);
  EXPECT_NE(kept()[0], before);
  expect_equal(load(), load_model(weights));
}

TEST_F(PreparedModel, ADamagedCopyIsMadeAnew) {
  (void)load();
  const fs::path copy = kept().at(0);
  const Bytes good = read_file(copy);
  Bytes damaged = good;
  damaged[damaged.size() / 2] ^= std::byte{1};
  for (const Bytes& bytes : {damaged, Bytes(good.begin(), good.begin() + 1000), Bytes()}) {
    write_file_atomic(copy, bytes);
    expect_equal(load(), load_model(weights));
    EXPECT_EQ(read_file(copy), good);
  }
}

TEST_F(PreparedModel, WeightsThatMayChangeUnseenHaveNoCopy) {
  age(std::chrono::seconds(0));
  expect_equal(load(), load_model(weights));
  EXPECT_TRUE(kept().empty());
}

TEST_F(PreparedModel, IsOfTheSizeThatWasAskedFor) {
  (void)load();
  const Model large = load_prepared_model(weights, {.image_size = 64}, copies);
  EXPECT_EQ(large.preprocessing.width, 64);
  EXPECT_EQ(load_prepared_model(weights, {.image_size = 64}, copies).preprocessing.width, 64);
  EXPECT_EQ(kept().size(), 2u);
}

TEST_F(PreparedModel, ALinksNameCountsForItsPictureSize) {
  const std::vector<fs::path> links{folder / "mobilenet_v2_1.0_160.h5",
                                    folder / "mobilenet_v2_1.0_224.h5"};
  for (const fs::path& link : links) fs::create_symlink(weights, link);
  for (int time = 0; time < 2; ++time) {
    for (const fs::path& link : links) {
      expect_equal(load_prepared_model(link, {}, copies), load_model(link));
    }
  }
  EXPECT_EQ(kept().size(), 2u);
}

TEST_F(PreparedModel, WeightsRewrittenInPlaceWithTheirOldTimeAreNoticed) {
  (void)load();
  const auto time = fs::last_write_time(weights);
  const fs::path others = folder / "others.h5";
  fs::rename(weights, others);
  write(2);
  const Bytes changed = read_file(weights);
  fs::rename(others, weights);
  ASSERT_EQ(changed.size(), read_file(weights).size());
  std::ofstream(weights, std::ios::binary | std::ios::in)
      .write(reinterpret_cast<const char*>(changed.data()),
             static_cast<std::streamsize>(changed.size()));
  fs::last_write_time(weights, time);
  expect_equal(load(), load_model(weights));
}

TEST_F(PreparedModel, OnlyTheNewestCopiesStay) {
  const auto copy_of = [&](int size) {
    return load_prepared_model(weights, {.image_size = size}, copies);
  };
  for (int i = 0; i < static_cast<int>(kMostPreparedModels); ++i) {
    (void)copy_of(32 * (i + 1));
    for (const fs::path& copy : kept()) {
      fs::last_write_time(copy, fs::last_write_time(copy) - std::chrono::minutes(1));
    }
  }
  const std::string ours = ".01234567-89abcdef-own-1-2.onnx.1.";
  const fs::path recent = copies / (ours + "0.part"), stale = copies / (ours + "1.part");
  for (const fs::path& part : {recent, stale}) std::ofstream(part) << "half";
  fs::last_write_time(stale, fs::file_time_type::clock::now() - std::chrono::hours(25));
  (void)copy_of(32 * 9);
  EXPECT_EQ(kept().size(), kMostPreparedModels + 1);
  EXPECT_TRUE(fs::exists(recent));
  EXPECT_FALSE(fs::exists(stale));
  fs::remove(recent);
  EXPECT_TRUE(std::ranges::none_of(kept(), [](const fs::path& copy) {
    return copy.filename().string().find("-32-") != std::string::npos;  // the oldest
  }));
}

TEST_F(PreparedModel, WhatOthersKeepInTheFolderStays) {
  fs::create_directories(copies);
  const std::vector<std::string> names{"model.onnx", "b.onnx",          "c.onnx",
                                       "d.onnx",     "01234567-8.onnx", "notes.txt",
                                       ".part",      "a.part",          "01234567-89abcdeg.onnx"};
  for (const std::string& name : names) {
    std::ofstream(copies / name) << "mine";
    fs::last_write_time(copies / name, fs::file_time_type::clock::now() - std::chrono::hours(99));
  }
  (void)load();
  EXPECT_EQ(kept().size(), names.size() + 1);
  for (const std::string& name : names) EXPECT_TRUE(fs::exists(copies / name)) << name;
}

TEST_F(PreparedModel, WhatIsMadeOfWeightsIsWhatThisGenerationMade) {
  Network network{.graph = mobilenet_v2({.width = 0.35f, .image_size = 32, .classes = 1000}),
                  .weights = {}};
  for (const auto& [name, shape] : parameter_shapes(network.graph)) {
    Tensor ones(shape);
    std::ranges::fill(ones.values(), 1.0f);
    network.weights.set(name, std::move(ones));
  }
  const fs::path file = folder / "ones.h5", saved = folder / "ones.onnx";
  test::write_keras(file, network);
  save_model(load_model(file), saved);
  EXPECT_EQ(crc32c(read_file(saved)), 2389776609u)
      << "raise kGeneration of prepared_model.cpp, and put this "
         "number here: older copies are another model";
}

TEST_F(PreparedModel, WithNowhereToKeepItIsLoadedAllTheSame) {
  expect_equal(load_prepared_model(weights, {}, {}), load_model(weights));
  std::ofstream(folder / "cache") << "a file where the folder should be";
  expect_equal(load(), load_model(weights));
}

TEST_F(PreparedModel, OtherModelsAreLoadedWithoutACopy) {
  const fs::path onnx = folder / "model.onnx";
  save_model(test::small_model({"clean", "dirty"}), onnx);
  EXPECT_EQ(load_prepared_model(onnx, {}, copies).labels.size(), 2u);
  EXPECT_FALSE(load_prepared_model("engraft-mini", {}, copies).labels.empty());
  EXPECT_TRUE(kept().empty());
}

TEST_F(PreparedModel, ErrorsAreThoseOfTheFileItself) {
  const Bytes whole = read_file(weights);
  write_file_atomic(weights, std::span(whole).first(whole.size() / 2));
  test::expect_error(ErrorKind::kBadInput, testing::StartsWith(weights.string() + ": "),
                     [&] { (void)load(); });
  test::expect_error(ErrorKind::kNotFound, testing::HasSubstr("absent.h5"),
                     [&] { (void)load_prepared_model(folder / "absent.h5", {}, copies); });
  EXPECT_TRUE(kept().empty());
}

}  // namespace engraft::prepared_model_test
