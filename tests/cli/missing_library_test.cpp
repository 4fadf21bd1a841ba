// A library that is missing is noticed where it is needed: before the work, or by what does
// without.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "cli/plates.h"
#include "cli/program.h"

namespace engraft::test::missing_library_test {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;

/// Files of no content under the libraries' names, found before the real ones.
class MissingLibrary : public ::testing::Test {
 protected:
  void SetUp() override {
    put_plates(in("plates"), 12);
    fs::create_directory(in("none"));
    for (const char* name : {ENGRAFT_LIBCAIRO, ENGRAFT_LIBHEIF, ENGRAFT_LIBCURL}) {
      std::ofstream(in("none") / name);
    }
  }
  [[nodiscard]] fs::path in(const fs::path& name) const { return program_.folder() / name; }
  [[nodiscard]] ProcessResult run(std::vector<std::string> arguments) const {
    return program_.run(std::move(arguments), {{"LD_LIBRARY_PATH", in("none").string()}});
  }
  [[nodiscard]] std::string picture() const {
    for (const auto& entry : fs::recursive_directory_iterator(in("plates"))) {
      if (entry.path().extension() == ".jpg") return entry.path().string();
    }
    return {};
  }

  Program program_;
};

TEST_F(MissingLibrary, TrainingDoesNotBeginWithoutTheOneThatDraws) {
  const ProcessResult result =
      run({"train", "plates", "--labels", "labels.csv", "--out", "run", "--epochs", "2"});
  EXPECT_EQ(result.exit_code, 5);
  EXPECT_THAT(result.err, AllOf(HasSubstr(ENGRAFT_LIBCAIRO), HasSubstr("install it")));
  EXPECT_THAT(result.err, ::testing::Not(HasSubstr("Reading pictures")));
  EXPECT_FALSE(fs::exists(in("run")));
}

TEST_F(MissingLibrary, APhotoOfItsKindIsListedAndOthersAreClassified) {
  std::ofstream heic(in("plates") / "photo.heic", std::ios::binary);
  heic << std::string("\0\0\0\x18", 4) << "ftypheic" << std::string(64, '\0');
  heic.close();
  const ProcessResult result = run(
      {"classify", "--model", "engraft-mini", picture(), (in("plates") / "photo.heic").string()});
  EXPECT_NE(result.exit_code, 0);
  EXPECT_THAT(result.err, AllOf(HasSubstr("photo.heic"), HasSubstr(ENGRAFT_LIBHEIF)));
  EXPECT_THAT(result.out, HasSubstr(".jpg"));
}

TEST_F(MissingLibrary, WithoutTheOneThatDownloadsTheEmbeddedModelTakesTheDefaultsPlace) {
  const ProcessResult result =
      program_.run({"classify", picture()},
                   {{"LD_LIBRARY_PATH", in("none").string()}, {"ENGRAFT_OFFLINE", "0"}});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.err, AllOf(HasSubstr("Using engraft-mini"), HasSubstr(ENGRAFT_LIBCURL)));
}

}  // namespace engraft::test::missing_library_test
