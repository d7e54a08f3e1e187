#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>

#include "io/import/import.hpp"
#include "src/core/error.hpp"
#include "src/core/floating_point.hpp"
#include "src/core/random.hpp"

namespace lockstep {
namespace {

constexpr int kSide = 28;
constexpr int kPixels = kSide * kSide;
constexpr std::uint64_t kDigits = 10;

struct Point {
  float x;
  float y;
};

/// Each digit as one line through points of the unit square, x to the right and y downwards.
const std::array<std::vector<Point>, kDigits>& strokes() {
  static const std::array<std::vector<Point>, kDigits> table = {{
      {{.50F, .05F},
       {.72F, .13F},
       {.83F, .32F},
       {.85F, .50F},
       {.83F, .68F},
       {.72F, .87F},
       {.50F, .95F},
       {.28F, .87F},
       {.17F, .68F},
       {.15F, .50F},
       {.17F, .32F},
       {.28F, .13F},
       {.50F, .05F}},
      {{.32F, .25F}, {.55F, .05F}, {.55F, .95F}},
      {{.20F, .27F},
       {.28F, .12F},
       {.50F, .05F},
       {.72F, .12F},
       {.80F, .28F},
       {.72F, .45F},
       {.45F, .68F},
       {.20F, .95F},
       {.82F, .95F}},
      {{.20F, .14F},
       {.45F, .05F},
       {.70F, .12F},
       {.77F, .27F},
       {.68F, .42F},
       {.45F, .48F},
       {.70F, .55F},
       {.80F, .72F},
       {.70F, .88F},
       {.45F, .95F},
       {.20F, .86F}},
      {{.66F, .95F}, {.66F, .05F}, {.18F, .66F}, {.84F, .66F}},
      {{.76F, .05F},
       {.30F, .05F},
       {.25F, .46F},
       {.50F, .40F},
       {.73F, .48F},
       {.80F, .68F},
       {.70F, .87F},
       {.45F, .95F},
       {.20F, .86F}},
      {{.70F, .08F},
       {.42F, .20F},
       {.25F, .45F},
       {.20F, .70F},
       {.32F, .90F},
       {.52F, .95F},
       {.72F, .88F},
       {.80F, .70F},
       {.70F, .53F},
       {.50F, .47F},
       {.30F, .54F},
       {.20F, .70F}},
      {{.18F, .05F}, {.82F, .05F}, {.42F, .95F}},
      {{.50F, .48F},
       {.28F, .38F},
       {.24F, .22F},
       {.35F, .09F},
       {.50F, .05F},
       {.65F, .09F},
       {.76F, .22F},
       {.72F, .38F},
       {.50F, .48F},
       {.75F, .60F},
       {.80F, .76F},
       {.68F, .91F},
       {.50F, .95F},
       {.32F, .91F},
       {.20F, .76F},
       {.25F, .60F},
       {.50F, .48F}},
      {{.80F, .30F},
       {.70F, .46F},
       {.50F, .53F},
       {.28F, .47F},
       {.20F, .30F},
       {.30F, .12F},
       {.50F, .05F},
       {.70F, .12F},
       {.80F, .30F},
       {.77F, .60F},
       {.58F, .95F}},
  }};
  return table;
}

/// The random numbers of one image, taken one after the other.
class Draws {
 public:
  Draws(const RandomStream& stream, std::uint64_t row) : stream_(stream), index_(row * kPerRow) {}
  float between(float low, float high) { return low + (high - low) * stream_.uniform(index_++); }

 private:
  static constexpr std::uint64_t kPerRow = 64;  // 9 and two for each point, of at most 17
  const RandomStream& stream_;
  std::uint64_t index_;
};

/// Unit square to pixels: scaled, slanted, turned and shifted. Only sums, products and a quotient,
/// so that every machine draws the same.
class Placement {
 public:
  explicit Placement(Draws& draws)
      : width_(draws.between(11.0F, 21.0F)),
        height_(draws.between(14.0F, 22.0F)),
        slant_(draws.between(-0.35F, 0.35F)),
        shift_x_(draws.between(-3.0F, 3.0F)),
        shift_y_(draws.between(-2.5F, 2.5F)) {
    const float t = draws.between(-0.14F, 0.14F);  // tangent of half the angle: up to 16 degrees
    cosine_ = (1 - t * t) / (1 + t * t);
    sine_ = 2 * t / (1 + t * t);
  }

  Point operator()(Point p) const {
    const float y = (p.y - 0.5F) * height_;
    const float x = (p.x - 0.5F) * width_ - slant_ * y;
    return {cosine_ * x - sine_ * y + kSide / 2.0F + shift_x_,
            sine_ * x + cosine_ * y + kSide / 2.0F + shift_y_};
  }

