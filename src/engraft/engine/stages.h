#pragma once

#include <vector>

#include "engraft/engine/lowering.h"

namespace engraft {

/// Steps [first, last) that run on `pictures` pictures at a time, over and over until the batch is
/// through.
struct Stage {
  int first = 0;
  int last = 0;
  int pictures = 1;
};

/// A network's early activations are large and its parameters small, and later the other way
/// round. So the early steps run picture by picture, which keeps what one step writes in the cache
/// until the next reads it, and the later ones on the whole batch, which reads the parameters once
/// for all pictures. The border lies behind the last step that handles more than a core's L2 cache
/// holds, where least is to be carried over; where that is the network's end, there is one stage.
[[nodiscard]] std::vector<Stage> split_into_stages(const StepList& list, const Graph& graph,
                                                   int batch);

}  // namespace engraft
