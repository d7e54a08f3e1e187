#include "src/layers/attention.hpp"

#include <nlohmann/json.hpp>

#include "src/core/error.hpp"
#include "src/layers/additive_scores_op.hpp"
#include "src/layers/attention_op.hpp"
#include "src/layers/mask_op.hpp"
#include "src/layers/scalar_op.hpp"

namespace lockstep {

void Attention::build_for(const std::vector<Shape>& inputs) {
  features_ = inputs.front().empty() ? 0 : inputs.front().back();
  const auto add = [this](const char* its_name, Shape shape, const char* initializer) {
    parameters_.push_back({.name = its_name,
                           .shape = std::move(shape),
                           .initializer = make_initializer(std::string(initializer)),
                           .regularizer = {}});
  };
  const bool additive = options_.scores == Scores::kAdditive;
  if (options_.use_scale && additive) add("scale", {features_}, "glorot_uniform");
  if (options_.use_scale && !additive) add("scale", {}, "ones");
  if (options_.scores == Scores::kConcat) add("concat_score_weight", {}, "ones");
}

/// (keys, queries), of those that are not products.
std::size_t Attention::scores(Graph& graph, std::size_t query, std::size_t key) {
  const std::int64_t queries = graph.shape(query)[0], keys = graph.shape(key)[0];
  const bool weighted = options_.scores == Scores::kAdditive && options_.use_scale;
  return graph.add(
      make_additive_scores_op(queries, keys, features_, weighted ? &parameters_.front() : nullptr),
      {query, key}, {keys, queries});
}

std::size_t Attention::lower(Graph& graph, std::span<const std::size_t> inputs) {
  check(inputs.size() <= 3, ExitCode::kBadData,
        "[{}] expected a query, a value and at most a key, got {} inputs", name(), inputs.size());
  std::size_t query = inputs[0], value = inputs[1], key = inputs.back();
  for (const std::size_t input : inputs)
    check(graph.shape(input).size() == 2 && element_count(graph.shape(input)) > 0,
          ExitCode::kBadData, "[{}] expected inputs (None, positions, features), got {}", name(),
          to_string_batched(graph.shape(input)));
  const Shape q = graph.shape(query), k = graph.shape(key), v = graph.shape(value);
  check(q[1] == features_ && k[1] == features_ && k[0] == v[0], ExitCode::kBadData,
        "[{}] expected a query and a key of {} features, and a value and a key of as many "
        "positions, got {}, {} and the value {}",
        name(), features_, to_string_batched(q), to_string_batched(k), to_string_batched(v));
  const bool dot = options_.scores == Scores::kDot;
  const auto query_mask = graph.mask(query), value_mask = graph.mask(value);
  if (value_mask) check_mask_of(graph, *value_mask, value);
  if (options_.use_scale && options_.scores != Scores::kAdditive) {
    query = times_scalar(graph, query, parameters_.front());
    if (!dot) key = times_scalar(graph, key, parameters_.front());
  }
  AttentionShape shape{.queries = q[0],
                       .keys = k[0],
                       .heads = 1,
                       .key_dim = features_,
                       .value_dim = v[1],
                       .causal = graph.causal().value_or(false),
                       .key_mask = value_mask.has_value(),
                       .subtracts = value_mask.has_value(),
                       .dropout = options_.dropout};
  std::vector<std::size_t> operands = {query, key, value};
  if (!dot) {
    std::size_t scores = this->scores(graph, query, key);
    if (options_.scores == Scores::kConcat)
      scores = times_scalar(graph, scores, parameters_.back());
    shape.given_scores = true;
    operands = {scores, value};
  }
  if (value_mask) operands.push_back(*value_mask);
  std::size_t output =
      graph.add(make_attention_op(shape, random_key()), std::move(operands), {q[0], v[1]});
  if (!query_mask) return output;
  output = filled(graph, *query_mask, output, 0.0f);
  graph.set_mask(output, query_mask);
  return output;
}

/// Keras 3, reading an .h5 file, takes the word "dot" for its function of that name; it is the
/// default.
nlohmann::ordered_json Attention::config() const {
  nlohmann::ordered_json config = {{"dropout", options_.dropout},
                                   {"use_scale", options_.use_scale}};
  if (options_.scores == Scores::kConcat) config["score_mode"] = "concat";
  return config;
}

}  // namespace lockstep
