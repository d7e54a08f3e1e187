#include "launch/train/train_settings.hpp"

#include <algorithm>
#include <filesystem>
#include <map>
#include <ostream>

#include "io/files/atomic_file.hpp"
#include "launch/cli/config_file.hpp"
#include "launch/cli/option_parser.hpp"
#include "launch/train/rate_expression.hpp"
#include "launch/train/train_compile.hpp"
#include "launch/train/train_fields.hpp"
#include "src/core/error.hpp"
#include "src/core/printable.hpp"

namespace lockstep {
namespace {

/// Options of which only one counts. Where the command line gives one, the config file's give way.
const std::vector<std::vector<std::string>> kAlternatives = {
    {"model", "layers", "from"},
    {"batch-size", "batch-size-per-rank"},
    {"shuffle", "no-shuffle"},
};

std::vector<std::string> field_names() {
  std::vector<std::string> names;
  for (const TrainField& field : train_fields()) names.push_back(field.name);
  return names;
}

/// (name, text) of the options that one source gives.
using Given = std::map<std::string, std::string>;

void check_alternatives(const Given& given, const std::string& prefix, const std::string& where) {
  for (const auto& group : kAlternatives) {
    std::string found;
    for (const std::string& name : group) {
      if (!given.contains(name)) continue;
      check(found.empty(), ExitCode::kUsage, "[{}] expected one of {}{} and {}{}, got both", where,
            prefix, found, prefix, name);
      found = name;
    }
  }
}

void drop_replaced(Given& from_file, const Given& from_command_line) {
  for (const auto& group : kAlternatives) {
    const bool replaced = std::ranges::any_of(
        group, [&](const std::string& name) { return from_command_line.contains(name); });
    if (!replaced) continue;
    for (const std::string& name : group) from_file.erase(name);
  }
}

/// Sets the options; an error names the option, and its place as `place` tells it.
template <class Place>
void apply(const Given& given, TrainSettings& settings, const Place& place) {
  for (const TrainField& field : train_fields()) {
    const auto found = given.find(field.name);
    if (found == given.end()) continue;
    try {
      field.read(settings, found->second);
    } catch (const Error& error) {
      fail(error.code(), "{}: {}", place(field.name), error.what());
    }
  }
}

void apply_command_line(const Given& given, TrainSettings& settings) {
  apply(given, settings, [](const std::string& name) { return "[options] --" + name; });
}

struct ConfigFile {
  std::string name;
  std::map<std::string, int> lines;
  Given given;
};

ConfigFile read_config(const std::string& text, const std::string& name) {
  const std::vector<std::string> known = field_names();
  ConfigFile file{printable(name), {}, {}};
  for (const ConfigEntry& entry : parse_config(text, name)) {
    check(std::ranges::find(known, entry.key) != known.end(), ExitCode::kUsage,
          "[{}] line {}: unknown key '{}'{}", file.name, entry.line, printable(entry.key),
          did_you_mean(entry.key, known));
    file.given[entry.key] = entry.value;
    file.lines[entry.key] = entry.line;
  }
  check_alternatives(file.given, "", file.name);
  return file;
}

void apply_config(const ConfigFile& file, TrainSettings& settings) {
  apply(file.given, settings, [&](const std::string& name) {
    return fmt::format("[{}] line {}: {}", file.name, file.lines.at(name), name);
  });
}

po::options_description describe_options() {
  po::options_description all("", 100, 50);
  std::string group;
  std::optional<po::options_description> part;
  const TrainSettings defaults;
  for (const TrainField& field : train_fields()) {
    if (field.group != group) {
      if (part) all.add(*part);
      group = field.group;
      part.emplace(group, 100, 50);
    }
    auto* value = po::value<std::string>();
    std::string help = field.help;
    if (field.argument.empty()) {
      value->implicit_value("true", "")->value_name("");
    } else {
      value->value_name(field.argument);
    }
    const std::optional<std::string> standard = field.write(defaults);
    if (!standard && !field.unset.empty()) help += fmt::format(" [default: {}]", field.unset);
    if (standard && *standard != "false") help += fmt::format(" [default: {}]", *standard);
    part->add_options()(field.name.c_str(), value, help.c_str());
  }
  all.add(*part);
  return all;
}

}  // namespace

void check_together(const TrainSettings& s) {
  const auto expect = [](bool condition, const char* text) {
    check(condition, ExitCode::kUsage, "[options] {}", text);
  };
  const int networks = !s.model.empty() + !s.layers.empty() + !s.from.empty();
  expect(networks > 0, "expected one of --model, --layers and --from, got none");
  expect(networks < 2, "expected one of --model, --layers and --from, got more");
  expect(
      s.weights.empty() || s.from.empty(),
      "--weights: expected --model or --layers with it, got --from, which has weights of its own");
  expect(!s.skip_mismatch || !s.weights.empty(),
         "--skip-mismatch: expected --weights FILE with it, got none");
  expect(!s.data.empty(), "expected --data FILE.h5, got none");
  expect(!s.x.empty() && !s.y.empty(), "expected names for --x and --y, got an empty one");
  expect(s.x_val.empty() == s.y_val.empty(), "expected --x-val and --y-val together, got one");
  expect(s.x_val.empty() || s.training.validation_split == 0,
         "expected either --validation-split or --x-val and --y-val, got both");
  expect(s.sample_weight_val.empty() || !s.x_val.empty(),
         "expected --x-val and --y-val with --sample-weight-val, got none");
  expect(!s.early_stopping.empty() ||
             (s.patience == 0 && s.min_delta == 0 && !s.restore_best_weights && !s.baseline &&
              s.start_from_epoch == 0),
         "expected --early-stopping MONITOR with --patience, --min-delta, --baseline, "
         "--start-from-epoch and --restore-best-weights, got none");
  const TrainSettings standard;
  expect(!s.reduce_lr.empty() || (s.reduce_lr_factor == standard.reduce_lr_factor &&
                                  s.reduce_lr_patience == standard.reduce_lr_patience &&
                                  s.reduce_lr_min_delta == standard.reduce_lr_min_delta &&
                                  s.reduce_lr_cooldown == 0 && s.min_lr == 0),
         "expected --reduce-lr-on-plateau MONITOR with --reduce-lr-factor, --reduce-lr-patience, "
         "--reduce-lr-min-delta, --reduce-lr-cooldown and --min-lr, got none");
  expect((s.schedule && *s.schedule != "constant") + !s.reduce_lr.empty() +
                 !s.rate_expression.empty() <
             2,
         "expected one of --learning-rate-schedule, --reduce-lr-on-plateau and "
         "--learning-rate-expression, got more");
  if (!s.rate_expression.empty()) rate_expression(s.rate_expression);
  expect(s.linear_scaling > 0 || s.warmup_epochs == standard.warmup_epochs,
         "expected --linear-scaling N with --warmup-epochs, got none");
  expect(s.linear_scaling == 0 || (s.reduce_lr.empty() && s.rate_expression.empty()),
         "expected --linear-scaling without --reduce-lr-on-plateau and --learning-rate-expression, "
         "got both");
  const bool validates = s.training.validation_split > 0 || !s.x_val.empty();
  expect(validates || !(s.early_stopping.starts_with("val_") || s.save_best.starts_with("val_") ||
                        s.reduce_lr.starts_with("val_")),
         "expected --validation-split or --x-val to monitor a val_ number, got neither");
  expect(!s.tensorboard.empty() || s.tensorboard_histograms == 0,
         "expected --tensorboard DIR with --tensorboard-histograms, got none");
  expect(!s.overwrite || s.resume != Resume::kRequired,
         "expected either --overwrite or --resume required, got both");
  expect(!s.run_dir.empty(), "expected a directory for --run-dir, got an empty name");
}

namespace {

/// What depends on other options; with --from the file's optimizer, loss and metrics count.
void resolve_defaults(TrainSettings& s) {
  s.training.initialize = s.from.empty() && s.weights.empty();
  if (!s.from.empty()) return;
  if (!s.optimizer) s.optimizer = "adam";
  if (!s.loss) s.loss = "sparse_categorical_crossentropy";
  if (!s.metrics) s.metrics = default_metrics_of(*s.loss);
  const bool piecewise = s.schedule == "piecewise";  // it has all its rates in --values
  if (!s.learning_rate && !piecewise) s.learning_rate = default_learning_rate(*s.optimizer);
}

}  // namespace

TrainSettings parse_train_settings(const std::vector<std::string>& arguments) {
  po::options_description options = describe_options();
  po::options_description hidden;
  hidden.add_options()("config", po::value<std::string>(), "");
  options.add(hidden);
  po::positional_options_description positional;
  positional.add("config", 1);
  const po::variables_map values = parse_arguments(arguments, options, positional);

  Given from_command_line;
  for (const auto& [name, value] : values) {
    if (name != "config") from_command_line[name] = value.as<std::string>();
  }
  check_alternatives(from_command_line, "--", "options");

  TrainSettings settings;
  if (values.contains("config")) {
    const std::string path = values["config"].as<std::string>();
    ConfigFile file = read_config(read_file(path), path);
    drop_replaced(file.given, from_command_line);
    apply_config(file, settings);
  }
  apply_command_line(from_command_line, settings);
  check_together(settings);
  resolve_defaults(settings);
  return settings;
}

TrainSettings train_settings_from_config(const std::string& text, const std::string& name) {
  TrainSettings settings;
  apply_config(read_config(text, name), settings);
  return settings;
}

std::string to_config(const TrainSettings& settings) {
  std::string text;
  std::string group;
  for (const TrainField& field : train_fields()) {
    const std::optional<std::string> value = field.write(settings);
    if (!value || field.use == TrainField::Use::kThisCall) continue;
    if (field.group != group) {
      text += fmt::format("{}# {}\n", text.empty() ? "" : "\n", field.group);
      group = field.group;
    }
    text += config_line(field.name, *value);
  }
  return text;
}

namespace {

bool agree(const TrainField& field, const std::optional<std::string>& theirs,
           const std::optional<std::string>& ours) {
  if (theirs == ours) return true;
  std::error_code not_there;
  return field.use == TrainField::Use::kInput && theirs && ours &&
         std::filesystem::equivalent(*theirs, *ours, not_there);
}

}  // namespace

std::vector<std::string> differing_options(const TrainSettings& there, const TrainSettings& here) {
  std::vector<std::string> differences;
  for (const TrainField& field : train_fields()) {
    if (field.use != TrainField::Use::kResult && field.use != TrainField::Use::kInput) continue;
    const auto theirs = field.write(there);
    const auto ours = field.write(here);
    if (agree(field, theirs, ours)) continue;
    differences.push_back(fmt::format("{} {} there, {} here", field.name,
                                      printable(theirs.value_or("not set")),
                                      printable(ours.value_or("not set"))));
  }
  return differences;
}

Facts result_facts(const TrainSettings& settings) {
  Facts facts;
  for (const TrainField& field : train_fields()) {
    if (field.use != TrainField::Use::kResult) continue;
    if (const auto value = field.write(settings)) facts.emplace_back(field.name, printable(*value));
  }
  return facts;
}

void resolve_batch_size(TrainSettings& settings, int ranks) {
  if (settings.batch_size_per_rank == 0) return;
  settings.training.batch_size = settings.batch_size_per_rank * ranks;
  settings.batch_size_per_rank = 0;
}

void print_train_options(std::ostream& out) {
  out << describe_options();
}

}  // namespace lockstep
