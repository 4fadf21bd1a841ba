#include "engraft/run/distill_material.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <set>

#include "engraft/base/file.h"
#include "engraft/base/rng.h"
#include "engraft/image/encode.h"
#include "support/errors.h"
#include "support/test_data.h"

namespace engraft::distill_material_test {

using test::expect_error;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

Image noise(std::uint64_t seed) {
  Image image(20, 16);
  Rng rng(seed);
  for (auto& value : image.pixels) value = static_cast<std::uint8_t>(rng.below(256));
  return image;
}

class DistillMaterialTest : public ::testing::Test {
 protected:
  std::filesystem::path write(const std::filesystem::path& name, std::uint64_t seed) {
    write_file_atomic(folder / name, encode_png(noise(seed)));
    return folder / name;
  }
  DistillMaterial gather(const DistillRequest& request) {
    return gather_distill_material(request, {.short_side = 64, .bytes = 1 << 24}, pool, progress,
                                   {});
  }
  [[nodiscard]] DistillRequest request(const std::filesystem::path& pictures,
                                       double hold_out) const {
    DistillRequest made;
    made.pictures = {folder / pictures};
    made.hold_out = hold_out;
    return made;
  }
  static std::set<Digest> contents(const std::vector<StoredPicture>& pictures) {
    std::set<Digest> all;
    for (const StoredPicture& picture : pictures) all.insert(picture.content);
    return all;
  }

  test::TemporaryFolder folder;
  ThreadPool pool{2};
  NoProgress progress;
};

TEST_F(DistillMaterialTest, FindsPicturesInFoldersBelowAndTakesFilesAsTheyAre) {
  const auto single = write("single.png", 1);
  write("set/b.png", 2);
  write("set/below/a.png", 3);
  write_file_atomic(folder / "set/labels.csv", std::string_view("a,b\n"));
  std::vector<Problem> problems;
  const std::vector<std::filesystem::path> places{folder / "set", single};
  EXPECT_THAT(find_pictures(places, problems),
              ElementsAre(folder / "set/b.png", folder / "set/below/a.png", single));
  EXPECT_TRUE(problems.empty());
}

TEST_F(DistillMaterialTest, WhatIsNoPictureIsNamedAndLeftOut) {
  write("a.png", 1);
  write("b.png", 2);
  write_file_atomic(folder / "empty.png", std::string_view(""));
  Bytes cut = encode_png(noise(3));
  cut.resize(cut.size() / 2);
  write_file_atomic(folder / "cut.png", cut);
  const DistillMaterial material = gather(request("", 0));
  EXPECT_EQ(material.pictures.size(), 2u);
  ASSERT_EQ(material.problems.size(), 2u);
  EXPECT_THAT(material.problems[0].where, HasSubstr("empty.png"));
  EXPECT_THAT(material.problems[1].where, HasSubstr("cut.png"));
}

TEST_F(DistillMaterialTest, WhatIsNotThereIsAnError) {
  std::vector<Problem> problems;
  const std::vector<std::filesystem::path> places{folder / "nowhere"};
  expect_error(ErrorKind::kNotFound, HasSubstr("nowhere"),
               [&] { (void)find_pictures(places, problems); });
}

TEST_F(DistillMaterialTest, TheSamePictureTwiceIsTakenOnce) {
  for (std::uint64_t i = 0; i < 5; ++i) write("p" + std::to_string(i) + ".png", i % 3);
  const DistillMaterial material = gather(request("", 0));
  EXPECT_EQ(material.pictures.size(), 3u);
  EXPECT_THAT(material.notes, ElementsAre(HasSubstr("2 pictures are the same")));
}

TEST_F(DistillMaterialTest, HoldsOutByContentWhateverElseIsThere) {
  for (std::uint64_t i = 0; i < 40; ++i) write("p" + std::to_string(i) + ".png", i);
  const DistillRequest given = request("", 0.3);
  const DistillMaterial some = gather(given);
  EXPECT_EQ(some.pictures.size() + some.held_out.size(), 40u);
  EXPECT_GT(some.held_out.size(), 3u);
  EXPECT_LT(some.held_out.size(), 25u);
  for (std::uint64_t i = 40; i < 60; ++i) write("a" + std::to_string(i) + ".png", i);
  const auto later = contents(gather(given).held_out);
  for (const Digest& content : contents(some.held_out)) EXPECT_TRUE(later.contains(content));
  DistillRequest other = given;
  other.options.seed = 1;
  EXPECT_NE(contents(gather(other).held_out), later);
}

TEST_F(DistillMaterialTest, HoldsOneOutWhereTheShareOfAFewWouldBeNone) {
  for (std::uint64_t i = 0; i < 5; ++i) write("p" + std::to_string(i) + ".png", i);
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    DistillRequest given = request("", 1e-6);
    given.options.seed = seed;
    EXPECT_EQ(gather(given).held_out.size(), 1u) << seed;
  }
  EXPECT_TRUE(gather(request("", 0)).held_out.empty());
}

