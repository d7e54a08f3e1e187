#pragma once

#include <cstdint>
#include <string>

#include "src/layers/layer.hpp"

namespace lockstep {

/// Keras's names: "nearest", "bilinear".
enum class Interpolation : std::uint8_t { kNearest, kBilinear };

/// More positions, by a whole factor on each axis: repeated ones, or mixed of the two nearest ones
/// of each axis (bilinear: two axes of positions). Outputs lie at (i + 1/2) / factor - 1/2 of the
/// input; those before its first position and behind its last one are equal to these.
class UpSampling final : public Layer {
 public:
  /// A positive factor for each of 1 to 3 axes.
  explicit UpSampling(Shape size, Interpolation interpolation = Interpolation::kNearest);

  std::string class_name() const override;  ///< "UpSampling2D" with two axes
  OnMask on_mask() const override { return OnMask::kEnds; }
  nlohmann::ordered_json config() const override;

 private:
  std::size_t lower(Graph& graph, std::span<const std::size_t> inputs) override;

  Shape size_;
  Interpolation interpolation_;
};

}  // namespace lockstep
