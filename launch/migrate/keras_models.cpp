#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "launch/migrate/fit_call.hpp"
#include "launch/migrate/keras_calls.hpp"
#include "src/core/printable.hpp"

namespace lockstep {
namespace {

using Value = ScriptValue;
using Kind = ScriptValue::Kind;

Value model_value(std::shared_ptr<ScriptModel> model) {
  Value value;
  value.kind = Kind::kModel;
  value.model = std::move(model);
  return value;
}

/// Always the same layer for one model, so that it is known to be shared.
std::shared_ptr<ScriptLayer> as_layer(const std::shared_ptr<ScriptModel>& model) {
  std::shared_ptr<ScriptLayer> layer = model->as_layer.lock();
  if (!layer) {
    layer = std::make_shared<ScriptLayer>();
    layer->model = model;
    layer->dropped = model->dropped;
    layer->line = model->line;
    model->as_layer = layer;
  }
  return layer;
}

void add_to_sequential(ScriptReader& reader, ScriptModel& model, const Value& value) {
  if (value.is(Kind::kLayer)) {
    if (!value.layer->is_left_out()) model.layers.push_back(value.layer);
  } else if (value.is(Kind::kNode) && value.node->layer->is_input()) {
    model.layers.push_back(value.node->layer);
  } else if (value.is(Kind::kModel)) {
    model.layers.push_back(as_layer(value.model));
  } else if (value.is(Kind::kLoadedLayers)) {
    auto layer = std::make_shared<ScriptLayer>();
    layer->model = value.model;
    layer->dropped = value.count;
    layer->line = reader.line();
    model.layers.push_back(std::move(layer));
  } else {
    reader.unread(reader.line(), "a layer of this network is not understood", true);
  }
}

std::shared_ptr<ScriptNode> one_node(ScriptReader& reader, const Value* value, const char* what) {
  if (value != nullptr && value->is_sequence() && value->items->size() == 1)
    value = &value->items->front();
  if (value != nullptr && value->is(Kind::kNode)) return value->node;
  reader.unread(reader.line(), fmt::format("expected a network of one {}", what), true);
  return nullptr;
}

std::string text_of(const Value* value) {
  return value != nullptr && value->is_string() ? value->constant.get<std::string>() : "";
}

void save(ScriptReader& reader, ScriptModel& model, const ScriptArguments& arguments) {
  const std::string file = text_of(argument_of(arguments, "filepath", 0));
  if (reader.migration().runs.empty() || model.trained_file.empty()) return;
  if (file.ends_with(".keras")) keep_as_keras(reader, model);
  if (!file.empty() && model.changed.empty()) reader.saved[file] = model.trained_file;
  reader.note(fmt::format("what line {} saves is {}", reader.line(), model.trained_file));
}

/// What makes a network another than the one that the last fit has left.
void change(ScriptReader& reader, ScriptModel& model, const std::string& what, bool fatal) {
  if (model.trained_file.empty())
    reader.unread(reader.line(), what, fatal);
  else
    model.changed[reader.line()] = what;
}

void load_weights(ScriptReader& reader, ScriptModel& model, const ScriptArguments& arguments) {
  const std::string file = text_of(argument_of(arguments, "filepath", 0));
  const auto saved = reader.saved.find(file);
  bool some = false;
  std::size_t position = 0;
  for (const ScriptArgument& argument : arguments) {
    const std::string& name = argument.keyword;
    if (name == "filepath" || (name.empty() && position++ == 0) || argument.value.is_none())
      continue;
    const bool known = argument.value.is(Kind::kConstant) && argument.value.constant.is_boolean();
    if (known && (name == "by_name" || name == "skip_mismatch"))
      some = some || argument.value.constant.get<bool>();
    else
      change(reader, model,
             fmt::format("{} of load_weights() is not carried over",
                         name.empty() ? "an argument" : printable(name, 60)),
             false);
  }
  if (!model.trained_file.empty()) {
    if (saved != reader.saved.end() && !some) {
      model.trained_file = saved->second;
      model.changed.clear();
    } else {
      change(reader, model, "these weights are not carried over", true);
    }
    return;
  }
  model.weights = saved != reader.saved.end() ? saved->second : file;
  model.skip_mismatch = some;
  if (some)
    reader.note(fmt::format("skip-mismatch takes the weights of line {} by their names and shapes",
                            reader.line()));
  if (model.weights.empty()) reader.unread(reader.line(), "the file is not known");
}

Value layer_by_name(ScriptReader& reader, const ScriptModel& model,
                    const ScriptArguments& arguments) {
  const std::string name = text_of(argument_of(arguments, "name", 0));
  for (const auto& layer : model.layers) {
    if (layer->name != name) continue;
    Value value;
    value.kind = Kind::kLayer;
    value.layer = layer;
    return value;
  }
  reader.unread(reader.line(), "the layer of this name is not known");
  return reader.opaque_of(arguments);
}

}  // namespace

bool changes_nothing(const std::string& method) {
  static const std::array<std::string_view, 22> kNames = {"predict",
                                                          "predict_on_batch",
                                                          "predict_generator",
                                                          "predict_classes",
                                                          "predict_proba",
                                                          "evaluate",
                                                          "evaluate_generator",
                                                          "test_on_batch",
                                                          "save",
                                                          "save_weights",
                                                          "export",
                                                          "summary",
                                                          "to_json",
                                                          "to_yaml",
                                                          "get_config",
                                                          "get_weights",
                                                          "get_layer",
                                                          "count_params",
                                                          "build",
                                                          "reset_states",
                                                          "reset_metrics",
                                                          "make_predict_function"};
  return std::ranges::find(kNames, method) != kNames.end();
}

Value make_sequential(ScriptReader& reader, const ScriptArguments& arguments) {
  auto model = std::make_shared<ScriptModel>();
  model->line = reader.line();
  model->name = text_of(argument_of(arguments, "name", 1));
  const Value* layers = argument_of(arguments, "layers", 0);
  if (layers != nullptr && layers->is_sequence()) {
    for (const Value& layer : *layers->items) add_to_sequential(reader, *model, layer);
  } else if (layers != nullptr && !layers->is_none()) {
    add_to_sequential(reader, *model, *layers);
  }
  return model_value(std::move(model));
}

Value make_functional(ScriptReader& reader, const ScriptArguments& arguments) {
  auto model = std::make_shared<ScriptModel>();
  model->form = ScriptModel::Form::kFunctional;
  model->line = reader.line();
  model->name = text_of(argument_of(arguments, "name", 2));
  const auto given = [&](const char* name, const char* old, std::size_t position) {
    const Value* value = argument_of(arguments, name, position);
    return value != nullptr ? value : argument_of(arguments, old, position);
  };
  model->input = one_node(reader, given("inputs", "input", 0), "input");
  model->output = one_node(reader, given("outputs", "output", 1), "output");
  if (!model->input || !model->output) return reader.opaque_of(arguments);
  return model_value(std::move(model));
}

Value load_model_value(ScriptReader& reader, const ScriptArguments& arguments) {
  const std::string file = text_of(argument_of(arguments, "filepath", 0));
  if (file.empty()) {
    reader.unread(reader.line(), "the file of this network is not known", true);
    return reader.opaque_of(arguments);
  }
  auto model = std::make_shared<ScriptModel>();
  model->form = ScriptModel::Form::kLoaded;
  const auto saved = reader.saved.find(file);
  model->file = saved != reader.saved.end() ? saved->second : file;
  model->line = reader.line();
  return model_value(std::move(model));
}

Value apply_model(ScriptReader& reader, const std::shared_ptr<ScriptModel>& model,
                  const ScriptArguments& arguments) {
  const Value* x = argument_of(arguments, "inputs", 0);
  if (x == nullptr || !x->is(Kind::kNode)) {
    if (!model->trained_file.empty()) return ScriptReader::result();
    return reader.opaque_of(arguments);
  }
  // Of augmentation alone, which is left out.
  if (model->form == ScriptModel::Form::kSequential &&
      std::ranges::all_of(model->layers, [](const auto& layer) { return layer->is_input(); }))
    return *x;
  reader.made_node();
  const Value* training = argument_of(arguments, "training", 1);
  const bool in_training = training != nullptr && training->is(Kind::kConstant) &&
                           training->constant.is_boolean() && training->constant.get<bool>();
  if (in_training)
    reader.unread(reader.line(),
                  "training=True, which holds in inference, too, is not carried over");
  Value value = node_value(as_layer(model), {x->node});
  if (training != nullptr && training->is(Kind::kConstant) && training->constant.is_boolean() &&
      !in_training && model->form != ScriptModel::Form::kLoaded)
    value.node->arguments.emplace_back("training", *training);
  return value;
}

Value call_model_method(ScriptReader& reader, const Value& of, const std::string& method,
                        ScriptArguments& arguments) {
  ScriptModel& model = *of.model;
  if ((method == "add" || method == "pop") && !model.trained_file.empty())
    change(reader, model, "layers of a network that has been trained are not changed", true);
  if (method == "add") {
    if (model.form == ScriptModel::Form::kLoaded) {
      reader.unread(reader.line(), "expected Sequential(model.layers[:-1]) before layers are added",
                    true);
    } else if (!arguments.empty()) {
      add_to_sequential(reader, model, arguments[0].value);
    }
    return constant_value(nullptr);
  }
  if (method == "pop") {
    if (model.form == ScriptModel::Form::kLoaded) ++model.dropped;
    if (!model.layers.empty()) model.layers.pop_back();
    return constant_value(nullptr);
  }
  if (method == "compile") {
    model.compiled = arguments;
    model.compile_line = reader.line();
    model.newly_compiled = true;
    return constant_value(nullptr);
  }
  if (method == "fit" || method == "fit_generator" || method == "train_on_batch") {
    if (method == "fit") {
      fit(reader, of.model, arguments);
    } else {
      reader.unread(reader.line(), fmt::format("expected fit(x, y, ...), got {}", method), true);
    }
    return ScriptReader::result();
  }
  if (method == "load_weights") {
    load_weights(reader, model, arguments);
    return constant_value(nullptr);
  }
  if (method == "summary") {
    reader.summary = true;
    return ScriptReader::result();
  }
  if (method == "predict")
    for (const ScriptArgument& argument : arguments) reader.is_data(argument.value.lines);
  if (method == "evaluate") evaluated(reader, model, arguments);
  if (method == "save" || method == "save_weights") save(reader, model, arguments);
  if (method == "get_layer") return layer_by_name(reader, model, arguments);
  if (!changes_nothing(method))
    change(reader, model,
           fmt::format("the method {} of a network is not carried over", printable(method, 60)),
           false);
  return ScriptReader::result();
}

}  // namespace lockstep
