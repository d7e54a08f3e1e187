#include <fmt/ranges.h>

#include <algorithm>

#include "io/export/torch_code.hpp"

namespace lockstep {
namespace {

using nlohmann::ordered_json;

struct Gates {
  const char* module;
  std::vector<std::size_t> order;  ///< PyTorch's gates by the numbers of Keras's
};

/// PyTorch's cells have no other activations, and a GRU's candidate is that of reset_after.
Gates gates_of(const LayerUse& use, const std::string& kind, const ordered_json& config) {
  const std::string activation = config.at("activation");
  const bool relu = kind == "SimpleRNN" && activation == "relu";
  check(activation == "tanh" || relu, ExitCode::kBadData,
        "[{}] expected the activation tanh{} of a {} for PyTorch, got {}", use.layer.name(),
        kind == "SimpleRNN" ? " or relu" : "", kind, activation);
  if (kind == "SimpleRNN") return {"nn.RNN", {0}};
  const std::string recurrent = config.at("recurrent_activation");
  check(recurrent == "sigmoid", ExitCode::kBadData,
        "[{}] expected the recurrent_activation sigmoid of a {} for PyTorch, got {}",
        use.layer.name(), kind, recurrent);
  if (kind == "LSTM") return {"nn.LSTM", {0, 1, 2, 3}};
  check(config.value("reset_after", false), ExitCode::kBadData,
        "[{}] expected a GRU of reset_after=True for PyTorch, got one of False", use.layer.name());
  return {"nn.GRU", {1, 0, 2}};
}

/// One direction: nn.LSTM's output of all steps, in the order of processing.
std::string run(TorchCode& code, const LayerUse& use, const std::string& kind,
                const ordered_json& config, const std::string& name, const std::string& group,
                bool backward, const std::string& x) {
  const Gates gates = gates_of(use, kind, config);
  const bool bias = config.value("use_bias", true);
  const auto weight = [&](const char* which) {
    return use.parameter(group + which).transposed().with_blocks(gates.order);
  };
  const Tensor kernel = weight("kernel");
  std::vector<NamedTensor> tensors = {{"weight_ih_l0", kernel},
                                      {"weight_hh_l0", weight("recurrent_kernel")}};
  if (bias) {
    const Tensor all = use.parameter(group + "bias");
    const bool two = all.shape.size() == 2;
    const Tensor input = (two ? all.at(0) : all).with_blocks(gates.order);
    tensors.push_back({"bias_ih_l0", input});
    tensors.push_back(
        {"bias_hh_l0", two ? all.at(1).with_blocks(gates.order) : filled(input.shape, 0)});
  }
  const std::string more = config.at("activation") == "relu" ? ", nonlinearity=\"relu\"" : "";
  const std::string module = code.module(
      name,
      fmt::format("{}({}, {}, batch_first=True, bias={}{})", gates.module, kernel.shape[1],
                  config.at("units").get<std::int64_t>(), torch_bool(bias), more),
      std::move(tensors));
  return code.assign(fmt::format("{}({}{})[0]", module, x, backward ? ".flip(1)" : ""));
}

std::string last_or_all(const ordered_json& config, const std::string& y) {
  return config.value("return_sequences", false) ? y : y + "[:, -1]";
}

std::string recurrent(TorchCode& code, const LayerUse& use, const TorchInputs& x) {
  return last_or_all(use.config,
                     run(code, use, use.layer.class_name(), use.config, code.name_of(use.layer), "",
                         use.is_set("go_backwards"), x[0]));
}

std::string bidirectional(TorchCode& code, const LayerUse& use, const TorchInputs& x) {
  const ordered_json& forward = use.config.at("layer");
  const ordered_json& backward =
      use.config.contains("backward_layer") ? use.config.at("backward_layer") : forward;
  const std::string name = code.name_of(use.layer);
  const std::string there = run(code, use, forward.at("class_name"), forward.at("config"),
                                name + "__forward", "forward_layer:", false, x[0]);
  std::string back = run(code, use, backward.at("class_name"), backward.at("config"),
                         name + "__backward", "backward_layer:", true, x[0]);
  const bool all = forward.at("config").value("return_sequences", false);
  if (all) back += ".flip(1)";
  const std::string one = all ? there : there + "[:, -1]";
  const std::string other = all ? back : back + "[:, -1]";
  const std::string merge = use.text_of("merge_mode");
  if (merge == "concat") return fmt::format("torch.cat([{}, {}], -1)", one, other);
  if (merge == "mul") return fmt::format("{} * {}", one, other);
  if (merge == "sum") return fmt::format("{} + {}", one, other);
  return fmt::format("({} + {}) / 2", one, other);
}

std::string embedding(TorchCode& code, const LayerUse& use, const TorchInputs& x) {
  const Tensor table = use.parameter("embeddings");
  return fmt::format(
      "{}({}.long())",
      code.module(code.name_of(use.layer),
                  fmt::format("nn.Embedding({}, {})", table.shape[0], table.shape[1]),
                  {{"weight", table}}),
      x[0]);
}

/// nn.Linear of a kernel whose first axes, or all but them, are one.
std::string linear(TorchCode& code, const LayerUse& use, const std::string& path,
                   const std::string& name, std::int64_t inputs, const std::string& x) {
  const Tensor kernel = use.parameter(path + "/kernel");
  const std::int64_t outputs = element_count(kernel.shape) / inputs;
  std::vector<NamedTensor> tensors = {{"weight", kernel.reshaped({inputs, outputs}).transposed()}};
  const bool bias = use.has(path + "/bias");
  if (bias) tensors.push_back({"bias", use.parameter(path + "/bias").reshaped({outputs})});
  return fmt::format(
      "{}({})",
      code.module(name,
                  fmt::format("nn.Linear({}, {}, bias={})", inputs, outputs, torch_bool(bias)),
                  std::move(tensors)),
      x);
}

struct Attention {
  std::string prefix;  ///< of its parameters: "self_attention/"
  std::int64_t heads, value_dim;
  bool causal;
};

std::string attended(TorchCode& code, const LayerUse& use, const Attention& options,
                     const TorchInputs& x) {
  const std::size_t key = x.size() > 2 ? 2 : 1;
  const std::string name = code.name_of(use.layer);
  const auto by_heads = [&](const std::string& which, std::size_t input) {
    const Shape& shape = use.inputs[std::min(input, use.inputs.size() - 1)];
    return code.assign(fmt::format(
        "{}.unflatten(-1, ({}, -1)).transpose(1, 2)",
        linear(code, use, options.prefix + which, name + "__" + which, shape.back(), x[input]),
        options.heads));
  };
  const std::string q = by_heads("query", 0), k = by_heads("key", key), v = by_heads("value", 1);
  const double dropout = use.config.value("dropout", 0.0);
  const std::string rate =
      dropout > 0 ? fmt::format(", dropout_p={} if self.training else 0.0", dropout) : "";
  const std::string y =
      code.assign(fmt::format("F.scaled_dot_product_attention({}, {}, {}{}{})", q, k, v, rate,
                              options.causal ? ", is_causal=True" : ""));
  return linear(code, use, options.prefix + "attention_output", name + "__attention_output",
                options.heads * options.value_dim, fmt::format("{}.transpose(1, 2).flatten(2)", y));
}

std::string attention(TorchCode& code, const LayerUse& use, const TorchInputs& x) {
  return attended(
      code, use,
      {"", use.config.at("num_heads"), use.config.at("value_dim"), use.causal.value_or(false)}, x);
}

std::string transformer(TorchCode& code, const LayerUse& use, const TorchInputs& inputs) {
  const bool encodes = use.layer.class_name() == "TransformerEncoder";
  const std::string name = code.name_of(use.layer);
  const std::int64_t features = use.inputs[0].back(), heads = use.config.at("num_heads");
  const double rate = use.number_of("dropout");
  const bool first = use.is_set("normalize_first");
  const auto normalized = [&](const char* part, const std::string& x) {
    return code.assign(fmt::format(
        "{}({})",
        code.module(
            name + "__" + part,
            fmt::format("nn.LayerNorm({}, eps={})", features, use.number_of("layer_norm_epsilon")),
            {{"weight", use.parameter(std::string(part) + "/gamma")},
             {"bias", use.parameter(std::string(part) + "/beta")}}),
        x));
  };
  const auto added = [&](const std::string& y, const std::string& x) {
    const std::string dropped =
        rate > 0 ? fmt::format("F.dropout({}, {}, self.training)", y, rate) : y;
    return code.assign(fmt::format("{} + {}", dropped, x));
  };
  const auto dense = [&](const std::string& part, std::int64_t width, const std::string& x) {
    return code.assign(linear(code, use, part, name + "__" + part, width, x));
  };
  std::string x = inputs[0], y = x;
  if (first) y = normalized("self_attention_layer_norm", y);
  x = added(attended(code, use,
                     {encodes ? "self_attention_layer/" : "self_attention/", heads,
                      features / heads, !encodes && use.causal.value_or(true)},
                     {y, y}),
            x);
  if (!first) x = normalized("self_attention_layer_norm", x);
  y = first ? normalized("feedforward_layer_norm", x) : x;
  y = dense("feedforward_intermediate_dense", features, y);
  y = code.assign(torch_activation(use.layer.activations().front(), y));
  y = dense("feedforward_output_dense", use.config.at("intermediate_dim"), y);
  x = added(y, x);
  return first ? x : normalized("feedforward_layer_norm", x);
}

std::string sine_encoding(TorchCode& code, const LayerUse& use, const TorchInputs& x) {
  return fmt::format("{}.expand({}.shape[0], -1, -1)",
                     code.value(code.name_of(use.layer), sine_positions(use), false), x[0]);
}

std::string position_embedding(TorchCode& code, const LayerUse& use, const TorchInputs& x) {
  return fmt::format(
      "{}[:{}].expand({}.shape[0], -1, -1)",
      code.value(code.name_of(use.layer), use.parameter("embeddings"), use.layer.trainable()),
      use.inputs[0][0], x[0]);
}

std::string token_and_position(TorchCode& code, const LayerUse& use, const TorchInputs& x) {
  const std::string name = code.name_of(use.layer);
  const Tensor tokens = use.parameter("token_embedding/embeddings");
  const std::string words = code.module(
      name + "__tokens", fmt::format("nn.Embedding({}, {})", tokens.shape[0], tokens.shape[1]),
      {{"weight", tokens}});
  const std::string positions = code.value(
      name + "__positions", use.parameter("position_embedding/embeddings"), use.layer.trainable());
  return fmt::format("{}({}.long()) + {}[:{}]", words, x[0], positions, use.inputs[0][0]);
}

}  // namespace

TorchEmits torch_sequence_layers() {
  return {{"SimpleRNN", recurrent},
          {"LSTM", recurrent},
          {"GRU", recurrent},
          {"Bidirectional", bidirectional},
          {"Embedding", embedding},
          {"MultiHeadAttention", attention},
          {"TransformerEncoder", transformer},
          {"TransformerDecoder", transformer},
          {"SinePositionEncoding", sine_encoding},
          {"PositionEmbedding", position_embedding},
          {"TokenAndPositionEmbedding", token_and_position}};
}

}  // namespace lockstep
