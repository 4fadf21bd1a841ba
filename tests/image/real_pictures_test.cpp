#include <gtest/gtest.h>

#include <map>

#include "engraft/image/preprocessing.h"
#include "pictures.h"
#include "support/test_data.h"

namespace engraft::test::real_pictures_test {

namespace fs = std::filesystem;

TEST(RealPictures, EveryStreetPhotoDecodesWhateverItsName) {
  ENGRAFT_NEEDS_TEST_DATA(data);
  std::map<ImageFormat, int> formats;
  const DecodeOptions options = decode_options({});
  for (const auto& entry : fs::directory_iterator(data / "data/streets/Images")) {
    const Bytes bytes = read_file(entry.path());
    ASSERT_NO_THROW({ EXPECT_GE(decode_image(bytes, options).width, 1); }) << entry.path();
    ++formats[image_format(bytes)];
  }
  EXPECT_EQ(formats[ImageFormat::kWebp], 15);
  EXPECT_EQ(formats[ImageFormat::kPng], 1);
  EXPECT_EQ(formats[ImageFormat::kJpeg], 218);
}

TEST(RealPictures, TheInputsOfTheReferenceAreReproduced) {
  ENGRAFT_NEEDS_TEST_DATA(data);
  const Bytes inputs = read_file(data / "golden/input_u8_nhwc.npy");
  std::istringstream names(read_text_file(data / "golden/names.txt"));
  constexpr std::size_t kHeader = 128, kValues = 224 * 224 * 3;
  int compared = 0;
  std::string name;
  for (std::size_t i = 0; std::getline(names, name); ++i) {
    const fs::path sample = data / "data/samples" / name;
    const fs::path path = fs::exists(sample) ? sample : data / "data/streets/Images" / name;
    if (!fs::exists(path)) continue;
    Image expected(224, 224);
    ASSERT_GE(inputs.size(), kHeader + (i + 1) * kValues);
    std::transform(inputs.begin() + static_cast<std::ptrdiff_t>(kHeader + i * kValues),
                   inputs.begin() + static_cast<std::ptrdiff_t>(kHeader + (i + 1) * kValues),
                   expected.pixels.begin(),
                   [](std::byte b) { return static_cast<std::uint8_t>(b); });
    const Image fitted = fit(read_image(path), {});
    EXPECT_LE(largest_difference(fitted, expected), 1) << name;
    EXPECT_LE(mean_difference(fitted, expected), 0.01) << name;
    ++compared;
  }
  EXPECT_GE(compared, 11);
}

TEST(RealPictures, AShrunkenDecodeLooksTheSameAfterFitting) {
  ENGRAFT_NEEDS_TEST_DATA(data);
  int shrunken = 0;
  for (const auto& entry : fs::directory_iterator(data / "data/streets/Images")) {
    if (fs::file_size(entry.path()) < 700'000) continue;  // the large ones are what matters
    const Image whole = read_image(entry.path());
    const Image smaller = read_image(entry.path(), decode_options({}));
    if (whole.size() == smaller.size()) continue;
    ++shrunken;
    // The DCT averages blocks, the filter overlapping triangles: fine grain differs a little.
    EXPECT_LE(mean_difference(fit(smaller, {}), fit(whole, {})), 4) << entry.path();
  }
  EXPECT_GE(shrunken, 1);
}

}  // namespace engraft::test::real_pictures_test
