#include "engraft/sample/shading.h"

#include <algorithm>
#include <cmath>

#include "engraft/sample/table.h"

namespace engraft::plates {
namespace {

constexpr float kSkyGloss = 0.035f;  ///< what glaze mirrors of the room where no window is

struct Slope {
  float x = 0, y = 0;  ///< of a surface, in picture directions
};

/// The plate's profile: slope dh/dr at a radius; the rim rolls over at 1.
float profile_slope(const PlateStyle& plate, float radius) {
  const float wall = plate.wall * smooth_step(plate.well - 0.07f, plate.well + 0.01f, radius) *
                     (1 - smooth_step(plate.well + 0.02f, plate.well + 0.1f, radius));
  const float rim = plate.rim_slope * smooth_step(plate.well, plate.well + 0.1f, radius);
  const float lip = -1.9f * smooth_step(0.965f, 1.0f, radius);
  const float foot = 0.03f * radius;  // no plate is quite flat
  return foot + wall + rim + lip;
}

/// Paint-like cover for dry things. Something wet is a filter when it is thin (Beer and Lambert:
/// transmission c^thickness), and hides what is below when it is thick.
Rgb covered(const Rgb& below, const Rgb& colour, float alpha, float wet) {
  const Rgb opaque = mix(below, colour, alpha);
  if (wet <= 0) return opaque;
  const float thickness = 0.85f * alpha;
  const Rgb filtered{below.r * std::pow(colour.r, thickness),
                     below.g * std::pow(colour.g, thickness),
                     below.b * std::pow(colour.b, thickness)};
  return mix(opaque, filtered, wet * (1 - alpha));
}

class Shader {
 public:
  Shader(const Scene& scene, const Noise& noise, const Outline& outline, const Layers& layers)
      : scene_(scene), noise_(noise), outline_(outline), layers_(layers) {
    cairo_matrix_t inverse = plate_matrix(scene);
    cairo_matrix_invert(&inverse);
    to_plate_[0] = static_cast<float>(inverse.xx);
    to_plate_[1] = static_cast<float>(inverse.xy);
    to_plate_[2] = static_cast<float>(inverse.x0);
    to_plate_[3] = static_cast<float>(inverse.yx);
    to_plate_[4] = static_cast<float>(inverse.yy);
    to_plate_[5] = static_cast<float>(inverse.y0);
    cosine_ = std::cos(scene.plate.rotation);
    sine_ = std::sin(scene.plate.rotation);
    shadow_step_x_ = static_cast<int>(std::lround(scene.light.x * 2.6f));
    shadow_step_y_ = static_cast<int>(std::lround(scene.light.y * 2.6f));
  }

  [[nodiscard]] Rgb pixel(int x, int y) const {
    const auto height = static_cast<float>(scene_.size.height);
    const At at{
        .x = x,
        .y = y,
        .u = (static_cast<float>(x) + 0.5f - 0.5f * static_cast<float>(scene_.size.width)) / height,
        .v = (static_cast<float>(y) + 0.5f) / height - 0.5f};
    const Rgb light = light_at(at);
    const float fx = static_cast<float>(x) + 0.5f;
    const float fy = static_cast<float>(y) + 0.5f;
    PlatePoint point;
    point.x = to_plate_[0] * fx + to_plate_[1] * fy + to_plate_[2];
    point.y = to_plate_[3] * fx + to_plate_[4] * fy + to_plate_[5];
    point.radius = outline_.radius_of(point.x, point.y);
    const float coverage = clamp01((1 - point.radius) * scene_.plate.radius + 0.5f);
    Rgb colour;
    if (coverage < 1) colour = ground(at, light);
    if (coverage > 0) colour = mix(colour, plate(at, point, light), coverage);
    return over(colour, layers_.props.on_plate, at, light);
  }

 private:
  struct At {
    int x, y;    ///< pixel
    float u, v;  ///< picture heights from the middle
  };
  struct PlatePoint {
    float x, y, radius;
  };

