#pragma once

#include <memory>
#include <string>

#include "src/layers/recurrent_layer.hpp"

namespace lockstep {

/// Keras's: how the outputs of the two directions become one.
enum class BidirectionalMerge : std::uint8_t { kConcat, kSum, kMultiply, kAverage };

/// A recurrent layer over the steps in their order, and one over them from the last to the first,
/// whose sequence is turned back; then both as `merge` says.  y: as of the layers, for kConcat with
/// the units of both, forward's first. Weights: forward's, then backward's. In a sequence the
/// output of a masked step is 0. States: forward's, then backward's.
class Bidirectional final : public Layer {
 public:
  /// `backward`: null for the same as forward with weights of its own, else one that goes
  /// backwards.
  Bidirectional(std::unique_ptr<RecurrentLayer> forward, std::unique_ptr<RecurrentLayer> backward,
                BidirectionalMerge merge);

  std::string class_name() const override { return "Bidirectional"; }
  OnMask on_mask() const override { return OnMask::kLowers; }
  nlohmann::ordered_json config() const override;
  std::vector<Activation> activations() const override;
  std::vector<std::size_t> states() const override;
  std::size_t number_of_outputs() const override {
    return forward_->number_of_outputs() + backward().number_of_outputs() - 1;
  }

 private:
  void build(const Shape& input) override;
  std::vector<std::size_t> lower_all(Graph& graph, std::span<const std::size_t> inputs) override;
  std::size_t lower(Graph& graph, std::span<const std::size_t> inputs) override {
    return lower_all(graph, inputs).front();
  }
  const RecurrentLayer& backward() const { return backward_ ? *backward_ : *forward_; }

  std::unique_ptr<RecurrentLayer> forward_, backward_;
  BidirectionalMerge merge_;
  std::size_t of_forward_ = 0;  ///< parameters
};

/// Keras's name, "concat".
std::string merge_name(BidirectionalMerge merge);

}  // namespace lockstep
