#include <cmath>
#include <limits>
#include <optional>

#include "io/export/onnx_graph.hpp"

namespace lockstep {
namespace {

using nlohmann::ordered_json;
using Integers = OnnxGraph::Integers;

// --- Recurrent ---

/// One of the functions that ONNX's cells know, with its constants.
struct CellFunction {
  std::string name;
  std::optional<float> alpha = {}, beta = {};  ///< of those alone that read one
};

CellFunction cell_function(const LayerUse& use, Activation activation) {
  switch (activation) {
    case Activation::kTanh:
      return {.name = "Tanh"};
    case Activation::kSigmoid:
      return {.name = "Sigmoid"};
    case Activation::kRelu:
      return {.name = "Relu"};
    case Activation::kLinear:
      return {"Affine", 1.0f, 0.0f};
    case Activation::kSoftsign:
      return {.name = "Softsign"};
    case Activation::kSoftplus:
      return {.name = "Softplus"};
    case Activation::kElu:
      return {.name = "Elu", .alpha = 1.0f};
    case Activation::kLeakyRelu:
      return {.name = "LeakyRelu", .alpha = 0.2f};
    case Activation::kHardSigmoid:
      return {"HardSigmoid", 1.0f / 6, 0.5f};
    case Activation::kHardSigmoidKeras2:
      return {"HardSigmoid", 0.2f, 0.5f};
    default:
      break;
  }
  fail(ExitCode::kBadData,
       "[{}] expected an activation that ONNX's recurrent cells have (tanh, sigmoid, relu, linear, "
       "softsign, softplus, elu, leaky_relu, hard_sigmoid), got {}",
       use.layer.name(), activation_name(activation));
}

struct Cell {
  const char* op;
  std::vector<std::size_t> order;  ///< ONNX's gates by the numbers of Keras's
};

Cell cell_of(const std::string& kind) {
  if (kind == "LSTM") return {"LSTM", {0, 3, 1, 2}};
  if (kind == "GRU") return {"GRU", {0, 1, 2}};
  return {"RNN", {0}};
}

/// All that ONNX's cells are told: the functions of the gates, of the candidate, of an LSTM's
/// output.
void add_functions(const LayerUse& use, const std::string& kind,
                   const std::vector<Activation>& activations, OnnxGraph::Attributes& attributes) {
  const CellFunction main = cell_function(use, activations[0]);
  std::vector<CellFunction> functions = {main};
  if (kind != "SimpleRNN") functions = {cell_function(use, activations[1]), main};
  if (kind == "LSTM") functions.push_back(main);
  std::vector<std::string> names;
  std::vector<float> alphas, betas;
  for (const CellFunction& function : functions) {
    names.push_back(function.name);
    if (function.alpha) alphas.push_back(*function.alpha);
    if (function.beta) betas.push_back(*function.beta);
  }
  attributes.push_back({"activations", names});
  if (!alphas.empty()) attributes.push_back({"activation_alpha", alphas});
  if (!betas.empty()) attributes.push_back({"activation_beta", betas});
}

/// One direction. `sequences`: of all steps, in the input's order; else of the last one.
std::string run(OnnxGraph& graph, const LayerUse& use, const std::string& kind,
                const ordered_json& config, const std::string& group,
                const std::vector<Activation>& activations, bool backward, bool sequences,
                const std::string& x) {
  const Cell cell = cell_of(kind);
  const auto weight = [&](const char* which) {
    Tensor tensor = use.parameter(group + which).transposed().with_blocks(cell.order);
    tensor.shape.insert(tensor.shape.begin(), 1);
    return tensor;
  };
  const Tensor kernel = weight("kernel");
  OnnxInputs inputs = {graph.transposed(x, {1, 0, 2}), graph.constant(kernel),
                       graph.constant(weight("recurrent_kernel"))};
  if (use.has(group + "bias")) {
    const Tensor all = use.parameter(group + "bias");
    const bool two = all.shape.size() == 2;
    Tensor bias = (two ? all.at(0) : all).with_blocks(cell.order);
    const Tensor second = two ? all.at(1).with_blocks(cell.order) : filled(bias.shape, 0);
    bias.values.insert(bias.values.end(), second.values.begin(), second.values.end());
    inputs.push_back(graph.constant(bias.reshaped({1, 2 * kernel.shape[1]})));
  }
  OnnxGraph::Attributes attributes = {{"hidden_size", config.at("units").get<std::int64_t>()},
                                      {"direction", std::string(backward ? "reverse" : "forward")}};
  if (kind == "GRU")
    attributes.push_back({"linear_before_reset", std::int64_t{config.value("reset_after", false)}});
  add_functions(use, kind, activations, attributes);
  const std::string y =
      graph.add(cell.op, std::move(inputs), std::move(attributes), sequences ? 0 : 1);
  const std::string one = graph.add("Squeeze", {y, graph.constant(Integers{sequences ? 1 : 0})});
  return sequences ? graph.transposed(one, {1, 0, 2}) : one;
}

std::string reversed(OnnxGraph& graph, const std::string& x) {
  constexpr std::int64_t kBeforeAll = std::numeric_limits<std::int64_t>::min();
  return graph.add("Slice", {x, graph.constant(Integers{-1}), graph.constant(Integers{kBeforeAll}),
                             graph.constant(Integers{1}), graph.constant(Integers{-1})});
}

std::string recurrent(OnnxGraph& graph, const LayerUse& use, const OnnxInputs& x) {
  const bool backward = use.is_set("go_backwards"), sequences = use.is_set("return_sequences");
  const std::string y = run(graph, use, use.layer.class_name(), use.config, "",
                            use.layer.activations(), backward, sequences, x[0]);
  return backward && sequences ? reversed(graph, y) : y;  // in the order of processing
}

std::string bidirectional(OnnxGraph& graph, const LayerUse& use, const OnnxInputs& x) {
  const ordered_json& forward = use.config.at("layer");
  const ordered_json& backward =
      use.config.contains("backward_layer") ? use.config.at("backward_layer") : forward;
  const std::vector<Activation> all = use.layer.activations();
  const auto half =
      all.begin() + static_cast<std::ptrdiff_t>(forward.at("class_name") == "SimpleRNN" ? 1 : 2);
  const bool sequences = forward.at("config").value("return_sequences", false);
  const std::string there = run(graph, use, forward.at("class_name"), forward.at("config"),
                                "forward_layer:", {all.begin(), half}, false, sequences, x[0]);
  const std::string back = run(graph, use, backward.at("class_name"), backward.at("config"),
                               "backward_layer:", {half, all.end()}, true, sequences, x[0]);
  const std::string merge = use.text_of("merge_mode");
  if (merge == "concat") return graph.add("Concat", {there, back}, {{"axis", std::int64_t{-1}}});
  if (merge == "mul") return graph.add("Mul", {there, back});
  const std::string sum = graph.add("Add", {there, back});
  return merge == "sum" ? sum : graph.add("Mul", {sum, graph.constant(0.5f)});
}

// --- Embeddings ---

std::string looked_up(OnnxGraph& graph, Tensor table, const std::string& x) {
  constexpr std::int64_t kInt64 = 7;  // TensorProto::INT64
  const std::string ids = graph.add("Cast", {x}, {{"to", kInt64}});
  return graph.add("Gather", {graph.constant(std::move(table)), ids});
}

std::string embedding(OnnxGraph& graph, const LayerUse& use, const OnnxInputs& x) {
  return looked_up(graph, use.parameter("embeddings"), x[0]);
}

/// The first positions of a table.
Tensor first_rows(const Tensor& table, std::int64_t rows) {
  Tensor first{table.shape, {}};
  first.shape[0] = rows;
  first.values.assign(table.values.begin(), table.values.begin() + element_count(first.shape));
  return first;
}

std::string position_embedding(OnnxGraph& graph, const LayerUse& use, const OnnxInputs& x) {
  return graph.for_each_row(first_rows(use.parameter("embeddings"), use.inputs[0][0]), x[0]);
}

std::string sine_encoding(OnnxGraph& graph, const LayerUse& use, const OnnxInputs& x) {
  return graph.for_each_row(sine_positions(use), x[0]);
}

std::string token_and_position(OnnxGraph& graph, const LayerUse& use, const OnnxInputs& x) {
  const Tensor positions =
      first_rows(use.parameter("position_embedding/embeddings"), use.inputs[0][0]);
  return graph.add("Add", {looked_up(graph, use.parameter("token_embedding/embeddings"), x[0]),
                           graph.constant(positions)});
}

// --- Attention ---

/// A projection whose kernel and bias have more axes than two.
std::string projected(OnnxGraph& graph, const LayerUse& use, const std::string& path,
                      std::int64_t inputs, const std::string& x) {
  const Tensor kernel = use.parameter(path + "/kernel");
  const std::int64_t outputs = element_count(kernel.shape) / inputs;
  std::optional<Tensor> bias;
  if (use.has(path + "/bias")) bias = use.parameter(path + "/bias").reshaped({outputs});
  return onnx_dense(graph, 2, kernel.reshaped({inputs, outputs}), std::move(bias), x);
}

struct Attention {
  std::string prefix;  ///< of its parameters: "self_attention/"
  std::int64_t heads, key_dim, value_dim;
  bool causal;
};

/// 0 where a position may look, and far below where it may not.
Tensor causal_mask(std::int64_t queries, std::int64_t keys) {
  Tensor mask = filled({queries, keys}, 0);
  for (std::int64_t i = 0; i < queries; ++i)
    for (std::int64_t j = i + 1; j < keys; ++j)
      mask.values[static_cast<std::size_t>(i * keys + j)] = -1e30f;
  return mask;
}

std::string attended(OnnxGraph& graph, const LayerUse& use, const Attention& options,
                     const OnnxInputs& x) {
  const std::size_t key = x.size() > 2 ? 2 : 1;
  const auto shape_of = [&](std::size_t i) {
    return use.inputs[std::min(i, use.inputs.size() - 1)];
  };
  const auto by_heads = [&](const char* which, std::size_t i, std::int64_t width,
                            const Integers& order) {
    const Shape shape = shape_of(i);
    const std::string y = projected(graph, use, options.prefix + which, shape[1], x[i]);
    return graph.transposed(graph.reshaped(y, {shape[0], options.heads, width}), order);
  };
  const std::string q = by_heads("query", 0, options.key_dim, {0, 2, 1, 3});
  const std::string k = by_heads("key", key, options.key_dim, {0, 2, 3, 1});
  const std::string v = by_heads("value", 1, options.value_dim, {0, 2, 1, 3});
  const auto scale = static_cast<float>(1 / std::sqrt(static_cast<double>(options.key_dim)));
  std::string scores = graph.add("MatMul", {graph.add("Mul", {q, graph.constant(scale)}), k});
  if (options.causal)
    scores =
        graph.add("Add", {scores, graph.constant(causal_mask(shape_of(0)[0], shape_of(key)[0]))});
  const std::string weights = graph.add("Softmax", {scores}, {{"axis", std::int64_t{-1}}});
  const std::string y = graph.transposed(graph.add("MatMul", {weights, v}), {0, 2, 1, 3});
  const std::int64_t width = options.heads * options.value_dim;
  return projected(graph, use, options.prefix + "attention_output", width,
                   graph.reshaped(y, {shape_of(0)[0], width}));
}

std::string attention(OnnxGraph& graph, const LayerUse& use, const OnnxInputs& x) {
  return attended(graph, use,
                  {"", use.config.at("num_heads"), use.config.at("key_dim"),
                   use.config.at("value_dim"), use.causal.value_or(false)},
                  x);
}

std::string transformer(OnnxGraph& graph, const LayerUse& use, const OnnxInputs& inputs) {
  const bool encodes = use.layer.class_name() == "TransformerEncoder";
  const std::int64_t features = use.inputs[0].back(), heads = use.config.at("num_heads");
  const bool first = use.is_set("normalize_first");
  const auto normalized = [&](const std::string& part, const std::string& x) {
    return onnx_layer_norm(graph, {features}, use.parameter(part + "/gamma"),
                           use.parameter(part + "/beta"), use.number_of("layer_norm_epsilon"), x);
  };
  const std::int64_t width = features / heads;
  const Attention options{encodes ? "self_attention_layer/" : "self_attention/", heads, width,
                          width, !encodes && use.causal.value_or(true)};
  std::string x = inputs[0];
  std::string y = first ? normalized("self_attention_layer_norm", x) : x;
  x = graph.add("Add", {attended(graph, use, options, {y, y}), x});
  if (!first) x = normalized("self_attention_layer_norm", x);
  y = first ? normalized("feedforward_layer_norm", x) : x;
  y = projected(graph, use, "feedforward_intermediate_dense", features, y);
  y = onnx_activation(graph, use.layer.activations().front(), y);
  y = projected(graph, use, "feedforward_output_dense", use.config.at("intermediate_dim"), y);
  x = graph.add("Add", {y, x});
  return first ? x : normalized("feedforward_layer_norm", x);
}

}  // namespace

OnnxEmits onnx_sequence_layers() {
  return {{"SimpleRNN", recurrent},
          {"LSTM", recurrent},
          {"GRU", recurrent},
          {"Bidirectional", bidirectional},
          {"Embedding", embedding},
          {"PositionEmbedding", position_embedding},
          {"SinePositionEncoding", sine_encoding},
          {"TokenAndPositionEmbedding", token_and_position},
          {"MultiHeadAttention", attention},
          {"TransformerEncoder", transformer},
          {"TransformerDecoder", transformer}};
}

}  // namespace lockstep
