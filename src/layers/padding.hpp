#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "src/layers/layer.hpp"

namespace lockstep {

/// Positions in front of and behind those of an axis.
struct Margin {
  std::int64_t before = 0;
  std::int64_t behind = 0;
};
using Margins = std::vector<Margin>;  ///< of each axis of positions: 1 to 3

/// Zeros around the positions of a sample: (positions of each axis ..., channels).
class ZeroPadding final : public Layer {
 public:
  explicit ZeroPadding(Margins padding) : padding_(std::move(padding)) {}

  std::string class_name() const override;  ///< "ZeroPadding2D" with two axes
  OnMask on_mask() const override { return OnMask::kEnds; }
  nlohmann::ordered_json config() const override;

 private:
  std::size_t lower(Graph& graph, std::span<const std::size_t> inputs) override;

  Margins padding_;
};

/// Without the outermost positions of a sample; some must remain on each axis.
class Cropping final : public Layer {
 public:
  explicit Cropping(Margins cropping) : cropping_(std::move(cropping)) {}

  std::string class_name() const override;
  OnMask on_mask() const override { return OnMask::kEnds; }
  nlohmann::ordered_json config() const override;

 private:
  std::size_t lower(Graph& graph, std::span<const std::size_t> inputs) override;

  Margins cropping_;
};

}  // namespace lockstep
