#include "distributed/training/trainer.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <nlohmann/json.hpp>
#include <span>

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

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

std::string describe(const std::optional<TrainingState>& state) {
  if (!state) return "none";
  std::vector<std::uint64_t> hashes;
  for (const auto& slot : state->slots)
    hashes.push_back(fast_hash(std::as_bytes(std::span<const float>(slot)))[0]);
  const std::string text = to_json_text(*state);
  hashes.push_back(fast_hash(std::as_bytes(std::span(text)))[0]);
  return fmt::format("epoch {}, step {}, hash {}", state->epoch, state->iterations,
                     to_hex(std::as_bytes(std::span(hashes))));
}

std::size_t state_bytes(std::int64_t floats, std::size_t slots) {
  return static_cast<std::size_t>(floats) * slots * sizeof(float);
}

/// Before callbacks see it: they must neither save nor stop by such a number.
void check_finite(const EpochReport& report) {
  const auto check = [&](const std::string& prefix, const std::string& name, double value) {
    check_collectively(std::isfinite(value), ExitCode::kNumerical,
                       "[trainer] epoch {}: expected a finite {}{}, got {}; try a smaller learning "
                       "rate, and look for extreme values in the {} rows",
                       report.epoch, prefix, name, value,
                       prefix.empty() ? "training" : "validation");
  };
  check("", "loss", report.loss);
  for (const auto& [name, value] : report.metrics) check("", name, value);
  if (report.validation_loss) check("val_", "loss", *report.validation_loss);
  for (const auto& [name, value] : report.validation_metrics) check("val_", name, value);
}

}  // namespace

Trainer::Trainer(Sequential& model, Communicator communicator, TrainOptions options)
    : model_(model), communicator_(std::move(communicator)), options_(options), meter_(model) {
  const FloatingPointEnvironment environment;
  check_same_everywhere(communicator_, "training options", describe(options_));
  check_options(options_);
  check_collectively(model_.built() && model_.compiled(), ExitCode::kUsage,
                     "[trainer] expected a network that is built and compiled");
}

Trainer::~Trainer() = default;

void Trainer::add_callback(std::shared_ptr<Callback> callback) {
  callbacks_.push_back(std::move(callback));
}

// The whole algorithm: fit() -> train() -> train_epoch() -> train_step().

History Trainer::fit(const ArrayDataset& data, const std::optional<ArrayDataset>& validation) {
  const FloatingPointEnvironment environment;
  never_alone(communicator_, [&] { train(data, validation); });
  return history_;
}

void Trainer::train(const ArrayDataset& data, const std::optional<ArrayDataset>& validation) {
  check_agreement(data, validation);
  identify(data, validation);

  // Rank 0 decides where the rows are cut: before shuffling, the last ones validate.
  std::int64_t split = data.rows();
  if (!validation && options_.validation_split > 0)
    on_root(communicator_, [&] { split = training_rows(data.rows(), options_.validation_split); });
  communicator_.broadcast(std::span(&split, 1));
  const ArrayDataset train = data.slice(0, split);
  const ArrayDataset held_out = validation ? *validation : data.slice(split, data.rows());

  prepare(train);
  set_out();
  for (const auto& callback : callbacks_) callback->on_train_begin(*this);
  follow_root();
  while (epoch_ < options_.epochs && !stop_) {
    train_epoch(train);
    if (held_out.rows() > 0 && (epoch_ + 1) % options_.validation_freq == 0) validate(held_out);
    check_finite(meter_.report());
    history_.push_back(meter_.report());
    ++epoch_;
    for (const auto& callback : callbacks_) callback->on_epoch_end(*this, history_.back());
    follow_root();
  }
  distributed_optimizer_->check_replicas(fmt::format("after epoch {}", epoch_));
  distributed_optimizer_->hand_back();
  for (const auto& callback : callbacks_) callback->on_train_end(*this);
}

