#include "src/layers/layer.hpp"

#include <algorithm>
#include <numeric>
#include <unordered_map>

#include "src/core/error.hpp"
#include "src/layers/activation_op.hpp"
#include "src/layers/activity_penalty_op.hpp"
#include "src/layers/mask_op.hpp"
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

/// A loss may take over an activation that is the network's last op. So the penalty of its output
/// is taken of another one's, before it.
void add_penalty(Graph& graph, std::size_t value, const Regularizer& regularizer) {
  const Graph::Step* const last = graph.steps().empty() ? nullptr : &graph.steps().back();
  const auto* const activation = last ? dynamic_cast<const ActivationOp*>(last->op.get()) : nullptr;
  if (activation == nullptr || last->output != graph.storage(value)) {
    graph.add(make_activity_penalty_op(regularizer), {value}, {1});
    return;
  }
  const std::size_t twin = graph.add_behind(
      last->inputs[0], std::make_unique<ActivationOp>(*activation), graph.shape(last->output));
  graph.add_behind(twin, make_activity_penalty_op(regularizer), {1});
}

}  // namespace

std::vector<std::string> Layer::stores() const {
  std::vector<std::string> stores;
  std::unordered_map<std::string, int> numbers;
  for (const Parameter& parameter : parameters())
    stores.push_back(fmt::format("{}{}vars/{}", parameter.store, parameter.store.empty() ? "" : "/",
                                 numbers[parameter.store]++));
  return stores;
}

std::size_t Layer::apply(Graph& graph, std::span<const std::size_t> inputs) {
  const std::vector<std::size_t> outputs = apply_all(graph, inputs);
  check(outputs.size() == 1, ExitCode::kBadData, "[{}] expected a layer of one output, got {}",
        name_, outputs.size());
  return outputs.front();
}

void Layer::check_number_of(std::size_t inputs) const {
  if (merges()) {
    check(inputs >= 2, ExitCode::kBadData, "[{}] expected two inputs or more, got {}", name_,
          inputs);
    return;
  }
  const std::vector<std::size_t> lists = states();
  const std::size_t with_states = std::accumulate(lists.begin(), lists.end(), std::size_t{1});
  check(inputs == 1 || inputs == with_states, ExitCode::kBadData, "[{}] expected {}, got {}", name_,
        lists.empty() ? "one input"
                      : fmt::format("one input, or {} with the initial states", with_states),
        inputs);
}

std::vector<std::size_t> Layer::apply_all(Graph& graph, std::span<const std::size_t> inputs) {
  check_number_of(inputs.size());
  const auto masks = masks_of(graph, inputs);
  const bool masked = std::ranges::any_of(masks, [](const auto& mask) { return mask.has_value(); });
  check(!masked || on_mask() != OnMask::kRefuses, ExitCode::kBadData,
        "[{}] expected an input without a mask, got one with a mask, which Keras refuses, too",
        name_);
  check(!masked || on_mask() != OnMask::kLowers || !channels_first_, ExitCode::kBadData,
        "[{}] expected data_format channels_last behind a mask, got channels_first", name_);
  check(!graph.causal() || takes_causal_mask(), ExitCode::kBadData,
        "[{}] expected a call without use_causal_mask, got it", name_);
  std::vector<std::size_t> values(inputs.begin(), inputs.end());
  for (std::size_t& value : values)
    if (channels_first_) value = with_axis_moved(graph, value, true);
  if (uses_ == 0) {
    std::vector<Shape> shapes;
    for (const std::size_t value : values) shapes.push_back(graph.shape(value));
    build_for(shapes);
    check_constraints();
    for (Parameter& parameter : parameters_)
      if (parameter.role == ParameterRole::kTrained && !trainable_)
        parameter.role = ParameterRole::kFrozen;
  }
  std::vector<std::size_t> outputs = lower_all(graph, values);
  std::size_t& output = outputs.front();
  if (channels_first_) output = with_axis_moved(graph, output, false);
  if (masked && on_mask() != OnMask::kLowers) {
    if (std::ranges::find(inputs, output) != inputs.end())
      output = graph.reshape(output, graph.shape(output));
    graph.set_mask(output, on_mask() == OnMask::kCarries ? carried(graph, masks) : std::nullopt);
  }
  if (activity_regularizer_.active())
    for (const std::size_t each : outputs) add_penalty(graph, each, activity_regularizer_);
  ++uses_;
  return outputs;
}

void Layer::check_constraints() const {
  for (const Parameter& parameter : parameters())
    parameter.constraint.check_axes(name_, parameter.name, parameter.shape);
}

/// Keras 3's rule; Keras 2 takes where all of those masks are that there are.
std::optional<std::size_t> Layer::carried(
    Graph& graph, const std::vector<std::optional<std::size_t>>& masks) const {
  std::vector<std::size_t> all;
  for (const auto& mask : masks) {
    if (!mask) return {};
    all.push_back(*mask);
  }
  return any_of_masks(graph, all, name_);
}

std::uint32_t Layer::random_key() const {
  constexpr int kLayerBits = 14;
  constexpr std::int64_t kMostUses = 1 << 10;
  check(uses_ < kMostUses, ExitCode::kBadData, "[{}] expected at most {} uses of a layer, got more",
        name_, kMostUses);
  return static_cast<std::uint32_t>(index_ + (uses_ << kLayerBits));
}

}  // namespace lockstep
