#include "src/layers/transformer.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "src/core/error.hpp"
#include "src/layers/activation_op.hpp"
#include "src/layers/dense_op.hpp"
#include "src/layers/dropout.hpp"
#include "src/layers/merging.hpp"
#include "src/layers/row_norm_op.hpp"

namespace lockstep {
namespace {

/// What has parameters, two of each but the attention's; numbered.
enum Part : std::size_t { kAttentionNorm, kFeedForwardNorm, kIntermediate, kOutput, kParts };
constexpr std::array<const char*, kParts> kNames = {
    "self_attention_layer_norm", "feedforward_layer_norm", "feedforward_intermediate_dense",
    "feedforward_output_dense"};
constexpr std::size_t kAttentionParameters = 8;

/// In the order in which KerasHub makes them.
constexpr std::array<std::size_t, kParts> kEncoderOrder = {kAttentionNorm, kFeedForwardNorm,
                                                           kIntermediate, kOutput};
constexpr std::array<std::size_t, kParts> kDecoderOrder = {kAttentionNorm, kIntermediate, kOutput,
                                                           kFeedForwardNorm};

const std::array<std::size_t, kParts>& order_of(Transformer::Kind kind) {
  return kind == Transformer::Kind::kEncoder ? kEncoderOrder : kDecoderOrder;
}

/// The first parameter of a part.
std::size_t first_of(Transformer::Kind kind, std::size_t part) {
  const auto& order = order_of(kind);
  const auto at = std::ranges::find(order, part) - order.begin();
  return kAttentionParameters + 2 * static_cast<std::size_t>(at);
}

}  // namespace

MultiHeadOptions Transformer::attention_options() const {
  const std::int64_t key_dim = input_.back() / options_.heads;
  return {.heads = options_.heads,
          .key_dim = key_dim,
          .value_dim = key_dim,
          .dropout = options_.dropout,
          .projections = options_.dense};
}

void Transformer::build(const Shape& input) {
  check(input.size() == 2 && input.back() >= options_.heads, ExitCode::kBadData,
        "[{}] expected an input (None, positions, features) of at least {} features, as many as "
        "heads, got {}",
        name(), options_.heads, to_string_batched(input));
  input_ = input;
  const std::int64_t features = input.back();
  const auto add = [&](const std::string& part, const std::string& store,
                       std::vector<Parameter> parameters) {
    for (Parameter& parameter : parameters) {
      parameter.scope = parameter.scope.empty() ? part : part + "/" + parameter.scope;
      parameter.store = parameter.store.empty() ? store : store + "/" + parameter.store;
      parameters_.push_back(std::move(parameter));
    }
  };
  add(kind_ == Kind::kEncoder ? "self_attention_layer" : "self_attention", "_self_attention_layer",
      multi_head_parameters(attention_options(), features, features, features));
  for (const std::size_t part : order_of(kind_)) {
    std::vector<Parameter> parameters;
    if (part == kIntermediate) {
      parameters =
          options_.dense.parameters({features, options_.intermediate}, options_.intermediate);
    } else if (part == kOutput) {
      parameters = options_.dense.parameters({options_.intermediate, features}, features);
    } else {
      add_scale_and_offset(parameters, {}, {features});
    }
    add(kNames[part], std::string("_") + kNames[part], std::move(parameters));
  }
}

std::size_t Transformer::dense(Graph& graph, std::size_t value, std::size_t part,
                               Activation activation) {
  const std::size_t first = first_of(kind_, part);
  const std::int64_t positions = graph.shape(value)[0];
  const bool relu = activation == Activation::kRelu;
  const std::size_t z =
      graph.add(make_dense_op({&parameters_[first], &parameters_[first + 1]}, positions, relu),
                {value}, {positions, parameters_[first].shape.back()});
  return relu ? z : activated(graph, z, activation);
}

std::size_t Transformer::normalized(Graph& graph, std::size_t value, std::size_t part) {
  const Shape shape = graph.shape(value);
  ScaleAndOffset affine(std::span<Parameter>(parameters_).subspan(first_of(kind_, part)), true,
                        true, shape[1]);
  return graph.add(std::make_unique<RowNormOp>(RowNorm::kDeviation, std::move(affine),
                                               options_.epsilon, shape[1], shape[0]),
                   {value}, shape);
}

std::size_t Transformer::lower(Graph& graph, std::span<const std::size_t> inputs) {
  std::size_t x = inputs[0];
  check(graph.shape(x).size() == 2 && graph.shape(x).back() == input_.back(), ExitCode::kBadData,
        "[{}] expected an input (None, positions, {}) as before, got {}", name(), input_.back(),
        to_string_batched(graph.shape(x)));
  const auto dropped = [&](std::size_t value, Purpose purpose) {
    return options_.dropout == 0
               ? value
               : dropped_out(graph, value, options_.dropout, purpose, random_key());
  };
  const auto mask = graph.mask(x);
  const bool decodes = kind_ == Kind::kDecoder;
  const AttentionMasks masks{.keys = mask,
                             .queries = decodes ? std::nullopt : mask,
                             .causal = decodes && graph.causal().value_or(true)};
  if (!decodes && !options_.normalize_first) take_masks(graph, inputs);
  std::size_t residual = x;
  if (options_.normalize_first) x = normalized(graph, x, kAttentionNorm);
  x = multi_head_attention(graph, x, x, x, attention_options(), parameters_, masks, random_key());
  x = sum_of(graph, dropped(x, Purpose::kDropout), residual);
  if (!options_.normalize_first) x = normalized(graph, x, kAttentionNorm);

  residual = x;
  if (options_.normalize_first) x = normalized(graph, x, kFeedForwardNorm);
  x = dense(graph, x, kIntermediate, options_.activation);
  x = dense(graph, x, kOutput, Activation::kLinear);
  x = sum_of(graph, dropped(x, Purpose::kFeedForward), residual);
  if (!options_.normalize_first) x = normalized(graph, x, kFeedForwardNorm);
  graph.set_mask(x, mask);
  return x;
}

nlohmann::ordered_json Transformer::config() const {
  nlohmann::ordered_json config = {
      {"intermediate_dim", options_.intermediate},
      {"num_heads", options_.heads},
      {"dropout", options_.dropout},
      {"activation", activation_name(options_.activation)},
      {"layer_norm_epsilon", options_.epsilon},
      {"kernel_initializer", options_.dense.kernel_initializer->to_json()},
      {"bias_initializer", options_.dense.bias_initializer->to_json()},
      {"normalize_first", options_.normalize_first}};
  if (kind_ == Kind::kEncoder) return config;
  config["decoder_sequence_shape"] = nullptr;
  if (!input_.empty()) config["decoder_sequence_shape"] = {nullptr, input_[0], input_[1]};
  config["encoder_sequence_shape"] = nullptr;
  return config;
}

}  // namespace lockstep