void Trainer::train_epoch(const ArrayDataset& train) {
  const std::int64_t batch = plans_.front().rows();
  const std::int64_t batches = (train.rows() + batch - 1) / batch;
  const std::int64_t steps = options_.steps_per_epoch > 0 ? options_.steps_per_epoch : batches;
  meter_.begin(epoch_ + 1);
  communicator_.barrier();
  const double start = now();
  if (options_.profile) profile_.start();
  for (std::int64_t step = 0; step < steps; ++step) {
    // Batches are one stream over all passes: an epoch of fewer steps goes on where the last ended.
    const std::int64_t in_stream = epoch_ * steps + step;
    if (step == 0 || in_stream % batches == 0) feed_->begin_pass(in_stream / batches);
    const std::int64_t first = in_stream % batches * batch;

    train_step(first, first + batch > train.rows() ? plans_.size() - 1 : 0);

    const StepReport report = meter_.step_report(step + 1, steps, now() - start);
    for (const auto& callback : callbacks_) callback->on_step_end(*this, report);
    const std::int64_t done = model_.optimizer().iterations();
    if (options_.check_replicas_every > 0 && done % options_.check_replicas_every == 0)
      distributed_optimizer_->check_replicas(fmt::format("after step {}", done));
  }
  profile_.pause();
  double seconds = now() - start;
  communicator_.broadcast(std::span(&seconds, 1));
  meter_.finish(seconds);
}

/// The batch whose first row stands at position `first` of the pass.
void Trainer::train_step(std::int64_t first, std::size_t plan_index) {
  const StepPlan& plan = plans_[plan_index];
  const std::int64_t step = model_.optimizer().iterations();

  // This rank's rows of the global batch; there may be none, and every formula below still holds.
  profile_.enter(Phase::kData);
  distributed_optimizer_->begin_step(plan_index);
  const Targets targets = feed_->load(first, first + plan.rows(), *distributed_optimizer_);
  fault_point("compute", communicator_.rank(), step);

  profile_.enter(Phase::kForward);
  const Workspace& workspace = distributed_optimizer_->workspace();
  const Range rows = distributed_optimizer_->own_input().rows;
  const Pass pass{.training = true,
                  .seed = options_.seed,
                  .step = step,
                  .first_row = plan.rows_of(communicator_.rank()).first,
                  .input_is_scaled = true};
  const std::int64_t columns = model_.output_columns();
  const Matrix outputs =
      model_.forward(workspace, rows, pass, /*until_logits=*/true).with_columns(columns);

  // Losses and metrics: sums over rows, from the outputs before the update.
  profile_.enter(Phase::kLoss);
  const Matrix gradient = workspace.output_gradient(rows).with_columns(columns);
  const std::int64_t positions = plan.rows() * model_.output_positions();
  const Subtrees subtrees = distributed_optimizer_->subtrees();
  for (std::size_t i = 0; i < subtrees.size(); ++i)
    loss_sums_->add_up(outputs, targets, gradient, 1.0f / static_cast<float>(positions), subtrees,
                       i, distributed_optimizer_->loss_sums(i));
  const double penalty = model_.regularized() ? model_.regularization_penalty() : 0;

  // finish() returns when the gradients of the whole batch are known and every replica has made
  // the same update; the sums of losses and metrics travel with them.
  profile_.enter(Phase::kBackward);
  model_.backward(workspace, rows, pass,
                  [this](std::size_t layer) { distributed_optimizer_->layer_done(layer); });
  fault_point("allreduce", communicator_.rank(), step);
  const std::span<const double> sums = distributed_optimizer_->finish();

  profile_.enter(Phase::kOther);
  profile_.count_step();
  meter_.add(sums, plan.rows(), penalty);
  const double mean_loss = sums[0] / static_cast<double>(positions);
  check_collectively(std::isfinite(mean_loss), ExitCode::kNumerical,
                     "[trainer] step {} (epoch {}): expected a finite loss, got {}; try a smaller "
                     "learning rate, and look for extreme values in the data",
                     model_.optimizer().iterations(), epoch_ + 1, mean_loss);
}

void Trainer::validate(const ArrayDataset& validation) {
  const double start = now();
  const Evaluation evaluation = lockstep::evaluate(
      model_, communicator_, validation,
      options_.validation_batch_size > 0 ? options_.validation_batch_size : options_.batch_size,
      options_.validate_on_root);
  double seconds = now() - start;
  communicator_.broadcast(std::span(&seconds, 1));
  EpochReport& report = meter_.report();
  report.validation_loss = evaluation.loss;
  report.validation_metrics = evaluation.metrics;
  report.validation_seconds = seconds;
}

