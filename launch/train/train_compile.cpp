#include "launch/train/train_compile.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>

#include "launch/train/training_advice.hpp"
#include "launch/train/training_facts.hpp"
#include "src/core/error.hpp"
#include "src/core/keras_config.hpp"
#include "src/core/printable.hpp"
#include "src/core/problems.hpp"
#include "src/losses/loss.hpp"
#include "src/model/python_call.hpp"
#include "src/model/training_config.hpp"

namespace lockstep {
namespace {

using Json = nlohmann::ordered_json;

/// Something the user can choose by name, and the options that it has.
struct Choice {
  std::string name;  ///< "adam"
  std::string keras_class;
  std::vector<std::string> options;
  double learning_rate = 0;  ///< an optimizer's default
};

const std::vector<Choice> kOptimizers = {
    {"adam", "Adam", {"beta-1", "beta-2", "epsilon", "amsgrad"}, 0.001},
    {"sgd", "SGD", {"momentum", "nesterov"}, 0.01},
};

const std::vector<Choice> kSchedules = {
    {"constant", "", {}, {}},
    {"exponential", "ExponentialDecay", {"decay-steps", "decay-rate", "staircase"}, {}},
    {"piecewise", "PiecewiseConstantDecay", {"boundaries", "values"}, {}},
    {"cosine", "CosineDecay", {"decay-steps", "alpha", "warmup-steps", "warmup-target"}, {}},
};

const Choice& choose(const std::vector<Choice>& choices, const std::string& name,
                     const char* option) {
  std::string lower = name;
  std::ranges::transform(lower, lower.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  std::vector<std::string> names;
  for (const Choice& choice : choices) {
    if (choice.name == lower) return choice;
    names.push_back(choice.name);
  }
  fail(ExitCode::kUsage, "[options] --{}: expected {}, got '{}'{}", option, fmt::join(names, ", "),
       printable(name), did_you_mean(name, names));
}

/// An option that is set, and its value for Keras's config.
struct Setting {
  std::string option;
  Json value;
};

template <class T>
void add_if_set(std::vector<Setting>& settings, const char* option, const std::optional<T>& value) {
  if (value) settings.push_back({option, *value});
}

/// A comma-separated list of numbers.
template <class T>
Json numbers(const std::string& text, const char* option) {
  Json list = Json::array();
  for (const std::string& part : split_names(text)) {
    T value{};
    const char* end = part.data() + part.size();
    const auto [stop, error] = std::from_chars(part.data(), end, value);
    check(error == std::errc() && stop == end, ExitCode::kUsage,
          "[options] --{}: expected numbers with commas between, got '{}'", option,
          printable(text));
    list.push_back(value);
  }
  return list;
}

std::vector<Setting> optimizer_settings(const TrainSettings& s) {
  std::vector<Setting> settings;
  add_if_set(settings, "beta-1", s.beta_1);
  add_if_set(settings, "beta-2", s.beta_2);
  add_if_set(settings, "epsilon", s.epsilon);
  add_if_set(settings, "amsgrad", s.amsgrad);
  add_if_set(settings, "momentum", s.momentum);
  add_if_set(settings, "nesterov", s.nesterov);
  return settings;
}

std::vector<Setting> schedule_settings(const TrainSettings& s) {
  std::vector<Setting> settings;
  add_if_set(settings, "decay-steps", s.decay_steps);
  add_if_set(settings, "decay-rate", s.decay_rate);
  add_if_set(settings, "staircase", s.staircase);
  add_if_set(settings, "alpha", s.alpha);
  add_if_set(settings, "warmup-steps", s.warmup_steps);
  add_if_set(settings, "warmup-target", s.warmup_target);
  if (s.boundaries) {
    settings.push_back({"boundaries", numbers<std::int64_t>(*s.boundaries, "boundaries")});
  }
  if (s.values) settings.push_back({"values", numbers<double>(*s.values, "values")});
  return settings;
}

void refuse_foreign(const std::vector<Setting>& settings, const Choice& choice) {
  for (const Setting& setting : settings) {
    if (std::ranges::find(choice.options, setting.option) != choice.options.end()) continue;
    fail(ExitCode::kUsage, "[options] --{}: {} has no such setting{}{}", setting.option,
         choice.name, choice.options.empty() ? "" : "; it has ", fmt::join(choice.options, ", "));
  }
}

/// "beta-1" as Keras spells it.
std::string keras_key(std::string option) {
  std::ranges::replace(option, '-', '_');
  return option;
}

bool is_set(const std::vector<Setting>& settings, const std::string& option) {
  return std::ranges::any_of(settings, [&](const Setting& s) { return s.option == option; });
}

void require(const std::vector<Setting>& settings, const Choice& choice,
             std::initializer_list<const char*> options) {
  for (const char* option : options) {
    check(is_set(settings, option), ExitCode::kUsage, "[options] --{}: the {} schedule needs it",
          option, choice.name);
  }
}

/// Keras's schedule object; `rate`: the first learning rate.
Json schedule_json(const TrainSettings& s, const std::vector<Setting>& settings, double rate) {
  const Choice& choice = choose(kSchedules, *s.schedule, "learning-rate-schedule");
  refuse_foreign(settings, choice);
  if (choice.name == "constant") return rate;
  Json config = Json::object();
  if (choice.name == "piecewise") {
    require(settings, choice, {"boundaries", "values"});
    check(!s.learning_rate, ExitCode::kUsage,
          "[options] --learning-rate: expected the rates of the piecewise schedule in --values "
          "alone");
  } else {
    config["initial_learning_rate"] = rate;
    require(settings, choice, {"decay-steps"});
    if (choice.name == "exponential") require(settings, choice, {"decay-rate"});
    check(is_set(settings, "warmup-steps") == is_set(settings, "warmup-target"), ExitCode::kUsage,
          "[options] expected --warmup-steps and --warmup-target together, got one");
  }
  for (const Setting& setting : settings) config[keras_key(setting.option)] = setting.value;
  if (choice.name == "piecewise") {
    check(config["values"].size() == config["boundaries"].size() + 1, ExitCode::kUsage,
          "[options] --values: expected one more than --boundaries, got {} and {}",
          config["values"].size(), config["boundaries"].size());
  }
  return {{"class_name", choice.keras_class}, {"config", config}};
}

/// "huber", or with settings in Keras's words: "huber(delta=2)".
Json loss_json(const std::string& text) {
  if (text.find('(') == std::string::npos) return text;
  const std::vector<PythonCall> calls = parse_python_calls(text);
  check(calls.size() == 1, ExitCode::kUsage, "[options] --loss: expected one loss, got '{}'",
        printable(text));
  Json config = Json::object();
  for (const PythonArgument& argument : calls.front().arguments) {
    check(!argument.keyword.empty() && !argument.value.call, ExitCode::kUsage,
          "[options] --loss: expected settings as NAME=VALUE, got '{}'", printable(text));
    config[argument.keyword] = argument.value.json;
  }
  return {{"class_name", calls.front().name}, {"config", config}};
}

const Choice& optimizer_of(const Json& base) {
  return choose(kOptimizers, base.at("class_name").get<std::string>(), "optimizer");
}

}  // namespace

std::vector<std::string> split_names(const std::string& text) {
  std::vector<std::string> names;
  for (std::size_t first = 0; first <= text.size();) {
    const std::size_t comma = std::min(text.find(',', first), text.size());
    std::string name = text.substr(first, comma - first);
    name.erase(0, std::min(name.find_first_not_of(' '), name.size()));
    name.erase(name.find_last_not_of(' ') + 1);
    if (!name.empty()) names.push_back(name);
    first = comma + 1;
  }
  return names;
}

std::string default_metrics_of(const std::string& loss) {
  try {
    return fmt::format("{}", fmt::join(default_metrics(make_loss(loss_json(loss))->name()), ", "));
  } catch (const Error&) {
    return "accuracy";
  }
}

double default_learning_rate(const std::string& optimizer) {
  return choose(kOptimizers, optimizer, "optimizer").learning_rate;
}

bool keeps_optimizer(const TrainSettings& settings, const Json& base) {
  return !settings.optimizer || choose(kOptimizers, *settings.optimizer, "optimizer").keras_class ==
                                    optimizer_of(base).keras_class;
}

Json optimizer_json(const TrainSettings& settings, const Json& base) {
  const bool on_base = !base.is_null() && keeps_optimizer(settings, base);
  const Choice& choice =
      on_base ? optimizer_of(base)
              : choose(kOptimizers, settings.optimizer.value_or("adam"), "optimizer");
  Json config = on_base ? base.at("config") : Json::object();
  const std::vector<Setting> own = optimizer_settings(settings);
  refuse_foreign(own, choice);
  for (const Setting& setting : own) config[keras_key(setting.option)] = setting.value;

  const std::vector<Setting> over_time = schedule_settings(settings);
  if (settings.schedule) {
    config["learning_rate"] =
        schedule_json(settings, over_time, settings.learning_rate.value_or(choice.learning_rate));
  } else {
    check(over_time.empty(), ExitCode::kUsage,
          "[options] --{}: expected --learning-rate-schedule with it, got none",
          over_time.empty() ? "" : over_time.front().option);
    if (settings.learning_rate) config["learning_rate"] = *settings.learning_rate;
  }
  return {{"class_name", choice.keras_class}, {"config", config}};
}

namespace {

/// What to compile a network by, of the settings and of its file.
struct Parts {
  const TrainSettings& settings;
  const Sequential& model;
  Problems problems;
  std::string fresh_optimizer;