TEST_F(DistillMaterialTest, LearnsFromBothOfTwo) {
  for (std::uint64_t i = 0; i < 2; ++i) write("p" + std::to_string(i) + ".png", i);
  EXPECT_EQ(gather(request("", 1e-6)).pictures.size(), 2u);
}

TEST_F(DistillMaterialTest, NeverLearnsFromThePicturesOfTheProbe) {
  for (std::uint64_t i = 0; i < 12; ++i) {
    write("probe/" + std::string(i % 2 == 0 ? "even" : "odd") + "/" + std::to_string(i) + ".png",
          i);
  }
  for (std::uint64_t i = 6; i < 30; ++i) write("set/" + std::to_string(i) + ".png", i);
  DistillRequest given = request("set", 0.2);
  given.probe = folder / "probe";
  const DistillMaterial material = gather(given);
  EXPECT_EQ(material.probed.size(), 12u);
  EXPECT_EQ(material.labels.size(), 12u);
  EXPECT_THAT(material.class_names, ElementsAre("even", "odd"));
  EXPECT_EQ(material.pictures.size() + material.held_out.size(), 18u);
  const auto probed = contents(material.probed);
  for (const auto* part : {&material.pictures, &material.held_out}) {
    for (const StoredPicture& picture : *part) EXPECT_FALSE(probed.contains(picture.content));
  }
}

TEST_F(DistillMaterialTest, DrawnPicturesAreLearntFromAndNotHeldOut) {
  for (std::uint64_t i = 0; i < 10; ++i) write(std::to_string(i) + ".png", i);
  DistillRequest given = request("", 0.9);
  given.drawn = 7;
  given.draw = [](std::size_t index) { return noise(1000 + index); };
  const DistillMaterial material = gather(given);
  EXPECT_EQ(material.pictures.size() + material.held_out.size(), 17u);
  EXPECT_GE(material.pictures.size(), 7u);
  EXPECT_EQ(material.pictures.back().image, noise(1006));
}

TEST_F(DistillMaterialTest, DrawnPicturesTakeNoMoreMemoryThanIsLeft) {
  for (std::uint64_t i = 0; i < 3; ++i) write(std::to_string(i) + ".png", i);
  DistillRequest given = request("", 0);
  given.drawn = 1'000'000;
  std::atomic<std::size_t> drawn = 0;
  given.draw = [&](std::size_t index) {
    ++drawn;
    return noise(index);
  };
  const DistillMemory little{.short_side = 64, .bytes = 100'000};
  expect_error(ErrorKind::kUsage, HasSubstr("--sample-drawn"),
               [&] { (void)gather_distill_material(given, little, pool, progress, {}); });
  EXPECT_LT(drawn, 1000u);
}

TEST_F(DistillMaterialTest, DrawingStopsWhenItIsAskedTo) {
  for (std::uint64_t i = 0; i < 3; ++i) write(std::to_string(i) + ".png", i);
  DistillRequest given = request("", 0);
  given.drawn = 10'000;
  std::stop_source stop;
  std::atomic<std::size_t> drawn = 0;
  given.draw = [&](std::size_t index) {
    ++drawn;
    stop.request_stop();
    return noise(index);
  };
  const DistillMemory enough{.short_side = 64, .bytes = 1 << 30};
  expect_error(ErrorKind::kCancelled, HasSubstr("stopped"), [&] {
    (void)gather_distill_material(given, enough, pool, progress, stop.get_token());
  });
  EXPECT_LT(drawn, 1000u);
}

TEST_F(DistillMaterialTest, WhereNothingCanBeReadTheErrorSaysWhy) {
  write_file_atomic(folder / "empty.png", std::string_view(""));
  expect_error(ErrorKind::kBadInput, HasSubstr("empty.png: "),
               [&] { (void)gather(request("", 0)); });
}

TEST_F(DistillMaterialTest, NothingToLearnFromIsAnError) {
  write("alone.png", 1);
  expect_error(ErrorKind::kBadInput, HasSubstr("1 pictures to learn from"),
               [&] { (void)gather(request("", 0)); });
}

}  // namespace engraft::distill_material_test
