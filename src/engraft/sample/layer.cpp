#include "engraft/sample/layer.h"

#include <algorithm>
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

/// Division by the filter's width as a product: 24 bits are exact enough for a mean of bytes.
class Mean {
 public:
  explicit Mean(const Span& span)
      : factor_((1u << 24) / static_cast<std::uint32_t>(span.width()) + 1),
        half_(static_cast<std::uint32_t>(span.radius)) {}
  std::uint8_t operator()(std::uint32_t sum) const {
    return static_cast<std::uint8_t>((sum + half_) * factor_ >> 24);
  }

 private:
  std::uint32_t factor_, half_;
};

void filter_row(std::uint8_t* row, const Span& span, std::vector<std::uint8_t>& padded) {
  const auto radius = static_cast<std::size_t>(span.radius);
  const auto length = static_cast<std::size_t>(span.length);
  padded.assign(radius, row[0]);
  padded.insert(padded.end(), row, row + span.length);
  padded.insert(padded.end(), radius + 1, row[span.length - 1]);
  const Mean mean(span);
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i <= 2 * radius; ++i) sum += padded[i];
  for (std::size_t i = 0; i < length; ++i) {
    row[i] = mean(sum);
    sum += padded[i + 2 * radius + 1];
    sum -= padded[i];
  }
}

void filter_columns(Layer& layer, const Span& span, std::vector<std::uint8_t>& copy) {
  const auto width = static_cast<std::size_t>(layer.size().width);
  copy.clear();
  for (int y = 0; y < span.length; ++y) copy.insert(copy.end(), layer.row(y), layer.row(y) + width);
  const auto from = [&](int y) {
    return copy.data() + static_cast<std::size_t>(span.inside(y)) * width;
  };
  const Mean mean(span);
  std::vector<std::uint32_t> sums(width);
  for (int y = -span.radius; y <= span.radius; ++y) {
    for (std::size_t x = 0; x < width; ++x) sums[x] += from(y)[x];
  }
  for (int y = 0; y < span.length; ++y) {
    std::uint8_t* to = layer.row(y);
    const std::uint8_t* enters = from(y + span.radius + 1);
    const std::uint8_t* leaves = from(y - span.radius);
    for (std::size_t x = 0; x < width; ++x) {
      to[x] = mean(sums[x]);
      sums[x] += enters[x];
      sums[x] -= leaves[x];
    }
  }
}

}  // namespace

cairo_t* Layer::cairo() {
  if (cairo_) return cairo_.get();
  surface_.reset(cairo_image_surface_create(
      kind_ == LayerKind::kColour ? CAIRO_FORMAT_ARGB32 : CAIRO_FORMAT_A8, size_.width,
      size_.height));
  cairo_.reset(cairo_create(surface_.get()));
  if (cairo_status(cairo_.get()) != CAIRO_STATUS_SUCCESS) {
    throw Error(ErrorKind::kInternal, "no memory for a layer of a sample picture");
  }
  data_ = cairo_image_surface_get_data(surface_.get());
  stride_ = cairo_image_surface_get_stride(surface_.get());
  return cairo_.get();
}

void Layer::flush() {
  if (!blank()) cairo_surface_flush(surface_.get());
}

void Layer::blur(int radius) {
  if (blank() || radius <= 0) return;
  flush();
  std::vector<std::uint8_t> copy;
  for (int pass = 0; pass < 2; ++pass) {
    for (int y = 0; y < size_.height; ++y) filter_row(row(y), {radius, size_.width}, copy);
    filter_columns(*this, {radius, size_.height}, copy);
  }
  cairo_surface_mark_dirty(surface_.get());
}

void set_source(cairo_t* cairo, std::uint32_t srgb, double alpha) {
  cairo_set_source_rgba(cairo, (srgb >> 16 & 0xFF) / 255.0, (srgb >> 8 & 0xFF) / 255.0,
                        (srgb & 0xFF) / 255.0, alpha);
}

}  // namespace engraft::plates
