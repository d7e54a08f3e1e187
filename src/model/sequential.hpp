#pragma once

#include <memory>
#include <string>
#include <utility>

#include "src/model/network.hpp"

namespace lockstep {

/// A stack of layers, as Keras's Sequential: add() the layers, build() for an input shape.
class Sequential : public Network {
 public:
  explicit Sequential(std::string name = "sequential") : Network(std::move(name)) {}

  void add(std::unique_ptr<Layer> layer) { add_layer(std::move(layer)); }
};

}  // namespace lockstep
