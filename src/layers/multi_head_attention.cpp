#include "src/layers/multi_head_attention.hpp"

#include <array>
#include <cmath>
#include <nlohmann/json.hpp>

#include "src/core/error.hpp"
#include "src/layers/attention_op.hpp"
#include "src/layers/dense_op.hpp"
#include "src/layers/mask_op.hpp"

namespace lockstep {
namespace {

std::size_t parameters_each(const MultiHeadOptions& options) {
  return options.projections.use_bias ? 2 : 1;
}

/// Query, value and key.
struct Inputs {
  std::size_t query, key, value;
};

Inputs inputs_of(std::span<const std::size_t> inputs) {
  return {inputs[0], inputs.size() > 2 ? inputs[2] : inputs[1], inputs[1]};
}

}  // namespace

std::vector<Parameter> multi_head_parameters(const MultiHeadOptions& options, std::int64_t query,
                                             std::int64_t key, std::int64_t value) {
  const std::int64_t heads = options.heads;
  struct Projection {
    const char *name, *store;
    Shape kernel, bias;
  };
  const std::array<Projection, 4> projections = {
      Projection{"query", "query_dense", {query, heads, options.key_dim}, {heads, options.key_dim}},
      Projection{"key", "key_dense", {key, heads, options.key_dim}, {heads, options.key_dim}},
      Projection{
          "value", "value_dense", {value, heads, options.value_dim}, {heads, options.value_dim}},
      Projection{"attention_output", "output_dense", {heads, options.value_dim, query}, {query}}};
  std::vector<Parameter> parameters;
  for (const auto& [name, store, kernel, bias] : projections)
    for (Parameter& parameter : options.projections.parameters(kernel, 1)) {
      if (parameter.name == "bias") parameter.shape = bias;
      parameter.scope = name;
      parameter.store = store;
      parameters.push_back(std::move(parameter));
    }
  return parameters;
}

std::size_t multi_head_attention(Graph& graph, std::size_t query, std::size_t key,
                                 std::size_t value, const MultiHeadOptions& options,
                                 std::span<Parameter> parameters, const AttentionMasks& masks,
                                 std::uint32_t random_key) {
  const std::size_t each = parameters_each(options);
  const auto projected = [&](std::size_t number, std::size_t input, std::int64_t units) {
    std::vector<Parameter*> of_op;
    for (Parameter& parameter : parameters.subspan(number * each, each))
      of_op.push_back(&parameter);
    const std::int64_t positions = graph.shape(input)[0];
    return graph.add(make_dense_op(std::move(of_op), positions, units, false), {input},
                     {positions, units});
  };
  const Shape input = graph.shape(query);
  const std::size_t q = projected(0, query, options.heads * options.key_dim);
  const std::size_t k = projected(1, key, options.heads * options.key_dim);
  const std::size_t v = projected(2, value, options.heads * options.value_dim);
  const AttentionShape shape{
      .queries = input[0],
      .keys = graph.shape(key)[0],
      .heads = options.heads,
      .key_dim = options.key_dim,
      .value_dim = options.value_dim,
      .scale = static_cast<float>(1 / std::sqrt(static_cast<double>(options.key_dim))),
      .causal = masks.causal,
      .key_mask = masks.keys.has_value(),
      .query_mask = masks.queries.has_value(),
      .dropout = options.dropout};
  std::vector<std::size_t> inputs{q, k, v};
  for (const auto& mask : {masks.keys, masks.queries})
    if (mask) inputs.push_back(*mask);
  const std::size_t heads = graph.add(make_attention_op(shape, random_key), std::move(inputs),
                                      {input[0], options.heads * options.value_dim});
  return projected(3, heads, input[1]);
}

void take_masks(Graph& graph, std::span<const std::size_t> values) {
  for (const std::size_t value : values) graph.set_mask(value, {});
}

void MultiHeadAttention::build_for(const std::vector<Shape>& inputs) {
  const std::array<std::size_t, 3> order{0, inputs.size() > 2 ? 2u : 1u, 1};
  for (const std::size_t input : order) {
    const Shape& shape = inputs[input];
    check(shape.size() == 2 && element_count(shape) > 0, ExitCode::kBadData,
          "[{}] expected inputs (None, positions, features), got {}", name(),
          to_string_batched(shape));
    features_.push_back(shape.back());
  }
  parameters_ = multi_head_parameters(options_, features_[0], features_[1], features_[2]);
}

std::size_t MultiHeadAttention::lower(Graph& graph, std::span<const std::size_t> inputs) {
  check(inputs.size() <= 3, ExitCode::kBadData,
        "[{}] expected a query, a value and at most a key, got {} inputs", name(), inputs.size());
  const auto [query, key, value] = inputs_of(inputs);
  const std::array values = {query, key, value};
  for (std::size_t i = 0; i < values.size(); ++i) {
    const Shape& shape = graph.shape(values[i]);
    check(shape.size() == 2 && shape.back() == features_[i], ExitCode::kBadData,
          "[{}] expected an input (None, positions, {}) as before, got {}", name(), features_[i],
          to_string_batched(shape));
  }
  check(graph.shape(key)[0] == graph.shape(value)[0], ExitCode::kBadData,
        "[{}] expected a value and a key of as many positions, got {} and {}", name(),
        to_string_batched(graph.shape(value)), to_string_batched(graph.shape(key)));
  AttentionMasks masks{.queries = graph.mask(query), .causal = graph.causal().value_or(false)};
  std::vector<std::size_t> of_keys;
  for (const std::size_t input : {value, key})
    if (const auto mask = graph.mask(input)) of_keys.push_back(*mask);
  if (!of_keys.empty()) masks.keys = all_of_masks(graph, of_keys, name());
  take_masks(graph, inputs);
  const std::size_t output =
      multi_head_attention(graph, query, key, value, options_, parameters_, masks, random_key());
  graph.set_mask(output, masks.queries);
  return output;
}

nlohmann::ordered_json MultiHeadAttention::config() const {
  nlohmann::ordered_json config = {{"num_heads", options_.heads},
                                   {"key_dim", options_.key_dim},
                                   {"value_dim", options_.value_dim},
                                   {"dropout", options_.dropout}};
  options_.projections.write(config);
  config["output_shape"] = nullptr;
  config["attention_axes"] = nullptr;
  return config;
}

}  // namespace lockstep
