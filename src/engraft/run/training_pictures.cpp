#include "engraft/run/training_pictures.h"

namespace engraft {
namespace {
constexpr std::size_t kDigits = 16;
}  // namespace

std::string training_picture_key(const Digest& content) {
  return content.hex().substr(0, kDigits);
}

std::string encode_training_pictures(std::span<const Digest> contents) {
  std::set<std::string> keys;
  for (const Digest& content : contents) keys.insert(training_picture_key(content));
  std::string encoded;
  for (const std::string& key : keys) {
    if (encoded.size() == kMaxTrainingPictures * kDigits) break;
    encoded += key;
  }
  return encoded;
}

std::set<std::string> decode_training_pictures(std::string_view encoded) {
  std::set<std::string> keys;
  for (; encoded.size() >= kDigits; encoded.remove_prefix(kDigits))
    keys.emplace(encoded.substr(0, kDigits));
  return keys;
}

}  // namespace engraft
