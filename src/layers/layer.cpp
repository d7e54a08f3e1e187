#include "src/layers/layer.hpp"

#include <algorithm>
#include <numeric>

#include "src/core/error.hpp"
#include "src/layers/strided_op.hpp"

namespace lockstep {

namespace {

/// The first axis as the last one, or the last as the first.
std::size_t with_axis_moved(Graph& graph, std::size_t value, bool to_the_end) {
  const std::size_t axes = graph.shape(value).size();
  if (axes < 2) return value;
  std::vector<std::size_t> order(axes);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::rotate(order, to_the_end ? order.begin() + 1 : order.end() - 1);
  return permuted(graph, value, order);
}

}  // namespace

std::string Layer::store_of(std::size_t parameter) const {
  const std::vector<Parameter>& all = parameters();
  const std::string& store = all[parameter].store;
  const auto before =
      std::count_if(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(parameter),
                    [&](const Parameter& other) { return other.store == store; });
  return fmt::format("{}{}vars/{}", store, store.empty() ? "" : "/", before);
}

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
  check(!graph.causal() || takes_causal_mask(), ExitCode::kBadData,
        "[{}] expected a call without use_causal_mask, got it", name_);
  std::vector<std::size_t> values(inputs.begin(), inputs.end());
  for (std::size_t& value : values)
    if (channels_first_) value = with_axis_moved(graph, value, true);
  if (uses_ == 0) {
    std::vector<Shape> shapes;
    for (const std::size_t value : values) shapes.push_back(graph.shape(value));
    build_for(shapes);
    for (Parameter& parameter : parameters_)
      if (parameter.role == ParameterRole::kTrained && !trainable_)
        parameter.role = ParameterRole::kFrozen;
  }
  std::size_t output = lower(graph, values);
  if (channels_first_) output = with_axis_moved(graph, output, false);
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
