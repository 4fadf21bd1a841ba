#include "engraft/base/rng.h"

#include <cmath>
#include <numbers>

namespace engraft {
namespace {

constexpr std::uint32_t kMultiplier0 = 0xD2511F53;
constexpr std::uint32_t kMultiplier1 = 0xCD9E8D57;
constexpr std::uint32_t kWeyl0 = 0x9E3779B9;
constexpr std::uint32_t kWeyl1 = 0xBB67AE85;
constexpr int kRounds = 10;

std::uint32_t low32(std::uint64_t x) {
  return static_cast<std::uint32_t>(x);
}
std::uint32_t high32(std::uint64_t x) {
  return static_cast<std::uint32_t>(x >> 32);
}

std::uint64_t mix(
    std::uint64_t x) {  // SplitMix64's finaliser: spreads nearby seeds over the whole key
  x += 0x9E3779B97F4A7C15;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
  return x ^ (x >> 31);
}

}  // namespace

std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter,
                                        std::array<std::uint32_t, 2> key) {
  auto& x = counter;
  for (int round = 0; round < kRounds; ++round) {
    const std::uint64_t product0 = static_cast<std::uint64_t>(kMultiplier0) * x[0];
    const std::uint64_t product1 = static_cast<std::uint64_t>(kMultiplier1) * x[2];
    x = {high32(product1) ^ x[1] ^ key[0], low32(product1), high32(product0) ^ x[3] ^ key[1],
         low32(product0)};
    key[0] += kWeyl0;
    key[1] += kWeyl1;
  }
  return x;
}

Rng::Rng(std::uint64_t seed, std::uint64_t stream, std::uint64_t item) {
  const std::uint64_t key = mix(mix(seed) ^ stream);
  const std::uint64_t place = mix(item);
  key_ = {low32(key), high32(key)};
  counter_ = {0, 0, low32(place), high32(place)};
}

void Rng::refill() {
  block_ = philox4x32(counter_, key_);
  used_ = 0;
  if (++counter_[0] == 0) ++counter_[1];
}

std::uint32_t Rng::next_u32() {
  if (used_ == 4) refill();
  return block_[static_cast<std::size_t>(used_++)];
}

std::uint64_t Rng::next_u64() {
  const std::uint64_t high = next_u32();
  return (high << 32) | next_u32();
}

float Rng::uniform() {
  return static_cast<float>(next_u32() >> 8) * 0x1p-24f;
}

float Rng::uniform(float low, float high) {
  const float value = low + (high - low) * uniform();
  return value < high ? value : std::nextafter(high, low);  // the sum may round up to high
}

std::uint32_t Rng::below(std::uint32_t bound) {
  // Lemire 2019, "Fast random integer generation in an interval".
  std::uint64_t product = static_cast<std::uint64_t>(next_u32()) * bound;
  if (low32(product) < bound) {
    const std::uint32_t threshold = -bound % bound;
    while (low32(product) < threshold) product = static_cast<std::uint64_t>(next_u32()) * bound;
  }
  return high32(product);
}

float Rng::normal() {
  const float u = 1.0f - uniform();  // (0, 1]: the logarithm stays finite
  const float v = uniform();
  return std::sqrt(-2.0f * std::log(u)) * std::cos(2.0f * std::numbers::pi_v<float> * v);
}

}  // namespace engraft