Evaluation Trainer::evaluate(const ArrayDataset& data) {
  const FloatingPointEnvironment environment;
  Evaluation evaluation;
  never_alone(communicator_, [&] {
    check_same_everywhere(communicator_, "network", describe_network(model_));
    check_same_everywhere(communicator_, "weights", describe_weights(model_));
    check_same_rows(communicator_, "rows", &data, options_.verify_data);
    check_data(communicator_, model_, data, "x", "y");
    evaluation = lockstep::evaluate(model_, communicator_, data, options_.batch_size);
  });
  return evaluation;
}

/// That all ranks were given the same things, and that they fit each other.
void Trainer::check_agreement(const ArrayDataset& data,
                              const std::optional<ArrayDataset>& validation) {
  check_same_everywhere(communicator_, "network", describe_network(model_));
  check_same_rows(communicator_, "rows", &data, options_.verify_data);
  check_same_rows(communicator_, "validation rows", validation ? &*validation : nullptr,
                  options_.verify_data);
  check_collectively(data.rows() > 0, ExitCode::kBadData,
                     "[trainer] expected at least one row to train on, got none");
  check_data(communicator_, model_, data, "x", "y");
  if (validation) check_data(communicator_, model_, *validation, "validation x", "validation y");
}

void Trainer::set_identity(Facts options, Facts inputs) {
  identity_.options = std::move(options);
  identity_.inputs = std::move(inputs);
  inputs_given_ = true;
}

/// What the checkpoints of this fit will say that they are of.
void Trainer::identify(const ArrayDataset& data, const std::optional<ArrayDataset>& validation) {
  identity_.trainer = trainer_facts(options_, model_);
  if (inputs_given_) return;
  identity_.inputs = data_facts(communicator_, data, "x", "y");
  if (!validation) return;
  for (Fact& fact : data_facts(communicator_, *validation, "x-val", "y-val"))
    identity_.inputs.push_back(std::move(fact));
}

void Trainer::refuse_other_run() const {
  Facts there = restored_->identity.trainer;
  // The rate that a callback has set counts, whichever of the two the model was compiled with.
  if (restored_->learning_rate)
    for (Fact& fact : there)
      if (fact.first == "learning-rate")
        fact.second = find_fact(identity_.trainer, fact.first).value_or("");
  const auto options = differences(there, identity_.trainer);
  check_collectively(options.empty(), ExitCode::kUsage,
                     "[trainer] expected a state of the same training to go on from, got one of "
                     "another: {}; take those values, or empty TrainingState::identity",
                     fmt::join(options, "; "));
  const auto inputs = differences(restored_->identity.inputs, identity_.inputs);
  check_collectively(inputs.empty(), ExitCode::kBadData,
                     "[trainer] expected the rows that the state was trained on, got others: {}; "
                     "take those rows, or empty TrainingState::identity",
                     fmt::join(inputs, "; "));
}

/// Plans and memory for the steps to come: all batches are full but for the last one of a pass.
void Trainer::prepare(const ArrayDataset& train) {
  model_.set_numerics(options_.numerics);
  const StepPlan full = StepPlan::of_full_batch(options_.batch_size, train.rows(), options_.grain,
                                                communicator_.size());
  distributed_optimizer_.reset();  // it looks at the plans
  plans_ = {full};
  if (const std::int64_t rest = train.rows() % full.rows(); rest > 0)
    plans_.emplace_back(rest, full.grain(), communicator_.size());

  loss_sums_.emplace(model_);
  why_allreduce_.clear();
  distributed_optimizer_ =
      make_distributed_optimizer(options_.sync, model_, communicator_,
                                 {.bucket_floats = options_.bucket_floats,
                                  .loss_sums = loss_sum_count(model_),
                                  .profile = options_.profile ? &profile_ : nullptr},
                                 plans_, why_allreduce_);

  // One rank's share of the largest batch is all that is gathered at once.
  std::int64_t most_rows = 0;
  for (const StepPlan& plan : plans_)
    for (int rank = 0; rank < communicator_.size(); ++rank)
      most_rows = std::max(most_rows, plan.rows_of(rank).count());
  feed_.emplace(train, model_, most_rows, options_.shuffle, options_.seed);
}

