#include <cmath>
#include <optional>

#include "io/export/onnx_graph.hpp"

namespace lockstep {
namespace {

using Integers = OnnxGraph::Integers;

/// A projection whose kernel and bias have more axes than two.
std::string projected(OnnxGraph& graph, const LayerUse& use, const std::string& path,
                      std::int64_t inputs, const std::string& x) {
  const Tensor kernel = use.parameter(path + "/kernel");
  const std::int64_t outputs = element_count(kernel.shape) / inputs;
  std::optional<Tensor> bias;
  if (use.has(path + "/bias")) bias = use.parameter(path + "/bias").reshaped({outputs});
  return onnx_dense(graph, 2, kernel.reshaped({inputs, outputs}), std::move(bias), x);
}

/// Which keys each query may look at.
struct Reach {
  std::int64_t queries, keys;
  bool causal = false;
  std::optional<std::string> key_mask = {}, query_mask = {};  ///< bool: (N, keys), (N, queries)

  bool is_all() const { return !causal && !key_mask && !query_mask; }
};

/// bool (queries, keys), with the axes N and heads in front if there are masks.
std::string allowed(OnnxGraph& graph, const Reach& reach) {
  std::string all;
  const auto add = [&](const std::string& one) {
    all = all.empty() ? one : graph.add("And", {all, one});
  };
  if (reach.causal) {
    Tensor earlier = filled({reach.queries, reach.keys}, 0);
    for (std::int64_t i = 0; i < reach.queries; ++i)
      for (std::int64_t j = 0; j <= i && j < reach.keys; ++j)
        earlier.values[static_cast<std::size_t>(i * reach.keys + j)] = 1;
    add(graph.truth(graph.constant(std::move(earlier))));
  }
  if (reach.key_mask) add(graph.with_axes(*reach.key_mask, {1, 2}));
  if (reach.query_mask) add(graph.with_axes(*reach.query_mask, {1, 3}));
  return all;
}

/// softmax(scores) over the keys, as attention_op.hpp has it. `scores`: (N, heads, queries, keys);
/// `otherwise`: the weights of a query that may look at no key.
std::string weights(OnnxGraph& graph, const Reach& reach, float otherwise,
                    const std::string& scores) {
  const auto softmax = [&](const std::string& x) {
    return graph.add("Softmax", {x}, {{"axis", std::int64_t{-1}}});
  };
  if (reach.is_all()) return softmax(scores);
  const std::string keys = allowed(graph, reach);
  const std::string some = softmax(graph.add("Where", {keys, scores, graph.constant(-1e30f)}));
  if (!reach.key_mask && !reach.query_mask) return some;
  return graph.add("Where", {graph.any(keys, true), some, graph.constant(otherwise)});
}

// --- Of several heads ---

struct Heads {
  std::string prefix;  ///< of its parameters: "self_attention/"
  std::int64_t heads, key_heads, key_dim, value_dim;
  double dropout;
};

/// `x`: query, value, key.
std::string attended(OnnxGraph& graph, const LayerUse& use, const Heads& options,
                     const Reach& reach, const OnnxInputs& x, const std::vector<Shape>& shapes) {
  const auto by_heads = [&](const char* which, std::size_t i, std::int64_t heads,
                            std::int64_t width, const Integers& order) {
    const Shape& shape = shapes[i];
    std::string y = projected(graph, use, options.prefix + which, shape[1], x[i]);
    const std::int64_t times = options.heads / heads;
    if (times > 1)
      y = graph.add("Expand", {graph.reshaped(y, {shape[0], heads, 1, width}),
                               graph.constant(Integers{1, 1, 1, times, 1})});
    return graph.transposed(graph.reshaped(y, {shape[0], options.heads, width}), order);
  };
  const std::string q = by_heads("query", 0, options.heads, options.key_dim, {0, 2, 1, 3});
  const std::string k = by_heads("key", 2, options.key_heads, options.key_dim, {0, 2, 3, 1});
  const std::string v = by_heads("value", 1, options.key_heads, options.value_dim, {0, 2, 1, 3});
  const auto scale = static_cast<float>(1 / std::sqrt(static_cast<double>(options.key_dim)));
  const float otherwise = options.dropout > 0 ? 0 : 1 / static_cast<float>(reach.keys);
  const std::string p =
      weights(graph, reach, otherwise,
              graph.add("MatMul", {graph.add("Mul", {q, graph.constant(scale)}), k}));
  const std::int64_t width = options.heads * options.value_dim;
  std::string y = graph.reshaped(graph.transposed(graph.add("MatMul", {p, v}), {0, 2, 1, 3}),
                                 {reach.queries, width});
  if (use.is_set("use_gate")) {
    const std::string gate = projected(graph, use, options.prefix + "gate", shapes[0][1], x[0]);
    y = graph.add("Mul", {y, graph.add("Sigmoid", {gate})});
  }
  return projected(graph, use, options.prefix + "attention_output", width, y);
}

std::optional<std::string> name_of(const std::optional<ExportMask>& mask) {
  return mask ? std::optional(mask->name) : std::nullopt;
}

std::string multi_head(OnnxGraph& graph, const LayerUse& use, const OnnxInputs& inputs) {
  const std::size_t key = inputs.size() > 2 ? 2 : 1;
  Reach reach{.queries = use.inputs[0][0],
              .keys = use.inputs[key][0],
              .causal = use.causal.value_or(false),
              .key_mask = name_of(use.masks[1]),
              .query_mask = name_of(use.masks[0])};
  if (const auto other = name_of(use.masks[key]); other && reach.key_mask != other)
    reach.key_mask = reach.key_mask ? graph.add("And", {*reach.key_mask, *other}) : *other;
  const bool grouped = use.config.contains("num_query_heads");
  const std::int64_t width = use.config.at(grouped ? "head_dim" : "key_dim");
  const Heads heads{.prefix = "",
                    .heads = use.config.at(grouped ? "num_query_heads" : "num_heads"),
                    .key_heads = use.config.at(grouped ? "num_key_value_heads" : "num_heads"),
                    .key_dim = width,
                    .value_dim = grouped ? width : use.config.at("value_dim").get<std::int64_t>(),
                    .dropout = use.number_of("dropout")};
  return attended(graph, use, heads, reach, {inputs[0], inputs[1], inputs[key]},
                  {use.inputs[0], use.inputs[1], use.inputs[key]});
}

// --- Of one head ---

/// Attention and AdditiveAttention.
std::string one_head(OnnxGraph& graph, const LayerUse& use, const OnnxInputs& x) {
  const bool additive = use.layer.class_name() == "AdditiveAttention";
  const bool dot = !additive && !use.config.contains("score_mode");
  std::string q = x[0], k = x.back();
  const auto times = [&](const std::string& value, const char* parameter) {
    return graph.add("Mul", {value, graph.constant(use.parameter(parameter))});
  };
  if (use.is_set("use_scale") && !additive) {
    q = times(q, "scale");
    if (!dot) k = times(k, "scale");
  }
  std::string scores;
  if (dot) {
    scores = graph.add("MatMul", {q, graph.transposed(k, {0, 2, 1})});
  } else {
    const std::string sums = graph.add("Add", {graph.with_axes(q, {2}), graph.with_axes(k, {1})});
    std::string terms = graph.add("Tanh", {sums});
    if (additive && use.is_set("use_scale")) terms = times(terms, "scale");
    scores = graph.add("ReduceSum", {terms, graph.constant(Integers{-1})},
                       {{"keepdims", std::int64_t{0}}});
    if (!additive) scores = times(scores, "concat_score_weight");
  }
  scores = graph.with_axes(scores, {1});
  Reach reach{.queries = use.inputs[0][0],
              .keys = use.inputs[1][0],
              .causal = use.causal.value_or(false),
              .key_mask = name_of(use.masks[1])};
  if (reach.key_mask) {  // Keras subtracts here
    const std::string less = graph.add("Sub", {scores, graph.constant(1e9f)});
    scores = graph.add("Where", {allowed(graph, reach), scores, less});
    reach = {.queries = reach.queries, .keys = reach.keys};
  }
  const std::string p =
      graph.add("Squeeze", {weights(graph, reach, 0, scores), graph.constant(Integers{1})});
  const std::string y = graph.add("MatMul", {p, x[1]});
  if (!use.masks[0]) return y;
  return graph.add("Where", {graph.with_axes(use.masks[0]->name, {-1}), y, graph.constant(0.0f)});
}

// --- Blocks ---

std::string transformer(OnnxGraph& graph, const LayerUse& use, const OnnxInputs& inputs) {
  const bool encodes = use.layer.class_name() == "TransformerEncoder";
  const std::int64_t features = use.inputs[0].back(), heads = use.config.at("num_heads");
  const bool first = use.is_set("normalize_first");
  const auto normalized = [&](const std::string& part, const std::string& x) {
    return onnx_layer_norm(graph, {features}, use.parameter(part + "/gamma"),
                           use.parameter(part + "/beta"), use.number_of("layer_norm_epsilon"), x);
  };
  const std::int64_t width = features / heads, positions = use.inputs[0][0];
  const Heads options{.prefix = encodes ? "self_attention_layer/" : "self_attention/",
                      .heads = heads,
                      .key_heads = heads,
                      .key_dim = width,
                      .value_dim = width,
                      .dropout = use.number_of("dropout")};
  const Reach reach{.queries = positions,
                    .keys = positions,
                    .causal = !encodes && use.causal.value_or(true),
                    .key_mask = name_of(use.masks[0]),
                    .query_mask = encodes ? name_of(use.masks[0]) : std::nullopt};
  std::string x = inputs[0];
  std::string y = first ? normalized("self_attention_layer_norm", x) : x;
  const std::vector<Shape> shapes(3, use.inputs[0]);
  x = graph.add("Add", {attended(graph, use, options, reach, {y, y, y}, shapes), x});
  if (!first) x = normalized("self_attention_layer_norm", x);
  y = first ? normalized("feedforward_layer_norm", x) : x;
  y = projected(graph, use, "feedforward_intermediate_dense", features, y);
  y = onnx_activation(graph, use.layer.activations().front(), y);
  y = projected(graph, use, "feedforward_output_dense", use.config.at("intermediate_dim"), y);
  x = graph.add("Add", {y, x});
  return first ? x : normalized("feedforward_layer_norm", x);
}

}  // namespace

OnnxEmits onnx_attention_layers() {
  return {{"MultiHeadAttention", multi_head},    {"GroupQueryAttention", multi_head},
          {"GroupedQueryAttention", multi_head}, {"Attention", one_head},
          {"AdditiveAttention", one_head},       {"TransformerEncoder", transformer},
          {"TransformerDecoder", transformer}};
}

}  // namespace lockstep
