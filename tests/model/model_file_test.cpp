#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "../support/errors.h"
#include "../support/test_data.h"
#include "engraft/base/file.h"
#include "engraft/formats/onnx.h"
#include "engraft/image/encode.h"
#include "engraft/model/model.h"
#include "small_model.h"

namespace engraft::model_file_test {

namespace fs = std::filesystem;
using test::expect_error;
using test::same_bits;
using test::small_model;
using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

class ModelFile : public testing::Test {
 protected:
  /// Writes a good file after `change` had its way with it.
  template <typename Change>
  void write_changed(Change&& change) {
    save_model(small_model({"clean", "dirty"}), path);
    OnnxModel file = read_onnx(read_file(path), path.string());
    change(file);
    write_file_atomic(path, write_onnx(file));
  }
  void expect_refused(ErrorKind kind, const std::string& why) {
    expect_error(kind, AllOf(StartsWith(path.string() + ": "), HasSubstr(why)),
                 [&] { (void)load_model(path); });
  }

  test::TemporaryFolder folder;
  fs::path path = folder / "runs/model.onnx";
};

TEST_F(ModelFile, RoundTripsBitForBit) {
  Model model = small_model({"sauber", "schmutzig „so“", "汚い"});
  model.preprocessing.mode = ResizeMode::kCrop;
  model.preprocessing.interpolation = Interpolation::kBicubic;
  model.preprocessing.crop_fraction = 0.875f;
  model.preprocessing.channels = ChannelOrder::kBgr;
  model.preprocessing.scale = {0.1f, 1.0f / 3, 1e-7f};
  model.preprocessing.offset = {-0.485f, 1e9f, 0};
  model.provenance = {{"source", "a \"quoted\" \\ name\n"}, {"", "empty key"}, {"z", ""}};
  save_model(model, path);
  const Model loaded = load_model(path);
  EXPECT_TRUE(loaded.network.graph == model.network.graph);
  EXPECT_TRUE(same_bits(loaded.network.weights, model.network.weights));
  EXPECT_EQ(loaded.preprocessing, model.preprocessing);
  EXPECT_EQ(loaded.labels, model.labels);
  EXPECT_EQ(loaded.provenance, model.provenance);
}

TEST_F(ModelFile, ABaseWithoutATopRoundTripsToo) {
  const Model model = small_model({});
  save_model(model, path);
  const Model loaded = load_model(path);
  EXPECT_TRUE(loaded.labels.empty());
  EXPECT_TRUE(loaded.network.graph == model.network.graph);
}

TEST_F(ModelFile, EqualModelsGiveEqualBytes) {
  save_model(small_model({"a", "b"}), path);
  save_model(small_model({"a", "b"}), folder / "again.onnx");
  EXPECT_EQ(read_file(path), read_file(folder / "again.onnx"));
  save_model(load_model(path), folder / "again.onnx");
  EXPECT_EQ(read_file(path), read_file(folder / "again.onnx"));
  save_model(small_model({"a", "c"}), folder / "again.onnx");
  EXPECT_NE(read_file(path), read_file(folder / "again.onnx"));
}

TEST_F(ModelFile, WhatWouldNotLoadIsNotSavedAndTheOldFileStays) {
  save_model(small_model({"a", "b"}), path);
  const Bytes before = read_file(path);
  const auto refused = [&](const std::string& why, auto&& change) {
    Model model = small_model({"a", "b"});
    change(model);
    expect_error(ErrorKind::kUsage, AllOf(HasSubstr(path.string()), HasSubstr(why)),
                 [&] { save_model(model, path); });
  };
  refused("3 labels for 2 outputs", [](Model& m) { m.labels.push_back("c"); });
  refused("'a' stands twice", [](Model& m) { m.labels[1] = "a"; });
  refused("a label is empty", [](Model& m) { m.labels[1] = ""; });
  refused("not plain UTF-8", [](Model& m) { m.labels[1] = "\xff"; });
  refused("not plain UTF-8", [](Model& m) { m.labels[1] = "two\nlines"; });
  refused("the preprocessing makes [32,64,3]", [](Model& m) { m.preprocessing.width = 64; });
  refused("no network", [](Model& m) { m.network = {}; });
  EXPECT_EQ(read_file(path), before);
}

TEST_F(ModelFile, NamesThatAreNotUtf8AreKeptReadableInTheProvenance) {
  Model model = small_model({"a", "b"});
  model.provenance["base"] = "caf\xe9.h5";
  save_model(model, path);
  EXPECT_EQ(load_model(path).provenance.at("base"), "caf\ufffd.h5");
}

TEST_F(ModelFile, OtherPeoplesMetadataIsLeftAlone) {
  write_changed([](OnnxModel& file) { file.metadata["remark"] = "from the shop"; });
  EXPECT_EQ(load_model(path).labels, (std::vector<std::string>{"clean", "dirty"}));
}

TEST_F(ModelFile, DamagedLabelsAreRefused) {
  const auto refused = [&](const std::string& labels, const std::string& why) {
    write_changed([&](OnnxModel& file) { file.metadata["labels"] = labels; });
    expect_refused(ErrorKind::kBadInput, why);
  };
  refused("", "\"labels\" in the metadata is damaged");
  refused("[\"clean\", \"dirty\"", "\"labels\" in the metadata is damaged");
  refused("[\"clean\", \"\xff\xfe\"]", "\"labels\" in the metadata is damaged");
  refused(std::string(100'000, '['), "\"labels\" in the metadata is damaged");
  refused("{\"0\": \"clean\"}", "not a list");
  refused("[\"clean\", 7]", "something else than names");
  refused("[\"clean\"]", "1 labels for 2 outputs");
  refused("[\"clean\", \"clean\"]", "'clean' stands twice");
  refused("[\"clean\", \"\"]", "a label is empty");
  refused("[\"clean\", \"\\u0007\"]", "not plain UTF-8");
}

TEST_F(ModelFile, DamagedProvenanceIsRefused) {
  const auto refused = [&](const std::string& provenance, const std::string& why) {
    write_changed([&](OnnxModel& file) { file.metadata["provenance"] = provenance; });
    expect_refused(ErrorKind::kBadInput, why);
  };
  refused("[]", "not an object");
  refused("{\"source\": 3}", "\"source\" is not text");
  refused("{\"source\"", "damaged");
}

TEST_F(ModelFile, PreprocessingThatIsNotTheNetworksIsRefused) {
  const auto refused = [&](auto&& change, const std::string& why) {
    write_changed([&](OnnxModel& file) {
      Preprocessing other = preprocessing_from_json(file.metadata["preprocessing"]);
      change(other);
      file.metadata["preprocessing"] = to_json(other);
    });
    expect_refused(ErrorKind::kBadInput, why);
  };
  refused([](Preprocessing& p) { p.height = 64; }, "the preprocessing makes [64,32,3]");
  refused([](Preprocessing& p) { p.scale[1] = 1; }, "not that of the network");
  refused([](Preprocessing& p) { p.offset[2] = 1; }, "not that of the network");
  refused([](Preprocessing& p) { p.channels = ChannelOrder::kBgr; }, "not that of the network");
  write_changed([](OnnxModel& file) { file.metadata["preprocessing"] = "{}"; });
  expect_refused(ErrorKind::kBadInput, "preprocessing");
}

TEST_F(ModelFile, MissingAndLaterMetadataIsRefused) {
  for (const char* key : {"engraft_format", "labels", "preprocessing", "provenance"}) {
    write_changed([&](OnnxModel& file) { file.metadata.erase(key); });
    expect_refused(ErrorKind::kBadInput, fmt::format("lacks \"{}\"", key));
  }
  write_changed([](OnnxModel& file) { file.metadata["engraft_format"] = "2"; });
  expect_refused(ErrorKind::kUnsupported, "is of format '2'");
}

TEST_F(ModelFile, EveryTruncationIsRefusedWithTheFilesName) {
  save_model(small_model({"a", "b"}), path);
  const Bytes whole = read_file(path);
  for (std::size_t size = 0; size < whole.size(); size += 1 + whole.size() / 40) {
    write_file_atomic(path, std::span(whole).first(size));
    EXPECT_THROW(
        {
          try {
            (void)load_model(path);
          } catch (const Error& error) {
            EXPECT_THAT(error.what(), HasSubstr(path.string())) << size;
            throw;
          }
        },
        Error)
        << size;
  }
}

TEST_F(ModelFile, OtherFilesAreCalledWhatTheyAre) {
  const auto refused = [&](ErrorKind kind, std::string_view bytes, const std::string& why) {
    write_file_atomic(path, bytes);
    expect_refused(kind, why);
  };
  refused(ErrorKind::kBadInput, "", "is empty");
  refused(ErrorKind::kBadInput, "filename,label\na.jpg,0\n", "is text");
  refused(ErrorKind::kBadInput, "<!doctype html><title>404</title>", "is text");
  refused(ErrorKind::kBadInput, "version https://git-lfs.github.com/spec/v1\noid", "Git LFS");
  refused(ErrorKind::kUnsupported, std::string_view("\x1c\0\0\0TFL3\0\0\0\0", 12),
          "TensorFlow Lite");
  refused(ErrorKind::kUnsupported, std::string_view("PK\x03\x04\0\0\0\0", 8), "zip archive");
  write_file_atomic(path, encode_jpeg(Image(8, 8), 90));
  expect_refused(ErrorKind::kBadInput, "is a picture");
  write_file_atomic(path, encode_png(Image(8, 8)));
  expect_refused(ErrorKind::kBadInput, "is a picture");
  write_file_atomic(path, std::string_view("\x89HDF\r\n\x1a\n and then nothing"));
  expect_error(ErrorKind::kBadInput, HasSubstr(path.string()), [&] { (void)load_model(path); });
}

TEST_F(ModelFile, MissingFilesAndFoldersAreNamed) {
  expect_error(ErrorKind::kNotFound, HasSubstr("nowhere.onnx"),
               [&] { (void)load_model(folder / "nowhere.onnx"); });
  expect_error(ErrorKind::kIo, HasSubstr(folder.path().string()),
               [&] { (void)load_model(folder.path()); });
}

TEST_F(ModelFile, AnotherSizeThanItWasMadeForIsAUsageError) {
  save_model(small_model({"a", "b"}), path);
  EXPECT_EQ(load_model(path, {.image_size = 32}).labels.size(), 2u);
  expect_error(ErrorKind::kUsage, HasSubstr("32 × 32, not 224"),
               [&] { (void)load_model(path, {.image_size = 224}); });
}

}  // namespace engraft::model_file_test
