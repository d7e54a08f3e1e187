#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "src/core/keras_config.hpp"
#include "src/layers/layer.hpp"
#include "src/model/network.hpp"

namespace lockstep {

/// A model of one input and one output as a layer within another: what a TimeDistributed of a
/// Sequential or functional model applies to each step. Its layers keep their parameters and
/// compute as they would by themselves. (A model that is a layer of a network is none: see
/// NetworkPlan.)
class ModelLayer final : public Layer {
 public:
  /// Connected, and not built.
  explicit ModelLayer(Network network);

  std::string class_name() const override {
    return network_.is_chain() ? "Sequential" : "Functional";
  }
  bool passes_through() const override;
  OnMask on_mask() const override { return OnMask::kLowers; }
  nlohmann::ordered_json config() const override;
  /// In the form of that Keras.
  nlohmann::ordered_json config_for(KerasMajor form) const;
  Activation final_activation() const override;
  std::vector<Activation> activations() const override;
  ParameterList parameters() override;

  const Network& network() const { return network_; }

 private:
  std::size_t lower(Graph& graph, std::span<const std::size_t> inputs) override;
  void set_indices();
  void name_parameters();

  Network network_;
  std::optional<Shape> input_;  ///< of the first use
};

/// What a TimeDistributed applies, if this is one of a model; else null.
const ModelLayer* model_within(const Layer& layer);

/// Layer::index() is counted by: how many layers compute something, in a TimeDistributed of a model
/// those of the model.
std::int64_t indices_of(const Layer& layer);

/// make_layer(), and of a TimeDistributed of a model, too.
std::unique_ptr<Layer> make_layer_of_network(const std::string& class_name, KerasConfig& config);

}  // namespace lockstep
