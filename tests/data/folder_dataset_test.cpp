#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "data/pictures.h"
#include "engraft/base/error.h"
#include "engraft/data/dataset.h"
#include "support/errors.h"
#include "support/test_data.h"

namespace engraft::folder_dataset_test {

namespace fs = std::filesystem;
using test::described;
using test::expect_error;
using test::labelled;
using test::put_picture;
using test::put_text;
using test::TemporaryFolder;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

TEST(ClassFolders, TheFolderIsTheClass) {
  const TemporaryFolder folder;
  for (const char* name : {"dog/2.png", "cat/1.png", "dog/1.png"}) put_picture(folder / name);
  const Dataset dataset = load_dataset(folder.path());
  EXPECT_THAT(dataset.class_names, ElementsAre("cat", "dog"));
  EXPECT_THAT(labelled(dataset), ElementsAre("cat/1.png=cat", "dog/1.png=dog", "dog/2.png=dog"));
  EXPECT_THAT(dataset.problems, IsEmpty());
  EXPECT_EQ(dataset.folder, folder.path());
  for (const Sample& sample : dataset.samples) {
    EXPECT_EQ(sample.path, folder / sample.name);
    EXPECT_EQ(sample.subset, Subset::kUnassigned);
  }
}

TEST(ClassFolders, PicturesMayLieDeeper) {
  const TemporaryFolder folder;
  for (const char* name : {"cat/2021/may/1.png", "cat/0.png", "dog/a/1.png"})
    put_picture(folder / name);
  EXPECT_THAT(labelled(load_dataset(folder.path())),
              ElementsAre("cat/0.png=cat", "cat/2021/may/1.png=cat", "dog/a/1.png=dog"));
}

TEST(ClassFolders, HiddenAndSideFilesAreNotSpokenOf) {
  const TemporaryFolder folder;
  put_picture(folder / "cat/1.png");
  put_picture(folder / "dog/1.png");
  put_picture(folder / ".cache/x.png");
  put_picture(folder / "cat/.thumbs/x.png");
  put_picture(folder / "cat/._1.png");
  put_picture(folder / "__MACOSX/cat/1.png");
  put_text(folder / "cat/Thumbs.db", "x");
  put_text(folder / "cat/notes.TXT", "x");
  put_text(folder / "README", "x");
  put_text(folder / "labels.csv", "x");
  const Dataset dataset = load_dataset(folder.path());
  EXPECT_THAT(labelled(dataset), ElementsAre("cat/1.png=cat", "dog/1.png=dog"));
  EXPECT_THAT(described(dataset.problems), IsEmpty());
}

TEST(ClassFolders, ContentSaysWhatIsAPictureNotTheName) {
  const TemporaryFolder folder;
  put_picture(folder / "cat/no-extension");
  put_picture(folder / "cat/photo.HEIC");
  put_text(folder / "cat/text.jpg", "this is text");
  put_text(folder / "cat/empty.jpg", "");
  put_text(folder / "cat/film.mp4", "ftyp");
  const Dataset dataset = load_dataset(folder.path());
  EXPECT_THAT(labelled(dataset), ElementsAre("cat/no-extension=cat", "cat/photo.HEIC=cat"));
  EXPECT_THAT(described(dataset.problems),
              ElementsAre("not a picture|cat/empty.jpg|is empty",
                          StartsWith("not a picture|cat/film.mp4|is not a picture"),
                          StartsWith("not a picture|cat/text.jpg|is not a picture")));
}

TEST(ClassFolders, APipeIsNotOpened) {
  const TemporaryFolder folder;
  put_picture(folder / "cat/1.png");
  ASSERT_EQ(::mkfifo((folder / "cat/pipe.png").c_str(), 0600), 0);
  EXPECT_THAT(described(load_dataset(folder.path()).problems),
              ElementsAre("not a picture|cat/pipe.png|is not a regular file"));
}

TEST(ClassFolders, LooseFilesAndEmptyFoldersAreProblems) {
  const TemporaryFolder folder;
  put_picture(folder / "cat/1.png");
  put_picture(folder / "loose.png");
  fs::create_directories(folder / "dog/puppies");
  const Dataset dataset = load_dataset(folder.path());
  EXPECT_THAT(dataset.class_names, ElementsAre("cat"));
  EXPECT_THAT(described(dataset.problems),
              ElementsAre("missing file|dog/|a class folder without pictures",
                          "unlisted file|loose.png|lies in no class folder"));
}

TEST(ClassFolders, TrainValAndTestGiveTheSubset) {
  for (const auto& names :
       {std::array{"train", "val", "test"}, std::array{"Training", "validation", "testing"},
        std::array{"TRAIN", "Valid", "TEST"}}) {
    const TemporaryFolder folder;
    put_picture(folder / names[0] / "ant/1.png");
    put_picture(folder / names[0] / "bee/deep/1.png");
    put_picture(folder / names[1] / "ant/2.png");
    put_picture(folder / names[2] / "bee/3.png");
    const Dataset dataset = load_dataset(folder.path());
    EXPECT_THAT(dataset.class_names, ElementsAre("ant", "bee"));
    ASSERT_EQ(dataset.samples.size(), 4u);
    for (const Sample& sample : dataset.samples) {
      const Subset expected = sample.name.starts_with(names[0])   ? Subset::kTrain
                              : sample.name.starts_with(names[1]) ? Subset::kValidation
                                                                  : Subset::kTest;
      EXPECT_EQ(sample.subset, expected) << sample.name;
    }
    EXPECT_THAT(described(dataset.problems), IsEmpty());
  }
}

TEST(ClassFolders, AFolderBesideTrainAndValIsLeftOutAndReported) {
  const TemporaryFolder folder;
  for (const char* name : {"train/a/1.png", "train/b/1.png", "val/a/1.png", "extra/x/1.png"})
    put_picture(folder / name);
  fs::create_directories(folder / "val/b");
  const Dataset dataset = load_dataset(folder.path());
  EXPECT_THAT(dataset.class_names, ElementsAre("a", "b"));
  EXPECT_THAT(described(dataset.problems),
              ElementsAre(StartsWith("unlisted file|extra/|lies beside"),
                          "missing file|val/b/|a class folder without pictures"));
}

TEST(ClassFolders, AClassOfTrainsIsAClass) {
  const TemporaryFolder folder;
  for (const char* name : {"train/1.png", "plane/1.png", "car/1.png"}) put_picture(folder / name);
  EXPECT_THAT(load_dataset(folder.path()).class_names, ElementsAre("car", "plane", "train"));
}

TEST(ClassFolders, TrainWithoutClassFoldersIsRefusedWithTheWayOut) {
  const TemporaryFolder folder;
  for (const char* name : {"train/cat.1.png", "val/cat.2.png"}) put_picture(folder / name);
  expect_error(ErrorKind::kBadInput,
               AllOf(StartsWith(folder.path().string()), HasSubstr("one folder a class")),
               [&] { (void)load_dataset(folder.path()); });
}

TEST(ClassFolders, NumbersAreOrderedByValue) {
  const TemporaryFolder folder;
  for (const char* name : {"10/1.png", "9/1.png", "0/1.png"}) put_picture(folder / name);
  EXPECT_THAT(load_dataset(folder.path()).class_names, ElementsAre("0", "9", "10"));
  put_picture(folder / "x/1.png");
  EXPECT_THAT(load_dataset(folder.path()).class_names, ElementsAre("0", "10", "9", "x"));
}

TEST(ClassFolders, GivenNamesSetTheOrderAndMayNameMore) {
  const TemporaryFolder folder;
  for (const char* name : {"cat/1.png", "dog/1.png"}) put_picture(folder / name);
  const Dataset dataset =
      load_dataset(folder.path(), {.labels = {}, .class_names = {"dog", "cow", "cat"}});
  EXPECT_THAT(dataset.class_names, ElementsAre("dog", "cow", "cat"));
  EXPECT_EQ(dataset.samples[0].label, 2);
  EXPECT_EQ(dataset.samples[1].label, 0);
}

TEST(ClassFolders, GivenNamesThatDoNotFitAreAUsageError) {
  const TemporaryFolder folder;
  for (const char* name : {"cat/1.png", "dog/1.png"}) put_picture(folder / name);
  const auto refused = [&](std::vector<std::string> names, const std::string& part) {
    expect_error(ErrorKind::kUsage, HasSubstr(part), [&] {
      (void)load_dataset(folder.path(), {.labels = {}, .class_names = std::move(names)});
    });
  };
  refused({"cat"}, "'dog'");
  refused({"cat", "dog", "cat"}, "'cat' is there twice");
  refused({"cat", "dog", ""}, "empty");
  refused({"cat", "dog", "a\nb"}, "'a?b'");
}

TEST(ClassFolders, LinksAreFollowedButNotInCircles) {
  const TemporaryFolder folder, elsewhere;
  put_picture(folder / "cat/1.png");
  put_picture(elsewhere / "2.png");
  fs::create_directory_symlink(elsewhere.path(), folder / "dog");
  fs::create_directory_symlink(folder.path(), folder / "cat/up");
  fs::create_directory_symlink("up", folder / "cat/self");
  fs::create_symlink("nowhere.png", folder / "cat/broken.png");
  const Dataset dataset = load_dataset(folder.path());
  EXPECT_THAT(labelled(dataset), ElementsAre("cat/1.png=cat", "dog/2.png=dog"));
  EXPECT_THAT(described(dataset.problems),
              ElementsAre("missing file|cat/broken.png|a link that leads to no file"));
}

TEST(ClassFolders, ATreeWithoutEndIsRefused) {
  const TemporaryFolder folder;
  fs::path deep = folder.path();
  for (int i = 0; i < 70; ++i) deep /= "d";
  put_picture(deep / "1.png");
  expect_error(ErrorKind::kBadInput, HasSubstr("folders deep"),
               [&] { (void)load_dataset(folder.path()); });
}

TEST(ClassFolders, NamesThatCannotBeShownAreProblems) {
  const TemporaryFolder folder;
  put_picture(folder / "cat/1.png");
  put_picture(folder / "cat/line\nbreak.png");
  put_picture(folder / "cat/\xFF.png");
  const Dataset dataset = load_dataset(folder.path());
  EXPECT_EQ(dataset.samples.size(), 1u);
  EXPECT_THAT(described(dataset.problems), ElementsAre(StartsWith("bad name|cat/?.png|"),
                                                       StartsWith("bad name|cat/line?break.png|")));
}

TEST(ClassFolders, AnUnreadableFolderIsAnIoErrorThatNamesIt) {
  const TemporaryFolder folder;
  put_picture(folder / "cat/1.png");
  put_picture(folder / "dog/locked/1.png");
  ASSERT_EQ(::chmod(folder.path().c_str(), 0755), 0);
  ASSERT_EQ(::chmod((folder / "dog/locked").c_str(), 0), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    int code = 2;
    if (::geteuid() != 0 || ::setuid(65534) == 0) {
      try {
        (void)load_dataset(folder.path());
        code = 3;
      } catch (const Error& error) {
        const bool named = std::string(error.what()).find("dog/locked") != std::string::npos;
        code = error.kind() == ErrorKind::kIo && named ? 0 : 4;
      } catch (...) {
        code = 5;
      }
    }
    ::_exit(code);
  }
  int status = -1;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(WIFEXITED(status) ? WEXITSTATUS(status) : -1, 0);
  ::chmod((folder / "dog/locked").c_str(), 0755);
}

TEST(ClassFolders, WhatIsNoDatasetIsRefused) {
  const TemporaryFolder folder;
  expect_error(ErrorKind::kNotFound, HasSubstr("no such folder"),
               [&] { (void)load_dataset(folder / "none"); });
  put_text(folder / "file", "x");
  expect_error(ErrorKind::kBadInput, HasSubstr("is no folder"),
               [&] { (void)load_dataset(folder / "file"); });
  fs::remove(folder / "file");
  expect_error(ErrorKind::kBadInput, HasSubstr("no labelled picture"),
               [&] { (void)load_dataset(folder.path()); });
  put_text(folder / "cat/text.jpg", "x");
  expect_error(ErrorKind::kBadInput,
               HasSubstr("2 problems; cat/: a class folder without pictures; cat/text.jpg"),
               [&] { (void)load_dataset(folder.path()); });
}

TEST(ClassFolders, PicturesWithoutClassFoldersAreRefusedWithTheWayOut) {
  const TemporaryFolder folder;
  put_picture(folder / "1.png");
  expect_error(ErrorKind::kBadInput, HasSubstr("make one folder a class, or give a table"),
               [&] { (void)load_dataset(folder.path()); });
  put_text(folder / "animals.csv", "1.png,cat");
  expect_error(ErrorKind::kBadInput, HasSubstr("the CSV that lies there with --labels"),
               [&] { (void)load_dataset(folder.path()); });
}

TEST(Problems, FailListsThemAllAtOnce) {
  Dataset dataset;
  dataset.folder = "photos";
  EXPECT_NO_THROW(fail_on_problems(dataset));
  dataset.problems = {{Problem::Kind::kMissingFile, "m.csv:2", "a.jpg: no such file"},
                      {Problem::Kind::kUnlistedFile, "b.jpg", "not named"}};
  expect_error(ErrorKind::kBadInput,
               AllOf(StartsWith("photos: 2 problems"),
                     HasSubstr("\n  m.csv:2: a.jpg: no such file\n  b.jpg: not named")),
               [&] { fail_on_problems(dataset); });
}

TEST(RealFolders, HymenopteraHasItsTwoSubsets) {
  ENGRAFT_NEEDS_TEST_DATA(data);
  const Dataset dataset = load_dataset(data / "data/hymenoptera");
  EXPECT_THAT(dataset.class_names, ElementsAre("ants", "bees"));
  std::map<Subset, int> counts;
  for (const Sample& sample : dataset.samples) ++counts[sample.subset];
  EXPECT_EQ(counts[Subset::kTrain], 245) << "244 photos and the GIF that says there is none";
  EXPECT_EQ(counts[Subset::kValidation], 153);
  EXPECT_EQ(counts.size(), 2u);
}

TEST(RealFolders, FlowersHaveFiveClasses) {
  ENGRAFT_NEEDS_TEST_DATA(data);
  const Dataset dataset = load_dataset(data / "data/flowers");
  EXPECT_THAT(dataset.class_names,
              ElementsAre("daisy", "dandelion", "roses", "sunflowers", "tulips"));
  EXPECT_EQ(dataset.samples.size(), 500u);
  EXPECT_THAT(described(dataset.problems), IsEmpty());
}

}  // namespace engraft::folder_dataset_test
