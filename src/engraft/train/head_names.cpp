#include "engraft/train/head.h"

namespace engraft {

std::string_view name_of(HeadKind head) {
  return head == HeadKind::kLinear ? "linear" : "mlp";
}

std::string_view name_of(LossKind loss) {
  return loss == LossKind::kSoftmax ? "softmax" : "sigmoid";
}

}  // namespace engraft
