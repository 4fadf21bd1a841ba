#include "engraft/kernels/resample.h"

#include <gtest/gtest.h>

#include "engraft/kernels/reference/resample.h"
#include "simd_fixture.h"

namespace engraft::resample_test {

using test::Guarded;
using test::GuardedArray;
using test::simd_test_name;

constexpr std::uint8_t kStale = 0xA5;  ///< what is in memory before anything is written

/// Bytes right beside a page that can neither be read nor written.
class GuardedBytes {
 public:
  GuardedBytes(std::size_t size, Guarded side)
      : size_(size),
        floats_((size + 3) / 4, side),
        skipped_(side == Guarded::kBehind ? -size % 4 : 0) {
    std::fill_n(data(), size_, kStale);
  }
  [[nodiscard]] std::uint8_t* data() {
    return reinterpret_cast<std::uint8_t*>(floats_.data()) + skipped_;
  }
  [[nodiscard]] std::vector<std::uint8_t> values() { return {data(), data() + size_}; }

 private:
  std::size_t size_;
  GuardedArray floats_;
  std::size_t skipped_;
};

struct Extent {
  int width = 1, height = 1;
  int beside = 0;  ///< bytes between two rows that are of no pixel of these
};

/// A noisy part of a picture, guarded, of which the rest may be read but counts for nothing.
class Part {
 public:
  Part(const Extent& extent, Guarded side)
      : stride_(3 * extent.width + extent.beside),
        extent_(extent),
        bytes_(static_cast<std::size_t>(stride_ * (extent.height - 1) + 3 * extent.width), side) {
    Rng rng(7);
    const std::size_t size = bytes_.values().size();
    for (std::size_t i = 0; i < size; ++i) {
      bytes_.data()[i] = static_cast<std::uint8_t>(rng.below(256));
    }
  }
  [[nodiscard]] PixelRows rows() { return {bytes_.data(), stride_, extent_.width, extent_.height}; }

 private:
  int stride_;
  Extent extent_;
  GuardedBytes bytes_;
};

/// Weights by chance, sums from far below 0 to far above 255.
struct Filter {
  std::vector<int> firsts;
  std::vector<std::size_t> starts{0};
  std::vector<float> weights;

