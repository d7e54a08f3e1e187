#include "launch/train/train_plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "distributed/ranks/agreement.hpp"
#include "distributed/ranks/setup_check.hpp"
#include "distributed/training/carried_states.hpp"
#include "distributed/training/frozen_features.hpp"
#include "distributed/update/step_plan.hpp"
#include "distributed/update/training_memory.hpp"
#include "io/data/sample_order.hpp"
#include "io/hdf5/hdf5.hpp"
#include "io/import/import.hpp"
#include "io/table/table_mapping.hpp"
#include "io/text/text_mapping.hpp"
#include "launch/cli/numerics_choice.hpp"
#include "launch/cli/screen.hpp"
#include "launch/train/linear_scaling.hpp"
#include "launch/train/run_directory.hpp"
#include "launch/train/train_fields.hpp"
#include "launch/train/train_inputs.hpp"
#include "src/core/printable.hpp"
#include "src/core/system_files.hpp"
#include "src/model/model_json.hpp"

namespace lockstep {
namespace {

/// The options decide which collectives follow: they must be the same everywhere.
void check_same_settings(const Communicator& world, const TrainSettings& settings) {
  const auto text_of = [&](const TrainField& field) {
    return field.write(settings).value_or("not set");
  };
  std::string all;
  for (const TrainField& field : train_fields()) all += text_of(field) + '\n';
  const std::vector<std::string> everywhere = world.all_gather(all);
  if (std::ranges::count(everywhere, everywhere.front()) == world.size()) return;
  for (const TrainField& field : train_fields()) {
    check_same_everywhere(world, "--" + field.name, text_of(field));
  }
}

DatasetPlace place_of(const TrainSettings& settings, const std::string& x, const std::string& y,
                      const std::string& weights = "") {
  const auto at = [&](const std::string& name) {
    return array_place(settings.data, name, settings.transpose);
  };
  return {at(x), at(y), weights.empty() ? std::nullopt : std::optional(at(weights))};
}

/// The test set, unless the user does not want it or, not having named it, does not have it.
std::optional<DatasetPlace> find_test(const Communicator& world, const TrainSettings& settings) {
  if (settings.x_test.empty() || settings.y_test.empty()) return std::nullopt;
  const DatasetPlace place = place_of(settings, settings.x_test, settings.y_test);
  if (settings.test_wanted) return place;
  bool there = false;
  on_root(world, [&] { there = exists(place, settings.trust_data); });
  return world.broadcast(there) ? std::optional(place) : std::nullopt;
}

/// The shape of the rows that a mapping makes, of a table or of texts.
Shape mapped_shape(const std::string& mapping, const std::string& where) {
  if (is_text_mapping(mapping)) return {text_mapping_from_json(mapping, where).length};
  const TableMapping table = table_mapping_from_json(mapping, where);
  const auto features = static_cast<std::int64_t>(table.feature_count());
  return table.windows.length > 0 ? Shape{table.windows.length, features} : Shape{features};
}

/// What lockstep import left in the dataset file, if the rows are those that it speaks of.
std::string read_table_mapping(const ArrayPlace& x, const Shape& row_shape, bool trust) {
  const std::string name =
      x.dataset.substr(std::min(x.dataset.find_first_not_of('/'), x.dataset.size()));
  if (name != "x_train" && name != "x_val" && name != "x_test") return "";
  const hdf5::File file = hdf5::File::open(x.file, trust);
  if (!file.has_attribute("/", kTableMapping)) return "";
  std::string text = file.read_string("/", kTableMapping);
  return row_shape == mapped_shape(text, x.file.string()) ? text : "";
}

// --- Dry run ---

DatasetFile open(const ArrayPlace& place, const TrainSettings& settings) {
  return DatasetFile(place.file, place.dataset, settings.trust_data);
}

/// A view for its shape, without rows behind it.
ArrayView shape_of(const DatasetFile& file) {
  return {file.type(), file.rows(), file.row_shape(), nullptr};
}

std::string mib(std::int64_t bytes) {
  return fmt::format("{:.1f} MiB", static_cast<double>(bytes) / (1 << 20));
}

std::string describe(const DatasetFile& file) {
  std::string text = fmt::format("{}: {} x {} {}", printable(file.label()), file.rows(),
                                 to_string(file.row_shape()), to_string(file.type()));
  for (const std::string& note : file.notes()) text += fmt::format("\n{:<14}{}", "", note);
  return text;
}

/// Adds a line for each array of a dataset; returns its bytes in memory.
std::int64_t describe_dataset(const TrainPlan& plan, const char* name, const DatasetPlace& place,
                              std::string& text) {
  const DatasetFile x = open(place.x, plan.settings);
  const DatasetFile y = open(place.y, plan.settings);
  const Network& model = plan.network.model;
  check_no_classes(x.classes(), x.label());
  check_shapes(shape_of(x), shape_of(y), model.input_shape(), model.output_shape(),
               model.loss().target_kind(), x.label(), y.label());
  text += fmt::format("{:<12}{}\n{:<12}{}\n", name, describe(x), "", describe(y));
  const std::int64_t bytes = x.held_bytes() + y.held_bytes();
  if (!place.weights) return bytes;
  const DatasetFile weights = open(*place.weights, plan.settings);
  check_no_classes(weights.classes(), weights.label());
  check_weight_shape(shape_of(weights), shape_of(y), model.output_shape(), weights.label(),
                     y.label());
  text += fmt::format("{:<12}{}\n", "", describe(weights));
  return bytes + weights.held_bytes();
}

std::int64_t training_rows_of(const TrainSettings& settings, std::int64_t rows) {
  return settings.training.validation_split > 0
             ? training_rows(rows, settings.training.validation_split)
             : rows;
}

/// How a full batch is shared.
StepPlan plan_of_batch(const TrainSettings& settings, std::int64_t rows, int ranks) {
  return StepPlan::of_full_batch(settings.training.batch_size, training_rows_of(settings, rows),
                                 settings.training.grain, ranks);
}

std::string describe_steps(const TrainSettings& settings, std::int64_t rows, int ranks) {
  const std::int64_t train = training_rows_of(settings, rows);
  const StepPlan batch = plan_of_batch(settings, rows, ranks);
  return fmt::format(
      "{:<12}{} rows train, {} validate; {} epochs of {} steps\n"
      "{:<12}{} rows in {} grains of {}, for {} of {} ranks; numerics {}\n",
      "training", train, rows - train, settings.training.epochs, steps_per_epoch(settings, rows),
      "batch", batch.rows(), batch.grains(), batch.grain(), ranks - batch.idle_ranks(), ranks,
      settings.training.numerics == Numerics::kFast ? "fast" : "exact");
}

/// What training takes on this host: the rows, what training works in, what a checkpoint is built
/// in, and what its processes take before.
struct Memory {
  std::int64_t rows = 0, training = 0, checkpoint = 0, processes = 0;
  std::int64_t total() const { return rows + training + checkpoint + processes; }
};

std::int64_t training_bytes(const TrainPlan& plan, std::int64_t rows, int ranks, int host_ranks) {
  const TrainOptions& options = plan.settings.training;
  std::vector<StepPlan> plans{plan_of_batch(plan.settings, rows, ranks)};
  if (const std::int64_t rest = training_rows_of(plan.settings, rows) % plans.front().rows())
    plans.emplace_back(rest, plans.front().grain(), ranks);
  const DistributedOptimizer::Options distributed{
      .bucket_floats = options.bucket_floats,
      .loss_sums = plan.network.model.objective().loss_sums(),
      .block_grains = options.block_grains};
  return training_memory(plan.network.model, options.sync, distributed, host_ranks, plans).total();
}

/// The slots that rank 0 gathers, and the image of the file with them and the weights; for a moment
/// there is a copy of each.
std::int64_t checkpoint_bytes(const Network& model) {
  const auto slots = static_cast<std::int64_t>(model.optimizer().slot_names().size());
  return 2 * (1 + 2 * slots) * model.arena().size() * static_cast<std::int64_t>(sizeof(float));
}

std::string describe_memory(const Memory& memory) {
  const std::optional<std::int64_t> available = available_memory();
  check(!available || memory.total() <= *available, ExitCode::kInputOutput,
        "[memory] expected at least {} on this host ({} of rows, {} to train in), got {}",
        mib(memory.total()), mib(memory.rows), mib(memory.training),
        available ? mib(*available) : "");
  return fmt::format(
      "{:<12}{} on this host: {} of rows, {} to train in, {} to save, {} for processes; {} "
      "available\n",
      "memory", mib(memory.total()), mib(memory.rows), mib(memory.training), mib(memory.checkpoint),
      mib(memory.processes), available ? mib(*available) : "unknown");
}

std::string describe_run(const TrainPlan& plan) {
  const RunDirectory directory(plan.settings.run_dir);
  const Beginning beginning = directory.decide(plan.settings, model_json_text(plan.network.model));
  const std::string how =
      beginning == Beginning::kResume
          ? "go on from " + directory.checkpoint_files().front().path.filename().string()
      : plan.settings.overwrite ? "from scratch, over what is there"
                                : "from scratch";
  return fmt::format("{:<12}{}: {}\n", "run", printable(directory.path().string()), how);
}

std::string describe_all(const TrainPlan& plan, int ranks, int host_ranks, std::int64_t resident) {
  const Network& model = plan.network.model;
  std::string text;
  Memory memory;
  memory.rows = describe_dataset(plan, "data", plan.train, text);
  if (plan.validation) memory.rows += describe_dataset(plan, "validation", *plan.validation, text);
  if (plan.test) memory.rows += describe_dataset(plan, "test", *plan.test, text);
  text +=
      fmt::format("{:<12}{} layers, {} parameters; {} -> {}\n", "network", model.layers().size(),
                  model.parameter_count(), to_string_batched(model.input_shape()),
                  to_string_batched(model.output_shape()));
  const std::int64_t rows = open(plan.train.x, plan.settings).rows();
  text += describe_steps(plan.settings, rows, ranks);
  text += fmt::format("{:<12}{}, {} on this host\n", "ranks", ranks, host_ranks);
  const std::int64_t features =
      FrozenFeatures::bytes_of(model, training_rows_of(plan.settings, rows));
  if (plan.settings.training.cache_features && features > 0)
    text += fmt::format(
        "{:<12}what layers that are not trained make of the rows is computed once "
        "if {} are less than half of what is available\n",
        "features", mib(features));
  memory.training = training_bytes(plan, rows, ranks, host_ranks);
  memory.checkpoint = checkpoint_bytes(model);
  // Each holds its parameters already.
  memory.processes =
      resident - host_ranks * model.arena().size() * static_cast<std::int64_t>(sizeof(float));
  text += describe_memory(memory);
  return text + describe_run(plan);
}

}  // namespace

TrainPlan make_train_plan(const Communicator& world, const std::vector<std::string>& arguments) {
  TrainSettings settings;
  together(world, [&] { settings = parse_train_settings(arguments); });
  resolve_batch_size(settings, world.size());
  settings.training.numerics = choose_numerics(world, settings.training.numerics);
  check_same_settings(world, settings);
  on_root(world, [&] { check_inputs_stay(settings); });

  const DatasetPlace train = place_of(settings, settings.x, settings.y, settings.sample_weight);
  const auto test = find_test(world, settings);
  if (!test) settings.x_test = settings.y_test = "";
  std::optional<DatasetPlace> validation;
  if (!settings.x_val.empty())
    validation = place_of(settings, settings.x_val, settings.y_val, settings.sample_weight_val);

  std::optional<NetworkSource> network;
  std::string table_mapping;
  together(world, [&] {
    const DatasetFile x(train.x.file, train.x.dataset, settings.trust_data);
    const std::string scaling =
        resolve_linear_scaling(settings, steps_per_epoch(settings, x.rows()));
    network.emplace(make_network(settings, x.row_shape()));
    if (!scaling.empty()) network->notes.push_back(scaling);
    if (settings.steps_per_execution > 1)
      network->notes.push_back("--steps-per-execution changes nothing here");
    table_mapping = read_table_mapping(train.x, x.row_shape(), settings.trust_data);
    // What cannot be written in the end is not trained.
    if (settings.save_format == ModelFormat::kKeras) keras3_model_config(network->model);
  });
  check_stateful(network->model, settings.training, 0, 0);
  check_same_everywhere(world, "network", describe_network(network->model));
  if (!settings.from.empty())
    check_same_everywhere(world, "weights in " + printable(settings.from),
                          describe_weights(network->model));
  return {settings, std::move(*network), train, validation, test, std::move(table_mapping)};
}

Facts input_places(const TrainPlan& plan) {
  const auto text_of = [](const ArrayPlace& place) {
    return fmt::format("{}:{}", place.file.string(), place.dataset);
  };
  Facts places;
  const auto add = [&](const DatasetPlace& place, const std::string& ending) {
    places.emplace_back("x" + ending, text_of(place.x));
    places.emplace_back("y" + ending, text_of(place.y));
    if (place.weights) places.emplace_back("sample-weight" + ending, text_of(*place.weights));
  };
  add(plan.train, "");
  if (plan.validation) add(*plan.validation, "-val");
  if (!plan.settings.from.empty()) places.emplace_back("from", plan.settings.from);
  return places;
}

std::int64_t steps_per_epoch(const TrainSettings& settings, std::int64_t rows) {
  if (settings.training.steps_per_epoch > 0) return settings.training.steps_per_epoch;
  const std::int64_t train = training_rows_of(settings, rows);
  return (train + settings.training.batch_size - 1) / settings.training.batch_size;
}

std::string idle_ranks_warning(const TrainSettings& settings, std::int64_t rows, int ranks) {
  const StepPlan batch = plan_of_batch(settings, rows, ranks);
  if (batch.idle_ranks() == 0) return "";
  return fmt::format(
      "warning: a batch of {} rows has {} grains of {}: {} of {} ranks have no work; a larger "
      "--batch-size or a smaller --grain gives them some (both change the results), or start fewer",
      batch.rows(), batch.grains(), batch.grain(), batch.idle_ranks(), ranks);
}

std::string model_json_text(const Network& model) {
  return model_to_json(model).dump(2) + "\n";
}

void describe_plan(const Communicator& world, const TrainPlan& plan) {
  const Communicator host = world.on_this_host();
  const std::int64_t resident = host.all_sum(resident_memory());
  on_root(world, [&] { print_now(describe_all(plan, world.size(), host.size(), resident)); });
}

}  // namespace lockstep
