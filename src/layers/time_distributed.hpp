#pragma once

#include <memory>
#include <string>
#include <vector>

#include "src/layers/layer.hpp"

namespace lockstep {

/// Keras's TimeDistributed: a layer applied to every step of a sequence.  x: (batch, steps, ...),
/// y: (batch, steps, the layer's output). The layer sees (batch x steps) rows, the steps of a row
/// one after the other: so gradients go, per grain, over (sample, step) ascending, random numbers
/// are drawn for each pair, and BatchNormalization looks at all of them, as in Keras 2 (Keras 3, in
/// training, takes each step by itself). The layer is given the mask of each step, unless it is one
/// of KerasHub's. y has the mask of x, as in Keras 3; where that has an axis that y has not (of the
/// words of sentences, behind a recurrent layer of each), with which Keras 3 fails, any of it, as
/// in Keras 2.
class TimeDistributed final : public Layer {
 public:
  explicit TimeDistributed(std::unique_ptr<Layer> layer);

  std::string class_name() const override { return "TimeDistributed"; }
  bool passes_through() const override { return layer_->passes_through(); }
  OnMask on_mask() const override { return OnMask::kLowers; }
  nlohmann::ordered_json config() const override;
  Activation final_activation() const override { return layer_->final_activation(); }
  std::vector<Activation> activations() const override { return layer_->activations(); }
  ParameterList parameters() override { return layer_->parameters(); }

  const Layer& layer() const { return *layer_; }

 private:
  std::size_t lower(Graph& graph, std::span<const std::size_t> inputs) override;

  std::unique_ptr<Layer> layer_;
};

}  // namespace lockstep