  Filter(int samples, int outputs) {
    Rng rng(11);
    for (int i = 0; i < outputs; ++i) {
      const int first = i * samples / outputs;
      const auto room = static_cast<std::uint32_t>(samples - first);
      const std::uint32_t taps = i + 1 == outputs ? room : 1 + rng.below(std::min(room, 6U));
      firsts.push_back(first);
      for (std::uint32_t t = 0; t < taps; ++t) weights.push_back(rng.uniform(-0.5F, 0.9F));
      starts.push_back(weights.size());
    }
  }
  [[nodiscard]] FilterTable table() const { return {firsts, starts, weights}; }
};

/// Six equal taps: sums that lie at a whole number or, as float rounds, right below.
Filter sixths(int samples) {
  Filter filter(samples, samples - 5);
  filter.firsts.clear();
  filter.starts = {0};
  filter.weights.assign(static_cast<std::size_t>(6 * (samples - 5)), 1.0F / 6);
  for (int i = 0; i + 5 < samples; ++i) {
    filter.firsts.push_back(i);
    filter.starts.push_back(static_cast<std::size_t>(6 * (i + 1)));
  }
  return filter;
}

std::vector<Between> sixths_between(int samples, int outputs) {
  std::vector<Between> places;
  for (int i = 0; i < outputs; ++i) {
    const int low = i * samples / outputs;
    places.push_back({low, std::min(low + i % 3, samples - 1), static_cast<float>(i % 6) / 6});
  }
  return places;
}

constexpr int kSides[] = {1, 2, 3, 5, 7, 8, 9, 16, 17, 33};
constexpr int kOutputs[] = {1, 2, 5, 16, 19, 40};
constexpr int kBeside[] = {0, 1, 7};

class Resample : public test::SimdTest {
 protected:
  template <typename Run>
  static std::vector<std::uint8_t> written(std::size_t size, const Run& run) {
    GuardedBytes y(size, side());
    run(y.data());
    return y.values();
  }
  static std::vector<std::uint8_t> rows_filtered(const PixelRows& x, const FilterTable& table) {
    const std::size_t size = 3 * table.outputs() * static_cast<std::size_t>(x.height);
    return written(size, [&](std::uint8_t* y) { filter_rows(x, table, y); });
  }
  static std::vector<std::uint8_t> columns_filtered(const PixelRows& x, const FilterTable& table) {
    const std::size_t size = 3 * table.outputs() * static_cast<std::size_t>(x.width);
    return written(size, [&](std::uint8_t* y) { filter_columns(x, table, y); });
  }
  static std::vector<std::uint8_t> mixed(const PixelRows& x, std::span<const Between> rows,
                                         std::span<const Between> columns) {
    return written(3 * rows.size() * columns.size(),
                   [&](std::uint8_t* y) { mix_neighbours(x, rows, columns, y); });
  }
};

TEST_P(Resample, RowsAreTheReferencesBytes) {
  for (const int width : kSides) {
    for (const int height : kSides) {
      for (const int outputs : kOutputs) {
        for (const int beside : kBeside) {
          Part part({width, height, beside}, side());
          const Filter filter(width, outputs);
          ASSERT_EQ(rows_filtered(part.rows(), filter.table()),
                    reference::filter_rows<float>(part.rows(), filter.table()))
              << width << "×" << height << "→" << outputs << ", " << beside << " beside";
        }
      }
    }
  }
}

TEST_P(Resample, ColumnsAreTheReferencesBytes) {
  for (const int width : kSides) {
    for (const int height : kSides) {
      for (const int outputs : kOutputs) {
        for (const int beside : kBeside) {
          Part part({width, height, beside}, side());
          const Filter filter(height, outputs);
          ASSERT_EQ(columns_filtered(part.rows(), filter.table()),
                    reference::filter_columns<float>(part.rows(), filter.table()))
              << width << "×" << height << "→" << outputs << ", " << beside << " beside";
        }
      }
    }
  }
}

TEST_P(Resample, MixturesAreTheReferencesBytes) {
  for (const int width : kSides) {
    for (const int height : kSides) {
      for (const int outputs : kOutputs) {
        for (const int beside : kBeside) {
          Part part({width, height, beside}, side());
          const auto rows = sixths_between(height, 13), columns = sixths_between(width, outputs);
          ASSERT_EQ(mixed(part.rows(), rows, columns),
                    reference::mix_neighbours<float>(part.rows(), rows, columns))
              << width << "×" << height << "→" << outputs << ", " << beside << " beside";
        }
      }
    }
  }
}

/// Only products that are rounded before they are added give these bytes; one rounding, as a fused
/// multiply-add has it, gives others.
TEST_P(Resample, SumsBesideAWholeNumberAreRoundedAsTheReferences) {
  Part part({200, 60, 0}, side());
  const Filter across = sixths(200), down = sixths(60);
  EXPECT_EQ(rows_filtered(part.rows(), across.table()),
            reference::filter_rows<float>(part.rows(), across.table()));
  EXPECT_EQ(columns_filtered(part.rows(), down.table()),
            reference::filter_columns<float>(part.rows(), down.table()));
  EXPECT_NE(reference::filter_rows<double>(part.rows(), across.table()),
            reference::filter_rows<float>(part.rows(), across.table()));
}

/// The reference itself: an edge between black and white, a mean, what is cut off.
TEST(ResampleReference, IsTheFormula) {
  const std::vector<std::uint8_t> pixels{0, 10, 255, 100, 20, 255};
  const PixelRows row{pixels.data(), 6, 2, 1}, column{pixels.data(), 3, 1, 2};
  const std::vector<int> firsts{0, 1};
  const std::vector<std::size_t> starts{0, 2, 3};
  const std::vector<float> weights{0.25F, 0.75F, -1.0F};
  const FilterTable table{firsts, starts, weights};
  const std::vector<std::uint8_t> expected{75, 18, 255, 0, 0, 0};  // 17.5 + ½
  EXPECT_EQ(reference::filter_rows<double>(row, table), expected);
  EXPECT_EQ(reference::filter_columns<double>(column, table), expected);
  const std::vector<Between> there{{0, 1, 0.75F}}, first{{0, 0, 0.0F}};
  const std::vector<std::uint8_t> mixed{75, 18, 255};
  EXPECT_EQ(reference::mix_neighbours<double>(row, first, there), mixed);
  EXPECT_EQ(reference::mix_neighbours<double>(column, there, first), mixed);
}

ENGRAFT_INSTANTIATE_SIMD_TESTS(Resample);

}  // namespace engraft::resample_test
