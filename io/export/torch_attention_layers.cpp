#include <optional>

#include "io/export/torch_code.hpp"

namespace lockstep {
namespace {

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

/// Which keys each query may look at.
struct Reach {
  std::int64_t queries, keys;
  bool causal = false;
  std::optional<std::string> key_mask = {}, query_mask = {};  ///< bool: (N, keys), (N, queries)

  bool is_masked() const { return key_mask || query_mask; }
};

/// bool (queries, keys), with the axes N and heads in front if there are masks.
std::string allowed(const Reach& reach, const std::string& x) {
  std::string all;
  const auto add = [&](const std::string& one) { all += (all.empty() ? "" : " & ") + one; };
  if (reach.key_mask) add(*reach.key_mask + "[:, None, None]");
  if (reach.query_mask) add(*reach.query_mask + "[:, None, :, None]");
  if (reach.causal)
    add(fmt::format("torch.ones({}, {}, dtype=torch.bool, device={}.device).tril()", reach.queries,
                    reach.keys, x));
  return all;
}

/// The rate of a layer's `dropout`, in training alone.
std::string dropout_of(const LayerUse& use) {
  const double rate = use.config.value("dropout", 0.0);
  return rate > 0 ? fmt::format("{} if self.training else 0.0", rate) : "0.0";
}

std::optional<std::string> name_of(const std::optional<ExportMask>& mask) {
  return mask ? std::optional(mask->name) : std::nullopt;
}

// --- Of several heads ---

struct Heads {
  std::string prefix;  ///< of its parameters: "self_attention/"
  std::int64_t heads, key_heads, value_dim;
};

/// `x`: query, value, key, of so many features.
std::string attended(TorchCode& code, const LayerUse& use, const Heads& options, const Reach& reach,
                     const TorchInputs& x, const std::vector<std::int64_t>& features) {
  const std::string name = code.name_of(use);
  const auto by_heads = [&](const std::string& which, std::size_t input, std::int64_t heads) {
    const std::string times = heads == options.heads
                                  ? ""
                                  : fmt::format(".repeat_interleave({}, 1)", options.heads / heads);
    return code.assign(fmt::format(
        "{}.unflatten(-1, ({}, -1)).transpose(1, 2){}",
        linear(code, use, options.prefix + which, name + "__" + which, features[input], x[input]),
        heads, times));
  };
  const std::string q = by_heads("query", 0, options.heads);
  const std::string k = by_heads("key", 2, options.key_heads);
  const std::string v = by_heads("value", 1, options.key_heads);
  const double rate = use.config.value("dropout", 0.0);
  std::string y;
  if (reach.is_masked()) {
    y = fmt::format("{}({}, {}, {}, {}, {}, {})", code.function("attention"), q, k, v,
                    allowed(reach, q), rate > 0 ? "0.0" : fmt::format("1 / {}", reach.keys),
                    dropout_of(use));
  } else {
    y = fmt::format("F.scaled_dot_product_attention({}, {}, {}{}{})", q, k, v,
                    rate > 0 ? ", dropout_p=" + dropout_of(use) : "",
                    reach.causal ? ", is_causal=True" : "");
  }
  y = fmt::format("{}.transpose(1, 2).flatten(2)", code.assign(y));
  if (use.is_set("use_gate"))
    y = fmt::format("{} * torch.sigmoid({})", y,
                    linear(code, use, options.prefix + "gate", name + "__gate", features[0], x[0]));
  return linear(code, use, options.prefix + "attention_output", name + "__attention_output",
                options.heads * options.value_dim, y);
}

std::string multi_head(TorchCode& code, const LayerUse& use, const TorchInputs& x) {
  const std::size_t key = x.size() > 2 ? 2 : 1;
  Reach reach{.queries = use.inputs[0][0],
              .keys = use.inputs[key][0],
              .causal = use.causal.value_or(false),
              .key_mask = name_of(use.masks[1]),
              .query_mask = name_of(use.masks[0])};
  if (const auto other = name_of(use.masks[key]); other && reach.key_mask != other)
    reach.key_mask =
        reach.key_mask ? code.assign(fmt::format("{} & {}", *reach.key_mask, *other)) : *other;
  const bool grouped = use.config.contains("num_query_heads");
  const Heads heads{
      .prefix = "",
      .heads = use.config.at(grouped ? "num_query_heads" : "num_heads"),
      .key_heads = use.config.at(grouped ? "num_key_value_heads" : "num_heads"),
      .value_dim = use.config.at(grouped ? "head_dim" : "value_dim"),
  };
  return attended(code, use, heads, reach, {x[0], x[1], x[key]},
                  {use.inputs[0].back(), use.inputs[1].back(), use.inputs[key].back()});
}

// --- Of one head ---

/// Attention and AdditiveAttention.
std::string one_head(TorchCode& code, const LayerUse& use, const TorchInputs& x) {
  const std::string name = code.name_of(use);
  const bool additive = use.layer.class_name() == "AdditiveAttention";
  const bool dot = !additive && !use.config.contains("score_mode");
  const auto times = [&](const std::string& value, const std::string& parameter) {
    return fmt::format(
        "{} * {}", value,
        code.value(name + "__" + parameter, use.parameter(parameter), use.layer.trainable()));
  };
  std::string q = x[0], k = x.back();
  if (use.is_set("use_scale") && !additive) {
    q = code.assign(times(q, "scale"));
    if (!dot) k = code.assign(times(k, "scale"));
  }
  std::string scores;
  if (dot) {
    scores = fmt::format("{} @ {}.mT", q, k);
  } else {
    std::string terms = fmt::format("torch.tanh({}.unsqueeze(2) + {}.unsqueeze(1))", q, k);
    if (additive && use.is_set("use_scale")) terms = times(terms, "scale");
    scores = fmt::format("({}).sum(-1)", terms);
    if (!additive) scores = times(scores, "concat_score_weight");
  }
  scores = code.assign(scores);
  const Reach reach{
      .queries = use.inputs[0][0], .keys = use.inputs[1][0], .causal = use.causal.value_or(false)};
  std::string keys = reach.causal ? allowed(reach, scores) : "";
  if (use.masks[1]) {  // Keras subtracts here
    keys = use.masks[1]->name + ".unsqueeze(1)" + (keys.empty() ? "" : " & " + keys);
    scores = fmt::format("torch.where({0}, {1}, {1} - 1e9)", keys, scores);
  } else if (reach.causal) {
    scores = fmt::format("{}.masked_fill(~{}, float(\"-inf\"))", scores, keys);
  }
  std::string p = code.assign(fmt::format("torch.softmax({}, -1)", scores));
  if (use.config.value("dropout", 0.0) > 0)
    p = code.assign(fmt::format("F.dropout({}, {})", p, dropout_of(use)));
  const std::string y = fmt::format("{} @ {}", p, x[1]);
  if (!use.masks[0]) return y;
  return fmt::format("torch.where({}.unsqueeze(-1), {}, 0.0)", use.masks[0]->name, y);
}

// --- Blocks ---

std::string transformer(TorchCode& code, const LayerUse& use, const TorchInputs& inputs) {
  const bool encodes = use.layer.class_name() == "TransformerEncoder";
  const std::string name = code.name_of(use);
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
  const Heads options{.prefix = encodes ? "self_attention_layer/" : "self_attention/",
                      .heads = heads,
                      .key_heads = heads,
                      .value_dim = features / heads};
  const Reach reach{.queries = use.inputs[0][0],
                    .keys = use.inputs[0][0],
                    .causal = !encodes && use.causal.value_or(true),
                    .key_mask = name_of(use.masks[0]),
                    .query_mask = encodes ? name_of(use.masks[0]) : std::nullopt};
  const std::vector<std::int64_t> widths(3, features);
  x = added(attended(code, use, options, reach, {y, y, y}, widths), x);
  if (!first) x = normalized("self_attention_layer_norm", x);
  y = first ? normalized("feedforward_layer_norm", x) : x;
  y = dense("feedforward_intermediate_dense", features, y);
  y = code.assign(torch_activation(use.layer.activations().front(), y));
  y = dense("feedforward_output_dense", use.config.at("intermediate_dim"), y);
  x = added(y, x);
  return first ? x : normalized("feedforward_layer_norm", x);
}

}  // namespace

TorchEmits torch_attention_layers() {
  return {{"MultiHeadAttention", multi_head},    {"GroupQueryAttention", multi_head},
          {"GroupedQueryAttention", multi_head}, {"Attention", one_head},
          {"AdditiveAttention", one_head},       {"TransformerEncoder", transformer},
          {"TransformerDecoder", transformer}};
}

}  // namespace lockstep
