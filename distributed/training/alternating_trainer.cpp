#include "distributed/training/alternating_trainer.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <ranges>

#include "distributed/ranks/agreement.hpp"
#include "distributed/ranks/replica_check.hpp"
#include "distributed/ranks/setup_check.hpp"
#include "io/files/atomic_file.hpp"
#include "src/core/fault.hpp"
#include "src/core/floating_point.hpp"
#include "src/core/hash.hpp"
#include "src/core/memory.hpp"
#include "src/core/printable.hpp"

namespace lockstep {
namespace {

using Json = nlohmann::ordered_json;

/// Whether ops that run for the objective read each input.
std::vector<bool> inputs_read(const Graph& graph, const Aim& aim) {
  const std::vector<bool> runs = aim.runs(graph);
  const auto readers = graph.readers();
  std::vector<bool> read;
  for (const std::size_t input : graph.inputs())
    read.push_back(std::ranges::any_of(
        readers[input], [&](const Graph::Reader& reader) { return runs[reader.op]; }));
  return read;
}

void scale(const Scaling& scaling, Matrix values, Range columns) {
  if (scaling.changes_nothing()) return;
  for (std::int64_t row = 0; row < values.rows; ++row)
    for (float& value :
         std::span(values.row(row) + columns.first, static_cast<std::size_t>(columns.count())))
      value = value * scaling.scale + scaling.offset;
}

std::string to_text(const Facts& options, const Facts& inputs, const std::string& program_state) {
  return Json{{"format", 1}, {"options", options}, {"inputs", inputs}, {"program", program_state}}
      .dump();
}

/// The program's part of a checkpoint's text; CollectiveError (64) if it is of other options, (65)
/// of other inputs.
std::string from_text(const std::string& text, const Facts& options, const Facts& inputs,
                      const std::string& file) {
  Facts options_there, inputs_there;
  std::string program_state;
  try {
    const Json json = Json::parse(text);
    options_there = json.at("options").get<Facts>();
    inputs_there = json.at("inputs").get<Facts>();
    program_state = json.at("program").get<std::string>();
  } catch (const nlohmann::json::exception& error) {
    check_collectively(false, ExitCode::kBadData,
                       "[{}] expected the state of a loop as AlternatingTrainer writes it, got: {}",
                       file, printable(error.what()));
  }
  const auto compare = [&](const Facts& there, const Facts& here, ExitCode code) {
    const auto other = differences(there, here);
    check_collectively(other.empty(), code,
                       "[{}] expected a checkpoint of the same training, got one of another: {}",
                       file, fmt::join(other, "; "));
  };
  compare(options_there, options, ExitCode::kUsage);
  compare(inputs_there, inputs, ExitCode::kBadData);
  return program_state;
}

}  // namespace

AlternatingTrainer::AlternatingTrainer(Network& model, std::vector<NamedObjective> objectives,
                                       Communicator communicator, AlternatingOptions options)
    : model_(model),
      objectives_(std::move(objectives)),
      communicator_(std::move(communicator)),
      options_(options) {
  const FloatingPointEnvironment environment;
  check_setup();
  model_.set_numerics(options_.numerics);
  const StepPlan full = StepPlan::of_full_batch(
      options_.batch_size, options_.rows > 0 ? options_.rows : options_.batch_size, options_.grain,
      communicator_.size());
  plans_ = {full};
  if (const std::int64_t rest = options_.rows % full.rows(); rest > 0)
    plans_.emplace_back(rest, full.grain(), communicator_.size());

  std::vector<Objective*> all;
  for (const NamedObjective& named : objectives_) {
    all.push_back(named.objective);
    loss_sums_.emplace_back(*named.objective);
    reads_input_.push_back(inputs_read(model_.graph(), named.objective->aim()));
  }
  never_alone(communicator_, [&] {
    optimizers_ = make_distributed_optimizers(options_.sync, model_, all, communicator_,
                                              {.bucket_floats = options_.bucket_floats}, plans_,
                                              why_allreduce_);
  });
}

/// The first one has the parameters in its memory.
AlternatingTrainer::~AlternatingTrainer() {
  while (!optimizers_.empty()) optimizers_.pop_back();
}

/// What makes this training that training, beside the objectives' settings.
Facts AlternatingTrainer::identity() const {
  return {{"batch-size", std::to_string(options_.batch_size)},
          {"rows", std::to_string(options_.rows)},
          {"seed", std::to_string(options_.seed)},
          {"grain", std::to_string(plans_.front().grain())},
          {"numerics", options_.numerics == Numerics::kFast ? "fast" : "exact"}};
}

void AlternatingTrainer::check_setup() const {
  check_collectively(model_.built() && !objectives_.empty(), ExitCode::kUsage,
                     "[trainer] expected a network that is built, and at least one objective");
  check_collectively(!model_.is_stateful(), ExitCode::kUsage,
                     "[trainer] expected a network without stateful layers, whose batches of one "
                     "objective would go on from those of another, got one with them");
  std::vector<std::string> names;
  for (const NamedObjective& named : objectives_) {
    names.push_back(named.name);
    check_collectively(!named.objective->optimizer().average_slot(), ExitCode::kUsage,
                       "[trainer] objective {}: expected an optimizer without use_ema, whose "
                       "averages become the weights when training ends, got one with it",
                       named.name);
  }
  check_same_everywhere(
      communicator_, "training options",
      fmt::format("objectives {}, batches of {} out of {} rows, seed {}, grain {}, numerics {}, "
                  "sync {}, bucket {}, check {}",
                  fmt::join(names, ", "), options_.batch_size, options_.rows, options_.seed,
                  options_.grain, options_.numerics == Numerics::kFast ? "fast" : "exact",
                  static_cast<int>(options_.sync), options_.bucket_floats,
                  options_.check_replicas_every));
  check_same_everywhere(communicator_, "network", describe_network(model_));
  std::string settings;
  for (const NamedObjective& named : objectives_)
    settings += objective_settings(model_, *named.objective) + '\n';
  check_same_everywhere(communicator_, "objectives", settings);
  check_collectively(
      options_.batch_size >= 1 && options_.rows >= 0 && options_.grain >= 0 &&
          options_.bucket_floats >= 1 && options_.check_replicas_every >= 0,
      ExitCode::kUsage,
      "[trainer] expected a batch and buckets of at least 1, and no negative number");
  for (const std::string& name : names)
    check_collectively(
        !name.empty() && name.find_first_of("/.") == std::string::npos &&
            std::ranges::count(names, name) == 1,
        ExitCode::kUsage,
        "[trainer] expected every objective to have a name of its own, without / and ., got '{}'",
        printable(name));
}

void AlternatingTrainer::start() {
  const FloatingPointEnvironment environment;
  check_collectively(!started_, ExitCode::kUsage, "[trainer] expected one start() or resume()");
  never_alone(communicator_, [&] {
    communicator_.broadcast(model_.arena().values());
    check_replicas(model_, communicator_, "before the first step");
    for (const auto& optimizer : optimizers_) optimizer->set_up();
  });
  started_ = true;
}

std::string AlternatingTrainer::resume(const std::filesystem::path& path) {
  const FloatingPointEnvironment environment;
  check_collectively(!started_, ExitCode::kUsage, "[trainer] expected one start() or resume()");
  LoadedObjectives loaded;
  together(communicator_, [&] { loaded = load_objectives(path, model_, objectives_); });
  Sha256 all;
  all.add(std::as_bytes(std::span(loaded.training_state)));
  for (const OptimizerState& state : loaded.states) {
    all.add(std::as_bytes(std::span(&state.iterations, 1)));
    for (const auto& slot : state.slots) all.add(std::as_bytes(std::span(slot)));
  }
  check_same_everywhere(communicator_, "checkpoint", to_hex(all.digest()));
  const std::string program_state =
      from_text(loaded.training_state, identity(), options_.inputs, printable(path.string()));
  for (std::size_t i = 0; i < objectives_.size(); ++i) {
    const OptimizerState& state = loaded.states[i];
    objectives_[i].objective->optimizer().set_iterations(state.iterations);
    together(communicator_, [&] { optimizers_[i]->restore_slots(state.slots); });
  }
  start();
  return program_state;
}

AlternatingTrainer::Means AlternatingTrainer::step(std::size_t objective, const Batch& batch) {
  const FloatingPointEnvironment environment;
  check_collectively(started_ && objective < objectives_.size(), ExitCode::kUsage,
                     "[trainer] expected start() or resume(), and an objective below {}, got {}",
                     objectives_.size(), objective);
  Means means;
  never_alone(communicator_, [&] { means = make_step(objective, batch); });
  return means;
}

/// As Trainer::train_step(), which says what happens.
AlternatingTrainer::Means AlternatingTrainer::make_step(std::size_t number, const Batch& batch) {
  const Objective& objective = *objectives_[number].objective;
  DistributedOptimizer& optimizer = *optimizers_[number];
  const auto plan = std::ranges::find(plans_, batch.rows, &StepPlan::rows);
  check_collectively(plan != plans_.end(), ExitCode::kUsage,
                     "[trainer] expected a batch of {} rows, got one of {}",
                     fmt::join(plans_ | std::views::transform(&StepPlan::rows), " or "),
                     batch.rows);
  const std::int64_t step = objective.optimizer().iterations();
  optimizer.begin_step(static_cast<std::size_t>(plan - plans_.begin()));
  fill_in(number, batch);
  const Range own = plan->rows_of(communicator_.rank());
  const Targets targets = targets_of(number, batch, own.count());
  fault_point("compute", communicator_.rank(), step);

  // Steps of all objectives are counted together: no two draw the same masks.
  const Pass pass{.training = true,
                  .seed = options_.seed,
                  .step = step * static_cast<std::int64_t>(objectives_.size()) +
                          static_cast<std::int64_t>(number),
                  .first_row = own.first,
                  .batch_rows = plan->rows()};
  const double penalty = this->penalty(objective);
  const auto loss = [&](const Block& block) {
    loss_sums_[number].add_up(optimizer, targets, block, plan->rows());
  };
  optimizer.run(pass, std::cref(loss));
  const std::span<const double> sums = optimizer.finish();

  const double counted = counted_positions(objective, sums, plan->rows());
  Means means{mean_of(sums[0], counted) + penalty, {}};
  metric_results(objective, sums, counted,
                 [&](const std::string&, double value) { means.metrics.push_back(value); });
  check_collectively(std::isfinite(means.loss), ExitCode::kNumerical,
                     "[trainer] step {} of {}: expected a finite loss, got {}; try a smaller "
                     "learning rate, and look for extreme values in the data",
                     step + 1, objectives_[number].name, means.loss);
  if (options_.check_replicas_every > 0 && (step + 1) % options_.check_replicas_every == 0)
    optimizer.check_replicas(
        fmt::format("after step {} of {}", step + 1, objectives_[number].name));
  return means;
}

/// The rows of this rank, and of the first input what its gradients need of other ranks' rows.
void AlternatingTrainer::fill_in(std::size_t objective, const Batch& batch) {
  const DistributedOptimizer& optimizer = *optimizers_[objective];
  const auto fill = [&](std::size_t which, const DistributedOptimizer::Input& input,
                        Range columns) {
    const Matrix values = optimizer.workspace().input(input.rows, which);
    batch.input(which, input.batch_rows, columns, values);
    if (which == 0) scale(model_.input_scaling(), values, columns);
  };
  const std::vector<bool>& read = reads_input_[objective];
  for (const DistributedOptimizer::Input& input : optimizer.other_inputs())
    if (read[0]) fill(0, input, input.columns);
  const DistributedOptimizer::Input own = optimizer.own_input();
  for (std::size_t which = 0; which < read.size() && own.rows.count() > 0; ++which) {
    const Shape& shape = model_.graph().shape(model_.graph().inputs()[which]);
    if (read[which]) fill(which, own, {0, element_count(shape)});
  }
}

Targets AlternatingTrainer::targets_of(std::size_t objective, const Batch& batch,
                                       std::int64_t rows) const {
  if (rows == 0) return {};
  const Objective& wanted = *objectives_[objective].objective;
  const Range own = optimizers_[objective]->own_input().batch_rows;
  const Targets targets = batch.targets(own);
  const std::int64_t positions = rows * wanted.output_positions();
  const bool fits =
      wanted.loss().target_kind() == TargetKind::kClasses
          ? static_cast<std::int64_t>(targets.classes.size()) == positions
          : targets.values.rows == positions && targets.values.columns == wanted.output_columns();
  check(fits, ExitCode::kUsage,
        "[trainer] expected targets for {} positions of {} numbers each for {}, got others",
        positions, wanted.output_columns(), objectives_[objective].name);
  check(targets.weights.empty() || std::ssize(targets.weights) == positions, ExitCode::kUsage,
        "[trainer] expected weights for {} positions for {}, or none, got {}", positions,
        objectives_[objective].name, targets.weights.size());
  return targets;
}

double AlternatingTrainer::penalty(const Objective& objective) const {
  double sum = 0;
  for (const Parameter* parameter : model_.arena().parameters())
    if (objective.aim().trains(*parameter) && parameter->regularizer.active())
      sum += parameter->regularizer.penalty(parameter->value);
  return sum;
}

void AlternatingTrainer::save(const std::filesystem::path& path, const std::string& program_state) {
  const FloatingPointEnvironment environment;
  check_collectively(started_, ExitCode::kUsage, "[trainer] expected start() before save()");
  never_alone(communicator_, [&] {
    std::vector<OptimizerState> states;
    for (std::size_t i = 0; i < objectives_.size(); ++i) {
      optimizers_[i]->check_replicas(fmt::format("before saving {}", objectives_[i].name));
      states.push_back({optimizers_[i]->gather_slots(), steps(i)});
    }
    fault_point("save", communicator_.rank(), steps(0));
    on_root(communicator_, [&] {
      write_atomically(path, allocating("the image of a checkpoint", [&] {
                         return objectives_file(
                             model_, objectives_, states,
                             to_text(identity(), options_.inputs, program_state));
                       }));
    });
  });
}

}  // namespace lockstep
