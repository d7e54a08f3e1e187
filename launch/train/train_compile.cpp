#include "launch/train/train_compile.hpp"

#include <fmt/ranges.h>

#include <algorithm>

#include "launch/train/setting_fields.hpp"
#include "launch/train/training_advice.hpp"
#include "launch/train/training_facts.hpp"
#include "src/core/error.hpp"
#include "src/core/printable.hpp"
#include "src/core/problems.hpp"
#include "src/core/words.hpp"
#include "src/losses/loss.hpp"
#include "src/model/python_call.hpp"
#include "src/model/training_config.hpp"
#include "src/optimizers/make_optimizer.hpp"

namespace lockstep {
namespace {

using Json = nlohmann::ordered_json;

/// An optimizer or a schedule by its name.
template <class Known>
const Known& choose(const std::vector<Known>& choices, const std::string& name,
                    const char* option) {
  std::vector<std::string> names;
  for (const Known& choice : choices) {
    if (choice.name == lower_case(name)) return choice;
    names.push_back(choice.name);
  }
  fail(ExitCode::kUsage, "[options] --{}: expected {}, got '{}'{}", option, fmt::join(names, ", "),
       printable(name), did_you_mean(name, names));
}

const KnownOptimizer& choose_optimizer(const std::string& name) {
  return choose(known_optimizers(), name, "optimizer");
}

void refuse_foreign(const Json& settings, const Choosable& choice) {
  std::vector<std::string> options;
  for (const Setting& setting : choice.settings) options.push_back(option_name(setting.key));
  for (const auto& item : settings.items()) {
    const std::string option = option_name(item.key());
    check(std::ranges::find(options, option) != options.end(), ExitCode::kUsage,
          "[options] --{}: {} has no such setting{}{}", option, choice.name,
          options.empty() ? "" : "; it has ", fmt::join(options, ", "));
  }
}

/// What all optimizers have: that the settings given go together, and those of the file with them.
void settle_common(const Json& given, Json& config) {
  std::string clip;
  for (const char* key : {"clipnorm", "global_clipnorm", "clipvalue"}) {
    if (!given.contains(key)) continue;
    check(clip.empty(), ExitCode::kUsage, "[options] expected one of --{} and --{}, got both",
          option_name(clip), option_name(key));
    clip = key;
  }
  for (const char* key : {"clipnorm", "global_clipnorm", "clipvalue"})
    if (!clip.empty() && key != clip) config.erase(key);
  for (const char* key : {"ema_momentum", "ema_overwrite_frequency"})
    check(!given.contains(key) || config.value("use_ema", false), ExitCode::kUsage,
          "[options] --{}: expected --use-ema with it, got none", option_name(key));
}

void expect_required(const Json& settings, const Choosable& choice) {
  for (const Setting& setting : choice.settings) {
    check(!setting.required || settings.contains(setting.key), ExitCode::kUsage,
          "[options] --{}: the {} schedule needs it", option_name(setting.key), choice.name);
  }
}

/// Keras's schedule object; `rate`: the first learning rate.
Json schedule_json(const TrainSettings& s, double rate) {
  const Choosable& choice = choose(known_schedules(), *s.schedule, "learning-rate-schedule");
  const Json& settings = s.schedule_settings;
  refuse_foreign(settings, choice);
  if (choice.class_name.empty()) return rate;
  expect_required(settings, choice);
  Json config = Json::object();
  if (choice.name == "piecewise") {
    check(!s.learning_rate, ExitCode::kUsage,
          "[options] --learning-rate: expected the rates of the piecewise schedule in --values "
          "alone");
    check(settings["values"].size() == settings["boundaries"].size() + 1, ExitCode::kUsage,
          "[options] --values: expected one more than --boundaries, got {} and {}",
          settings["values"].size(), settings["boundaries"].size());
  } else {
    config["initial_learning_rate"] = rate;
    check(settings.contains("warmup_steps") == settings.contains("warmup_target"), ExitCode::kUsage,
          "[options] expected --warmup-steps and --warmup-target together, got one");
  }
  config.update(settings);
  return {{"class_name", choice.class_name}, {"config", config}};
}

/// "huber", or with settings in Keras's words: "huber(delta=2)".
Json named_json(const char* option, const std::string& text) {
  if (text.find('(') == std::string::npos) return text;
  std::vector<PythonCall> calls;
  try {
    calls = parse_python_calls(text);
  } catch (const Error& error) {
    fail(ExitCode::kUsage, "[options] --{} '{}': {}", option, printable(text),
         without_where(error));
  }
  check(calls.size() == 1, ExitCode::kUsage, "[options] --{}: expected one {}, got '{}'", option,
        option, printable(text));
  Json config = Json::object();
  for (const PythonArgument& argument : calls.front().arguments) {
    check(!argument.keyword.empty() && !argument.value.call, ExitCode::kUsage,
          "[options] --{}: expected settings as NAME=VALUE, got '{}'", option, printable(text));
    config[argument.keyword] = argument.value.json;
  }
  return {{"class_name", calls.front().name}, {"config", config}};
}

Json loss_json(const std::string& text) {
  return named_json("loss", text);
}

Json metrics_json(const std::string& text) {
  Json metrics = Json::array();
  for (const std::string& metric : split_names(text))
    metrics.push_back(named_json("metrics", metric));
  return metrics;
}

const KnownOptimizer& optimizer_of(const Json& base) {
  return choose_optimizer(base.at("class_name").get<std::string>());
}

}  // namespace

std::vector<std::string> split_names(const std::string& text) {
  std::vector<std::string> names;
  for (std::size_t first = 0; first <= text.size();) {
    std::size_t comma = first;
    for (int depth = 0; comma < text.size() && (text[comma] != ',' || depth > 0); ++comma)
      depth += (text[comma] == '(') - (text[comma] == ')');
    std::string name = trimmed(text.substr(first, comma - first));
    if (!name.empty()) names.push_back(std::move(name));
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
  return choose_optimizer(optimizer).learning_rate;
}

bool keeps_optimizer(const TrainSettings& settings, const Json& base) {
  return !settings.optimizer ||
         choose_optimizer(*settings.optimizer).name == optimizer_of(base).name;
}

Json optimizer_json(const TrainSettings& settings, const Json& base) {
  const bool on_base = !base.is_null() && keeps_optimizer(settings, base);
  const KnownOptimizer& choice =
      on_base ? optimizer_of(base) : choose_optimizer(settings.optimizer.value_or("adam"));
  Json config = on_base ? base.at("config") : Json::object();
  refuse_foreign(settings.optimizer_settings, choice);
  config.update(settings.optimizer_settings);
  settle_common(settings.optimizer_settings, config);
  if (settings.schedule) {
    config["learning_rate"] =
        schedule_json(settings, settings.learning_rate.value_or(choice.learning_rate));
  } else {
    for (const auto& item : settings.schedule_settings.items())
      fail(ExitCode::kUsage, "[options] --{}: expected --learning-rate-schedule with it, got none",
           option_name(item.key()));
    if (settings.learning_rate) config["learning_rate"] = *settings.learning_rate;
  }
  return {{"class_name", choice.class_name}, {"config", config}};
}

namespace {

/// What to compile a network by, of the settings and of its file.
struct Parts {
  const TrainSettings& settings;
  const Network& model;
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
  if (settings.metrics) return metrics_json(*settings.metrics);
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
void refuse_senseless(const Network& model, const Json& loss) {
  for (const Advice& advice : advice_on(facts_of(model, *make_loss(loss))))
    if (advice.refusal) throw Error(*advice.refusal, advice.text);
}

}  // namespace

std::string compile_by(const TrainSettings& settings, const Json& saved, Network& model,
                       CompileFor purpose) {
  if (saved.is_null()) {
    const Json loss = loss_json(settings.loss.value_or("sparse_categorical_crossentropy"));
    const Json optimizer = optimizer_json(settings, Json());
    if (purpose == CompileFor::kTraining) refuse_senseless(model, loss);
    Json metrics = default_metrics(make_loss(loss)->name());
    if (settings.metrics) metrics = metrics_json(*settings.metrics);
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
