#include "engraft/model/calibrate_model.h"

#include <algorithm>
#include <new>

#include "engraft/base/error.h"
#include "engraft/base/progress.h"
#include "engraft/engine/calibration.h"
#include "engraft/image/decode.h"

namespace engraft {

ActivationRanges calibrate(const Network& network, const Preprocessing& preprocessing,
                           Orientation orientation, std::span<const std::filesystem::path> pictures,
                           ThreadPool& pool, const std::stop_token& stop) {
  const std::size_t count = std::min(pictures.size(), kCalibrationPictures);
  DecodeOptions decoding = decode_options(preprocessing);
  decoding.orientation = orientation;
  const auto fill = [&](std::size_t i, std::span<float> input) {
    throw_if_stopped(stop);
    try {
      const Image upright = read_image(pictures[i * pictures.size() / count], decoding);
      normalise(fit(upright, preprocessing), preprocessing, input);
      return true;
    } catch (const Error&) {
      return false;
    } catch (const std::bad_alloc&) {
      return false;
    }
  };
  return calibrate(network.graph, network.weights, count, fill, pool);
}

void give_ranges(Model& model, Orientation orientation,
                 std::span<const std::filesystem::path> pictures, ThreadPool& pool,
                 const std::stop_token& stop) {
  model.ranges = calibrate(model.network, model.preprocessing, orientation, pictures, pool, stop);
  if (!model.ranges.empty()) return;
  throw Error(ErrorKind::kUsage,
              "this network has no layer that 8-bit integers would make faster; leave them away");
}

}  // namespace engraft
