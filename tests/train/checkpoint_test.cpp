#include "engraft/train/checkpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <limits>

#include "support/errors.h"
#include "train/saved_training.h"

namespace engraft::checkpoint_test {

using test::expect_error;
using test::expect_same_bits;
using test::Layouts;
using test::sample_checkpoint;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

Checkpoint back(const Checkpoint& checkpoint, const Layouts& layouts) {
  const Bytes bytes = safetensors_bytes(to_safetensors(checkpoint, layouts.get()));
  return checkpoint_from(parse_safetensors(bytes, "x", DigestRule::kRequired), layouts.get(), "x");
}

template <typename Matcher>
void expect_refused(const SafetensorsFile& file, const Layouts& layouts, const Matcher& message) {
  expect_error(ErrorKind::kBadInput,
               AllOf(StartsWith("some/where: "), message, Not(HasSubstr("\n"))),
               [&] { static_cast<void>(checkpoint_from(file, layouts.get(), "some/where")); });
}

TEST(Checkpoint, EveryBitComesBack) {
  const Layouts layouts;
  const Checkpoint checkpoint = sample_checkpoint(layouts);
  expect_same_bits(back(checkpoint, layouts), checkpoint);
}

TEST(Checkpoint, NumbersThatAreNoneComeBackBitForBit) {
  const Layouts layouts;
  Checkpoint checkpoint = sample_checkpoint(layouts);
  const std::vector<float> odd{kNan,
                               std::bit_cast<float>(0xffc12345u),  // a NaN with a sign and more
                               std::numeric_limits<float>::infinity(),
                               -std::numeric_limits<float>::infinity(),
                               -0.0f,
                               std::numeric_limits<float>::denorm_min()};
  FineTuneState& state = checkpoint.state;
  std::copy(odd.begin(), odd.end(), state.parameters.begin());
  std::copy(odd.begin(), odd.end(), state.ema.begin() + 2);
  std::copy(odd.begin(), odd.end(), state.optimizer[1].second.begin() + 1);
  state.best_statistics[0] = kNan;
  state.loss = std::numeric_limits<double>::quiet_NaN();
  state.history[0].train_loss = odd[1];
  state.history[1] = {.epoch = 2,
                      .learning_rate = std::numeric_limits<float>::denorm_min(),
                      .train_loss = std::numeric_limits<float>::max(),
                      .train_accuracy = -0.0f,
                      .val_loss = std::numeric_limits<float>::infinity(),
                      .val_accuracy = kNan,
                      .seconds = 1e300};
  expect_same_bits(back(checkpoint, layouts), checkpoint);
}

TEST(Checkpoint, TheFirstStepsStateComesBack) {
  const Layouts layouts;
  Checkpoint checkpoint;
  checkpoint.state.parameters.resize(layouts.parameters.size());
  checkpoint.state.statistics.resize(layouts.statistics.size());
  expect_same_bits(back(checkpoint, layouts), checkpoint);
}

TEST(Checkpoint, ATrainingWithoutStatisticsOrParametersComesBack) {
  Layouts layouts;
  layouts.statistics = {};
  Checkpoint checkpoint = sample_checkpoint(layouts);
  expect_same_bits(back(checkpoint, layouts), checkpoint);
  layouts.parameters = {};
  checkpoint = sample_checkpoint(layouts);
  expect_same_bits(back(checkpoint, layouts), checkpoint);
}

TEST(Checkpoint, TheLargestNumbersComeBack) {
  const Layouts layouts;
  Checkpoint checkpoint = sample_checkpoint(layouts);
  constexpr auto kMost = std::numeric_limits<std::int64_t>::max();
  checkpoint.state.step = checkpoint.state.optimizer_steps = checkpoint.state.ema_steps = kMost;
  checkpoint.state.correct = checkpoint.state.pictures = static_cast<std::size_t>(kMost);
  expect_same_bits(back(checkpoint, layouts), checkpoint);
}

TEST(Checkpoint, OtherProgramsFindEachParameterByItsNameAndShape) {
  const Layouts layouts;
  const Checkpoint checkpoint = sample_checkpoint(layouts);
  const SafetensorsFile file = to_safetensors(checkpoint, layouts.get());
  const auto& slot = layouts.parameters.at("block_1_expand/kernel");
  const std::span all(checkpoint.state.parameters);
  const Tensor tensor = to_tensor(file.tensors.at("parameters/block_1_expand/kernel"));
  EXPECT_EQ(tensor.shape(), slot.shape);
  EXPECT_TRUE(std::ranges::equal(tensor.values(), all.subspan(slot.offset, slot.size)));
  for (const char* name :
       {"statistics/bn/moving_mean", "average/head/bias", "best/parameters/head/bias",
        "best/statistics/bn/moving_mean", "optimizer/first_moment", "history"}) {
    EXPECT_TRUE(file.tensors.contains(name)) << name;
  }
  EXPECT_EQ(file.tensors.at("history").shape, (Shape{2, 7}));
  EXPECT_EQ(file.tensors.at("history").dtype, DType::kF64);
  EXPECT_EQ(file.tensors.at("position/step").dtype, DType::kI64);
}

TEST(Checkpoint, EachMissingTensorIsNoticed) {
  const Layouts layouts;
  const SafetensorsFile whole = to_safetensors(sample_checkpoint(layouts), layouts.get());
  for (const auto& [name, entry] : whole.tensors) {
    SCOPED_TRACE(name);
    SafetensorsFile file = whole;
    file.tensors.erase(name);
    expect_refused(file, layouts, HasSubstr(name.starts_with("optimizer/") ? "optimizer" : name));
  }
}

TEST(Checkpoint, EachTensorOfAnotherShapeOrTypeIsNoticed) {
  const Layouts layouts;
  const SafetensorsFile whole = to_safetensors(sample_checkpoint(layouts), layouts.get());
  for (const auto& [name, entry] : whole.tensors) {
    SCOPED_TRACE(name);
    SafetensorsFile file = whole;
    file.tensors[name].shape = Shape{entry.shape.elements(), 1, 1};
    expect_refused(file, layouts, HasSubstr(name));
    file.tensors[name] = entry;
    file.tensors[name].dtype = entry.dtype == DType::kF32 ? DType::kI32 : DType::kU64;
    expect_refused(file, layouts, HasSubstr(name));
    file.tensors[name] = entry;
    file.tensors[name].bytes.pop_back();
    expect_refused(file, layouts, HasSubstr(name));
  }
}

TEST(Checkpoint, SuperfluousTensorsAreNoticed) {
  const Layouts layouts;
  const SafetensorsFile whole = to_safetensors(sample_checkpoint(layouts), layouts.get());
  const std::vector<float> values(layouts.parameters.size());
  for (const char* name :
       {"parameters/other/kernel", "statistics/other", "average/x", "optimizer/x",
        "best/parameters/x", "best/x", "position/more", "zebra", ""}) {
    SCOPED_TRACE(name);
    SafetensorsFile file = whole;
    file.tensors[name] = make_entry<float>(Shape{static_cast<std::int64_t>(values.size())}, values);
    const bool slot = std::string_view(name).starts_with("optimizer/");
    expect_refused(file, layouts, HasSubstr(slot ? "optimizer" : name));
  }
}

TEST(Checkpoint, AnAverageOrBestWeightsThatAreSaidToBeMissingAreSuperfluous) {
  const Layouts layouts;
  const SafetensorsFile whole = to_safetensors(sample_checkpoint(layouts), layouts.get());
  for (const char* name : {"contains/average", "contains/best"}) {
    for (const std::int64_t value : {0, 2, -1}) {
      SafetensorsFile file = whole;
      file.tensors[name] = make_entry<std::int64_t>(Shape{}, std::array{value});
      expect_refused(file, layouts, ::testing::_);
    }
  }
}

TEST(Checkpoint, NumbersOutOfRangeAreRefused) {
  const Layouts layouts;
  const SafetensorsFile whole = to_safetensors(sample_checkpoint(layouts), layouts.get());
  for (const auto& [name, entry] : whole.tensors) {
    if (entry.dtype != DType::kI64) continue;
    SafetensorsFile file = whole;
    file.tensors[name] = make_entry<std::int64_t>(Shape{}, std::array{std::int64_t{-1}});
    expect_refused(file, layouts, HasSubstr(name.starts_with("contains/opt") ? "optimizer" : name));
  }
  SafetensorsFile file = whole;
  file.tensors["position/best_epoch"] =
      make_entry<std::int64_t>(Shape{}, std::array{std::int64_t{3}});
  expect_refused(file, layouts, HasSubstr("best_epoch is 3"));
}

TEST(Checkpoint, HistoriesThatNoTrainingHasAreRefused) {
  const Layouts layouts;
  const SafetensorsFile whole = to_safetensors(sample_checkpoint(layouts), layouts.get());
  const auto changed = [&](std::size_t at, double value) {
    SafetensorsFile file = whole;
    std::vector<double> all = values_of<double>(file.tensors.at("history"));
    all[at] = value;
    file.tensors["history"] = make_entry<double>(Shape{2, 7}, all);
    return file;
  };
  for (const double epoch : {0.0, 2.0, 1.5, -1.0, 1e300, std::nan("")}) {
    expect_refused(changed(0, epoch), layouts, HasSubstr("history has epoch"));
  }
  for (const double loss : {0.1, 1e300, -1e39}) {
    expect_refused(changed(2, loss), layouts, HasSubstr("no float"));
  }
}

TEST(Checkpoint, FilesOfOtherKindsAndVersionsAreRefused) {
  const Layouts layouts;
  SafetensorsFile file = to_safetensors(sample_checkpoint(layouts), layouts.get());
  file.metadata["engraft.checkpoint"] = "2\n";
  expect_refused(file, layouts, HasSubstr("version is 2"));
  file.metadata.erase("engraft.checkpoint");
  expect_refused(file, layouts, HasSubstr("no checkpoint of engraft's"));
  expect_refused({}, layouts, HasSubstr("no checkpoint of engraft's"));
}

TEST(Checkpoint, OneOfAnotherNetworkIsRefusedByName) {
  const Layouts layouts;
  Layouts other;
  other.parameters.append("block_2_expand/kernel", Shape{2});
  const SafetensorsFile file = to_safetensors(sample_checkpoint(layouts), layouts.get());
  expect_refused(file, other, HasSubstr("parameters/block_2_expand/kernel is missing"));
}

TEST(Checkpoint, WhatCannotBeReadBackIsNotWritten) {
  const Layouts layouts;
  const auto refused = [&](const char* message, auto&& change) {
    Checkpoint checkpoint = sample_checkpoint(layouts);
    change(checkpoint);
    expect_error(ErrorKind::kUsage, HasSubstr(message),
                 [&] { static_cast<void>(to_safetensors(checkpoint, layouts.get())); });
  };
  refused("parameters/", [](Checkpoint& c) { c.state.parameters.pop_back(); });
  refused("statistics/", [](Checkpoint& c) { c.state.statistics.push_back(0); });
  refused("average/", [](Checkpoint& c) { c.state.ema.pop_back(); });
  refused("best/parameters/", [](Checkpoint& c) { c.state.best_parameters.clear(); });
  refused("best/statistics/", [](Checkpoint& c) { c.state.best_statistics.clear(); });
  refused("slot", [](Checkpoint& c) { c.state.optimizer[0].second.pop_back(); });
  refused("slot", [](Checkpoint& c) { c.state.optimizer[0].first.clear(); });
  refused("two slots", [](Checkpoint& c) { c.state.optimizer[0] = c.state.optimizer[1]; });
  refused("step", [](Checkpoint& c) { c.state.step = -1; });
  refused("best epoch", [](Checkpoint& c) { c.state.best_epoch = 3; });
  refused("best_epoch", [](Checkpoint& c) { c.state.best_epoch = -1; });
  refused("epoch 7", [](Checkpoint& c) { c.state.history[1].epoch = 7; });
  refused("engraft.x", [](Checkpoint& c) { c.metadata["engraft.x"] = ""; });
}

TEST(Checkpoint, EveryFlippedBitIsNoticed) {
  const Layouts layouts;
  Bytes bytes = safetensors_bytes(to_safetensors(sample_checkpoint(layouts), layouts.get()));
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const auto flip = std::byte{1} << (i % 8);
    bytes[i] ^= flip;
    EXPECT_THROW(static_cast<void>(parse_safetensors(bytes, "x", DigestRule::kRequired)), Error)
        << "byte " << i;
    bytes[i] ^= flip;
  }
  EXPECT_NO_THROW(static_cast<void>(parse_safetensors(bytes, "x", DigestRule::kRequired)));
}

}  // namespace engraft::checkpoint_test