 private:
  float width_, height_, slant_, shift_x_, shift_y_;
  float cosine_ = 1;
  float sine_ = 0;
};

float squared_distance(Point p, Point a, Point b) {
  const float dx = b.x - a.x;
  const float dy = b.y - a.y;
  const float length = dx * dx + dy * dy;
  const float along = length > 0 ? ((p.x - a.x) * dx + (p.y - a.y) * dy) / length : 0.0F;
  const float t = std::clamp(along, 0.0F, 1.0F);
  const float ex = p.x - (a.x + t * dx);
  const float ey = p.y - (a.y + t * dy);
  return ex * ex + ey * ey;
}

struct PixelRange {
  int first;
  int last;
};

/// Pixels of one axis whose centres may lie within `reach` of the interval between a and b.
PixelRange pixels_near(float a, float b, float reach) {
  const float low = std::clamp(std::floor(std::min(a, b) - reach), 0.0F, float{kSide});
  const float high = std::clamp(std::ceil(std::max(a, b) + reach), 0.0F, float{kSide});
  return {static_cast<int>(low), static_cast<int>(high)};
}

using Distances = std::array<float, kPixels>;  // squared, in pixels

void draw_segment(Point a, Point b, float reach, Distances& nearest) {
  const PixelRange columns = pixels_near(a.x, b.x, reach);
  const PixelRange rows = pixels_near(a.y, b.y, reach);
  for (int row = rows.first; row < rows.last; ++row) {
    for (int column = columns.first; column < columns.last; ++column) {
      const Point centre{static_cast<float>(column) + 0.5F, static_cast<float>(row) + 0.5F};
      float& distance = nearest[static_cast<std::size_t>(row * kSide + column)];
      distance = std::min(distance, squared_distance(centre, a, b));
    }
  }
}

/// Every ten labels are a random order of the ten digits: no prefix is out of balance by more
/// than one.
std::uint8_t label_of(const RandomStream& stream, std::uint64_t row) {
  std::array<std::uint8_t, kDigits> order = {};
  std::iota(order.begin(), order.end(), std::uint8_t{0});
  const std::uint64_t first = row / kDigits * kDigits;
  for (std::uint64_t last = kDigits - 1; last > 0; --last) {
    std::swap(order[last], order[stream.below(last + 1, first + last)]);
  }
  return order[row - first];
}

/// The streams of a seed, and what they draw.
class GlyphArtist {
 public:
  explicit GlyphArtist(std::uint64_t seed)
      : labels_(seed, Purpose::kSynthetic, 0, 0),
        forms_(seed, Purpose::kSynthetic, 0, 1),
        noise_(seed, Purpose::kSynthetic, 0, 2) {}

  std::uint8_t label(std::uint64_t row) const { return label_of(labels_, row); }

  void draw(std::uint64_t row, std::span<std::uint8_t, kPixels> image) const {
    Draws draws(forms_, row);
    const Placement place(draws);
    const float radius = draws.between(0.6F, 1.7F);
    const float ink = draws.between(120.0F, 255.0F);
    const float noise = draws.between(10.0F, 90.0F);

    Distances nearest;
    nearest.fill(std::numeric_limits<float>::max());
    const float reach = radius + 1;
    const auto next_point = [&](Point p) {
      constexpr float kWobble = 0.06F;
      const float x = p.x + draws.between(-kWobble, kWobble);
      const float y = p.y + draws.between(-kWobble, kWobble);
      return place({x, y});
    };
    const std::vector<Point>& stroke = strokes()[label(row)];
    Point from = next_point(stroke.front());
    for (std::size_t i = 1; i < stroke.size(); ++i) {
      const Point to = next_point(stroke[i]);
      draw_segment(from, to, reach, nearest);
      from = to;
    }
    shade(row, nearest, radius, ink, noise, image);
  }

 private:
  /// Ink where the line covers a pixel, with soft edges, and noise everywhere.
  void shade(std::uint64_t row, const Distances& nearest, float radius, float ink, float noise,
             std::span<std::uint8_t, kPixels> image) const {
    for (std::size_t i = 0; i < kPixels; i += 4) {
      const std::array<std::uint32_t, 4> words = noise_.words((row * kPixels + i) / 4);
      for (std::size_t k = 0; k < 4; ++k) {
        const float covered = std::clamp(radius + 0.5F - std::sqrt(nearest[i + k]), 0.0F, 1.0F);
        const float grain = noise * (static_cast<float>(words[k] >> 8) * 0x1p-24F - 0.5F);
        image[i + k] = static_cast<std::uint8_t>(std::clamp(ink * covered + grain, 0.0F, 255.0F));
      }
    }
  }

  RandomStream labels_;
  RandomStream forms_;
  RandomStream noise_;
};

}  // namespace

Glyphs synthetic_glyphs(std::int64_t rows, std::uint64_t seed, std::int64_t first_row) {
  const FloatingPointEnvironment environment(Denormals::kKeep);
  check(rows >= 1 && first_row >= 0, ExitCode::kUsage,
        "[synthetic] expected at least one row, counted from 0, got {} from {}", rows, first_row);
  Glyphs glyphs;
  glyphs.x = {ElementType::kUint8, rows, {kSide, kSide}, {}};
  glyphs.y = {ElementType::kUint8, rows, {}, {}};
  glyphs.x.bytes.resize(static_cast<std::size_t>(rows) * kPixels);
  glyphs.y.bytes.resize(static_cast<std::size_t>(rows));
  auto* pixels = reinterpret_cast<std::uint8_t*>(glyphs.x.bytes.data());
  const GlyphArtist artist(seed);
  for (std::int64_t i = 0; i < rows; ++i) {
    const auto row = static_cast<std::uint64_t>(first_row + i);
    glyphs.y.bytes[static_cast<std::size_t>(i)] = std::byte{artist.label(row)};
    artist.draw(row, std::span<std::uint8_t, kPixels>(pixels + i * kPixels, kPixels));
  }
  return glyphs;
}

}  // namespace lockstep
