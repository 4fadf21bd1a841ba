#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <string>

#include "engraft/train/feature_cache.h"

namespace engraft::test {

inline constexpr int kSize = 5;

inline Digest digest(int number) {
  return Sha256().update(std::to_string(number)).finish();
}

inline CachedPicture picture(int number) {
  CachedPicture result{.pixels = digest(1000 + number), .features = {}};
  for (int i = 0; i < kSize; ++i)
    result.features.push_back(static_cast<float>(number) + 0.1f * static_cast<float>(i));
  return result;
}

inline const Digest kNetwork = digest(-1);

inline void fill(const std::filesystem::path& file, int from, int to) {
  FeatureCache cache(file, kNetwork, kSize);
  for (int i = from; i < to; ++i) cache.put(digest(i), 0, picture(i));
}

inline void expect_has(FeatureCache& cache, int number, std::uint64_t view = 0) {
  const auto found = cache.find(digest(number), view);
  ASSERT_TRUE(found) << number;
  EXPECT_EQ(found->pixels, picture(number).pixels);
  EXPECT_EQ(found->features, picture(number).features);
}

}  // namespace engraft::test
