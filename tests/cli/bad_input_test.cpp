// Whatever is wrong with what people give: one line that names it, a documented exit code, nothing
// half-written.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "cli/plates.h"
#include "cli/program.h"
#include "engraft/base/file.h"
#include "engraft/graph/mobilenet_v2.h"
#include "engraft/graph/random_weights.h"
#include "engraft/model/model.h"

namespace engraft::test::bad_input_test {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class BadInput : public ::testing::Test {
 protected:
  void SetUp() override {
    Model model;
    model.network.graph = mobilenet_v2({.width = 0.35f, .image_size = 64, .classes = 2});
    model.network.weights = random_weights(model.network.graph, 7);
    model.preprocessing.width = model.preprocessing.height = 64;
    model.labels = {"clean", "dirty"};
    save_model(model, in("base.onnx"));
    put_plates(in("plates"), 12);
  }

  [[nodiscard]] fs::path in(const fs::path& name) const { return program_.folder() / name; }
  [[nodiscard]] std::string picture() const { return slurp(in("plates/clean_000.jpg")); }

  /// Fails with that code in one line that names what is wrong; standard output stays empty and no
  /// run folder appears.
  void expect_failure(const std::vector<std::string>& arguments, int exit_code,
                      const std::string& named) const {
    const ProcessResult result = program_.run(arguments);
    EXPECT_EQ(result.exit_code, exit_code) << result.err;
    std::string last = result.err.substr(0, result.err.size() - 1);
    last = last.substr(last.rfind('\n') + 1);
    EXPECT_THAT(last, StartsWith("engraft: "));
    EXPECT_THAT(last, HasSubstr(named));
    EXPECT_FALSE(fs::exists(in("runs/plates")));
    if (fs::exists(in("runs"))) {
      EXPECT_TRUE(fs::is_empty(in("runs")));
    }
  }
  void expect_bad_picture(const std::string& name, std::string_view content) const {
    write_file_atomic(in(name), content);
    const ProcessResult result = program_.run({"classify", "--model", "base.onnx", name});
    EXPECT_EQ(result.exit_code, 4) << result.err;
    EXPECT_THAT(result.err, StartsWith("engraft: " + name + ": "));
    EXPECT_EQ(std::ranges::count(result.err, '\n'), 1) << result.err;
  }
  [[nodiscard]] std::vector<std::string> train(std::vector<std::string> more = {}) const {
    std::vector<std::string> arguments{"train",      "plates",  "--labels",
                                       "labels.csv", "--model", "base.onnx"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }

  Program program_;
};

TEST_F(BadInput, PicturesThatAreNone) {
  expect_bad_picture("truncated.jpg", picture().substr(0, picture().size() / 2));
  expect_bad_picture("text.jpg", "this is text, whatever its name says");
  expect_bad_picture("empty.jpg", "");
}

TEST_F(BadInput, AHeaderThatPromises65500By65500) {
  std::string huge = picture();
  const std::size_t frame = huge.find(std::string("\xFF\xC0", 2));
  ASSERT_NE(frame, std::string::npos);
  huge[frame + 5] = huge[frame + 7] = '\xFF';
  huge[frame + 6] = huge[frame + 8] = '\xDC';
  expect_bad_picture("huge.jpg", huge);
}

TEST_F(BadInput, APictureThatIsNotThere) {
  const ProcessResult result = program_.run({"classify", "--model", "base.onnx", "nowhere.jpg"});
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_THAT(result.err, HasSubstr("nowhere.jpg"));
}

TEST_F(BadInput, ACsvWithABinaryBlob) {
  write_file_atomic(in("plates/blob.csv"),
                    std::string_view("filename,label\n\0\x01\x02\xFF\xFE,1\n", 24));
  expect_failure({"train", "plates", "--labels", "blob.csv", "--model", "base.onnx"}, 4,
                 "blob.csv");
}

TEST_F(BadInput, AFolderThatIsNotThere) {
  expect_failure({"train", "nowhere", "--model", "base.onnx"}, 3, "nowhere");
}

TEST_F(BadInput, AFolderThatIsNotReadable) {
  fs::permissions(program_.folder().path(), fs::perms::all);
  fs::create_directories(in("locked"));
  fs::permissions(in("locked"), fs::perms::none);
  Invocation invocation = program_.invocation({"train", "locked", "--model", "base.onnx"});
  invocation.unprivileged = true;
  const ProcessResult result = run_process(invocation);
  fs::permissions(in("locked"), fs::perms::all);
  if (result.exit_code >= 126) GTEST_SKIP() << "an ordinary user may not run the program here";
  EXPECT_EQ(result.exit_code, 6) << result.err;
  EXPECT_THAT(result.err, StartsWith("engraft: locked: "));
  EXPECT_EQ(std::ranges::count(result.err, '\n'), 1) << result.err;
}

TEST_F(BadInput, AWeightsFileCutShort) {
  const std::string model = slurp(in("base.onnx"));
  write_file_atomic(in("cut.onnx"), std::string_view(model).substr(0, model.size() / 2));
  expect_failure(train({"--model", "cut.onnx"}), 2, "--model");  // given twice
  expect_failure({"train", "plates", "--labels", "labels.csv", "--model", "cut.onnx"}, 4,
                 "cut.onnx");
  write_file_atomic(in("cut.h5"), "\x89HDF\r\n\x1a\n and then nothing");
  expect_failure({"train", "plates", "--labels", "labels.csv", "--model", "cut.h5"}, 4, "cut.h5");
}

TEST_F(BadInput, ValuesThatMakeNoSense) {
  expect_failure(train({"--val", "1.5"}), 2, "--val 1.5");
  expect_failure(train({"--folds", "1"}), 2, "--folds 1");
  expect_failure(train({"--lr", "-1"}), 2, "--lr -1");
  expect_failure(train({"--epochs", "0"}), 2, "--epochs 0");
  expect_failure(train({"--dropout", "1"}), 2, "--dropout 1");
  expect_failure(train({"--lr", "nan"}), 2, "--lr nan");
  expect_failure(train({"--recipe", "x"}), 2, "none of auto, head");
  expect_failure(train({"--tune-lr", "nan"}), 2, "--tune-lr");
  expect_failure(train({"--rotation", "181"}), 2, "rotation");
  expect_failure(train({"--budget", "1e400"}), 2, "--budget");
  expect_failure(train({"--memory", "lots"}), 2, "is no amount of memory");
}

TEST_F(BadInput, OneClassOnly) {
  write_file_atomic(in("plates/one.csv"),
                    "filename,label\nclean_000.jpg,clean\nclean_001.jpg,clean\n");
  expect_failure({"train", "plates", "--labels", "one.csv", "--model", "base.onnx"}, 4, "clean");
}

TEST_F(BadInput, AClassWithOnePicture) {
  write_file_atomic(in("plates/single.csv"),
                    "filename,label\nclean_000.jpg,clean\nclean_001.jpg,clean\nclean_002.jpg,"
                    "clean\ndirty_000.jpg,dirty\n");
  expect_failure({"train", "plates", "--labels", "single.csv", "--model", "base.onnx"}, 4, "dirty");
}

TEST_F(BadInput, OnBadFailListsEverythingAtOnce) {
  write_file_atomic(in("plates/bad.csv"),
                    "filename,label\nclean_000.jpg,clean\nclean_001.jpg,clean\ndirty_000.jpg,"
                    "dirty\ndirty_001.jpg,dirty\n"
                    "gone.jpg,clean\nbroken.jpg,dirty\n");
  write_file_atomic(in("plates/broken.jpg"), "no picture");
  const ProcessResult result = program_.run(
      {"train", "plates", "--labels", "bad.csv", "--model", "base.onnx", "--on-bad", "fail"});
  EXPECT_EQ(result.exit_code, 4);
  EXPECT_THAT(result.err, HasSubstr("bad.csv:6"));
  EXPECT_THAT(result.err, HasSubstr("gone.jpg"));
  EXPECT_THAT(result.err, HasSubstr("broken.jpg"));
  EXPECT_FALSE(fs::exists(in("runs/plates")));
}

TEST_F(BadInput, ARunFolderThatCannotBeMade) {
  write_file_atomic(in("file"), "in the way");
  const ProcessResult result = program_.run(train({"--out", "file/run"}));
  EXPECT_EQ(result.exit_code, 6);
  EXPECT_THAT(result.err, HasSubstr("file/run"));
}

}  // namespace engraft::test::bad_input_test
