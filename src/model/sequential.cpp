#include "src/model/sequential.hpp"

#include <algorithm>
#include <bit>
#include <cctype>
#include <nlohmann/json.hpp>

#include "src/core/error.hpp"
#include "src/core/floating_point.hpp"
#include "src/core/hash.hpp"
#include "src/model/size_limit.hpp"

namespace lockstep {
namespace {

/// Keras's default name of a class: "InputLayer" -> "input_layer".
std::string snake_case(const std::string& class_name) {
  std::string snake;
  for (std::size_t i = 0; i < class_name.size(); ++i) {
    const auto letter = static_cast<unsigned char>(class_name[i]);
    if (std::isupper(letter) && i > 0) snake += '_';
    snake += static_cast<char>(std::tolower(letter));
  }
  return snake;
}

/// The elements of a parameter that lie within a range of the arena's floats.
Range elements_within(const Parameter& parameter, Range floats) {
  const auto count = static_cast<std::int64_t>(parameter.value.size());
  const std::int64_t first = std::clamp<std::int64_t>(floats.first - parameter.offset, 0, count);
  return {first, std::clamp<std::int64_t>(floats.last - parameter.offset, first, count)};
}

}  // namespace

Sequential::Sequential(std::string name) : name_(std::move(name)) {}
Sequential::~Sequential() = default;
Sequential::Sequential(Sequential&&) noexcept = default;
Sequential& Sequential::operator=(Sequential&&) noexcept = default;

void Sequential::add(std::unique_ptr<Layer> layer) {
  check(!built_, ExitCode::kUsage, "[{}] layers are added before build()", name_);
  const auto taken = [this](const std::string& name) {
    return std::ranges::any_of(layers_, [&](const auto& other) { return other->name() == name; });
  };
  if (layer->name().empty()) {
    const std::string base = snake_case(layer->class_name());
    std::string name = base;
    for (int i = 1; taken(name); ++i) name = fmt::format("{}_{}", base, i);
    layer->set_name(name);
  }
  check(!taken(layer->name()), ExitCode::kBadData,
        "[{}] expected every layer to have a name of its own, got '{}' twice", name_,
        layer->name());
  layer->set_index(
      std::ranges::count_if(layers_, [](const auto& other) { return !other->passes_through(); }));
  layers_.push_back(std::move(layer));
}

void Sequential::build(const Shape& input) {
  check(!built_, ExitCode::kUsage, "[{}] is built already", name_);
  check(!layers_.empty(), ExitCode::kBadData, "[{}] expected at least one layer, got none", name_);
  shapes_ = {input};
  std::vector<Parameter*> parameters;
  std::int64_t parameter_count = 0;
  for (const auto& layer : layers_) {
    shapes_.push_back(layer->build(shapes_.back()));
    check_size(*layer, shapes_.back(), parameter_count);
    for (Parameter& parameter : layer->parameters()) {
      parameter.trainable = layer->trainable();
      parameters.push_back(&parameter);
    }
  }
  arena_ = ParameterArena(std::move(parameters));
  built_ = true;
}

void Sequential::initialize(std::uint64_t seed) {
  const FloatingPointEnvironment environment;
  std::uint32_t index = 0;
  for (Parameter* parameter : arena_.parameters()) {
    const RandomStream random(seed, Purpose::kInitializer, 0, index++);
    parameter->initializer->fill(parameter->value, parameter->shape, random);
  }
}

void Sequential::compile(const nlohmann::ordered_json& optimizer,
                         const nlohmann::ordered_json& loss,
                         const nlohmann::ordered_json& metrics) {
  const FloatingPointEnvironment environment(Denormals::kKeep);
  check(built_, ExitCode::kUsage, "[{}] expected build() before compile()", name_);
  optimizer_ = make_optimizer(optimizer);
  loss_ = make_loss(loss);
  metrics_.clear();
  for (const auto& metric : metrics)
    metrics_.push_back(make_metric(metric, output_columns(), loss_->target_kind()));
  fused_ = loss_->fuses(layers_.back()->final_activation());
  layers_.back()->leave_activation_to_loss(fused_);
}

void Sequential::compile(const std::string& optimizer, const std::string& loss,
                         std::initializer_list<std::string> metrics) {
  compile(nlohmann::ordered_json(optimizer), nlohmann::ordered_json(loss),
          nlohmann::ordered_json(std::vector<std::string>(metrics)));
}

Matrix Sequential::forward(const Workspace& workspace, Range rows, const Pass& wanted,
                           bool until_logits) const {
  const FloatingPointEnvironment environment;
  Pass pass = wanted;
  pass.numerics = numerics_;
  const std::size_t scaled_before = pass.input_is_scaled ? scaling_layer() : layers_.size();
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    if (layers_[i]->passes_through() || i == scaled_before) continue;
    layers_[i]->forward(pass, workspace.view(i, rows), workspace.view(i + 1, rows),
                        workspace.kept(i, rows));
  }
  const Matrix output = workspace.output(rows);
  if (fused_ && !until_logits)
    activate(layers_.back()->final_activation(), output.with_columns(output_columns()));
  return output;
}