  [[nodiscard]] Rgb light_at(const At& at) const {
    const Light& light = scene_.light;
    float level = 1 + light.falloff * (light.x * at.u + light.y * at.v);
    if (light.dapple > 0) {  // leaves or a window frame between the light and the table
      const float shade = noise_.at(at.u * 2.3f + 0.9f * at.v + 11, at.v * 2.3f - 0.5f * at.u + 23);
      level *= 1 - light.dapple * smooth_step(0.42f, 0.62f, shade);
    }
    return light.colour * std::max(level, 0.1f);
  }

  /// Light on a slope over light on the flat.
  [[nodiscard]] float diffuse(const Slope& slope) const {
    const Light& light = scene_.light;
    const float facing = (light.z - slope.x * light.x - slope.y * light.y) /
                         std::sqrt(1 + slope.x * slope.x + slope.y * slope.y);
    return light.ambient + (1 - light.ambient) * std::max(facing, 0.0f) / light.z;
  }

  /// How much of the window a slope mirrors into the camera, 0 to 1. The mirrored direction is
  /// about twice the slope away from where the flat would mirror.
  [[nodiscard]] float window(const At& at, const Slope& slope, float blur) const {
    const Light& light = scene_.light;
    const float x = -2 * slope.x + 0.45f * at.u - light.window_x;
    const float y = -2 * slope.y + 0.45f * at.v - light.window_y;
    const float size = light.window_size;
    float seen = (1 - smooth_step(size - blur, size + blur, std::abs(x))) *
                 (1 - smooth_step(size * 1.3f - blur, size * 1.3f + blur, std::abs(y)));
    if (light.window_bars) {
      const float bar = std::min(std::abs(x), std::abs(y));
      seen *= smooth_step(0.0f, 0.02f + blur, bar + blur * 0.4f);
    }
    return seen;
  }

  [[nodiscard]] Rgb over(const Rgb& below, const Layer& layer, const At& at,
                         const Rgb& light) const {
    const Sample sample = sample_at(layer, at);
    return sample.alpha == 0 ? below : mix(below, sample.colour * light, sample.alpha);
  }

  [[nodiscard]] static Sample sample_at(const Layer& layer, const At& at) {
    return layer.blank() ? Sample() : sample_of(layer.row(at.y) + at.x * 4);
  }

  [[nodiscard]] static float mask(const Layer& layer, int x, int y) {
    if (layer.blank()) return 0;
    const Size size = layer.size();
    return static_cast<float>(
               layer.row(std::clamp(y, 0, size.height - 1))[std::clamp(x, 0, size.width - 1)]) /
           255.0f;
  }

  [[nodiscard]] Rgb ground(const At& at, const Rgb& light) const {
    const Camera& camera = scene_.camera;
    const float depth = 1 - camera.perspective * at.v;  // the far edge is at the top
    const Surface surface =
        table_at(scene_.table, noise_, at.u * depth, at.v * depth / camera.squash);
    const Slope slope{surface.tilt_x, surface.tilt_y};
    const float own_shadow = mask(layers_.props.table_shadow, at.x, at.y);
    const float plate_shadow = mask(layers_.plate_shadow, at.x, at.y);
    const float lit = (1 - scene_.light.shadow * own_shadow * (1 - scene_.light.ambient * 0.5f)) *
                      (1 - scene_.light.shadow * plate_shadow);
    Rgb colour = surface.colour * light * (diffuse(slope) * lit);
    if (scene_.table.gloss > 0) {
      const float seen = window(at, {slope.x * 0.3f, slope.y * 0.3f}, 0.25f);
      colour = colour + light * (scene_.table.gloss * seen * lit);
    }
    const Rgb shaded = light * (1 - scene_.light.shadow * plate_shadow);
    return over(colour, layers_.props.on_table, at, shaded);
  }

