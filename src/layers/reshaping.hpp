#pragma once

#include <string>

#include "src/layers/layer.hpp"

namespace lockstep {

/// A layer that only gives its input another shape; nothing is computed.
class Reshaping : public Layer {
 public:
  bool passes_through() const final { return true; }
  OnMask on_mask() const override { return OnMask::kEnds; }
  /// The output's shape. Throws Error (65).
  virtual Shape reshaped(const Shape& input) const = 0;

 private:
  std::size_t lower(Graph& graph, std::span<const std::size_t> inputs) final {
    return graph.reshape(inputs[0], reshaped(graph.shape(inputs[0])));
  }
};

/// Fixes the shape of the network's input. Extents that are not known, -1, become those of the
/// first input.
class InputLayer final : public Reshaping {
 public:
  explicit InputLayer(Shape shape) : shape_(std::move(shape)) {}
  std::string class_name() const override { return "InputLayer"; }
  Shape reshaped(const Shape& input) const override;
  nlohmann::ordered_json config() const override;
  const Shape& shape() const { return shape_; }

 private:
  void build(const Shape& input) override { shape_ = reshaped(input); }

  Shape shape_;
};

/// All axes of a sample in row-major order as one.
class Flatten final : public Reshaping {
 public:
  std::string class_name() const override { return "Flatten"; }
  Shape reshaped(const Shape& input) const override;
  nlohmann::ordered_json config() const override;
};

/// Another shape of the same number of elements; one extent may be -1.
class Reshape final : public Reshaping {
 public:
  explicit Reshape(Shape target) : target_(std::move(target)) {}
  std::string class_name() const override { return "Reshape"; }
  Shape reshaped(const Shape& input) const override;
  nlohmann::ordered_json config() const override;

 private:
  Shape target_;
};

}  // namespace lockstep