void Sequential::backward(const Workspace& workspace, Range rows, const Pass& wanted,
                          const LayerDone& layer_done) const {
  const FloatingPointEnvironment environment;
  Pass pass = wanted;
  pass.numerics = numerics_;
  const std::size_t first = first_trained_layer();
  for (std::size_t i = layers_.size(); i-- > 0;) {
    if (i >= first && !layers_[i]->passes_through()) {
      const Matrix dx = i > first ? workspace.gradient(i, rows) : Matrix{};
      layers_[i]->backward(pass, workspace.view(i, rows), workspace.view(i + 1, rows),
                           workspace.gradient(i + 1, rows), dx, workspace.kept(i, rows));
    }
    if (layer_done) layer_done(i);
  }
}

void Sequential::gradients(const Workspace& workspace, Range rows, const Pass& wanted, Range floats,
                           float* out) const {
  const FloatingPointEnvironment environment;
  Pass pass = wanted;
  pass.numerics = numerics_;
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    const auto& parameters = layers_[i]->parameters();
    for (std::size_t p = 0; p < parameters.size(); ++p) {
      const Range elements = elements_within(parameters[p], floats);
      if (!parameters[p].trainable || elements.count() == 0) continue;
      layers_[i]->gradient(pass, workspace.view(i, rows), workspace.gradient(i + 1, rows), p,
                           elements, out + parameters[p].offset + elements.first - floats.first);
    }
  }
}

Range Sequential::gradient_columns(Range floats) const {
  std::size_t i = 0;  // the first layer that reads the input: what is before leaves it in its place
  while (i < layers_.size() && (layers_[i]->passes_through() || i == scaling_layer())) ++i;
  Range columns{};
  if (i == layers_.size()) return columns;
  const auto& parameters = layers_[i]->parameters();
  for (std::size_t p = 0; p < parameters.size(); ++p) {
    const Range elements = elements_within(parameters[p], floats);
    if (!parameters[p].trainable || elements.count() == 0) continue;
    columns =
        hull(columns, layers_[i]->gradient_columns(p, elements, element_count(input_shape())));
  }
  return columns;
}

std::size_t Sequential::scaling_layer() const {
  std::size_t i = 0;
  while (i < layers_.size() && layers_[i]->passes_through()) ++i;
  const bool found = i < layers_.size() && dynamic_cast<const Rescaling*>(layers_[i].get());
  return found ? i : layers_.size();
}

Scaling Sequential::input_scaling() const {
  const std::size_t i = scaling_layer();
  return i < layers_.size() ? dynamic_cast<const Rescaling&>(*layers_[i]).scaling() : Scaling{};
}

std::size_t Sequential::first_trained_layer() const {
  for (std::size_t i = 0; i < layers_.size(); ++i)
    if (layers_[i]->trainable() && !layers_[i]->parameters().empty()) return i;
  return layers_.size();
}

bool Sequential::regularized() const {
  return std::ranges::any_of(arena_.parameters(),
                             [](const Parameter* p) { return p->regularizer.active(); });
}

double Sequential::regularization_penalty() const {
  const FloatingPointEnvironment environment;
  double sum = 0;
  for (const Parameter* parameter : arena_.parameters())
    if (parameter->regularizer.active()) sum += parameter->regularizer.penalty(parameter->value);
  return sum;
}

void Sequential::add_regularization_gradient(Range floats, float* gradients) const {
  for (const Parameter* parameter : arena_.parameters()) {
    if (!parameter->trainable || !parameter->regularizer.active()) continue;
    const Range elements = elements_within(*parameter, floats);
    const auto count = static_cast<std::size_t>(elements.count());
    parameter->regularizer.add_gradient(
        parameter->value.subspan(static_cast<std::size_t>(elements.first), count),
        {gradients + parameter->offset + elements.first - floats.first, count});
  }
}

std::int64_t Sequential::output_columns() const {
  return output_shape().empty() ? 1 : output_shape().back();
}

std::int64_t Sequential::output_positions() const {
  const std::int64_t columns = output_columns();
  return columns == 0 ? 0 : element_count(output_shape()) / columns;
}

std::int64_t Sequential::parameter_count() const {
  std::int64_t count = 0;
  for (const Parameter* parameter : arena_.parameters())
    count += static_cast<std::int64_t>(parameter->value.size());
  return count;
}

std::string Sequential::weights_sha256() const {
  static_assert(std::endian::native == std::endian::little);
  Sha256 hash;
  for (const Parameter* parameter : arena_.parameters())
    hash.add(std::as_bytes(std::span<const float>(parameter->value)));
  return to_hex(hash.digest());
}

}  // namespace lockstep
