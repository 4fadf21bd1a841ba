#include "engraft/run/training_pictures.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace engraft::training_pictures_test {

Digest digest_of(std::string_view text) {
  return sha256(std::as_bytes(std::span(text)));
}

TEST(TrainingPictures, AreFoundAgain) {
  const std::vector<Digest> contents{digest_of("a"), digest_of("b"), digest_of("c")};
  const auto keys = decode_training_pictures(encode_training_pictures(contents));
  EXPECT_EQ(keys.size(), 3u);
  for (const Digest& content : contents) EXPECT_TRUE(keys.contains(training_picture_key(content)));
  EXPECT_FALSE(keys.contains(training_picture_key(digest_of("d"))));
}

TEST(TrainingPictures, DoNotDependOnOrderOrRepetition) {
  const Digest a = digest_of("a"), b = digest_of("b");
  EXPECT_EQ(encode_training_pictures(std::vector{a, b}),
            encode_training_pictures(std::vector{b, a, b}));
}

TEST(TrainingPictures, OfVeryManyTheFirstAreKept) {
  std::vector<Digest> contents(kMaxTrainingPictures + 10);
  for (std::size_t i = 0; i < contents.size(); ++i) {
    contents[i].bytes[0] = static_cast<std::uint8_t>(i >> 16);
    contents[i].bytes[1] = static_cast<std::uint8_t>(i >> 8);
    contents[i].bytes[2] = static_cast<std::uint8_t>(i);
  }
  const auto keys = decode_training_pictures(encode_training_pictures(contents));
  EXPECT_EQ(keys.size(), kMaxTrainingPictures);
  EXPECT_TRUE(keys.contains(training_picture_key(contents.front())));
  EXPECT_FALSE(keys.contains(training_picture_key(contents.back())));
}

TEST(TrainingPictures, WhatIsCutShortIsLeftOut) {
  const std::string encoded = encode_training_pictures(std::vector{digest_of("a"), digest_of("b")});
  EXPECT_EQ(decode_training_pictures(encoded.substr(0, encoded.size() - 1)).size(), 1u);
  EXPECT_THAT(decode_training_pictures(""), ::testing::IsEmpty());
}

}  // namespace engraft::training_pictures_test