  /// Relief of what lies on the plate, as slopes in picture directions.
  [[nodiscard]] Slope relief(int x, int y) const {
    const Layer& height = layers_.leavings.height;
    constexpr float kSteepness = 1.5f;
    return {kSteepness * (mask(height, x + 1, y) - mask(height, x - 1, y)),
            kSteepness * (mask(height, x, y + 1) - mask(height, x, y - 1))};
  }

  [[nodiscard]] Rgb plate(const At& at, const PlatePoint& point, const Rgb& light) const {
    const PlateStyle& style = scene_.plate;
    const float radial = profile_slope(style, point.radius);
    const float distance = std::sqrt(point.x * point.x + point.y * point.y);
    const float inverse = distance > 1e-4f ? 1 / distance : 0;
    const float px = radial * point.x * inverse;
    const float py = radial * point.y * inverse;
    // From the plate's axes to the picture's, and the hand-made unevenness of glaze.
    const float wave = noise_.at(point.x * 4 + 30, point.y * 4 + 30) - 0.5f;
    Slope slope{cosine_ * px - sine_ * py + 0.03f * wave, sine_ * px + cosine_ * py - 0.03f * wave};

    const Sample paint = sample_at(layers_.decoration, at);
    Rgb albedo = mix(style.glaze, paint.colour, paint.alpha) * (0.985f + 0.03f * wave);
    float gloss = style.gloss;
    float blur = style.gloss < 0.08f ? 0.3f : 0.03f;
    float lit = 1 - 0.6f * scene_.light.shadow * mask(layers_.props.plate_shadow, at.x, at.y);

    const float inside = 1 - smooth_step(0.95f, 0.985f, point.radius);
    const Sample dirt = sample_at(layers_.leavings.colour, at);
    const float high = mask(layers_.leavings.height, at.x, at.y);
    const float higher =
        mask(layers_.leavings.height, at.x + shadow_step_x_, at.y + shadow_step_y_);
    lit *= 1 - 0.6f * inside * clamp01(1.3f * (higher - high));
    if (dirt.alpha > 0 && inside > 0) {
      const float wet = mask(layers_.leavings.wet, at.x, at.y);
      const float uneven = noise_.fractal(point.x * 9 + 5, point.y * 9 + 5, 2);
      const float alpha =
          inside * dirt.alpha * mix(1.0f, 0.45f + 1.1f * uneven, wet * (1 - 0.6f * dirt.alpha));
      albedo = covered(albedo, dirt.colour * (0.85f + 0.3f * uneven), clamp01(alpha), wet);
      const Slope bump = relief(at.x, at.y);
      slope.x += bump.x + 0.25f * wet * alpha * (uneven - 0.5f);
      slope.y += bump.y + 0.25f * wet * alpha * (uneven - 0.5f);
      gloss = mix(gloss, 0.5f * wet, clamp01(alpha));
      blur = mix(blur, 0.1f, clamp01(alpha));
    }
    const float corner = smooth_step(style.well - 0.12f, style.well - 0.02f, point.radius) *
                         (1 - smooth_step(style.well, style.well + 0.08f, point.radius));
    lit *= 1 - 0.09f * corner;  // less sky in the corner between well and wall
    const Rgb body = albedo * light * (diffuse(slope) * lit);
    const float shine = gloss * (kSkyGloss + 0.75f * window(at, slope, blur)) * (0.4f + 0.6f * lit);
    return body + light * shine;
  }

  const Scene& scene_;
  const Noise& noise_;
  const Outline& outline_;
  const Layers& layers_;
  float to_plate_[6]{};
  float cosine_ = 1, sine_ = 0;
  int shadow_step_x_ = 0, shadow_step_y_ = 0;
};

}  // namespace

Radiance shade(const Scene& scene, const Noise& noise, const Outline& outline,
               const Layers& layers) {
  const Shader shader(scene, noise, outline, layers);
  Radiance picture(scene.size);
  for (int y = 0; y < scene.size.height; ++y) {
    Rgb* row = picture.row(y);
    for (int x = 0; x < scene.size.width; ++x) row[x] = shader.pixel(x, y);
  }
  return picture;
}

}  // namespace engraft::plates
