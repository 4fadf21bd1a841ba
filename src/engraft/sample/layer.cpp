#include "engraft/sample/layer.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "engraft/base/error.h"

namespace engraft::plates {
namespace {

// Box filters: out[i] = mean of in[i-radius … i+radius], the ends repeated, by a running sum.
// Columns go side by side, in the order of memory.

struct Span {
  int radius;
  int length;
  [[nodiscard]] int inside(int i) const { return std::clamp(i, 0, length - 1); }
  [[nodiscard]] int width() const { return 2 * radius + 1; }
};

void filter_row(std::uint8_t* row, const Span& span, std::vector<std::uint8_t>& copy) {
  copy.assign(row, row + span.length);
  const auto at = [&](int i) { return int{copy[static_cast<std::size_t>(span.inside(i))]}; };
  int sum = 0;
  for (int i = -span.radius; i <= span.radius; ++i) sum += at(i);
  for (int i = 0; i < span.length; ++i) {
    row[i] = static_cast<std::uint8_t>((sum + span.radius) / span.width());
    sum += at(i + span.radius + 1) - at(i - span.radius);
  }
}

void filter_columns(Layer& layer, const Span& span, std::vector<std::uint8_t>& copy) {
  const auto width = static_cast<std::size_t>(layer.size().width);
  copy.clear();
  for (int y = 0; y < span.length; ++y) copy.insert(copy.end(), layer.row(y), layer.row(y) + width);
  const auto from = [&](int y) {
    return copy.data() + static_cast<std::size_t>(span.inside(y)) * width;
  };
  std::vector<int> sums(width);
  for (int y = -span.radius; y <= span.radius; ++y) {
    for (std::size_t x = 0; x < width; ++x) sums[x] += from(y)[x];
  }
  for (int y = 0; y < span.length; ++y) {
    std::uint8_t* to = layer.row(y);
    const std::uint8_t* enters = from(y + span.radius + 1);
    const std::uint8_t* leaves = from(y - span.radius);
    for (std::size_t x = 0; x < width; ++x) {
      to[x] = static_cast<std::uint8_t>((sums[x] + span.radius) / span.width());
      sums[x] += enters[x] - leaves[x];
    }
  }
}

bool is_blank(const Layer& layer) {
  for (int y = 0; y < layer.size().height; ++y) {
    const std::uint8_t* row = layer.row(y);
    if (std::any_of(row, row + layer.size().width, [](std::uint8_t v) { return v != 0; }))
      return false;
  }
  return true;
}

}  // namespace

Layer::Layer(Size size, LayerKind kind)
    : size_(size),
      surface_(cairo_image_surface_create(
          kind == LayerKind::kColour ? CAIRO_FORMAT_ARGB32 : CAIRO_FORMAT_A8, size.width,
          size.height)),
      cairo_(cairo_create(surface_.get())) {
  if (cairo_status(cairo_.get()) != CAIRO_STATUS_SUCCESS) {
    throw Error(ErrorKind::kInternal, "no memory for a layer of a sample picture");
  }
  data_ = cairo_image_surface_get_data(surface_.get());
  stride_ = cairo_image_surface_get_stride(surface_.get());
}

void Layer::blur(int radius) {
  flush();
  if (radius <= 0 || is_blank(*this)) return;
  std::vector<std::uint8_t> copy;
  for (int pass = 0; pass < 3; ++pass) {
    for (int y = 0; y < size_.height; ++y) filter_row(row(y), {radius, size_.width}, copy);
    filter_columns(*this, {radius, size_.height}, copy);
  }
  cairo_surface_mark_dirty(surface_.get());
}

Sample sample_of(const std::uint8_t* pixel) {
  std::uint32_t argb = 0;
  std::memcpy(&argb, pixel, sizeof argb);
  const std::uint32_t alpha = argb >> 24;
  if (alpha == 0) return {};
  const auto channel = [&](int shift) {
    const std::uint32_t straight = (argb >> shift & 0xFF) * 255 / alpha;
    return linear_of(static_cast<std::uint8_t>(std::min(straight, 255u)));
  };
  return {.colour = {channel(16), channel(8), channel(0)},
          .alpha = static_cast<float>(alpha) / 255.0f};
}

void set_source(cairo_t* cairo, std::uint32_t srgb, double alpha) {
  cairo_set_source_rgba(cairo, (srgb >> 16 & 0xFF) / 255.0, (srgb >> 8 & 0xFF) / 255.0,
                        (srgb & 0xFF) / 255.0, alpha);
}

}  // namespace engraft::plates
