#pragma once

#include <cstdint>
#include <numeric>
#include <string>
#include <vector>

#include "src/layers/layer.hpp"

namespace lockstep {

/// What goes over the steps of its input, in either direction: what Bidirectional may have two of.
class RecurrentLayer : public Layer {
 public:
  OnMask on_mask() const override { return OnMask::kLowers; }

  virtual bool return_sequences() const = 0;
  virtual bool return_state() const { return false; }
  std::size_t number_of_outputs() const override {
    const std::vector<std::size_t> lists = states();
    return return_state() ? std::accumulate(lists.begin(), lists.end(), std::size_t{1}) : 1;
  }
  virtual bool go_backwards() const = 0;
  virtual bool zero_output_for_mask() const { return false; }
  /// Sample i of a batch begins with the states in which sample i of the batch before has ended.
  virtual bool stateful() const { return false; }
  virtual std::int64_t units() const = 0;  ///< the last axis of the output

  /// For inputs (steps, ...) of the layer `name`, whose they become.
  virtual std::vector<Parameter> make_parameters(const std::string& name,
                                                 const Shape& input) const = 0;
  struct Use {
    bool go_backwards = false;
    bool in_input_order = false;  ///< of a sequence that comes out
    bool second = false;          ///< random numbers of its own
    bool zeros_for_mask = false;  ///< a masked step's output is 0
    bool stateful = false;
    bool again = false;  ///< the layer is in use already
    std::uint32_t key = 0;
    std::uint32_t cell = 0;  ///< of several, each of which has random numbers of its own
    std::span<const std::size_t> states = {};  ///< that it begins with; none: zeros
  };
  /// The output, then, with return_state, the states that it ends with. `parameters`: as
  /// make_parameters() has made them.
  virtual std::vector<std::size_t> add_ops(const std::string& name, Graph& graph, std::size_t input,
                                           std::span<Parameter> parameters,
                                           const Use& use) const = 0;

 private:
  void build(const Shape& input) override { parameters_ = make_parameters(name(), input); }
  std::vector<std::size_t> lower_all(Graph& graph, std::span<const std::size_t> inputs) override {
    std::vector<std::size_t> outputs = add_ops(name(), graph, inputs[0], parameters_,
                                               {.go_backwards = go_backwards(),
                                                .zeros_for_mask = zero_output_for_mask(),
                                                .stateful = stateful(),
                                                .again = uses() > 0,
                                                .key = random_key(),
                                                .states = inputs.subspan(1)});
    if (return_sequences()) graph.set_mask(outputs.front(), graph.mask(inputs[0]));
    return outputs;
  }
  std::size_t lower(Graph& graph, std::span<const std::size_t> inputs) override {
    return lower_all(graph, inputs).front();
  }
};

}  // namespace lockstep
