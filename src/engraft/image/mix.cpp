#include "engraft/image/mix.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "engraft/base/error.h"

namespace engraft {
namespace {

/// log of a draw from Gamma(shape, 1). Below 1: Gamma(a) = Gamma(a + 1) · U^(1/a), in logarithms,
/// where a small shape does not run out of exponents.
/// Source: Marsaglia and Tsang 2000, "A simple method for generating gamma variables".
double log_gamma_draw(double shape, Rng& rng) {
  const auto log_uniform = [&rng] { return std::log(1.0 - static_cast<double>(rng.uniform())); };
  const double boost = shape < 1 ? log_uniform() / shape : 0;
  const double d = (shape < 1 ? shape + 1 : shape) - 1.0 / 3.0;
  const double c = 1 / std::sqrt(9 * d);
  while (true) {
    const double x = static_cast<double>(rng.normal());
    const double root = 1 + c * x;
    if (root <= 0) continue;
    const double v = root * root * root;
    if (log_uniform() < 0.5 * x * x + d * (1 - v + std::log(v))) return std::log(d * v) + boost;
  }
}

/// Beta(α, α) as G₁ / (G₁ + G₂) of two Gamma draws.
double symmetric_beta_draw(double alpha, Rng& rng) {
  const double first = log_gamma_draw(alpha, rng);
  const double second = log_gamma_draw(alpha, rng);
  return 1 / (1 + std::exp(second - first));
}

/// The box of share 1 - λ around a centre anywhere, as far as it is inside.
Box draw_cut_box(double share, Size size, Rng& rng) {
  const double side = std::sqrt(1 - share);
  const auto range = [&](int whole) {
    const int length = static_cast<int>(whole * side);
    const int centre = static_cast<int>(static_cast<double>(rng.uniform()) * whole);
    const int first = std::max(0, centre - length / 2);
    return std::pair{first, std::min(whole, centre - length / 2 + length) - first};
  };
  const auto [left, width] = range(size.width);
  const auto [top, height] = range(size.height);
  return {.left = left, .top = top, .width = width, .height = height};
}

void check_sizes(const Mix& mix, std::size_t first, std::size_t second, Size size) {
  const bool sides = size.width >= 1 && size.height >= 1;
  const std::size_t values =
      3 * static_cast<std::size_t>(size.width) * static_cast<std::size_t>(size.height);
  if (!sides || first != values || second != values) {
    throw Error(ErrorKind::kUsage, fmt::format("cannot mix {} and {} values as pictures of {} × {}",
                                               first, second, size.width, size.height));
  }
  const Box& box = mix.box;
  const bool nothing = box.width == 0 || box.height == 0;
  if (mix.kind == Mix::Kind::kCutmix && !nothing && !contains(size, box)) {
    throw Error(ErrorKind::kUsage,
                fmt::format("the box to mix, {} × {} at ({}, {}), is not inside {} × {}", box.width,
                            box.height, box.left, box.top, size.width, size.height));
  }
}

template <typename T>
void paste(const Box& box, Size size, std::span<T> first, std::span<const T> second) {
  if (box.width == 0 || box.height == 0) return;
  const std::size_t row = 3 * static_cast<std::size_t>(size.width);
  const std::size_t start =
      static_cast<std::size_t>(box.top) * row + 3 * static_cast<std::size_t>(box.left);
  const std::size_t count = 3 * static_cast<std::size_t>(box.width);
  for (std::size_t y = 0; y < static_cast<std::size_t>(box.height); ++y) {
    std::ranges::copy(second.subspan(start + y * row, count),
                      first.subspan(start + y * row, count).begin());
  }
}

}  // namespace

Mix draw_mix(const Augmentation& augmentation, Size size, Rng& rng) {
  check(augmentation);
  if (size.width < 1 || size.height < 1) {
    throw Error(ErrorKind::kUsage,
                fmt::format("cannot mix pictures of {} × {}", size.width, size.height));
  }
  const bool mixup = augmentation.mixup > 0, cutmix = augmentation.cutmix > 0;
  Mix mix;
  mix.partner = rng.next_u64();
  const bool heads = rng.uniform() < 0.5f;
  if (!mixup && !cutmix) return mix;
  mix.kind = mixup && (heads || !cutmix) ? Mix::Kind::kMixup : Mix::Kind::kCutmix;
  const bool blend = mix.kind == Mix::Kind::kMixup;
  const double share = symmetric_beta_draw(
      static_cast<double>(blend ? augmentation.mixup : augmentation.cutmix), rng);
  mix.share = static_cast<float>(share);
  if (blend) return mix;
  mix.box = draw_cut_box(share, size, rng);
  const double pasted = static_cast<double>(mix.box.width) * mix.box.height;
  mix.share = static_cast<float>(1 - pasted / (static_cast<double>(size.width) * size.height));
  return mix;
}

void apply_mix(const Mix& mix, std::span<float> first, std::span<const float> second, Size size) {
  check_sizes(mix, first.size(), second.size(), size);
  if (mix.kind == Mix::Kind::kCutmix) paste(mix.box, size, first, second);
  if (mix.kind != Mix::Kind::kMixup) return;
  const float share = mix.share, rest = 1 - mix.share;
  for (std::size_t i = 0; i < first.size(); ++i) first[i] = share * first[i] + rest * second[i];
}

Image apply_mix(const Mix& mix, Image first, const Image& second) {
  check_sizes(mix, first.pixels.size(), second.pixels.size(), first.size());
  if (mix.kind == Mix::Kind::kCutmix) {
    paste<std::uint8_t>(mix.box, first.size(), first.pixels, second.pixels);
  }
  if (mix.kind != Mix::Kind::kMixup) return first;
  const float share = mix.share, rest = 1 - mix.share;
  for (std::size_t i = 0; i < first.pixels.size(); ++i) {
    const float value =
        share * static_cast<float>(first.pixels[i]) + rest * static_cast<float>(second.pixels[i]);
    first.pixels[i] = static_cast<std::uint8_t>(std::clamp(value + 0.5f, 0.0f, 255.0f));
  }
  return first;
}

}  // namespace engraft
