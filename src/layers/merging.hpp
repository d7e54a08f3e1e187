#pragma once

#include <string>

#include "src/layers/layer.hpp"

namespace lockstep {

/// Element by element, from left to right: ((x0 + x1) + x2) + ...
enum class Merge { kAdd, kSubtract, kMultiply, kAverage, kMaximum, kMinimum };

/// Adds the op a + b of two values of one shape.
std::size_t sum_of(Graph& graph, std::size_t a, std::size_t b);

/// Keras's Add, Subtract (of exactly two inputs), Multiply, Average (the sum times 1/n in float32,
/// as Keras's compiled functions compute it), Maximum and Minimum (of equals the first one has the
/// gradient). Inputs of different shapes are repeated: see broadcast_to().
class Merging final : public Layer {
 public:
  explicit Merging(Merge merge) : merge_(merge) {}

  std::string class_name() const override;
  bool merges() const override { return true; }
  OnMask on_mask() const override {
    return merge_ == Merge::kMultiply || chooses() ? OnMask::kLowers : OnMask::kCarries;
  }
  nlohmann::ordered_json config() const override;

 private:
  bool chooses() const { return merge_ == Merge::kMaximum || merge_ == Merge::kMinimum; }
  std::size_t lower(Graph& graph, std::span<const std::size_t> inputs) override;
  std::size_t lower_masked(Graph& graph, std::span<const std::size_t> inputs) const;

  Merge merge_;
};

}  // namespace lockstep
