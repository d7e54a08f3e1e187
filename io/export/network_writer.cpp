#include "io/export/network_writer.hpp"

#include <algorithm>
#include <utility>

#include "src/core/error.hpp"
#include "src/core/printable.hpp"
#include "src/layers/time_distributed.hpp"
#include "src/model/model_layer.hpp"

namespace lockstep {
namespace {

/// Of one step.
Shape without_first(const Shape& shape) {
  return {shape.begin() + 1, shape.end()};
}

/// Whether later readers of the layer's inputs find no masks there: take_masks().
bool takes_masks(const LayerUse& use) {
  const std::string kind = use.layer.class_name();
  return kind == "MultiHeadAttention" ||
         (kind == "TransformerEncoder" && !use.is_set("normalize_first"));
}

bool merges_by_masks(const LayerUse& use) {
  const std::string kind = use.layer.class_name();
  const auto has = [](const auto& mask) { return mask.has_value(); };
  return (kind == "Multiply" || kind == "Maximum" || kind == "Minimum") &&
         std::ranges::any_of(use.masks, has);
}

}  // namespace

std::string NetworkWriter::write(const Network& model, const std::string& input) {
  check(
      !model.is_stateful(), ExitCode::kBadData,
      "[{}] expected no stateful layer, since what is exported begins every batch with zeros, got "
      "one",
      printable(model.is_stateful() ? model.graph().states().front()->layer() : ""));
  const std::string output = network(model, {input}, model.input_shape(), nullptr).name;
  problems_.throw_if_any(ExitCode::kBadData);
  return output;
}

ExportValue NetworkWriter::network(const Network& model, ExportValue input, const Shape& shape,
                                   const LayerUse* within) {
  std::vector<std::vector<ExportValue>> values;
  values.reserve(model.calls().size());
  for (std::size_t i = 0; i < model.calls().size(); ++i) {
    const Network::Call& its = model.calls()[i];
    std::vector<ExportValue*> read;
    std::vector<Shape> shapes;
    for (const Network::Output& from : its.inputs) {
      read.push_back(&values[from.call][from.number]);
      shapes.push_back(model.shape_of(from));
    }
    if (read.empty()) {
      read = {&input};
      shapes = {shape};
    }
    LayerUse use(*model.layers()[its.layer], std::move(shapes), model.shape_of(i), its.causal,
                 within);
    Names x;
    for (std::size_t k = 0; k < read.size(); ++k) {
      x.push_back(read[k]->name);
      use.masks[k] = read[k]->mask;
    }
    std::optional<ExportMask> hidden;
    if (its.unmasked) hidden = std::exchange(use.masks[0], {});
    try {
      values.push_back(call(use, x));
      if (hidden && model.shape_of(i).size() > hidden->shape.size())
        values.back().front().mask = hidden;
    } catch (const Error& error) {
      problems_.add(fmt::format("[{}]", printable(use.layer.name())), without_where(error));
      values.emplace_back(model.outputs_of(i), input);
    }
    if (takes_masks(use))
      for (ExportValue* value : read) value->mask.reset();
  }
  const Network::Output& output = model.outputs().front();
  return values[output.call][output.number];
}

std::vector<ExportValue> NetworkWriter::call(const LayerUse& use, const Names& x) {
  if (use.layer.class_name() == "TimeDistributed") return {over_steps(use, x[0])};
  std::vector<ExportValue> outputs;
  if (merges_by_masks(use))
    outputs.push_back({merged_by_masks(use, x)});
  else
    for (std::string& name : write_layer(use, x)) outputs.push_back({std::move(name)});
  outputs.front().mask = mask_behind(use, x);
  return outputs;
}

/// As TimeDistributed::lower().
ExportValue NetworkWriter::over_steps(const LayerUse& use, const std::string& x) {
  const Layer& layer = dynamic_cast<const TimeDistributed&>(use.layer).layer();
  const Shape shape = without_first(use.inputs[0]);
  std::optional<ExportMask> mask = use.masks[0];
  ExportValue step{reshaped(x, shape)};
  if (mask && !layer.is_of_keras_hub()) {
    const Shape of_step = without_first(mask->shape);
    step.mask = {reshaped(mask->name, of_step), of_step};
  }
  std::string y;
  if (const auto* const model = dynamic_cast<const ModelLayer*>(&layer)) {
    y = network(model->network(), step, shape, &use).name;
  } else {
    LayerUse inner(layer, {shape}, without_first(use.output), {}, &use);
    inner.masks[0] = step.mask;
    y = call(inner, {step.name}).front().name;
  }
  while (mask && mask->shape.size() > 1 && mask->shape.size() >= use.output.size()) {
    mask->name = any_of_last_axis(mask->name);
    mask->shape.pop_back();
  }
  return {reshaped(y, use.output), mask};
}

/// As Merging::lower_masked().
std::string NetworkWriter::merged_by_masks(const LayerUse& use, const Names& x) {
  const std::string kind = use.layer.class_name();
  const bool multiplies = kind == "Multiply";
  std::optional<ExportMask> mask = use.masks[0];
  std::string value = multiplies && mask ? filled(mask->name, x[0], 1) : x[0];
  for (std::size_t i = 1; i < x.size(); ++i) {
    const std::optional<ExportMask>& its = use.masks[i];
    std::string second = x[i];
    if (its) second = multiplies ? filled(its->name, x[i], 1) : chosen(its->name, x[i], value);
    if (mask && !multiplies) value = chosen(mask->name, value, second);
    if (mask && its)
      mask = either_mask(*mask, *its);
    else
      mask.reset();
    value = merged(kind, value, second);
  }
  return mask && multiplies ? filled(mask->name, value, 0) : value;
}

}  // namespace lockstep
