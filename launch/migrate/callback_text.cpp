#include "launch/migrate/callback_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "launch/migrate/compile_text.hpp"
#include "launch/migrate/keras_calls.hpp"
#include "launch/migrate/rate_text.hpp"
#include "src/core/printable.hpp"

namespace lockstep {
namespace {

using Json = nlohmann::ordered_json;
using Value = ScriptValue;
using Kind = ScriptValue::Kind;
using Names = std::vector<std::string>;

/// A callback's arguments by their names.
class Arguments {
 public:
  Arguments(ScriptReader& reader, const ScriptObject& object, const Names& names)
      : reader_(reader), object_(object) {
    std::size_t position = 0;
    for (const ScriptArgument& argument : object.arguments) {
      std::string name = argument.keyword;
      if (name.empty() && position < names.size()) name = names[position++];
      values_[name] = argument.value;
      if (argument.value.is(Kind::kOpaque) && name != "filepath" && name != "log_dir")
        unread(fmt::format("{} is not understood", printable(name, 60)));
    }
  }

  void unread(const std::string& reason) const { reader_.unread(object_.line, reason); }

  /// Of a constant that is not None; null otherwise.
  Json of(const std::string& name) const {
    const auto found = values_.find(name);
    return found != values_.end() && found->second.is(Kind::kConstant) ? found->second.constant
                                                                       : Json();
  }
  std::string text(const std::string& name, const std::string& standard) const {
    const Json value = of(name);
    return value.is_string() ? value.get<std::string>() : standard;
  }
  bool is_set(const std::string& name) const { return of(name) == true; }
  /// Sets the option if the script sets the argument.
  void set(MigratedRun& run, const std::string& name, const std::string& option) const {
    const Json value = of(name);
    if (value.is_number()) run.set(option, number_words(value));
  }
  /// That the direction is the one that the monitored number has by itself.
  void check_mode(const std::string& monitor) const {
    const std::string mode = text("mode", "auto");
    const auto ends = [&](const char* word) { return monitor.ends_with(word); };
    const bool grows =
        ends("acc") || ends("accuracy") || ends("auc") || ends("precision") || ends("recall");
    if (mode != "auto" && mode != (grows ? "max" : "min"))
      unread(fmt::format("mode={} is not carried over: of {} here {} is better",
                         printable(mode, 20), printable(monitor, 60), grows ? "more" : "less"));
  }

