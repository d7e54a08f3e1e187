#pragma once

#include <memory>
#include <string>
#include <vector>

#include "src/model/network.hpp"

namespace lockstep {

/// Writes a network with several inputs, or layers that are used several times, as Keras's
/// functional API does:
///
///   NetworkBuilder gan("gan");
///   const auto latent = gan.input({100}), image = gan.input({28, 28});
///   const auto judge = gan.add("judge", "Flatten(), Dense(1)");
///   const auto real = gan.apply(judge, image);
///
/// Errors: see Network and model_from_layers_text().
class NetworkBuilder {
 public:
  using Layers = std::vector<std::size_t>;  ///< their numbers, each applied to the one before it
  /// An output of a use of a layer: the first one, where apply() returns it.
  using Call = Network::Output;

  explicit NetworkBuilder(std::string name) : network_(std::move(name)) {}

  /// An InputLayer. `shape`: of a sample.
  Call input(const Shape& shape);
  /// Layers of one's own words: see model_from_layers_text(). Their names begin with `name`_.
  Layers add(const std::string& name, const std::string& layers_text);
  Layers add(std::unique_ptr<Layer> layer);
  /// The layers one after the other; the first may take several inputs.
  Call apply(const Layers& layers, std::vector<Call> inputs);
  Call apply(const Layers& layers, Call input) { return apply(layers, std::vector{input}); }

  /// The network, built; its layers and calls keep their numbers. Ends the builder.
  Network build(std::vector<Call> outputs);

 private:
  Network network_;
  std::vector<Shape> inputs_;
  std::vector<Network::Call> calls_;
};

/// Copies the weights of some layers of a network to all of another one's, in order. Throws Error
/// (64) if they do not fit.
void copy_layer_weights(const Network& from, const NetworkBuilder::Layers& layers, Network& to);

}  // namespace lockstep
