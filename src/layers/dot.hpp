#pragma once

#include <array>
#include <string>

#include "src/layers/layer.hpp"

namespace lockstep {

/// The scalar products of two inputs along an axis of each. Of axes (a, b) the output's shape is
/// that of the first input without a, then that of the second one without b; (1) if none is left.
/// An element is one chain of fused multiply-adds along the axis, ascending.
class Dot final : public Layer {
 public:
  /// Axes count the batch axis, which they cannot be (else Error 65). `normalize`: both are first
  /// divided by their Euclidean norms along their axes, which gives the cosine; a norm counts as
  /// 1e-7 at least, as in Keras 3 (in Keras 2: 1e-6).
  Dot(std::array<std::int64_t, 2> axes, bool normalize = false);

  std::string class_name() const override { return "Dot"; }
  bool merges() const override { return true; }
  OnMask on_mask() const override { return OnMask::kEnds; }
  nlohmann::ordered_json config() const override;

 private:
  std::size_t lower(Graph& graph, std::span<const std::size_t> inputs) override;

  std::array<std::int64_t, 2> axes_;
  bool normalize_;
};

}  // namespace lockstep
