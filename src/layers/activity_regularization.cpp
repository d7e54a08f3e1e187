#include "src/layers/activity_regularization.hpp"

#include <nlohmann/json.hpp>

namespace lockstep {

ActivityRegularization::ActivityRegularization(double l1, double l2) : l1_(l1), l2_(l2) {
  set_activity_regularizer({.l1 = static_cast<float>(l1), .l2 = static_cast<float>(l2)});
}

std::size_t ActivityRegularization::lower(Graph& graph, std::span<const std::size_t> inputs) {
  return graph.reshape(inputs[0], graph.shape(inputs[0]));
}

nlohmann::ordered_json ActivityRegularization::config() const {
  return {{"l1", l1_}, {"l2", l2_}};
}

}  // namespace lockstep
