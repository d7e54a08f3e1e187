#include "launch/migrate/fit_call.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "launch/migrate/array_changes.hpp"
#include "launch/migrate/callback_text.hpp"
#include "launch/migrate/compile_text.hpp"
#include "launch/migrate/keras_calls.hpp"
#include "launch/migrate/network_text.hpp"
#include "src/core/printable.hpp"
#include "src/core/words.hpp"

namespace lockstep {
namespace {

using Json = nlohmann::ordered_json;
using Value = ScriptValue;
using Kind = ScriptValue::Kind;

/// An argument with its text in the script.
struct Given {
  const Value* value = nullptr;
  std::string text = {};
};

/// The rows of a run as the script names them.
struct Rows {
  Given x, y, x_val, y_val;
};

Given given(const ScriptReader& reader, const ScriptArguments& arguments, const std::string& name,
            std::size_t position) {
  const Value* value = argument_of(arguments, name, position);
  for (const ScriptArgument& argument : arguments)
    if (&argument.value == value && argument.expression)
      return {value, reader.source(*argument.expression)};
  return {value};
}

/// The parts of validation_data=(x, y): their texts, too, if they stand there.
void split_pair(ScriptReader& reader, const ScriptArguments& arguments, Rows& rows) {
  for (const ScriptArgument& argument : arguments) {
    if (argument.keyword != "validation_data" || argument.value.is_none()) continue;
    if (!argument.value.is_sequence() || argument.value.items->size() != 2) {
      reader.unread(reader.line(), "validation_data is not understood: expected (x, y)");
      return;
    }
    rows.x_val = {&(*argument.value.items)[0]};
    rows.y_val = {&(*argument.value.items)[1]};
    const bool written = argument.expression && argument.expression->parts.size() == 2 &&
                         argument.expression->kind == Expression::Kind::kTuple;
    const std::string whole = argument.expression ? reader.source(*argument.expression) : "";
    rows.x_val.text = written ? reader.source(*argument.expression->parts[0]) : whole + "[0]";
    rows.y_val.text = written ? reader.source(*argument.expression->parts[1]) : whole + "[1]";
  }
}

bool is_array(const Given& given) {
  return given.value != nullptr && given.value->is(Kind::kArray);
}

bool same_changes(const Given& one, const Given& other) {
  return one.value->array->changes == other.value->array->changes &&
         one.value->array->dataset == other.value->array->dataset;
}

/// The part of the rows, the last ones, that validates; 0: none, less than 0: they are not the
/// last.
double validation_part(const Rows& rows, const KnownDataset& dataset) {
  if (rows.x_val.value == nullptr) return 0;
  const ScriptArray &x = *rows.x.value->array, &val = *rows.x_val.value->array;
  const auto total = static_cast<double>(dataset.rows);
  const double part = static_cast<double>(val.rows) / total;
  const bool last = x.first == 0 && val.first == x.rows && x.rows + val.rows == dataset.rows &&
                    static_cast<std::int64_t>(std::floor(total * (1 - part))) == x.rows;
  return last ? part : -1;
}

/// Whether the dataset can be used as Keras has it, with what the script does to it in the network.
bool takes_dataset(const ScriptModel& model, const Rows& rows) {
  if (!is_array(rows.x) || !is_array(rows.y)) return false;
  const ScriptArray &x = *rows.x.value->array, &y = *rows.y.value->array;
  if (x.part != "x_train" || y.part != "y_train" || x.dataset != y.dataset) return false;
  if (x.first != y.first || x.rows != y.rows) return false;
  if (!y.changes.empty() && !may_take_classes(model)) return false;
  const KnownDataset* dataset = known_dataset(x.dataset);
  if (rows.x_val.value == nullptr) return x.rows == dataset->rows;
  if (!is_array(rows.x_val) || !is_array(rows.y_val)) return false;
  const ScriptArray &x_val = *rows.x_val.value->array, &y_val = *rows.y_val.value->array;
  if (!same_changes(rows.x, rows.x_val) || !same_changes(rows.y, rows.y_val)) return false;
  if (x_val.part == "x_train" && y_val.part == "y_train")
    return x_val.rows == y_val.rows && x_val.first == y_val.first &&
           validation_part(rows, *dataset) > 0;
  return x_val.part == "x_test" && y_val.part == "y_test" && x_val.rows == dataset->test_rows &&
         x.rows == dataset->rows;
}

void set_dataset(ScriptReader& reader, const Rows& rows, MigratedRun& run) {
  const ScriptArray& x = *rows.x.value->array;
  const KnownDataset& dataset = *known_dataset(x.dataset);
  run.import = dataset.import;
  run.data = x.dataset + ".h5";
  run.set("data", run.data);
  if (!x.changes.empty())
    reader.note(
        fmt::format("the dataset keeps Keras's pixels; what the script does to x (divided, "
                    "reshaped) is done by the first layers of the network"));
  if (!rows.y.value->array->changes.empty())
    reader.note(
        "the dataset keeps the classes as numbers: sparse_categorical_crossentropy is "
        "categorical_crossentropy of to_categorical()");
  if (rows.x_val.value == nullptr) return;
  if (rows.x_val.value->array->part == "x_test") {
    run.set("x-val", "x_test");
    run.set("y-val", "y_test");
  } else {
    run.set("validation-split", number_words(validation_part(rows, dataset)));
  }
}

/// Every array as the script makes it: it writes them itself.
void set_arrays(ScriptReader& reader, const Rows& rows, MigratedRun& run) {
  const std::pair<const char*, const Given&> all[] = {
      {"x_train", rows.x}, {"y_train", rows.y}, {"x_val", rows.x_val}, {"y_val", rows.y_val}};
  std::string text;
  for (const auto& [name, given] : all) {
    if (given.value == nullptr || given.text.empty()) continue;
    std::string one;
    for (const char letter : given.text) one += letter == '\n' ? ' ' : letter;
    if (name == std::string("y_train") && one == text) {  // an autoencoder
      run.set("y", "x_train");
      continue;
    }
    if (name == std::string("y_val") && one == text) {
      run.set("x-val", "x_val");
      run.set("y-val", "x_val");
      continue;
    }
    text = one;
    run.arrays.emplace_back(name, one);
    if (name == std::string("y_val")) {
      run.set("x-val", "x_val");
      run.set("y-val", "y_val");
    }
    reader.is_data(given.value->lines);
    run.lines.insert(given.value->lines.begin(), given.value->lines.end());
    if (!given.value->array) continue;
    reader.is_data(given.value->array->lines);
    run.lines.insert(given.value->array->lines.begin(), given.value->array->lines.end());
  }
  // Rows of its own, if those of an earlier run are others.
  const auto same = [&](const MigratedRun& other) {
    MigratedRun::Settings arrays = other.arrays;
    std::erase_if(arrays, [](const auto& array) { return array.first.ends_with("_test"); });
    return other.import.empty() && arrays == run.arrays && other.lines == run.lines;
  };
  const auto& runs = reader.migration().runs;
  const auto earlier = std::ranges::find_if(runs, same);
  if (earlier != runs.end()) {
    run.data_number = earlier->data_number;
  } else {
    for (const MigratedRun& other : runs)
      run.data_number = std::max(run.data_number, other.data_number + 1);
  }
  run.data = run.data_number == 1 ? "data.h5" : fmt::format("data-{}.h5", run.data_number);
  run.settings.insert(run.settings.begin(), {"data", run.data});
}

void set_network(const ScriptModel& model, const NetworkText& text, MigratedRun& run) {
  const std::pair<const char*, const std::string&> all[] = {{"layers", text.layers},
                                                            {"from", text.from},
                                                            {"freeze", text.freeze},
                                                            {"unfreeze", text.unfreeze},
                                                            {"replace-head", text.replace_head}};
  for (const auto& [key, value] : all)
    if (!value.empty()) run.set(key, value);
  run.model_json = text.model_json;
  if (!run.model_json.empty()) run.set("model", "");  // named when it is written
  if (!model.weights.empty() && model.trained_file.empty()) {
    run.set("weights", model.weights);
    if (model.skip_mismatch) run.set("skip-mismatch", "true");
  }
}

/// {0: 1.0, 1: 2.5}
std::optional<std::string> class_weights(const Value& value) {
  if (!value.is(Kind::kDict)) return std::nullopt;
  std::vector<std::string> parts;
  for (std::size_t i = 0; i + 1 < value.items->size(); i += 2) {
    const Value &key = (*value.items)[i], &weight = (*value.items)[i + 1];
    if (!key.is_number() || !weight.is_number()) return std::nullopt;
    parts.push_back(
        fmt::format("{}:{}", number_words(key.constant), number_words(weight.constant)));
  }
  return fmt::format("{}", fmt::join(parts, ", "));
}

void set_fit(ScriptReader& reader, const ScriptArguments& arguments, MigratedRun& run) {
  static const std::map<std::string, const char*> kOptions = {
      {"epochs", "epochs"},
      {"nb_epoch", "epochs"},
      {"batch_size", "batch-size"},
      {"validation_split", "validation-split"},
      {"validation_batch_size", "validation-batch-size"},
      {"validation_freq", "validation-freq"},
      {"steps_per_epoch", "steps-per-epoch"},
      {"shuffle", "shuffle"},
      {"verbose", "verbose"}};
  static const std::vector<std::string> kPositions = {
      "x", "y", "batch_size", "epochs", "verbose", "callbacks", "validation_split"};
  std::size_t position = 0;
  const Value* callbacks = nullptr;
  for (const ScriptArgument& argument : arguments) {
    std::string name = argument.keyword;
    if (name.empty() && position < kPositions.size()) name = kPositions[position++];
    const Value& value = argument.value;
    const auto option = kOptions.find(name);
    if (name == "x" || name == "y" || name == "validation_data" || value.is_none() ||
        name == "workers" || name == "use_multiprocessing" || name == "max_queue_size")
      continue;
    if (name == "callbacks") {
      callbacks = &value;
    } else if (name == "class_weight") {
      const auto weights = class_weights(value);
      if (weights) run.set("class-weight", *weights);
      if (!weights) reader.unread(run.line, "class_weight is not understood");
    } else if (option == kOptions.end() || !value.is(Kind::kConstant)) {
      const bool nothing = name == "initial_epoch" && value.is_number() && value.constant == 0;
      if (!nothing)
        reader.unread(run.line,
                      fmt::format("{} of fit() is not carried over", printable(name, 60)));
    } else if (value.constant.is_boolean()) {
      if (name == "shuffle" && value.constant.get<bool>()) continue;
      run.set(option->second, value.constant.get<bool>() ? "true" : "false");
    } else if (name == "verbose") {
      if (value.constant.is_number() && value.constant != 1)
        run.set("verbose", number_words(value.constant));
    } else if (value.constant.is_number()) {
      if (name != "validation_split" || value.constant != 0)
        run.set(option->second, number_words(value.constant));
    } else {
      reader.unread(run.line, fmt::format("{} of fit() is not carried over", printable(name, 60)));
    }
  }
  if (callbacks == nullptr) return;
  run.set("", "");
  callback_settings(reader, *callbacks, run);
}

std::string extension(const MigratedRun& run) {
  for (const auto& [key, value] : run.settings)
    if (key == "save-format") return value;
  return "h5";
}

}  // namespace

void fit(ScriptReader& reader, const std::shared_ptr<ScriptModel>& pointer,
         const ScriptArguments& arguments) {
  ScriptModel& model = *pointer;
  MigratedRun run;
  run.line = reader.line();
  Rows rows{given(reader, arguments, "x", 0), given(reader, arguments, "y", 1), {}, {}};
  split_pair(reader, arguments, rows);
  if (rows.x.value == nullptr || rows.y.value == nullptr || rows.y.value->is_none()) {
    reader.unread(run.line, "expected fit(x, y, ...) of arrays", true);
    return;
  }
  const bool fresh = model.trained_file.empty() && !begins_with_file(pointer);
  std::optional<RowsAsTheyAre> as_they_are;
  const bool dataset = fresh && takes_dataset(model, rows);
  if (dataset) {
    const KnownDataset& known = *known_dataset(rows.x.value->array->dataset);
    const Json& changes = rows.x.value->array->changes;
    if (!changes.empty()) as_they_are = RowsAsTheyAre{known.row_shape, changes};
    set_dataset(reader, rows, run);
  } else {
    set_arrays(reader, rows, run);
  }
  run.names = reader.names();
  run.set("", "");
  const bool goes_on = !model.trained_file.empty();
  for (const auto& [line, what] : model.changed) reader.unread(line, what, true);
  const auto network = network_text(reader, model, as_they_are);
  if (!network) return;
  set_network(model, *network, run);
  const bool one_hot = dataset && !rows.y.value->array->changes.empty();
  if (model.compile_line > 0 && (model.newly_compiled || !goes_on)) {
    compile_settings(reader, model, one_hot, run);
  } else if (model.compile_line == 0 && model.form != ScriptModel::Form::kLoaded) {
    reader.unread(run.line, "expected compile() before fit()", true);
  }
  model.newly_compiled = false;
  run.set("", "");
  set_fit(reader, arguments, run);
  if (reader.seed >= 0) run.set("seed", fmt::format("{}", reader.seed));
  if (reader.summary) run.set("summary", "true");
  const std::size_t number = reader.migration().runs.size() + 1;
  const std::string directory = number == 1 ? "run" : fmt::format("run-{}", number);
  if (number > 1) run.set("run-dir", directory);
  model.trained_file = fmt::format("{}/final.{}", directory, extension(run));
  if (!run.saved_as.empty())
    reader.saved[run.saved_as] = fmt::format("{}/best.{}", directory, extension(run));
  for (const auto& [layer, name] : model.names) layer->trained = &model;
  reader.migration().runs.push_back(std::move(run));
}

void evaluated(ScriptReader& reader, const ScriptModel& model, const ScriptArguments& arguments) {
  auto& runs = reader.migration().runs;
  if (runs.empty() || model.trained_file.empty() || !runs.back().import.empty()) return;
  MigratedRun& run = runs.back();
  const Given rows[2] = {given(reader, arguments, "x", 0), given(reader, arguments, "y", 1)};
  for (const auto& [name, text] : run.arrays)
    if (name == "x_test") return;
  // They are written where fit stands: names that are there already.
  const bool known = std::ranges::all_of(rows, [&](const Given& given) {
    return given.value != nullptr && run.names.contains(given.text);
  });
  if (!known) {
    reader.note(
        fmt::format("the rows that line {} evaluates are not among those of line {}: add "
                    "them to the file as x_test and y_test",
                    reader.line(), run.line));
    return;
  }
  run.arrays.emplace_back("x_test", rows[0].text);
  if (rows[0].text == rows[1].text) {
    run.set("y-test", "x_test");
  } else {
    run.arrays.emplace_back("y_test", rows[1].text);
  }
  for (const Given& given : rows) {
    reader.is_data(given.value->lines);
    if (given.value->array) reader.is_data(given.value->array->lines);
  }
}

void keep_as_keras(ScriptReader& reader, ScriptModel& model) {
  MigratedRun& run = reader.migration().runs.back();
  if (extension(run) == "keras" || !model.trained_file.ends_with(".h5")) return;
  run.set("save-format", "keras");
  const std::string directory = model.trained_file.substr(0, model.trained_file.find('/') + 1);
  model.trained_file.replace(model.trained_file.size() - 2, 2, "keras");
  for (auto& [name, file] : reader.saved)
    if (file.starts_with(directory)) file = file.substr(0, file.rfind('.')) + ".keras";
}

}  // namespace lockstep