  Json optimizer(const TrainingConfig& config);
  Json loss(const TrainingConfig& config);
  Json metrics(const TrainingConfig& config, const Json& loss);

 private:
  void add(const char* part, const std::exception& error, const char* option) {
    problems.add(fmt::format("training config: {}", part),
                 fmt::format("{}; {} replaces it", without_where(error), option));
  }
  void add(const Problems& others, const char* option) {
    if (!others.empty()) problems.add(others.text(), fmt::format("{} replaces it", option));
  }
};

/// Of the file if it is known and not told otherwise; else a fresh one.
Json Parts::optimizer(const TrainingConfig& config) {
  constexpr const char* kOption = "--optimizer adam (a fresh one)";
  if (!config.optimizer_problems.empty() && !settings.optimizer) {
    add(config.optimizer_problems, kOption);
    return {};
  }
  Json known;
  try {
    config.optimizer_problems.throw_if_any(ExitCode::kBadData);
    known = make_optimizer(config.optimizer)->to_json();
  } catch (const Error& error) {
    if (!settings.optimizer) {
      add("optimizer", error, kOption);
      return {};
    }
    fresh_optimizer = fmt::format("a fresh {}: the file's optimizer cannot be used ({})",
                                  *settings.optimizer, without_where(error));
    return optimizer_json(settings, Json());
  }
  if (!keeps_optimizer(settings, known))
    fresh_optimizer = fmt::format("a fresh {} instead of the file's {}", *settings.optimizer,
                                  known.at("class_name").get<std::string>());
  return optimizer_json(settings, known);
}

Json Parts::loss(const TrainingConfig& config) {
  if (settings.loss) return loss_json(*settings.loss);
  add(config.loss_problems, "--loss NAME");
  if (config.loss.is_null()) return {};
  try {
    make_loss(config.loss);
    return config.loss;
  } catch (const Error& error) {
    add("loss", error, "--loss NAME");
  }
  return {};
}

Json Parts::metrics(const TrainingConfig& config, const Json& loss) {
  if (settings.metrics) return split_names(*settings.metrics);
  add(config.metrics_problems, "--metrics NAMES");
  // Targets of an unknown loss: metrics that exist at all are known, too.
  std::vector<TargetKind> kinds = {TargetKind::kClasses, TargetKind::kValues};
  if (!loss.is_null()) kinds = {make_loss(loss)->target_kind()};
  Json fitting = Json::array();
  for (const Json& metric : config.metrics) {
    const Json wanted = settings.loss && is_named_accuracy(metric) ? Json("accuracy") : metric;
    std::optional<Error> problem;
    for (const TargetKind kind : kinds) {
      try {
        fitting.push_back(fitting_metric(wanted, model.output_columns(), kind));
        problem.reset();
        break;
      } catch (const Error& error) {
        problem = error;
      }
    }
    if (problem) add("metrics", *problem, "--metrics NAMES");
  }
  return fitting;
}

/// Before compile(), which knows less: an error of a metric would hide the mistake.
void refuse_senseless(const Sequential& model, const Json& loss) {
  for (const Advice& advice : advice_on(facts_of(model, *make_loss(loss))))
    if (advice.refusal) throw Error(*advice.refusal, advice.text);
}

}  // namespace

std::string compile_by(const TrainSettings& settings, const Json& saved, Sequential& model,
                       CompileFor purpose) {
  if (saved.is_null()) {
    const Json loss = loss_json(settings.loss.value_or("sparse_categorical_crossentropy"));
    const Json optimizer = optimizer_json(settings, Json());
    if (purpose == CompileFor::kTraining) refuse_senseless(model, loss);
    Json metrics = default_metrics(make_loss(loss)->name());
    if (settings.metrics) metrics = split_names(*settings.metrics);
    model.compile(optimizer, loss, metrics);
    return "";
  }
  const TrainingConfig config = read_training_config(saved);
  Parts parts{settings, model, {}, ""};
  const Json optimizer = purpose == CompileFor::kTraining ? parts.optimizer(config) : Json("sgd");
  const Json loss = parts.loss(config);
  if (purpose == CompileFor::kTraining && !loss.is_null()) refuse_senseless(model, loss);
  const Json metrics = parts.metrics(config, loss);
  parts.problems.throw_if_any(ExitCode::kBadData);
  model.compile(optimizer, loss, metrics);
  return parts.fresh_optimizer;
}

}  // namespace lockstep
