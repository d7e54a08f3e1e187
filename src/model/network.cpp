#include "src/model/network.hpp"

#include <algorithm>
#include <bit>
#include <nlohmann/json.hpp>

#include "src/core/error.hpp"
#include "src/core/floating_point.hpp"
#include "src/core/hash.hpp"
#include "src/core/keras_names.hpp"
#include "src/graph/passes.hpp"
#include "src/layers/mask_op.hpp"
#include "src/model/model_layer.hpp"
#include "src/model/size_limit.hpp"

namespace lockstep {
namespace {

/// A call that leads nowhere would ask for a gradient that nobody computes.
void check_calls_lead_to_outputs(const std::vector<Network::Call>& calls,
                                 const std::vector<Network::Output>& outputs,
                                 const std::vector<std::unique_ptr<Layer>>& layers) {
  std::vector<bool> needed(calls.size(), false);
  for (const Network::Output& output : outputs) needed[output.call] = true;
  for (std::size_t i = calls.size(); i-- > 0;) {
    check(needed[i], ExitCode::kBadData, "[{}] expected every call to lead to an output, got none",
          layers[calls[i].layer]->name());
    for (const Network::Output& input : calls[i].inputs) needed[input.call] = true;
  }
}

/// Of a layer that follows the one before it.
std::vector<Network::Output> inputs_in_chain(std::size_t layer) {
  if (layer == 0) return {};
  return {layer - 1};
}

/// Of a value that a loss is taken of: how many positions the batch has is known before backward.
void count_mask(Graph& graph, std::size_t output) {
  const auto mask = graph.mask(output);
  if (!mask) return;
  const Shape shape = graph.shape(*mask);
  graph.set_mask(output, graph.add_behind(*mask, make_mask_count_op(), shape));
}

}  // namespace

Network::~Network() = default;
Network::Network(Network&&) noexcept = default;
Network& Network::operator=(Network&&) noexcept = default;

Layer& Network::add_layer(std::unique_ptr<Layer> layer) {
  check(!built_, ExitCode::kUsage, "[{}] layers are added before build()", name_);
  const auto taken = [this](const std::string& name) {
    return std::ranges::any_of(layers_, [&](const auto& other) { return other->name() == name; });
  };
  if (layer->name().empty()) {
    const std::string base = keras_snake_case(layer->class_name());
    std::string name = base;
    for (int i = 1; taken(name); ++i) name = fmt::format("{}_{}", base, i);
    layer->set_name(name);
  }
  check(!taken(layer->name()), ExitCode::kBadData,
        "[{}] expected every layer to have a name of its own, got '{}' twice", name_,
        layer->name());
  layer->set_index(next_index_);
  next_index_ += indices_of(*layer);
  layers_.push_back(std::move(layer));
  return *layers_.back();
}

std::vector<std::unique_ptr<Layer>> Network::release_layers() {
  check(!built_, ExitCode::kUsage, "[{}] expected its layers to be taken before build()", name_);
  calls_.clear();
  outputs_.clear();
  next_index_ = 0;
  return std::move(layers_);
}

void Network::connect(std::vector<Call> calls, std::vector<Output> outputs) {
  calls_ = std::move(calls);
  outputs_ = std::move(outputs);
}

void Network::build_for(const std::vector<Shape>& inputs) {
  const FloatingPointEnvironment environment(Denormals::kKeep);
  check(!built_, ExitCode::kUsage, "[{}] is built already", name_);
  check(!layers_.empty(), ExitCode::kBadData, "[{}] expected at least one layer, got none", name_);
  const bool chain = outputs_.empty();
  for (std::size_t i = 0; chain && i < layers_.size(); ++i)
    calls_.push_back({i, inputs_in_chain(i)});
  if (chain) outputs_ = inputs_in_chain(layers_.size());
  check_calls_lead_to_outputs(calls_, outputs_, layers_);
  std::int64_t parameter_count = 0;
  std::size_t next_input = 0;
  std::vector<bool> counted(layers_.size(), false);
  for (const Call& call : calls_) {
    std::vector<std::size_t> values;
    for (const Output& input : call.inputs) values.push_back(checked_value_of(input));
    if (values.empty()) {
      check_input_size(inputs[next_input]);
      values.push_back(graph_.add_input(inputs[next_input++]));
    }
    Layer& layer = *layers_[call.layer];
    const std::size_t before = graph_.values();
    values_.push_back(make_call(graph_, layer, call, std::move(values)));
    check(!chain || values_.back().size() == 1, ExitCode::kBadData,
          "[{}] expected a layer of one output in a chain, got {}", layer.name(),
          values_.back().size());
    check_size(layer, graph_, before, counted[call.layer], parameter_count);
    counted[call.layer] = true;
  }
  std::vector<std::size_t> output_values;
  for (const Output& output : outputs_) {
    output_values.push_back(checked_value_of(output));
    count_mask(graph_, output_values.back());
  }
  graph_.finish(std::move(output_values));
  know(graph_, values_);

  std::vector<Parameter*> parameters;
  for (const auto& layer : layers_)
    for (Parameter& parameter : layer->parameters()) parameters.push_back(&parameter);
  arena_ = ParameterArena(std::move(parameters));
  if (!is_stateful()) batch_size_ = 0;
  built_ = true;
}

std::vector<std::size_t> make_call(Graph& graph, Layer& layer, const Network::Call& call,
                                   std::vector<std::size_t> inputs) {
  graph.set_inference(call.inference);
  graph.set_causal(call.causal);
  const auto mask = graph.mask(inputs.front());
  const bool hidden = call.unmasked && mask;
  if (hidden) inputs.front() = graph.reshape(inputs.front(), graph.shape(inputs.front()));
  std::vector<std::size_t> outputs = layer.apply_all(graph, inputs);
  const bool sequence = hidden && graph.shape(outputs.front()).size() > graph.shape(*mask).size();
  if (sequence) graph.set_mask(outputs.front(), mask);
  return outputs;
}

bool Network::is_chain() const {
  if (calls_.size() != layers_.size()) return false;
  for (std::size_t i = 0; i < calls_.size(); ++i) {
    if (calls_[i].layer != i || calls_[i].inference || calls_[i].causal ||
        calls_[i].inputs != inputs_in_chain(i) || outputs_of(i) > 1)
      return false;
  }
  return outputs_ == inputs_in_chain(calls_.size());
}

std::int64_t Network::call_number(std::size_t call) const {
  const std::span before = std::span(calls_).first(call);
  return std::ranges::count(before, calls_[call].layer, &Call::layer);
}

const Shape& Network::output_shape_of(std::size_t layer) const {
  const auto call = std::ranges::find(calls_, layer, &Call::layer);
  return shape_of(static_cast<std::size_t>(call - calls_.begin()));
}

void Network::know(const Graph& graph, const std::vector<std::vector<std::size_t>>& values) {
  known_.clear();
  for (const std::vector<std::size_t>& of_call : values) {
    known_.emplace_back();
    for (const std::size_t value : of_call)
      known_.back().push_back({graph.shape(value), graph.mask(value).has_value()});
  }
}

const Network::Known& Network::known(const Output& output) const {
  check(!known_.empty(), ExitCode::kUsage, "[{}] expected build() before its outputs are asked for",
        name_);
  return known_[output.call][output.number];
}

std::size_t Network::checked_value_of(const Output& output) const {
  const std::size_t there = outputs_of(output.call);
  check(output.number < there, ExitCode::kBadData, "[{}] expected one of {} outputs, got number {}",
        layers_[calls_[output.call].layer]->name(), there, output.number);
  return value_of(output);
}

void Network::initialize(std::uint64_t seed) {
  const FloatingPointEnvironment environment;
  std::uint32_t index = 0;
  for (Parameter* parameter : arena_.parameters()) {
    const RandomStream random(seed, Purpose::kInitializer, 0, index++);
    parameter->initializer->fill(parameter->value, parameter->shape, random);
  }
}

void Network::compile(const nlohmann::ordered_json& optimizer, const nlohmann::ordered_json& loss,
                      const nlohmann::ordered_json& metrics) {
  const FloatingPointEnvironment environment(Denormals::kKeep);
  check(built_, ExitCode::kUsage, "[{}] expected build() before compile()", name_);
  objective_.emplace(graph_, optimizer, loss, metrics);
}

Objective Network::objective(const Output& wanted, const std::vector<std::size_t>& trained_layers,
                             const nlohmann::ordered_json& optimizer,
                             const nlohmann::ordered_json& loss,
                             const nlohmann::ordered_json& metrics) const {
  const FloatingPointEnvironment environment(Denormals::kKeep);
  check(built_, ExitCode::kUsage, "[{}] expected build() before objective()", name_);
  check(
      wanted.call < calls_.size() && wanted.number < outputs_of(wanted.call), ExitCode::kUsage,
      "[{}] expected an objective at an output of one of {} calls, got output {} of call number {}",
      name_, calls_.size(), wanted.number, wanted.call);
  const std::size_t output = value_of(wanted);
  check(
      !graph_.mask(output) || std::ranges::find(outputs_, wanted) != outputs_.end(),
      ExitCode::kUsage,
      "[{}] expected an objective at an output of the network, or one without a mask, got that of "
      "{}, by whose mask a loss would be weighed",
      name_, layers_[calls_[wanted.call].layer]->name());
  check(!graph_.dropped(output), ExitCode::kUsage,
        "[{}] expected an objective at an output that is computed as it stands, got that of {}, "
        "which the next layer reads in another order of axes",
        name_, layers_[calls_[wanted.call].layer]->name());
  std::vector<const Parameter*> trained;
  for (const std::size_t layer : trained_layers) {
    check(layer < layers_.size(), ExitCode::kUsage,
          "[{}] expected an objective to train some of {} layers, got number {}", name_,
          layers_.size(), layer);
    for (const Parameter& parameter : layers_[layer]->parameters())
      if (parameter.trained()) trained.push_back(&parameter);
  }
  for (const Graph::Step& step : graph_.steps())
    check(!step.op->needs().adds_to_loss, ExitCode::kUsage,
          "[{}] expected layers without activity_regularizer for an objective of one's own, which "
          "does not count them, got one",
          name_);
  const Aim aim(output, trained);
  const GradientPlan plan = plan_gradients(graph_, GradientWay::kRows, aim);
  for (const std::size_t layer : trained_layers)
    for (const Parameter& parameter : layers_[layer]->parameters())
      check(!parameter.trained() || std::ranges::any_of(plan.parameters,
                                                        [&](const auto& trained) {
                                                          return trained.parameter == &parameter;
                                                        }),
            ExitCode::kUsage,
            "[{}] expected an objective to train layers that its output depends on, got {}", name_,
            layers_[layer]->name());
  check(!plan.parameters.empty(), ExitCode::kUsage,
        "[{}] expected an objective to train at least one weight, got none", name_);
  return Objective(graph_, optimizer, loss, metrics, aim);
}

void Network::compile(const std::string& optimizer, const std::string& loss,
                      std::initializer_list<std::string> metrics) {
  compile(nlohmann::ordered_json(optimizer), nlohmann::ordered_json(loss),
          nlohmann::ordered_json(std::vector<std::string>(metrics)));
}

Workspace Network::inference_workspace(std::int64_t rows) const {
  return Workspace(graph_, {.training = false, .ops = graph_.ops(), .rows = {rows, rows, rows}});
}

Workspace Network::training_workspace(std::int64_t rows) const {
  return Workspace(graph_, {.training = true,
                            .ops = training_ops(),
                            .way = std::vector(graph_.ops(), GradientWay::kOwner),
                            .rows = {rows, rows, rows}});
}

Matrix Network::forward(const Workspace& workspace, Range range, const Pass& wanted,
                        bool until_logits) const {
  const FloatingPointEnvironment environment;
  Pass pass = wanted;
  pass.numerics = numerics_;
  const std::size_t ops = until_logits ? training_ops() : graph_.ops();
  Rows rows = workspace.rows(range, range.first);
  rows.batch_row += pass.first_row;
  run_forward(graph_, workspace, rows, pass, {0, static_cast<std::int64_t>(ops)});
  const Matrix output = workspace.output(range);
  if (ops < graph_.ops()) copy_values(OpValues(workspace.op(ops), rows).x(), output);
  return output;
}

void Network::backward(const Workspace& workspace, Range range, const Pass& wanted) const {
  const FloatingPointEnvironment environment;
  Pass pass = wanted;
  pass.numerics = numerics_;
  Rows rows = workspace.rows(range, range.first);
  rows.batch_row += pass.first_row;
  for (std::size_t op = training_ops(); op-- > 0;) run_backward(graph_, workspace, rows, pass, op);
}

void Network::gradients(const Workspace& workspace, Range range, const Pass& wanted,
                        const Subtrees& subtrees, Range floats, float* out) const {
  const FloatingPointEnvironment environment;
  Pass pass = wanted;
  pass.numerics = numerics_;
  const GradientPlan plan = plan_gradients(graph_, GradientWay::kOwner);
  ParameterGradients(graph_, workspace, plan, GradientWay::kOwner, range.count())
      .compute_owned(workspace.rows(range, range.first), pass, subtrees, floats, out);
}

void Network::set_batch_size(std::int64_t rows) {
  check(batch_size_ == 0 || batch_size_ == rows, ExitCode::kUsage,
        "[{}] expected batches of {} rows, for which its stateful layers are made, got {}", name_,
        batch_size_, rows);
  batch_size_ = rows;
}

void Network::begin_states() const {
  for (const auto& state : graph_.states())
    if (state->rows() != batch_size_) state->begin(batch_size_);
}

void Network::reset_states() const {
  for (const auto& state : graph_.states()) std::ranges::fill(state->before().flat(), 0.0f);
}

void Network::turn_states() const {
  for (const auto& state : graph_.states()) state->turn();
}

bool Network::regularized() const {
  return std::ranges::any_of(arena_.parameters(),
                             [](const Parameter* p) { return p->regularizer.active(); });
}

double Network::regularization_penalty() const {
  const FloatingPointEnvironment environment;
  double sum = 0;
  for (const Parameter* parameter : arena_.parameters())
    if (parameter->regularizer.active()) sum += parameter->regularizer.penalty(parameter->value);
  return sum;
}

void Network::add_regularization_gradient(Range floats, float* gradients) const {
  for (const Parameter* parameter : arena_.parameters()) {
    if (!parameter->trained() || !parameter->regularizer.active()) continue;
    const Range elements = parameter->elements_within(floats);
    const auto count = static_cast<std::size_t>(elements.count());
    parameter->regularizer.add_gradient(
        parameter->value.subspan(static_cast<std::size_t>(elements.first), count),
        {gradients + parameter->offset + elements.first - floats.first, count});
  }
}

std::int64_t Network::output_columns() const {
  return output_shape().empty() ? 1 : output_shape().back();
}

std::int64_t Network::output_positions() const {
  const std::int64_t columns = output_columns();
  return columns == 0 ? 0 : element_count(output_shape()) / columns;
}

std::int64_t Network::parameter_count() const {
  std::int64_t count = 0;
  for (const Parameter* parameter : arena_.parameters())
    count += static_cast<std::int64_t>(parameter->value.size());
  return count;
}

std::string Network::weights_sha256() const {
  static_assert(std::endian::native == std::endian::little);
  Sha256 hash;
  for (const Parameter* parameter : arena_.parameters())
    hash.add(std::as_bytes(std::span<const float>(parameter->value)));
  return to_hex(hash.digest());
}

}  // namespace lockstep
