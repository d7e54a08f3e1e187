#include "src/layers/conv_lstm.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "src/core/error.hpp"
#include "src/layers/conv_lstm_op.hpp"
#include "src/layers/convolution.hpp"
#include "src/layers/steps_op.hpp"

namespace lockstep {
namespace {

constexpr std::int64_t kGates = 4;

}  // namespace

ConvLstm::ConvLstm(std::int64_t filters, Window window, RecurrentOptions options)
    : filters_(filters), window_(std::move(window)), options_(std::move(options)) {
  check(filters > 0, ExitCode::kBadData,
        "[conv_lstm] expected a positive number of filters, got {}", filters);
}

std::string ConvLstm::class_name() const {
  return fmt::format("ConvLSTM{}D", window_.axes());
}

ConvolutionShape ConvLstm::shape_over(const std::string& name, const Shape& input) const {
  check(input.size() == window_.axes() + 2 && element_count(input) > 0, ExitCode::kBadData,
        "[{}] expected an input (None, time steps, {} of positions, channels), got {}", name,
        window_.axes() == 1 ? "one axis" : fmt::format("{} axes", window_.axes()),
        to_string_batched(input));
  ConvolutionShape shape = window_over(name, window_, {input.begin() + 1, input.end()});
  shape.output_channels = kGates * filters_;
  return shape;
}

std::vector<Parameter> ConvLstm::make_parameters(const std::string& name,
                                                 const Shape& input) const {
  const std::int64_t channels = shape_over(name, input).input_channels;
  const std::int64_t columns = element_count({kGates, filters_});
  std::vector<Parameter> parameters;
  const auto add = [&](const char* its_name, Shape shape,
                       std::shared_ptr<const Initializer> initializer,
                       const Regularizer& regularizer, const Constraint& constraint) {
    parameters.push_back({.name = its_name,
                          .shape = std::move(shape),
                          .initializer = std::move(initializer),
                          .regularizer = regularizer,
                          .constraint = constraint,
                          .store = "cell"});
  };
  const auto kernel_over = [&](std::int64_t inputs) {
    Shape shape = window_.size;
    shape.push_back(inputs);
    shape.push_back(columns);
    return shape;
  };
  add("kernel", kernel_over(channels), options_.kernel_initializer, options_.kernel_regularizer,
      options_.kernel_constraint);
  add("recurrent_kernel", kernel_over(filters_), options_.recurrent_initializer,
      options_.recurrent_regularizer, options_.recurrent_constraint);
  if (options_.use_bias)
    add("bias", {columns},
        options_.unit_forget_bias ? unit_forget_bias(options_.bias_initializer)
                                  : options_.bias_initializer,
        options_.bias_regularizer, options_.bias_constraint);
  return parameters;
}

/// With dropout the gates read inputs of their own: groups of one convolution.
std::vector<std::size_t> ConvLstm::add_ops(const std::string& name, Graph& graph, std::size_t input,
                                           std::span<Parameter> parameters, const Use& use) const {
  const auto mask = graph.mask(input);
  const Shape shape = graph.shape(input);
  ConvolutionShape of_input = shape_over(name, shape);
  const std::int64_t channels = parameters[0].shape[window_.axes()];
  check(of_input.input_channels == channels, ExitCode::kBadData,
        "[{}] expected an input of {} channels, as before, got {}", name, channels,
        of_input.input_channels);
  const std::int64_t steps = shape.front();
  if (options_.dropout > 0) {
    const GateMasks masks{.rate = options_.dropout,
                          .purpose = use.second ? Purpose::kBackwardDropout : Purpose::kDropout,
                          .key = use.key};
    Shape gates = shape;
    gates.back() *= kGates;
    input = graph.add(
        make_gate_dropout_op(steps, of_input.input_floats(), of_input.input_channels, masks),
        {input}, std::move(gates));
    of_input.input_channels *= kGates;
    of_input.groups = kGates;
  }
  std::vector<Parameter*> of_convolution = {&parameters[0]};
  if (options_.use_bias) of_convolution.push_back(&parameters[2]);
  Shape sums = output_of(of_input, window_.axes(), of_input.output_channels);
  Shape output = sums;
  output.back() = filters_;
  Window same = Window::of(name, window_.size, {}, {}, Padding::kSame);
  ConvLstmSetting setting{.steps = steps,
                          .recurrent = window_over(name, same, output),
                          .activation = options_.activation,
                          .recurrent_activation = options_.recurrent_activation,
                          .return_sequences = options_.return_sequences,
                          .go_backwards = use.go_backwards,
                          .in_input_order = use.in_input_order,
                          .masks = {.rate = options_.recurrent_dropout,
                                    .purpose = use.second ? Purpose::kBackwardRecurrentDropout
                                                          : Purpose::kRecurrentDropout,
                                    .key = use.key}};
  setting.recurrent.output_channels = kGates * filters_;
  if (mask) {
    const Shape masked = graph.shape(*mask);
    Shape of_positions = output;
    of_positions.back() = steps;
    std::ranges::rotate(of_positions, of_positions.end() - 1);
    check(masked == Shape{steps} || masked == of_positions, ExitCode::kBadData,
          "[{}] expected a mask of each time step {} or of each position of the output {}, got {}",
          name, to_string_batched({steps}), to_string_batched(of_positions),
          to_string_batched(masked));
    setting.mask_columns = element_count(masked) / steps;
    setting.zeros_for_mask = use.zeros_for_mask;
  }
  if (options_.recurrent_dropout > 0) {
    setting.recurrent.input_channels *= kGates;
    setting.recurrent.groups = kGates;
  }
  sums.insert(sums.begin(), steps);
  if (options_.return_sequences) output.insert(output.begin(), steps);
  const std::size_t convolved = graph.add(
      over_steps(make_convolution_op(std::move(of_convolution), of_input, window_.axes(), false),
                 steps),
      {input}, std::move(sums));
  std::vector<std::size_t> inputs = {convolved};
  if (mask) inputs.push_back(*mask);
  return {
      graph.add(make_conv_lstm_op(&parameters[1], setting), std::move(inputs), std::move(output))};
}

nlohmann::ordered_json ConvLstm::config() const {
  nlohmann::ordered_json config = {
      {"return_sequences", options_.return_sequences},
      {"return_state", false},
      {"go_backwards", options_.go_backwards},
      {"stateful", false},
      {"unroll", options_.unroll},
      {"filters", filters_},
      {"kernel_size", window_.size},
      {"strides", window_.strides},
      {"padding", padding_name(window_.padding)},
      {"data_format", "channels_last"},
      {"dilation_rate", window_.dilation},
      {"activation", activation_name(options_.activation)},
      {"recurrent_activation", activation_name(options_.recurrent_activation)},
      {"use_bias", options_.use_bias},
      {"kernel_initializer", options_.kernel_initializer->to_json()},
      {"recurrent_initializer", options_.recurrent_initializer->to_json()},
      {"bias_initializer", options_.bias_initializer->to_json()},
      {"unit_forget_bias", options_.unit_forget_bias},
      {"kernel_regularizer", options_.kernel_regularizer.to_json()},
      {"recurrent_regularizer", options_.recurrent_regularizer.to_json()},
      {"bias_regularizer", options_.bias_regularizer.to_json()},
      {"activity_regularizer", nullptr},
      {"kernel_constraint", options_.kernel_constraint.to_json()},
      {"recurrent_constraint", options_.recurrent_constraint.to_json()},
      {"bias_constraint", options_.bias_constraint.to_json()}};
  config["dropout"] = options_.dropout;
  config["recurrent_dropout"] = options_.recurrent_dropout;
  if (options_.zero_output_for_mask) config["zero_output_for_mask"] = true;
  return config;
}

}  // namespace lockstep
