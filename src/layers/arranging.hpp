#pragma once

#include <string>

#include "src/layers/layer.hpp"

namespace lockstep {

/// The axes of a sample in another order: axis k of the output is the input's axis dims[k], both
/// counted from 1.
class Permute final : public Layer {
 public:
  explicit Permute(Shape dims);  ///< each of 1, 2, ..., n once, else Error (65)

  std::string class_name() const override { return "Permute"; }
  OnMask on_mask() const override { return OnMask::kEnds; }
  nlohmann::ordered_json config() const override;

 private:
  std::size_t lower(Graph& graph, std::span<const std::size_t> inputs) override;

  Shape dims_;
};

/// A vector n times as the rows of a matrix: (features) -> (n, features).
class RepeatVector final : public Layer {
 public:
  explicit RepeatVector(std::int64_t n);  ///< positive, else Error (65)

  std::string class_name() const override { return "RepeatVector"; }
  OnMask on_mask() const override { return OnMask::kEnds; }
  nlohmann::ordered_json config() const override;

 private:
  std::size_t lower(Graph& graph, std::span<const std::size_t> inputs) override;

  std::int64_t n_;
};

}  // namespace lockstep
