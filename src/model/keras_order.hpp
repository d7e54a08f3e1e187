#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "src/model/network.hpp"

namespace lockstep {

/// Keras's order of the layers of a functional model and of their calls
/// (Functional._map_graph_network): by the length of the longest way to an output, then as they are
/// met on the ways back from the outputs.
class KerasOrder {
 public:
  KerasOrder(std::size_t layers, const std::vector<Network::Call>& calls,
             const std::vector<Network::Output>& outputs);

  /// The layers that lead to an output.
  std::vector<std::size_t> layers() const;
  /// The calls that lead to an output, as Keras makes them in a pass: of a layer's calls, the one
  /// that was written last may be the first.
  std::vector<std::size_t> calls() const;

 private:
  static constexpr std::size_t kNever = static_cast<std::size_t>(-1);

  void visit(std::size_t output);
  void meet(std::size_t call);

  const std::vector<Network::Call>& calls_;
  std::vector<std::size_t> met_;  ///< by layer
  std::size_t layers_met_ = 0;
  std::vector<std::size_t> depth_of_layer_;
  std::vector<bool> finished_;        ///< by call
  std::vector<std::size_t> ordered_;  ///< calls, inputs first
  std::vector<std::size_t> depth_;    ///< by call
  std::vector<std::size_t> run_;      ///< calls
};

/// The layers of a network in the order in which Keras has them once it has read its JSON.
std::vector<std::size_t> keras_layer_order(const Network& model);
/// Where Keras 3 keeps each layer's weights in a file, numbered by class: "layers/dense_1".
std::vector<std::string> keras3_stores(const Network& model);

/// The calls in an order that follows from the order of layers, from each layer's order of calls,
/// and from nothing else: `order[i]` is the call that becomes the i-th.
std::vector<std::size_t> settled_order(std::size_t layers, const std::vector<Network::Call>& calls);

}  // namespace lockstep
