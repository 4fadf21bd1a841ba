#include "engraft/train/feed_clock.h"

#include <fmt/format.h>

#include <algorithm>

namespace engraft {

std::string bottleneck(double reading_share) {
  const double reading = std::clamp(reading_share, 0.0, 1.0);
  return reading >= 0.5 ? fmt::format("mostly reading pictures ({:.0f} %)", 100 * reading)
                        : fmt::format("mostly the network ({:.0f} %)", 100 * (1 - reading));
}

std::string FeedClock::text() const {
  const auto all = static_cast<double>((Clock::now() - begin_).count()) * workers_;
  return bottleneck(static_cast<double>(reading_.load()) / std::max(all, 1.0));
}

}  // namespace engraft