 private:
  ScriptReader& reader_;
  const ScriptObject& object_;
  std::map<std::string, Value> values_;
};

void early_stopping(const Arguments& given, MigratedRun& run) {
  const std::string monitor = given.text("monitor", "val_loss");
  run.set("early-stopping", monitor);
  given.check_mode(monitor);
  given.set(run, "patience", "patience");
  given.set(run, "min_delta", "min-delta");
  given.set(run, "baseline", "baseline");
  given.set(run, "start_from_epoch", "start-from-epoch");
  if (given.is_set("restore_best_weights")) run.set("restore-best-weights", "true");
}

void reduce_rate(const Arguments& given, MigratedRun& run) {
  const std::string monitor = given.text("monitor", "val_loss");
  run.set("reduce-lr-on-plateau", monitor);
  given.check_mode(monitor);
  given.set(run, "factor", "reduce-lr-factor");
  given.set(run, "patience", "reduce-lr-patience");
  given.set(run, "min_delta", "reduce-lr-min-delta");
  given.set(run, "cooldown", "reduce-lr-cooldown");
  given.set(run, "min_lr", "min-lr");
}

/// The scheduler sets the rate anew in every epoch.
void drop_overruled_plateau(ScriptReader& reader, MigratedRun& run, int line) {
  const auto has = [&](const char* name) {
    return std::ranges::any_of(run.settings,
                               [&](const auto& setting) { return setting.first == name; });
  };
  if (!has("learning-rate-expression") || !has("reduce-lr-on-plateau")) return;
  std::erase_if(run.settings, [](const auto& setting) {
    return setting.first.starts_with("reduce-lr") || setting.first == "min-lr";
  });
  reader.unread(line,
                "ReduceLROnPlateau is not carried over beside LearningRateScheduler, which "
                "sets the rate of every epoch anew");
}

void checkpoint(ScriptReader& reader, const Arguments& given, MigratedRun& run) {
  const std::string file = given.text("filepath", "");
  if (!given.is_set("save_best_only")) {
    reader.note(
        "checkpoints of every epoch are in the run directory's checkpoints/, of which the "
        "newest ones stay (keep)");
    return;
  }
  const std::string monitor = given.text("monitor", "val_loss");
  run.set("save-best", monitor);
  given.check_mode(monitor);
  if (file.ends_with(".keras")) run.set("save-format", "keras");
  run.saved_as = file;
  reader.note(fmt::format("the best network is best.{} in the run directory",
                          file.ends_with(".keras") ? "keras" : "h5"));
  const Json freq = given.of("save_freq");
  if (freq.is_number()) given.unread("save_freq is not carried over: the best epoch counts");
}

void tensorboard(const Arguments& given, MigratedRun& run) {
  run.set("tensorboard", given.text("log_dir", "logs"));
  const Json freq = given.of("histogram_freq");
  if (freq.is_number() && freq != 0) run.set("tensorboard-histograms", number_words(freq));
  if (given.is_set("write_images")) given.unread("write_images is not carried over");
  const Json update = given.of("update_freq");
  if (!update.is_null() && update != "epoch")
    given.unread("update_freq is not carried over: numbers are written after every epoch");
}

}  // namespace

void callback_settings(ScriptReader& reader, const Value& callbacks, MigratedRun& run) {
  if (callbacks.is_none()) return;
  const std::vector<Value> all =
      callbacks.is_sequence() ? *callbacks.items : std::vector<Value>{callbacks};
  std::map<std::string, int> seen;
  int plateau = 0;
  for (const Value& callback : all) {
    if (!callback.is(Kind::kObject)) {
      reader.unread(reader.line(), "a callback is not understood");
      continue;
    }
    const ScriptObject& object = *callback.object;
    const std::string name = object.name();
    if (seen[name]++ > 0 && name != "ModelCheckpoint") {
      reader.unread(object.line,
                    fmt::format("a second {} is not carried over", printable(name, 60)));
      continue;
    }
    if (name == "EarlyStopping") {
      early_stopping({reader,
                      object,
                      {"monitor", "min_delta", "patience", "verbose", "mode", "baseline",
                       "restore_best_weights", "start_from_epoch"}},
                     run);
    } else if (name == "ReduceLROnPlateau") {
      plateau = object.line;
      reduce_rate(
          {reader,
           object,
           {"monitor", "factor", "patience", "verbose", "mode", "min_delta", "cooldown", "min_lr"}},
          run);
    } else if (name == "ModelCheckpoint") {
      if (seen[name] == 1)
        checkpoint(reader,
                   {reader,
                    object,
                    {"filepath", "monitor", "verbose", "save_best_only", "save_weights_only",
                     "mode", "save_freq"}},
                   run);
      else
        reader.unread(object.line, "a second ModelCheckpoint is not carried over");
    } else if (name == "LearningRateScheduler") {
      const Value* schedule = argument_of(object.arguments, "schedule", 0);
      const auto text = schedule != nullptr ? rate_text(reader, *schedule) : std::nullopt;
      if (text) run.set("learning-rate-expression", *text);
      if (!text)
        reader.unread(object.line,
                      "its function cannot be said in an expression of epoch and rate");
    } else if (name == "TensorBoard") {
      tensorboard({reader, object, {"log_dir", "histogram_freq", "write_graph", "write_images"}},
                  run);
    } else if (name == "CSVLogger") {
      reader.note("what CSVLogger writes is history.csv in the run directory, always");
    } else if (name == "BackupAndRestore") {
      reader.note("the same command again goes on after the last checkpoint, always");
    } else if (name != "TerminateOnNaN" && name != "History" && name != "ProgbarLogger") {
      reader.unread(object.line, fmt::format("Lockstep has no {}", printable(name, 60)));
    }
  }
  drop_overruled_plateau(reader, run, plateau);
}

}  // namespace lockstep
