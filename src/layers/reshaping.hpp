#pragma once

#include <string>

#include "src/layers/layer.hpp"

namespace lockstep {

/// A layer that only gives its input another shape; nothing is computed.
class Reshaping : public Layer {
 public:
  bool passes_through() const final { return true; }
  void forward(const Pass&, ConstMatrix, Matrix, std::span<float>) const final {}
  void backward(const Pass&, ConstMatrix, ConstMatrix, Matrix, Matrix,
                std::span<const float>) const final {}
};

/// Fixes the shape of the network's input.
class InputLayer final : public Reshaping {
 public:
  explicit InputLayer(Shape shape) : shape_(std::move(shape)) {}
  std::string class_name() const override { return "InputLayer"; }
  Shape build(const Shape& input) override;
  nlohmann::ordered_json config() const override;
  const Shape& shape() const { return shape_; }

 private:
  Shape shape_;
};

/// All axes of a sample in row-major order as one.
class Flatten final : public Reshaping {
 public:
  std::string class_name() const override { return "Flatten"; }
  Shape build(const Shape& input) override;
  nlohmann::ordered_json config() const override;
};

/// Another shape of the same number of elements; one extent may be -1.
class Reshape final : public Reshaping {
 public:
  explicit Reshape(Shape target) : target_(std::move(target)) {}
  std::string class_name() const override { return "Reshape"; }
  Shape build(const Shape& input) override;
  nlohmann::ordered_json config() const override;

 private:
  Shape target_;
};

}  // namespace lockstep
