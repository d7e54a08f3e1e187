#include "src/layers/multi_head_attention.hpp"

#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "src/core/error.hpp"
#include "src/layers/activation_op.hpp"
#include "src/layers/attention_op.hpp"
#include "src/layers/dense_op.hpp"
#include "src/layers/mask_op.hpp"
#include "src/layers/merging.hpp"
#include "src/layers/up_sampling.hpp"

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

/// (positions, heads, features) with each head `times` times, one behind the other.
std::size_t repeated(Graph& graph, std::size_t value, std::int64_t heads, std::int64_t features,
                     std::int64_t times) {
  if (times == 1) return value;
  const std::int64_t positions = graph.shape(value)[0];
  const std::size_t rows = graph.reshape(value, {positions * heads, features});
  const std::size_t more = UpSampling({times}).apply(graph, std::array{rows});
  return graph.reshape(more, {positions, heads * times * features});
}

}  // namespace

std::vector<Parameter> multi_head_parameters(const MultiHeadOptions& options, std::int64_t query,
                                             std::int64_t key, std::int64_t value) {
  const std::int64_t heads = options.heads;
  struct Projection {
    const char *name, *store;
    Shape kernel, bias;
  };
  const auto of_heads = [](std::int64_t features, std::int64_t count, std::int64_t each) {
    return std::pair{Shape{features, count, each}, Shape{count, each}};
  };
  std::vector<Projection> projections;
  const auto add = [&](const char* name, const char* store, std::pair<Shape, Shape> shapes) {
    projections.push_back({name, store, std::move(shapes.first), std::move(shapes.second)});
  };
  const std::int64_t shared = options.heads_of_keys();
  add("query", "query_dense", of_heads(query, heads, options.key_dim));
  add("key", "key_dense", of_heads(key, shared, options.key_dim));
  if (options.gate) add("gate", "gate_dense", of_heads(query, heads, options.value_dim));
  add("value", "value_dense", of_heads(value, shared, options.value_dim));
  add("attention_output", "output_dense", {Shape{heads, options.value_dim, query}, Shape{query}});
  std::vector<Parameter> parameters;
  for (const auto& [name, store, kernel, bias] : projections)
    for (Parameter& parameter : options.projections.parameters(kernel, 1)) {
      if (parameter.name == "bias") parameter.shape = bias;
      parameter.scope = name;
      parameter.store = (options.grouped() ? "_" : "") + std::string(store);
      parameters.push_back(std::move(parameter));
    }
  return parameters;
}

std::size_t multi_head_attention(Graph& graph, std::size_t query, std::size_t key,
                                 std::size_t value, const MultiHeadOptions& options,
                                 std::span<Parameter> parameters, const AttentionMasks& masks,
                                 std::uint32_t random_key) {
  graph.set_causal({});  // of this call, not of the layers that it applies
  const std::size_t each = parameters_each(options);
  std::size_t number = 0;
  const auto projected = [&](std::size_t input, std::int64_t units) {
    std::vector<Parameter*> of_op;
    for (Parameter& parameter : parameters.subspan(number++ * each, each))
      of_op.push_back(&parameter);
    const std::int64_t positions = graph.shape(input)[0];
    return graph.add(make_dense_op(std::move(of_op), positions, units, false), {input},
                     {positions, units});
  };
  const auto for_all_heads = [&](std::size_t of_shared, std::int64_t features) {
    return repeated(graph, of_shared, options.heads_of_keys(), features,
                    options.heads / options.heads_of_keys());
  };
  const Shape input = graph.shape(query);
  const std::size_t q = projected(query, options.heads * options.key_dim);
  std::size_t k = projected(key, options.heads_of_keys() * options.key_dim);
  std::optional<std::size_t> gate;
  if (options.gate)
    gate =
        activated(graph, projected(query, options.heads * options.value_dim), Activation::kSigmoid);
  std::size_t v = projected(value, options.heads_of_keys() * options.value_dim);
  k = for_all_heads(k, options.key_dim);
  v = for_all_heads(v, options.value_dim);
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
  std::size_t heads = graph.add(make_attention_op(shape, random_key), std::move(inputs),
                                {input[0], options.heads * options.value_dim});
  if (gate) heads = Merging(Merge::kMultiply).apply(graph, std::array{heads, *gate});
  return projected(heads, input[1]);
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
  if (!options_.grouped()) take_masks(graph, inputs);
  const std::size_t output =
      multi_head_attention(graph, query, key, value, options_, parameters_, masks, random_key());
  graph.set_mask(output, masks.queries);
  return output;
}

nlohmann::ordered_json MultiHeadAttention::config() const {
  if (options_.grouped()) {
    nlohmann::ordered_json config = {{"head_dim", options_.key_dim},
                                     {"num_query_heads", options_.heads},
                                     {"num_key_value_heads", options_.key_value_heads},
                                     {"use_gate", options_.gate},
                                     {"dropout", options_.dropout}};
    options_.projections.write(config);
    return config;
  }
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
