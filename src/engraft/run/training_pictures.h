#pragma once

#include <set>
#include <span>
#include <string>
#include <string_view>

#include "engraft/base/hash.h"

namespace engraft {

/// Where a model says which pictures it was trained on: 16 hexadecimal digits of each file's
/// SHA-256, sorted. Enough to notice that a model is judged on what it has seen, too little to
/// learn anything about the pictures. Of more than kMaxTrainingPictures the first in that order are
/// kept, so that a model file does not grow without bound.
inline constexpr std::string_view kTrainingPicturesKey = "training_pictures";

inline constexpr std::size_t kMaxTrainingPictures = 65536;

[[nodiscard]] std::string encode_training_pictures(std::span<const Digest> contents);

/// What encode_training_pictures wrote; anything that is not of that form is left out.
[[nodiscard]] std::set<std::string> decode_training_pictures(std::string_view encoded);
/// The form of one picture in that set.
[[nodiscard]] std::string training_picture_key(const Digest& content);

}  // namespace engraft
