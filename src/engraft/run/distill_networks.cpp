#include "engraft/run/distill_networks.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <optional>
#include <string_view>

#include "engraft/base/error.h"
#include "engraft/graph/mobilenet_v2.h"
#include "engraft/graph/random_weights.h"
#include "engraft/zoo/zoo.h"

namespace engraft {
namespace {

constexpr int kStride = 32;

template <typename T>
std::optional<T> number_of(std::string_view text) {
  T value{};
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size()) return std::nullopt;
  return value;
}

/// "mobilenet_v2_0.35_128"
std::optional<MobileNetV2Spec> spec_of(std::string_view name) {
  constexpr std::string_view kPrefix = "mobilenet_v2_";
  if (!name.starts_with(kPrefix)) return std::nullopt;
  name.remove_prefix(kPrefix.size());
  const std::size_t dash = name.find('_');
  if (dash == std::string_view::npos) return std::nullopt;
  const auto width = number_of<float>(name.substr(0, dash));
  const auto size = number_of<int>(name.substr(dash + 1));
  if (!width || !size) return std::nullopt;
  return MobileNetV2Spec{.width = *width, .image_size = *size, .classes = 0};
}

void require_size(const char* who, int size) {
  if (size >= kStride && size <= kMaxInputSide && size % kStride == 0) return;
  throw Error(ErrorKind::kUsage,
              fmt::format("{} {}: a multiple of {} is needed, such as 128, 160 or 224", who, size,
                          kStride));
}

/// A model whose weights are all numbers: damage would only show as a loss that is none.
Model load_sound(const std::filesystem::path& file) {
  Model model = load_model(file);
  for (const auto& [name, tensor] : model.network.weights.all()) {
    const auto values = tensor->values();
    if (std::ranges::all_of(values, [](float value) { return std::isfinite(value); })) continue;
    throw Error(ErrorKind::kBadInput,
                fmt::format("{}: {} has values that are infinite or no numbers; the weights are "
                            "damaged",
                            file.string(), name));
  }
  return model;
}

void make_student(const DistillRequest& request, DistillNetworks& networks) {
  const auto features = networks.teacher.top.features();
  networks.student_view = networks.teacher_model.preprocessing;
  if (auto spec = spec_of(request.student); spec && !std::filesystem::exists(request.student)) {
    require_size("--student: the size", spec->image_size);
    spec->features = static_cast<int>(features);
    networks.student.graph = mobilenet_v2(*spec);
    networks.student.weights = random_weights(networks.student.graph, request.options.seed);
    networks.student_view.width = networks.student_view.height = spec->image_size;
    networks.student_from = fmt::format("MobileNetV2 {:g}, {} px, random weights (seed {})",
                                        spec->width, spec->image_size, request.options.seed);
    return;
  }
  if (!std::filesystem::exists(request.student) && !is_embedded_model(request.student)) {
    throw Error(ErrorKind::kNotFound,
                fmt::format("--student {}: is no file, no mobilenet_v2_WIDTH_SIZE such as "
                            "mobilenet_v2_0.35_128, and not {}, which is built in",
                            request.student, kEmbeddedModel));
  }
  const Model model = load_sound(request.student);
  networks.student = base_at(model, FeatureLevel::kPooled);
  networks.student_view = model.preprocessing;
  networks.student_from = std::filesystem::path(request.student).filename().string();
  const Graph& graph = networks.student.graph;
  if (graph.shape(graph.output()).elements() != static_cast<std::int64_t>(features)) {
    throw Error(ErrorKind::kUsage,
                fmt::format("{}: has {} features and the teacher {}; begin with a new student, "
                            "mobilenet_v2_0.35_128 say",
                            request.student, graph.shape(graph.output()).elements(), features));
  }
}

}  // namespace

DistillNetworks load_networks(const DistillRequest& request) {
  DistillNetworks networks;
  networks.teacher_model = load_sound(request.teacher);
  try {
    networks.teacher = part_teacher(networks.teacher_model.network);
  } catch (const Error& error) {
    throw Error(error.kind(), fmt::format("{}: {}", request.teacher.string(), error.what()));
  }
  make_student(request, networks);
  const int size = request.teacher_size.value_or(networks.student_view.width);
  networks.teacher_view = networks.teacher_model.preprocessing;
  if (size != networks.teacher_view.width || size != networks.teacher_view.height) {
    require_size("--teacher-size", size);
    networks.teacher_view.width = networks.teacher_view.height = size;
    networks.teacher.features.graph = at_size(networks.teacher.features.graph, {size, size});
  }
  return networks;
}

Model student_model(const DistillNetworks& networks, const Network& student) {
  Model model;
  model.network = graft(student, networks.teacher.head);
  model.preprocessing = networks.student_view;
  model.labels = networks.teacher_model.labels;
  return model;
}

}  // namespace engraft
