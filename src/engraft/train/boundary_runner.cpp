#include "engraft/train/boundary_runner.h"

#include <algorithm>
#include <vector>

namespace engraft {

BoundaryRunner::BoundaryRunner(const Graph& frozen, const Weights& weights, ThreadPool& pool,
                               BoundaryCache* cache)
    : size_(static_cast<std::size_t>(frozen.shape(frozen.output()).elements())),
      runner_(frozen, weights, pool),
      cache_(cache) {}

void BoundaryRunner::run(const Request& request, std::span<float> results) {
  const auto place = [&](std::size_t i) { return results.subspan(i * size_, size_); };
  std::vector<std::size_t> missing;
  for (std::size_t i = 0; i < request.keys.size(); ++i) {
    const auto& key = request.keys[i];
    if (!cache_ || !key || !cache_->find(*key, place(i))) missing.push_back(i);
  }
  runner_.run(
      missing.size(),
      [&](std::size_t m, std::span<float> input) {
        request.fill(missing[m], input);
        return true;
      },
      [&](std::size_t m, std::span<const float> output) {
        const std::size_t i = missing[m];
        std::ranges::copy(output, place(i).begin());
        if (cache_ && request.keys[i]) cache_->put(*request.keys[i], output);
      });
}

}  // namespace engraft
