#include "engraft/train/boundary_cache.h"

#include <gmock/gmock.h>

#include <atomic>
#include <thread>

namespace engraft::boundary_cache_test {

using ::testing::Each;

constexpr std::size_t kSize = 10;
constexpr std::size_t kBytes = kSize * sizeof(float);

std::vector<float> values_of(std::size_t number) {
  return std::vector<float>(kSize, static_cast<float>(number));
}

/// What is kept under a key; -1 where nothing is.
float found(const BoundaryCache& cache, const BoundaryCache::Key& key) {
  std::vector<float> to(kSize, -1);
  if (!cache.find(key, to)) {
    EXPECT_THAT(to, Each(-1)) << "touched without an entry";
    return -1;
  }
  EXPECT_THAT(to, Each(to[0]));
  return to[0];
}

TEST(BoundaryCache, KeepsViewsAndPicturesApart) {
  BoundaryCache cache(100 * kBytes);
  cache.put({.view = 0, .picture = 1}, values_of(1));
  cache.put({.view = 1, .picture = 0}, values_of(2));
  cache.put({.view = 1, .picture = 1}, values_of(3));
  EXPECT_EQ(found(cache, {.view = 0, .picture = 1}), 1);
  EXPECT_EQ(found(cache, {.view = 1, .picture = 0}), 2);
  EXPECT_EQ(found(cache, {.view = 1, .picture = 1}), 3);
  EXPECT_EQ(found(cache, {.view = 0, .picture = 0}), -1);
}

TEST(BoundaryCache, KeepsTheFirstThatComeUpToItsBytes) {
  BoundaryCache cache(3 * kBytes + kBytes / 2);
  for (std::size_t i = 0; i < 5; ++i) cache.put({.picture = i}, values_of(i));
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(found(cache, {.picture = i}), i);
  for (std::size_t i = 3; i < 5; ++i) EXPECT_EQ(found(cache, {.picture = i}), -1);
}

TEST(BoundaryCache, FillsItsBytesToTheLast) {
  BoundaryCache cache(2 * kBytes);
  for (std::size_t i = 0; i < 2; ++i) cache.put({.picture = i}, values_of(i));
  EXPECT_EQ(found(cache, {.picture = 1}), 1);
}

TEST(BoundaryCache, OfNoBytesKeepsNothing) {
  BoundaryCache cache(0);
  cache.put({}, values_of(1));
  EXPECT_EQ(found(cache, {}), -1);
}

TEST(BoundaryCache, WhatIsPutTwiceStaysAndCountsOnce) {
  BoundaryCache cache(2 * kBytes);
  for (int i = 0; i < 10; ++i) cache.put({.picture = 0}, values_of(7));
  cache.put({.picture = 0}, values_of(8));
  cache.put({.picture = 1}, values_of(9));
  EXPECT_EQ(found(cache, {.picture = 0}), 7);
  EXPECT_EQ(found(cache, {.picture = 1}), 9);
}

TEST(BoundaryCache, AnEntryOfAnotherSizeIsNone) {
  BoundaryCache cache(10 * kBytes);
  cache.put({}, values_of(1));
  std::vector<float> to(kSize + 1, -1);
  EXPECT_FALSE(cache.find({}, to));
  EXPECT_THAT(to, Each(-1));
}

TEST(BoundaryCache, ManyThreadsPutAndFindWholeEntries) {
  constexpr std::size_t kPictures = 200;
  BoundaryCache cache(kPictures / 2 * kBytes);
  std::atomic<std::size_t> hits = 0;
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (std::size_t i = 0; i < kPictures; ++i) {
        cache.put({.view = i % 3, .picture = i}, values_of(i));
        std::vector<float> to(kSize);
        if (!cache.find({.view = i % 3, .picture = i}, to)) continue;
        EXPECT_THAT(to, Each(static_cast<float>(i)));
        ++hits;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::size_t kept = 0;
  for (std::size_t i = 0; i < kPictures; ++i) {
    kept += found(cache, {.view = i % 3, .picture = i}) >= 0 ? 1 : 0;
  }
  EXPECT_EQ(kept, kPictures / 2);
  EXPECT_GE(hits, kept);
}

}  // namespace engraft::boundary_cache_test
