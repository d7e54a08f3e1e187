#include "launch/migrate/compile_text.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "launch/migrate/keras_calls.hpp"
#include "launch/migrate/network_text.hpp"
#include "launch/train/setting_fields.hpp"
#include "src/core/printable.hpp"
#include "src/core/words.hpp"
#include "src/optimizers/make_optimizer.hpp"

namespace lockstep {
namespace {

using Json = nlohmann::ordered_json;
using Value = ScriptValue;
using Kind = ScriptValue::Kind;
using Names = std::vector<std::string>;

/// Arguments in the order of their positions, by class name; of others only keywords are known.
const Names& positions(const std::string& class_name) {
  static const std::map<std::string, Names> known = {
      {"SGD", {"learning_rate", "momentum", "nesterov"}},
      {"RMSprop", {"learning_rate", "rho", "momentum", "epsilon", "centered"}},
      {"Adam", {"learning_rate", "beta_1", "beta_2", "epsilon", "amsgrad"}},
      {"AdamW", {"learning_rate", "weight_decay", "beta_1", "beta_2", "epsilon", "amsgrad"}},
      {"Adamax", {"learning_rate", "beta_1", "beta_2", "epsilon"}},
      {"Nadam", {"learning_rate", "beta_1", "beta_2", "epsilon"}},
      {"Adadelta", {"learning_rate", "rho", "epsilon"}},
      {"Adagrad", {"learning_rate", "initial_accumulator_value", "epsilon"}},
      {"Lion", {"learning_rate", "beta_1", "beta_2"}},
      {"Ftrl", {"learning_rate"}},
      {"ExponentialDecay", {"initial_learning_rate", "decay_steps", "decay_rate", "staircase"}},
      {"InverseTimeDecay", {"initial_learning_rate", "decay_steps", "decay_rate", "staircase"}},
      {"PiecewiseConstantDecay", {"boundaries", "values"}},
      {"PolynomialDecay",
       {"initial_learning_rate", "decay_steps", "end_learning_rate", "power", "cycle"}},
      {"CosineDecay",
       {"initial_learning_rate", "decay_steps", "alpha", "name", "warmup_target", "warmup_steps"}},
      {"CosineDecayRestarts",
       {"initial_learning_rate", "first_decay_steps", "t_mul", "m_mul", "alpha"}},
      {"Huber", {"delta"}},
      {"BinaryCrossentropy", {"from_logits", "label_smoothing"}},
      {"CategoricalCrossentropy", {"from_logits", "label_smoothing"}},
      {"SparseCategoricalCrossentropy", {"from_logits"}},
      {"CosineSimilarity", {"axis"}},
      {"Precision", {"thresholds", "top_k"}},
      {"Recall", {"thresholds", "top_k"}},
      {"AUC", {"num_thresholds", "curve"}},
      {"TopKCategoricalAccuracy", {"k"}},
      {"SparseTopKCategoricalAccuracy", {"k"}}};
  static const Names none;
  const auto found = known.find(class_name);
  return found != known.end() ? found->second : none;
}

/// An object's arguments by their names; what cannot be named, or read, is told.
Json settings_of(ScriptReader& reader, const ScriptObject& object) {
  Json settings = Json::object();
  const Names& names = positions(object.name());
  std::size_t position = 0;
  for (const ScriptArgument& argument : object.arguments) {
    std::string name = argument.keyword;
    if (name.empty() && position < names.size()) name = names[position++];
    if (name == "lr") name = "learning_rate";
    auto value = argument.value.is(Kind::kObject) && name == "learning_rate"
                     ? std::optional<Json>(Json(nullptr))
                     : config_value(reader, argument.value);
    if (name == "reduction" && argument.value.is(Kind::kPath))  // Reduction.SUM
      value = lower_case(argument.value.text.substr(argument.value.text.rfind('.') + 1));
    if (name == "reduction" && !value) {
      reader.unread(object.line, "reduction is not understood", true);
      continue;
    }
    if (name.empty() || !value) {
      reader.unread(object.line, fmt::format("{} of {} is not understood",
                                             name.empty() ? "an argument" : printable(name, 60),
                                             printable(object.name(), 60)));
      continue;
    }
    if (!value->is_null() && name != "name") settings[name] = *value;
  }
  return settings;
}

std::string setting_text(const Json& value) {
  if (value.is_boolean()) return value.get<bool>() ? "true" : "false";
  if (value.is_string()) return value.get<std::string>();
  if (value.is_array()) {
    Names parts;
    for (const Json& part : value) parts.push_back(setting_text(part));
    return fmt::format("{}", fmt::join(parts, ","));
  }
  return number_words(value);
}

/// Sets an option for each of the settings that the optimizer or the schedule has.
void set_all(ScriptReader& reader, const Json& settings, const Choosable& choice, int line,
             MigratedRun& run) {
  for (const auto& [key, value] : settings.items()) {
    const auto known = std::ranges::find(choice.settings, key, &Setting::key);
    if (known == choice.settings.end()) {
      reader.unread(line, fmt::format("{} has no {} here", choice.name, printable(key, 60)));
    } else if (known->kind == Setting::Kind::kFlag && value == false) {
      // As it is anyway.
    } else {
      run.set(option_name(key), setting_text(value));
    }
  }
}

void set_schedule(ScriptReader& reader, const ScriptObject& object, MigratedRun& run) {
  const auto& all = known_schedules();
  const auto schedule = std::ranges::find(all, object.name(), &Choosable::class_name);
  if (schedule == all.end()) {
    reader.unread(object.line, fmt::format("Lockstep has no {}", printable(object.name(), 60)));
    return;
  }
  Json settings = settings_of(reader, object);
  run.set("learning-rate-schedule", schedule->name);
  if (settings.contains("initial_learning_rate"))
    run.set("learning-rate", number_words(settings["initial_learning_rate"]));
  settings.erase("initial_learning_rate");
  set_all(reader, settings, *schedule, object.line, run);
}

const KnownOptimizer* optimizer_named(const std::string& name) {
  for (const KnownOptimizer& known : known_optimizers())
    if (known.name == lower_case(name)) return &known;
  return nullptr;
}

void set_optimizer(ScriptReader& reader, const ScriptModel& model, const Value* given,
                   MigratedRun& run) {
  ScriptObject object;
  object.line = model.compile_line;
  if (given != nullptr && given->is(Kind::kObject))
    object = *given->object;
  else if (given != nullptr && given->is(Kind::kPath))
    object.path = given->text;
  else if (given != nullptr && given->is_string())
    object.path = given->constant.get<std::string>();
  else if (given == nullptr)
    object.path = "rmsprop";
  const KnownOptimizer* known = optimizer_named(object.name());
  if (known == nullptr) {
    const std::string what = object.path.empty()
                                 ? "the optimizer is not understood"
                                 : fmt::format("Lockstep has no {}", printable(object.name(), 60));
    reader.unread(object.line, what + "; the config says adam");
    run.set("optimizer", "adam");
    return;
  }
  run.set("optimizer", known->name);
  Json settings = settings_of(reader, object);
  const Value* rate = argument_of(object.arguments, "learning_rate", 0);
  if (rate == nullptr) rate = argument_of(object.arguments, "lr", 0);
  if (rate != nullptr && rate->is(Kind::kObject)) set_schedule(reader, *rate->object, run);
  if (settings.contains("learning_rate"))
    run.set("learning-rate", number_words(settings["learning_rate"]));
  if (settings.contains("decay") && settings["decay"].is_number() && settings["decay"] != 0) {
    // Keras 2: the rate / (1 + decay * updates).
    run.set("learning-rate-schedule", "inverse_time");
    run.set("decay-steps", "1");
    run.set("decay-rate", number_words(settings["decay"]));
  }
  for (const char* key : {"learning_rate", "decay", "jit_compile"}) settings.erase(key);
  set_all(reader, settings, *known, object.line, run);
}

/// "huber(delta=2)", of a text, a function or an object.
std::optional<std::string> named_words(ScriptReader& reader, const Value& value) {
  if (value.is_string()) return value.constant.get<std::string>();
  if (value.is(Kind::kPath)) return value.text.substr(value.text.rfind('.') + 1);
  if (!value.is(Kind::kObject)) return std::nullopt;
  Json settings = settings_of(reader, *value.object);
  const Value* name = argument_of(value.object->arguments, "name", 1000);
  if (name != nullptr && name->is_string() &&
      value.object->path.find("metrics") != std::string::npos)
    settings["name"] = name->constant;
  settings.erase("dtype");
  if (settings.contains("reduction")) {
    const Json& reduction = settings["reduction"];
    if (reduction != "sum_over_batch_size" && reduction != "auto")
      reader.unread(value.object->line,
                    "the loss is the mean over the batch: its reduction is not carried over", true);
    settings.erase("reduction");
  }
  Names parts;
  for (const auto& [key, setting] : settings.items())
    parts.push_back(fmt::format("{}={}", key, words_of(setting)));
  if (parts.empty()) return value.object->name();
  return fmt::format("{}({})", value.object->name(), fmt::join(parts, ", "));
}

std::string of_classes(std::string text) {
  for (const auto& [from, to] :
       {std::pair("categorical_crossentropy", "sparse_categorical_crossentropy"),
        std::pair("CategoricalCrossentropy", "SparseCategoricalCrossentropy"),
        std::pair("categorical_accuracy", "sparse_categorical_accuracy"),
        std::pair("CategoricalAccuracy", "SparseCategoricalAccuracy"),
        std::pair("top_k_categorical_accuracy", "sparse_top_k_categorical_accuracy"),
        std::pair("TopKCategoricalAccuracy", "SparseTopKCategoricalAccuracy")})
    if (text.substr(0, text.find('(')) == from) return to + text.substr(std::string(from).size());
  return text;
}

const Value* loss_of(const ScriptModel& model) {
  return argument_of(model.compiled, "loss", 1);
}

}  // namespace

std::string number_words(const Json& number) {
  if (number.is_number_float()) {
    const double value = number.get<double>();
    if (std::fabs(value) < 1e15 && std::floor(value) == value) return fmt::format("{:.0f}", value);
  }
  return number.dump();
}

bool may_take_classes(const ScriptModel& model) {
  const Value* loss = loss_of(model);
  if (loss == nullptr) return false;
  std::string name = loss->is_string() ? loss->constant.get<std::string>() : loss->text;
  if (loss->is(Kind::kObject)) {
    name = loss->object->name();
    for (const ScriptArgument& argument : loss->object->arguments)
      if (argument.keyword != "from_logits" && argument.keyword != "name") return false;
  }
  if (of_classes(name.substr(name.rfind('.') + 1)) == name.substr(name.rfind('.') + 1))
    return false;
  const Value* metrics = argument_of(model.compiled, "metrics", 2);
  if (metrics == nullptr || metrics->is_none()) return true;
  if (!metrics->is_sequence()) return false;
  return std::ranges::all_of(*metrics->items, [](const Value& metric) {
    std::string text = metric.is_string() ? metric.constant.get<std::string>() : metric.text;
    if (metric.is(Kind::kObject)) text = metric.object->name();
    return text == "accuracy" || text == "acc" || of_classes(text) != text;
  });
}

void compile_settings(ScriptReader& reader, const ScriptModel& model, bool classes,
                      MigratedRun& run) {
  static const Names known = {"optimizer",   "loss",        "metrics",
                              "run_eagerly", "jit_compile", "steps_per_execution"};
  for (const ScriptArgument& argument : model.compiled)
    if (!argument.keyword.empty() && !argument.value.is_none() &&
        std::ranges::find(known, argument.keyword) == known.end())
      reader.unread(model.compile_line, fmt::format("{} of compile() is not carried over",
                                                    printable(argument.keyword, 60)));
  set_optimizer(reader, model, argument_of(model.compiled, "optimizer", 0), run);
  const Value* loss = loss_of(model);
  const auto text = loss != nullptr ? named_words(reader, *loss) : std::nullopt;
  if (text) {
    run.set("loss", classes ? of_classes(*text) : *text);
  } else {
    reader.unread(model.compile_line, "the loss is not understood", true);
  }
  const Value* metrics = argument_of(model.compiled, "metrics", 2);
  Names names;
  if (metrics != nullptr && !metrics->is_none()) {
    const std::vector<Value> all =
        metrics->is_sequence() ? *metrics->items : std::vector<Value>{*metrics};
    for (const Value& metric : all) {
      const auto name = named_words(reader, metric);
      if (!name) reader.unread(model.compile_line, "a metric is not understood");
      if (!name) continue;
      names.push_back(*name == "acc" ? "accuracy" : classes ? of_classes(*name) : *name);
    }
  }
  run.set("metrics", fmt::format("{}", fmt::join(names, ", ")));
}

}  // namespace lockstep
