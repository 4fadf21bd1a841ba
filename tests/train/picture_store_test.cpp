#include "engraft/train/picture_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engraft/base/file.h"
#include "engraft/image/encode.h"
#include "support/errors.h"
#include "support/test_data.h"
#include "train/tiny_pictures.h"

namespace engraft::picture_store_test {

using test::expect_error;
using test::TemporaryFolder;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class PictureStore : public ::testing::Test {
 protected:
  std::filesystem::path write(const std::string& name, const Image& image) {
    write_file_atomic(folder / name, encode_png(image));
    return folder / name;
  }
  std::vector<StoredPicture> store(const std::vector<std::filesystem::path>& paths,
                                   const PictureStoreOptions& options = {}) {
    return store_pictures(paths, options, pool, progress);
  }

  TemporaryFolder folder;
  ThreadPool pool{2};
  NoProgress progress;
};

TEST_F(PictureStore, KeepsPicturesInOrderWithTheirContents) {
  const auto a = write("a.png", test::coloured_noise(0, 1));
  const auto b = write("b.png", test::coloured_noise(1, 2));
  const auto stored = store({b, a, b});
  ASSERT_EQ(stored.size(), 3u);
  EXPECT_EQ(stored[1].image, test::coloured_noise(0, 1));
  EXPECT_EQ(stored[0].image, stored[2].image);
  EXPECT_EQ(stored[0].content, sha256(read_file(b)));
  EXPECT_NE(stored[0].content, stored[1].content);
}

TEST_F(PictureStore, ABadPictureIsAValueThatSaysWhy) {
  write_file_atomic(folder / "bad.jpg", std::string_view("no picture"));
  const auto stored = store({folder / "bad.jpg", folder / "missing.png"});
  EXPECT_THAT(stored[0].error, ::testing::Not(IsEmpty()));
  EXPECT_THAT(stored[0].error, ::testing::Not(HasSubstr("bad.jpg")));
  EXPECT_THAT(stored[1].error, ::testing::Not(IsEmpty()));
  EXPECT_TRUE(stored[0].image.pixels.empty());
}

TEST_F(PictureStore, ShrinksToTheShortSideAndKeepsProportions) {
  const auto stored = store({write("wide.png", Image(400, 100))}, {.short_side = 50});
  EXPECT_EQ(stored[0].image.size(), (Size{200, 50}));
  EXPECT_EQ(shrunk(Image(101, 300), 50).size(), (Size{50, 149}));
  EXPECT_EQ(shrunk(Image(40, 300), 50).size(), (Size{40, 300}));
  EXPECT_EQ(shrunk(Image(50, 50), 50).size(), (Size{50, 50}));
}

TEST_F(PictureStore, RefusesMoreThanTheMemorySaysHowMuchWouldDo) {
  const auto path = write("large.png", Image(1000, 1000));
  expect_error(ErrorKind::kUsage, HasSubstr("2 pictures take about 6 MB"), [&] {
    (void)store({path, path}, {.short_side = 2000, .memory = 1 << 20});
  });
}

TEST_F(PictureStore, HeedsAStop) {
  std::stop_source stop;
  stop.request_stop();
  const std::vector paths{write("a.png", Image(4, 4))};
  expect_error(ErrorKind::kCancelled, ::testing::_,
               [&] { (void)store_pictures(paths, {}, pool, progress, stop.get_token()); });
}

}  // namespace engraft::picture_store_test
