#include "src/layers/recurrent.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "src/core/error.hpp"
#include "src/layers/columns_op.hpp"
#include "src/layers/recurrent_op.hpp"
#include "src/layers/spatial_dropout.hpp"

namespace lockstep {
namespace {

/// i is drawn apart from c and o, as by Keras.
class UnitForgetBias final : public Initializer {
 public:
  explicit UnitForgetBias(std::shared_ptr<const Initializer> rest) : rest_(std::move(rest)) {}

  void fill(std::span<float> values, const Shape& shape,
            const RandomStream& random) const override {
    const std::int64_t units = shape[0] / 4;
    const auto u = static_cast<std::size_t>(units);
    rest_->fill(values, {2 * units}, random);
    rest_->fill(values.first(u), {units}, random);
    std::ranges::fill(values.subspan(u, u), 1.0f);
  }
  nlohmann::ordered_json to_json() const override { return rest_->to_json(); }

 private:
  std::shared_ptr<const Initializer> rest_;
};

std::string cell_name(CellKind kind) {
  switch (kind) {
    case CellKind::kSimpleRnn:
      return "simple_rnn_cell";
    case CellKind::kLstm:
      return "lstm_cell";
    case CellKind::kGru:
    case CellKind::kGruResetBefore:
      break;
  }
  return "gru_cell";
}

}  // namespace

std::shared_ptr<const Initializer> unit_forget_bias(std::shared_ptr<const Initializer> rest) {
  return std::make_shared<UnitForgetBias>(std::move(rest));
}

Recurrent::Recurrent(CellKind kind, std::int64_t units, Options options)
    : kind_(kind), units_(units), options_(std::move(options)) {
  check(units > 0, ExitCode::kBadData, "[{}] expected a positive number of units, got {}",
        class_name(), units);
  for (const Activation activation : activations())
    check(!is_row_wise(activation), ExitCode::kBadData,
          "[{}] expected activations of each element, got {}", class_name(),
          activation_name(activation));
  for (const double rate : {options_.dropout, options_.recurrent_dropout})
    check(rate >= 0 && rate < 1, ExitCode::kBadData,
          "[{}] expected rates of dropout in [0, 1), got {}", class_name(), rate);
}

std::string Recurrent::class_name() const {
  if (kind_ == CellKind::kSimpleRnn) return "SimpleRNN";
  return kind_ == CellKind::kLstm ? "LSTM" : "GRU";
}

std::vector<Activation> Recurrent::activations() const {
  if (kind_ == CellKind::kSimpleRnn) return {options_.activation};
  return {options_.activation, options_.recurrent_activation};
}

std::int64_t Recurrent::gates() const {
  if (kind_ == CellKind::kSimpleRnn) return 1;
  return kind_ == CellKind::kLstm ? 4 : 3;
}

std::vector<Parameter> Recurrent::make_parameters(const std::string& name,
                                                  const Shape& input) const {
  check(input.size() == 2 && input.back() > 0, ExitCode::kBadData,
        "[{}] expected an input (None, time steps, features), got {}", name,
        to_string_batched(input));
  std::vector<Parameter> parameters;
  const auto add = [&](const char* its_name, Shape shape,
                       std::shared_ptr<const Initializer> initializer,
                       const Regularizer& regularizer, const Constraint& constraint) {
    parameters.push_back({.name = its_name,
                          .shape = std::move(shape),
                          .initializer = std::move(initializer),
                          .regularizer = regularizer,
                          .constraint = constraint,
                          .scope = cell_name(kind_),
                          .store = "cell"});
  };
  const std::int64_t columns = element_count({gates(), units_});
  add("kernel", {input.back(), columns}, options_.kernel_initializer, options_.kernel_regularizer,
      options_.kernel_constraint);
  add("recurrent_kernel", {units_, columns}, options_.recurrent_initializer,
      options_.recurrent_regularizer, options_.recurrent_constraint);
  if (!options_.use_bias) return parameters;
  const bool forget = kind_ == CellKind::kLstm && options_.unit_forget_bias;
  add("bias", kind_ == CellKind::kGru ? Shape{2, columns} : Shape{columns},
      forget ? unit_forget_bias(options_.bias_initializer) : options_.bias_initializer,
      options_.bias_regularizer, options_.bias_constraint);
  return parameters;
}

std::vector<std::size_t> Recurrent::add_ops(const std::string& name, Graph& graph,
                                            std::size_t input, std::span<Parameter> parameters,
                                            const Use& use, Returns returns) const {
  const Shape shape = graph.shape(input);
  const std::int64_t features = parameters.front().shape.front();
  check(shape.size() == 2 && shape.back() == features, ExitCode::kBadData,
        "[{}] expected an input (None, time steps, {}), got {}", name, features,
        to_string_batched(shape));
  const auto mask = graph.mask(input);
  check(!mask || graph.shape(*mask) == Shape{shape.front()}, ExitCode::kBadData,
        "[{}] expected a mask of each time step, got one of {}", name,
        mask ? to_string_batched(graph.shape(*mask)) : "");
  for (const std::size_t state : use.states)
    check(graph.shape(state) == Shape{units_}, ExitCode::kBadData,
          "[{}] expected an initial state (None, {}), got {}", name, units_,
          to_string_batched(graph.shape(state)));
  check(!use.stateful || use.states.empty(), ExitCode::kBadData,
        "[{}] expected no initial state in a call of a stateful layer, which begins with the state "
        "of the batch before, got one",
        name);
  check(!use.stateful || !use.again, ExitCode::kBadData,
        "[{}] expected one call of a stateful layer, which carries one state, got more", name);
  if (options_.dropout > 0)
    input = graph.add(
        make_spatial_dropout_op(options_.dropout, features,
                                use.second ? Purpose::kBackwardDropout : Purpose::kDropout, use.key,
                                use.cell),
        {input}, shape);
  std::vector<Parameter*> pointers;
  for (Parameter& parameter : parameters) pointers.push_back(&parameter);
  RecurrentSetting setting{
      .steps = shape.front(),
      .inputs = features,
      .return_sequences = returns.sequences,
      .return_state = returns.state,
      .go_backwards = use.go_backwards,
      .in_input_order = use.in_input_order,
      .masked = mask.has_value(),
      .begins_with_state = !use.states.empty(),
      .zeros_for_mask = use.zeros_for_mask,
      .recurrent_dropout = options_.recurrent_dropout,
      .purpose = use.second ? Purpose::kBackwardRecurrentDropout : Purpose::kRecurrentDropout,
      .key = use.key,
      .part = use.cell};
  for (std::size_t k = 0; use.stateful && k < state_count(); ++k)
    setting.carried[k] = &graph.carry(name, units_);
  auto cell = make_recurrent_cell(kind_, std::move(pointers), options_.activation,
                                  options_.recurrent_activation, options_.recurrent_dropout > 0);
  std::vector<std::size_t> inputs{input};
  if (mask) inputs.push_back(*mask);
  inputs.insert(inputs.end(), use.states.begin(), use.states.end());
  const Shape output = returns.sequences ? Shape{shape.front(), units_} : Shape{units_};
  auto op = make_recurrent_op(std::move(cell), setting);
  if (!returns.state) return {graph.add(std::move(op), std::move(inputs), output)};
  std::int64_t first = element_count(output);
  const std::int64_t floats = first + static_cast<std::int64_t>(state_count()) * units_;
  const std::size_t all = graph.add(std::move(op), std::move(inputs), {floats});
  std::vector<std::size_t> outputs = {columns_of(graph, all, 0, output)};
  for (; first < floats; first += units_)
    outputs.push_back(columns_of(graph, all, first, {units_}));
  return outputs;
}

nlohmann::ordered_json Recurrent::config() const {
  nlohmann::ordered_json config = {{"return_sequences", options_.return_sequences},
                                   {"return_state", options_.return_state},
                                   {"go_backwards", options_.go_backwards},
                                   {"stateful", options_.stateful},
                                   {"unroll", options_.unroll}};
  config.update(cell_config());
  config["activity_regularizer"] = nullptr;
  return config;
}

nlohmann::ordered_json Recurrent::cell_config() const {
  nlohmann::ordered_json config = {{"units", units_},
                                   {"activation", activation_name(options_.activation)}};
  if (kind_ != CellKind::kSimpleRnn)
    config["recurrent_activation"] = activation_name(options_.recurrent_activation);
  config["use_bias"] = options_.use_bias;
  config["kernel_initializer"] = options_.kernel_initializer->to_json();
  config["recurrent_initializer"] = options_.recurrent_initializer->to_json();
  config["bias_initializer"] = options_.bias_initializer->to_json();
  if (kind_ == CellKind::kLstm) config["unit_forget_bias"] = options_.unit_forget_bias;
  config["kernel_regularizer"] = options_.kernel_regularizer.to_json();
  config["recurrent_regularizer"] = options_.recurrent_regularizer.to_json();
  config["bias_regularizer"] = options_.bias_regularizer.to_json();
  config["kernel_constraint"] = options_.kernel_constraint.to_json();
  config["recurrent_constraint"] = options_.recurrent_constraint.to_json();
  config["bias_constraint"] = options_.bias_constraint.to_json();
  config["dropout"] = options_.dropout;
  config["recurrent_dropout"] = options_.recurrent_dropout;
  if (kind_ != CellKind::kSimpleRnn) config["implementation"] = 2;
  if (gates() == 3) config["reset_after"] = kind_ == CellKind::kGru;
  if (options_.zero_output_for_mask) config["zero_output_for_mask"] = true;
  return config;
}

}  // namespace lockstep
