#pragma once

#include <memory>
#include <string>

#include "src/layers/layer.hpp"

namespace lockstep {

/// y = x where x > 0, alpha x elsewhere; alpha is learned. Its shape is a sample's, with 1 for each
/// of the shared axes, which count from 1.
class PRelu final : public Layer {
 public:
  struct Options {
    std::shared_ptr<const Initializer> alpha_initializer = make_initializer(std::string("zeros"));
    Regularizer alpha_regularizer = {};
    Constraint alpha_constraint = {};
    Shape shared_axes = {};
  };

  explicit PRelu(Options options) : options_(std::move(options)) {}

  std::string class_name() const override { return "PReLU"; }
  nlohmann::ordered_json config() const override;

 private:
  void build(const Shape& input) override;
  std::size_t lower(Graph& graph, std::span<const std::size_t> inputs) override;

  Options options_;
  Shape input_;
};

}  // namespace lockstep
