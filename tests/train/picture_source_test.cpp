#include "engraft/train/picture_source.h"

#include <gmock/gmock.h>

#include <string>
#include <thread>

#include "engraft/base/file.h"
#include "engraft/image/encode.h"
#include "support/errors.h"
#include "support/test_data.h"

namespace engraft::picture_source_test {

namespace fs = std::filesystem;
using test::expect_error;
using ::testing::StartsWith;

constexpr int kSide = 6;
constexpr std::size_t kBytes = kSide * kSide * 3;

/// Pictures of one colour each, 0.png, 1.png, …
class PictureSourceTest : public testing::Test {
 protected:
  PictureSourceTest() {
    for (int i = 0; i < 4; ++i) {
      paths_.push_back(folder_ / (std::to_string(i) + ".png"));
      write_file_atomic(paths_.back(), encode_png(coloured(i)));
    }
  }

  static Image coloured(int number) {
    Image image(kSide, kSide);
    std::ranges::fill(image.pixels, static_cast<std::uint8_t>(10 * number + 1));
    return image;
  }
  /// Pictures that are there though their files are not.
  static std::vector<std::size_t> kept(PictureSource& source, const std::vector<fs::path>& paths) {
    std::vector<std::size_t> found;
    for (const fs::path& path : paths) fs::remove(path);
    for (std::size_t i = 0; i < paths.size(); ++i) {
      try {
        static_cast<void>(source.picture(i));
        found.push_back(i);
      } catch (const Error&) {
      }
    }
    return found;
  }

  test::TemporaryFolder folder_;
  std::vector<fs::path> paths_;
};

TEST_F(PictureSourceTest, DecodesEachPictureWithTheDigestOfItsFile) {
  PictureSource pictures(paths_, {});
  for (int i = 0; i < 4; ++i) {
    const auto picture = pictures.picture(static_cast<std::size_t>(i));
    EXPECT_EQ(picture->image, coloured(i));
    EXPECT_EQ(picture->content, sha256(read_file(paths_[static_cast<std::size_t>(i)])));
  }
}

TEST_F(PictureSourceTest, KeepsAsManyAsFitTheFirstThatAreAskedFor) {
  PictureSource two(paths_, {.decode = {}, .memory = 2 * kBytes + kBytes / 2});
  for (const std::size_t i : {2u, 0u, 3u, 1u}) static_cast<void>(two.picture(i));
  EXPECT_THAT(kept(two, paths_), testing::ElementsAre(0, 2));
}

TEST_F(PictureSourceTest, FillsItsMemoryToTheLastByte) {
  PictureSource all(paths_, {.decode = {}, .memory = 4 * kBytes});
  for (std::size_t i = 0; i < 4; ++i) static_cast<void>(all.picture(i));
  EXPECT_THAT(kept(all, paths_), testing::ElementsAre(0, 1, 2, 3));
}

TEST_F(PictureSourceTest, WithoutMemoryReadsEachTime) {
  PictureSource none(paths_, {.decode = {}, .memory = 0});
  EXPECT_EQ(none.picture(1)->image, coloured(1));
  write_file_atomic(paths_[1], encode_png(coloured(9)));
  EXPECT_EQ(none.picture(1)->image, coloured(9));
  EXPECT_THAT(kept(none, paths_), testing::IsEmpty());
}

TEST_F(PictureSourceTest, OnePictureAskedForAgainTakesMemoryOnce) {
  PictureSource two(paths_, {.decode = {}, .memory = 2 * kBytes});
  const auto first = two.picture(0);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(two.picture(0), first);
  static_cast<void>(two.picture(1));
  EXPECT_THAT(kept(two, paths_), testing::ElementsAre(0, 1));
}

TEST_F(PictureSourceTest, DecodesAsItIsToldTo) {
  PictureSource pictures(paths_, {.decode = {.max_pixels = kSide}});
  expect_error(ErrorKind::kBadInput, StartsWith(paths_[2].string() + ": "),
               [&] { static_cast<void>(pictures.picture(2)); });
}

TEST_F(PictureSourceTest, ErrorsBeginWithThePathAndComeEachTime) {
  std::vector<fs::path> paths = paths_;
  paths.push_back(folder_ / "missing.jpg");
  paths.push_back(folder_ / "broken.png");
  Bytes bytes = read_file(paths_[0]);
  bytes.resize(bytes.size() / 2);
  write_file_atomic(paths.back(), bytes);
  PictureSource pictures(paths, {});
  for (int i = 0; i < 2; ++i) {
    expect_error(ErrorKind::kNotFound, StartsWith(paths[4].string() + ": "),
                 [&] { static_cast<void>(pictures.picture(4)); });
    expect_error(ErrorKind::kBadInput, StartsWith(paths[5].string() + ": "),
                 [&] { static_cast<void>(pictures.picture(5)); });
  }
  EXPECT_EQ(pictures.picture(0)->image, coloured(0)) << "the others are still to be had";
}

TEST_F(PictureSourceTest, ManyThreadsGetWholePictures) {
  PictureSource pictures(paths_, {.decode = {}, .memory = 2 * kBytes});
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int k = 0; k < 40; ++k) {
        const int i = (k + t) % 4;
        EXPECT_EQ(pictures.picture(static_cast<std::size_t>(i))->image, coloured(i));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(kept(pictures, paths_).size(), 2u);
}

}  // namespace engraft::picture_source_test
