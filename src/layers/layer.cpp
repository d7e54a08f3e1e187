#include "src/layers/layer.hpp"

#include "src/core/error.hpp"

namespace lockstep {

std::size_t Layer::apply(Graph& graph, std::span<const std::size_t> inputs) {
  check(merges() ? inputs.size() >= 2 : inputs.size() == 1, ExitCode::kBadData,
        "[{}] expected {}, got {}", name_, merges() ? "two inputs or more" : "one input",
        inputs.size());
  std::string mask;
  for (const std::size_t input : inputs)
    if (mask.empty()) mask = graph.mask(input);
  check(mask.empty() || on_mask() != OnMask::kUses, ExitCode::kBadData,
        "[{}] expected an input without a mask, got the one of {}, by which Keras computes "
        "something else here: put a layer in between that ends it ({})",
        name_, mask, kLayersThatEndMasks);
  if (uses_ == 0) {
    build(graph.shape(inputs.front()));
    for (Parameter& parameter : parameters_)
      if (parameter.role == ParameterRole::kTrained && !trainable_)
        parameter.role = ParameterRole::kFrozen;
  }
  const std::size_t output = lower(graph, inputs);
  if (!mask.empty() && on_mask() == OnMask::kCarries) graph.set_mask(output, mask);
  ++uses_;
  return output;
}

std::uint32_t Layer::random_key() const {
  constexpr int kLayerBits = 14;
  constexpr std::int64_t kMostUses = 1 << 10;
  check(uses_ < kMostUses, ExitCode::kBadData, "[{}] expected at most {} uses of a layer, got more",
        name_, kMostUses);
  return static_cast<std::uint32_t>(index_ + (uses_ << kLayerBits));
}

}  // namespace lockstep