/// All ranks set out from the same place: from the restored state, or from first weights.
void Trainer::set_out() {
  check_same_everywhere(communicator_, "state to go on from", describe(restored_));
  set_rate_.reset();
  if (restored_) {
    refuse_other_run();
    epoch_ = restored_->epoch;
    stop_ = restored_->stopped;
    history_ = std::move(restored_->history);
    model_.optimizer().set_iterations(restored_->iterations);
    together(communicator_, [&] {
      if (restored_->learning_rate) set_rate(*restored_->learning_rate);
      distributed_optimizer_->restore_slots(restored_->slots);
      restore_callbacks();
    });
    restored_.reset();
  } else {
    epoch_ = 0;
    stop_ = false;
    history_.clear();
    model_.optimizer().set_iterations(0);
    if (options_.initialize) model_.initialize(options_.seed);
  }
  communicator_.broadcast(model_.arena().values());
  check_replicas(model_, {}, communicator_, "before the first step");
  distributed_optimizer_->set_up();
}

void Trainer::restore_callbacks() {
  for (const auto& callback : callbacks_) {
    // Of two callbacks of one name the first takes the first state.
    const auto saved = std::ranges::find(restored_->callbacks, callback->name(),
                                         [](const auto& entry) { return entry.first; });
    if (saved == restored_->callbacks.end()) continue;
    try {
      callback->restore(saved->second);
    } catch (const nlohmann::json::exception& error) {
      fail(ExitCode::kBadData, "[training state] expected a state of callback {}, got: {}",
           saved->first, printable(error.what()));
    }
    restored_->callbacks.erase(saved);
  }
}

/// What callbacks asked for counts on rank 0; all ranks do the same.
void Trainer::follow_root() {
  stop_ = communicator_.broadcast(stop_);
  const std::optional<double> rate = wished_rate();
  wanted_rate_.reset();
  if (rate && rate != set_rate_) set_rate(*rate);
}

/// The rate that a callback has asked for last, on rank 0.
std::optional<double> Trainer::wished_rate() const {
  if (!communicator_.broadcast(wanted_rate_.has_value())) return set_rate_;
  double rate = wanted_rate_.value_or(0);
  communicator_.broadcast(std::span(&rate, 1));
  return rate;
}

void Trainer::set_rate(double rate) {
  model_.optimizer().set_learning_rate(rate);
  set_rate_ = rate;
}

void Trainer::save(const std::filesystem::path& path) {
  save([&](std::span<const std::byte> bytes) { write_atomically(path, bytes); });
}

void Trainer::save(const FileWriter& write) {
  const FloatingPointEnvironment environment;
  never_alone(communicator_, [&] {
    const TrainingState now = state_on_root();
    // What is not worth keeping must not take the place of what is.
    distributed_optimizer_->check_replicas(fmt::format("before saving step {}", now.iterations));
    fault_point("save", communicator_.rank(), now.iterations);
    on_root(communicator_, [&] {
      write(allocating("the image of a model file", [&] {
        return model_file(model_, &now.slots, to_json_text(now), options_.table_mapping);
      }));
    });
  });
}

TrainingState Trainer::state() {
  const FloatingPointEnvironment environment;
  TrainingState state;
  never_alone(communicator_, [&] { state = state_everywhere(); });
  return state;
}

TrainingState Trainer::state_everywhere() {
  TrainingState state = state_on_root();
  state.slots.resize(model_.optimizer().slot_names().size());
  for (auto& slot : state.slots) {
    slot.resize(static_cast<std::size_t>(model_.arena().trainable_size()));
    communicator_.broadcast(std::span(slot));
  }
  return state;
}

/// The slots on rank 0 only, who writes them.
TrainingState Trainer::state_on_root() {
  check_collectively(distributed_optimizer_ != nullptr, ExitCode::kUsage,
                     "[trainer] expected fit() before state() and save()");
  TrainingState state;
  state.epoch = epoch_;
  state.stopped = communicator_.broadcast(stop_);
  state.seed = options_.seed;
  state.learning_rate = wished_rate();
  state.history = history_;
  state.identity = identity_;
  for (const auto& callback : callbacks_)
    if (!callback->name().empty())
      state.callbacks.emplace_back(callback->name(), callback->state());
  state.iterations = model_.optimizer().iterations();
  const std::size_t slot_bytes =
      state_bytes(model_.arena().trainable_size(), model_.optimizer().slot_names().size());
  state.slots =
      allocating(fmt::format("the whole optimizer state on rank 0 ({})", mebibytes(slot_bytes)),
                 [&] { return distributed_optimizer_->gather_slots(); });
  return state;
}

void Trainer::restore(TrainingState state) {
  check_training_state(state);
  restored_ = std::move(state);
}

}  // namespace lockstep
