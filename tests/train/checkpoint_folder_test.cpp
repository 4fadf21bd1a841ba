#include "engraft/train/checkpoint_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/errors.h"
#include "train/checkpoint_fixture.h"

namespace engraft::checkpoint_folder_test {

namespace fs = std::filesystem;

using test::CheckpointFolderTest;
using test::expect_error;
using test::expect_same_bits;
using test::flip_bit;
using test::names_in;
using test::put;
using test::sample_checkpoint;
using test::small_result;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;
using ::testing::UnorderedElementsAre;

TEST_F(CheckpointFolderTest, WithoutAFolderThereIsNothingAndNothingIsMade) {
  EXPECT_FALSE(latest());
  EXPECT_FALSE(checkpoints.result("fold2"));
  checkpoints.remove_all();
  EXPECT_FALSE(fs::exists(folder));
}

TEST_F(CheckpointFolderTest, TheLatestComesBackBitForBit) {
  save(9);
  save(21);
  const auto found = latest();
  ASSERT_TRUE(found);
  expect_same_bits(found->checkpoint, sample_checkpoint(layouts, 21));
  EXPECT_EQ(found->path, path(21));
  EXPECT_THAT(found->warning, IsEmpty());
}

TEST_F(CheckpointFolderTest, LatestGoesByStepsAndNotByLetters) {
  save(999'999);
  save(1'000'000);
  EXPECT_EQ(latest()->checkpoint.state.step, 1'000'000);
}

TEST_F(CheckpointFolderTest, OnlyTheLastTwoOfAPhaseAreKept) {
  save(5, "final");
  for (const std::int64_t step : {0, 10, 20, 30}) save(step);
  EXPECT_THAT(names_in(folder),
              UnorderedElementsAre(fmt_step(20), fmt_step(30), "final-000005.safetensors"));
}

TEST_F(CheckpointFolderTest, TheSameStepAgainTakesItsPlace) {
  save(10);
  save(20);
  save(20);
  EXPECT_THAT(names_in(folder), UnorderedElementsAre(fmt_step(10), fmt_step(20)));
}

TEST_F(CheckpointFolderTest, ThoseOfLaterStepsGoWhenAnEarlierOneWasGoneBackTo) {
  save(10);
  save(20);
  flip_bit(path(20), 500);
  save(15);
  EXPECT_THAT(names_in(folder), UnorderedElementsAre(fmt_step(10), fmt_step(15)));
}

TEST_F(CheckpointFolderTest, PhasesWithSimilarNamesAreApart) {
  save(1, "fold2");
  save(2, "fold2-000009");
  save(3, "fold");
  save(4, "fold2-result");
  checkpoints.save_result("fold", small_result());
  EXPECT_EQ(latest("fold2")->checkpoint.state.step, 1);
  EXPECT_EQ(latest("fold2-000009")->checkpoint.state.step, 2);
  EXPECT_EQ(latest("fold2-result")->checkpoint.state.step, 4);
  EXPECT_FALSE(checkpoints.result("fold2"));
  EXPECT_FALSE(latest("fold"));
  EXPECT_FALSE(latest("fold2-result-000004"));
}

TEST_F(CheckpointFolderTest, AFlippedBitAnywhereFallsBackToTheOneBefore) {
  save(10);
  save(20);
  const auto size = fs::file_size(path(20));
  for (std::uint64_t at = 0; at < size; at += 97) {
    flip_bit(path(20), at);
    const auto found = latest();
    ASSERT_TRUE(found) << at;
    expect_same_bits(found->checkpoint, sample_checkpoint(layouts, 10));
    EXPECT_THAT(found->warning, AllOf(StartsWith(path(20).string() + ": "), HasSubstr(fmt_step(10)),
                                      Not(HasSubstr("\n"))));
    flip_bit(path(20), at);
  }
  EXPECT_EQ(latest()->checkpoint.state.step, 20);
}

TEST_F(CheckpointFolderTest, OneThatIsCutShortFallsBackToTheOneBefore) {
  save(10);
  save(20);
  for (const std::uint64_t size : {fs::file_size(path(20)) - 1, fs::file_size(path(20)) / 2,
                                   std::uintmax_t{7}, std::uintmax_t{0}}) {
    fs::resize_file(path(20), size);
    const auto found = latest();
    ASSERT_TRUE(found) << size;
    EXPECT_EQ(found->checkpoint.state.step, 10);
    EXPECT_THAT(found->warning, HasSubstr("damaged"));
  }
}

TEST_F(CheckpointFolderTest, OneWithoutADigestIsNotBelieved) {
  save(10);
  // What another program makes of a checkpoint: the same tensors, no digest.
  std::ifstream in(path(10), std::ios::binary);
  std::string bytes((std::istreambuf_iterator<char>(in)), {});
  bytes.replace(bytes.find("engraft.sha256"), 14, "another.sha256");
  put(path(10), bytes);
  expect_error(ErrorKind::kBadInput, HasSubstr("no digest"), [&] { static_cast<void>(latest()); });
}

TEST_F(CheckpointFolderTest, OneUnderTheNameOfAnotherStepIsNotBelieved) {
  save(10);
  save(20);
  fs::rename(path(20), path(30));
  const auto found = latest();
  EXPECT_EQ(found->checkpoint.state.step, 10);
  EXPECT_THAT(found->warning, HasSubstr("is the checkpoint of step 20"));
}

TEST_F(CheckpointFolderTest, WhereNoneCanBeReadEachIsNamedWithItsReason) {
  save(10);
  save(20);
  flip_bit(path(10), 300);
  put(path(20), "");
  expect_error(ErrorKind::kBadInput,
               AllOf(StartsWith(folder.string() + ": "), HasSubstr(path(10).string() + ": damaged"),
                     HasSubstr(path(20).string() + ": damaged"), Not(HasSubstr("\n"))),
               [&] { static_cast<void>(latest()); });
}

TEST_F(CheckpointFolderTest, ThoseOfAnotherNetworkCannotBeRead) {
  save(10);
  layouts.parameters.append("more", Shape{3});
  expect_error(ErrorKind::kBadInput, HasSubstr("parameters/more is missing"),
               [&] { static_cast<void>(latest()); });
}

TEST_F(CheckpointFolderTest, AFolderOrALinkToNowhereWithACheckpointsNameIsPassedOver) {
  save(10);
  fs::create_directory(path(20));
  fs::create_symlink("nowhere", path(30));
  const auto found = latest();
  EXPECT_EQ(found->checkpoint.state.step, 10);
  EXPECT_THAT(found->warning, AllOf(HasSubstr(fmt_step(20)), HasSubstr(fmt_step(30))));
  save(11);
  EXPECT_THAT(names_in(folder),
              UnorderedElementsAre(fmt_step(10), fmt_step(11), fmt_step(20), fmt_step(30)));
  checkpoints.remove_all();
  EXPECT_THAT(names_in(folder), UnorderedElementsAre(fmt_step(20), fmt_step(30)));
}

TEST_F(CheckpointFolderTest, PhasesThatAreNoFileNamesAreRefused) {
  const std::string long_name(101, 'a');
  for (const std::string& phase :
       {std::string(), std::string("a/b"), std::string("../a"), std::string(".hidden"),
        std::string(".."), std::string("a b"), std::string("a\nb"), std::string("a\0b", 3),
        std::string("\xC3\xBC"), long_name}) {
    SCOPED_TRACE(phase);
    const auto message = AllOf(HasSubstr("phase"), Not(HasSubstr("\n")));
    expect_error(ErrorKind::kUsage, message, [&] { save(1, phase); });
    expect_error(ErrorKind::kUsage, message, [&] { static_cast<void>(latest(phase)); });
    expect_error(ErrorKind::kUsage, message,
                 [&] { checkpoints.save_result(phase, small_result()); });
    expect_error(ErrorKind::kUsage, message, [&] { static_cast<void>(checkpoints.result(phase)); });
  }
  EXPECT_THAT(names_in(place.path()), IsEmpty());
  save(1, std::string(100, 'a'));
  EXPECT_TRUE(latest(std::string(100, 'a')));
}

TEST_F(CheckpointFolderTest, AResultTakesTheCheckpointsPlace) {
  save(10);
  save(20);
  save(3, "fold3");
  checkpoints.save_result("fold2", small_result());
  EXPECT_THAT(names_in(folder),
              UnorderedElementsAre("fold2-result.safetensors", "fold3-000003.safetensors"));
  EXPECT_EQ(checkpoints.result("fold2"), small_result());
  EXPECT_FALSE(latest());
  EXPECT_FALSE(checkpoints.result("fold3"));
}

TEST_F(CheckpointFolderTest, ADamagedResultIsAnErrorThatNamesIt) {
  checkpoints.save_result("fold2", small_result());
  const fs::path file = folder / "fold2-result.safetensors";
  flip_bit(file, 40);
  expect_error(ErrorKind::kBadInput,
               AllOf(StartsWith(file.string() + ": "), HasSubstr("remove it")),
               [&] { static_cast<void>(checkpoints.result("fold2")); });
  fs::remove(file);
  fs::create_directory(file);
  expect_error(ErrorKind::kIo, StartsWith(file.string() + ": "),
               [&] { static_cast<void>(checkpoints.result("fold2")); });
}

}  // namespace engraft::checkpoint_folder_test
