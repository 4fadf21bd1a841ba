#include "engraft/train/distill_checkpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "engraft/train/checkpoint_folder.h"
#include "support/errors.h"
#include "train/saved_training.h"
#include "train/tiny_distillation.h"

namespace engraft::distill_checkpoint_test {

using test::expect_error;
using test::random_values;
using ::testing::AllOf;
using ::testing::HasSubstr;

class DistillCheckpoints : public ::testing::Test {
 protected:
  DistillCheckpoints() {
    const std::size_t p = layouts.parameters.size(), s = layouts.statistics.size();
    checkpoint.state = {.step = 21,
                        .parameters = random_values(p, 1),
                        .statistics = random_values(s, 2),
                        .optimizer_steps = 22,
                        .optimizer = {{"first_moment", random_values(p, 3)},
                                      {"second_moment", random_values(p, 4)}},
                        .average_parameters = random_values(p, 5),
                        .average_statistics = random_values(s, 6),
                        .feature_error = 0.1,
                        .divergence = 1e-17,
                        .agreeing = 5,
                        .seen = 9,
                        .history = {{.epoch = 1, .learning_rate = 0.1, .feature_error = 0.3},
                                    {.epoch = 2, .held_out_agreement = 0.5, .probe = 0.25}}};
    checkpoint.metadata = {{"run", "0123"}};
  }
  [[nodiscard]] DistillCheckpoint again(const SafetensorsFile& file) const {
    return distill_checkpoint_from(parse_safetensors(safetensors_bytes(file), "it"), layouts.get(),
                                   "it");
  }
  [[nodiscard]] SafetensorsFile file() const { return to_safetensors(checkpoint, layouts.get()); }

  test::Layouts layouts;
  DistillCheckpoint checkpoint;
};

TEST_F(DistillCheckpoints, ComeBackBitForBit) {
  const DistillCheckpoint back = again(file());
  test::expect_same_state(back.state, checkpoint.state);
  EXPECT_EQ(back.metadata, checkpoint.metadata);
  EXPECT_EQ(safetensors_bytes(to_safetensors(back, layouts.get())), safetensors_bytes(file()));
}

TEST_F(DistillCheckpoints, AreSavedAndFoundInAFolderNextToNothingElse) {
  const test::TemporaryFolder place;
  CheckpointFolder folder(place / "run");
  for (const std::int64_t step : {7, 14, 21}) folder.save("distill", step, file());
  std::vector<std::int64_t> looked_at;
  const auto found = folder.latest("distill", [&](const FoundFile& one) {
    looked_at.push_back(one.step);
    if (one.step == 21) throw Error(ErrorKind::kBadInput, "of another run");
  });
  ASSERT_TRUE(found);
  EXPECT_EQ(found->step, 14);
  EXPECT_THAT(looked_at, ::testing::ElementsAre(21, 14));
  EXPECT_THAT(found->warning, AllOf(HasSubstr("of another run"), HasSubstr("distill-000014")));
  EXPECT_EQ(again(found->file).metadata, checkpoint.metadata);
}

TEST_F(DistillCheckpoints, OfAnotherFormAreRefused) {
  const auto refused = [&](const char* what, const std::function<void(SafetensorsFile&)>& change) {
    SafetensorsFile changed = file();
    change(changed);
    expect_error(ErrorKind::kBadInput, AllOf(HasSubstr("it: "), HasSubstr(what)),
                 [&] { (void)again(changed); });
  };
  refused("no checkpoint of a distillation",
          [](SafetensorsFile& f) { f.metadata.erase("engraft.distillation"); });
  refused("another version", [](SafetensorsFile& f) { f.metadata["engraft.distillation"] = "9"; });
  refused("has no tensor parameters/bn/gamma",
          [](SafetensorsFile& f) { f.tensors.erase("parameters/bn/gamma"); });
  refused("has no history", [](SafetensorsFile& f) { f.tensors.erase("history"); });
  refused("has no tensor sums", [](SafetensorsFile& f) { f.tensors.erase("sums"); });
  refused("tensor position is [2]", [](SafetensorsFile& f) {
    f.tensors["position"] =
        make_entry(Shape{2}, std::span<const std::int64_t>(std::array<std::int64_t, 2>{1, 2}));
  });
  refused("belong to no distillation",
          [](SafetensorsFile& f) { f.tensors["more"] = make_entry(Tensor(Shape{1})); });
  refused("tensor history", [](SafetensorsFile& f) {
    f.tensors["history"] = make_entry(Tensor(Shape{2, 10}));
  });
  refused("an epoch that is no number", [](SafetensorsFile& f) {
    f.tensors["history"] =
        make_entry(Shape{1, 10}, std::span<const double>(std::vector<double>(10, std::nan(""))));
  });
}

TEST_F(DistillCheckpoints, RefuseArraysOfAnotherSizeAndReservedMetadata) {
  checkpoint.metadata["engraft.mine"] = "";
  expect_error(ErrorKind::kUsage, HasSubstr("engraft.mine"), [&] { (void)file(); });
  checkpoint.metadata.clear();
  checkpoint.state.statistics.pop_back();
  expect_error(ErrorKind::kUsage, HasSubstr("statistics/"), [&] { (void)file(); });
}

}  // namespace engraft::distill_checkpoint_test
