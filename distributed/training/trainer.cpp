#include "distributed/training/trainer.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <nlohmann/json.hpp>
#include <span>

#include "distributed/ranks/agreement.hpp"
#include "distributed/ranks/setup_check.hpp"
#include "src/core/fault.hpp"
#include "src/core/flush_denormals.hpp"
#include "src/core/hash.hpp"
#include "src/model/model_json.hpp"

namespace lockstep {
namespace {

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

std::string describe(const TrainOptions& o) {
  return fmt::format(
      "epochs {}, batch {}, validation split {}, validation batch {}, validation freq {}, shuffle "
      "{}, steps per epoch {}, seed {}, initialize {}, grain {}, numerics {}, sync {}, bucket {}, "
      "replica check {}, validate on root {}, verify data {}, profile {}",
      o.epochs, o.batch_size, o.validation_split, o.validation_batch_size, o.validation_freq,
      o.shuffle, o.steps_per_epoch, o.seed, o.initialize, o.grain,
      o.numerics == Numerics::kExact ? "exact" : "fast",
      o.sync == GradientSync::Strategy::kSharded ? "sharded" : "allreduce", o.bucket_floats,
      o.check_replicas_every, o.validate_on_root, o.verify_data, o.profile);
}

void check_options(const TrainOptions& o) {
  check_collectively(o.epochs >= 0, ExitCode::kUsage, "[trainer] expected epochs >= 0, got {}",
                     o.epochs);
  check_collectively(o.batch_size >= 1, ExitCode::kUsage,
                     "[trainer] expected a batch size >= 1, got {}", o.batch_size);
  check_collectively(o.validation_split >= 0 && o.validation_split < 1, ExitCode::kUsage,
                     "[trainer] expected a validation split in [0, 1), got {}", o.validation_split);
  check_collectively(
      o.validation_freq >= 1 && o.validation_batch_size >= 0 && o.steps_per_epoch >= 0 &&
          o.check_replicas_every >= 0 && o.bucket_floats >= 1 && o.grain >= 0,
      ExitCode::kUsage, "[trainer] expected no negative options, got {}", describe(o));
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

std::string describe(const Sequential& model) {
  const std::string config = model_to_json(model).dump() + training_config_to_json(model).dump();
  const auto hash = fast_hash(std::as_bytes(std::span(config)));
  return fmt::format("{} with {} parameters, hash {}", model.name(), model.parameter_count(),
                     to_hex(std::as_bytes(std::span(hash))));
}

}  // namespace

Trainer::Trainer(Sequential& model, Communicator communicator, TrainOptions options)
    : model_(model), communicator_(std::move(communicator)), options_(options) {
  check_same_everywhere(communicator_, "training options", describe(options_));
  check_options(options_);
  check_collectively(model_.built() && model_.compiled(), ExitCode::kUsage,
                     "[trainer] expected a network that is built and compiled");
}

Trainer::~Trainer() = default;

void Trainer::add_callback(std::shared_ptr<Callback> callback) {
  callbacks_.push_back(std::move(callback));
}

// The whole algorithm: fit() -> train_epoch() -> train_step().

History Trainer::fit(const ArrayDataset& data, const std::optional<ArrayDataset>& validation) {
  const FlushDenormals guard;
  check_agreement(data, validation);

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
    history_.push_back(report_);
    ++epoch_;
    for (const auto& callback : callbacks_) callback->on_epoch_end(*this, history_.back());
    follow_root();
  }
  sync_->check_replicas(fmt::format("after epoch {}", epoch_));
  sync_->hand_back();
  for (const auto& callback : callbacks_) callback->on_train_end(*this);
  return history_;
}

void Trainer::train_epoch(const ArrayDataset& train) {
  const std::int64_t batch = plans_.front().rows();
  const std::int64_t batches = (train.rows() + batch - 1) / batch;
  const std::int64_t steps = options_.steps_per_epoch > 0 ? options_.steps_per_epoch : batches;
  begin_report();
  communicator_.barrier();
  const double start = now();
  if (options_.profile) profile_.start();
  for (std::int64_t step = 0; step < steps; ++step) {
    // Batches are one stream over all passes: an epoch of fewer steps goes on where the last ended.
    const std::int64_t in_stream = epoch_ * steps + step;
    if (step == 0 || in_stream % batches == 0) order_->begin_epoch(in_stream / batches);
    const std::int64_t first = in_stream % batches * batch;
    const bool partial = first + batch > train.rows();
    const StepPlan& plan = partial ? plans_.back() : plans_.front();

    train_step(train, first, plan);

    add_to_report(plan.rows(), now() - start, step + 1, steps);
    const std::int64_t done = model_.optimizer().iterations();
    if (options_.check_replicas_every > 0 && done % options_.check_replicas_every == 0)
      sync_->check_replicas(fmt::format("after step {}", done));
  }
  profile_.pause();
  finish_report(now() - start);
}

void Trainer::train_step(const ArrayDataset& train, std::int64_t first_row, const StepPlan& plan) {
  // This rank's rows of the global batch; there may be none, and every formula below still holds.
  profile_.enter(Phase::kData);
  const Range mine = plan.rows_of(communicator_.rank());
  const std::int64_t step = model_.optimizer().iterations();
  sync_->begin_step(plan);
  const Workspace& workspace = sync_->workspace();
  const Range here = sync_->rows();
  std::span<const std::int64_t> rows;
  for (const GradientSync::Input& input : sync_->inputs()) {
    rows = rows_at({first_row + input.batch_rows.first, first_row + input.batch_rows.last});
    gather_rows(train.x, rows, workspace.input(input.rows), input.columns, model_.input_scaling());
  }
  fault_point("compute", communicator_.rank(), step);
  const Targets targets = targets_->gather(train.y, rows);
  const std::int64_t next_row = first_row + plan.rows();
  for (const GradientSync::Input& input : sync_->inputs())
    prefetch_rows(train.x,
                  rows_at({std::min(next_row + input.batch_rows.first, train.rows()),
                           std::min(next_row + input.batch_rows.last, train.rows())}),
                  input.columns);

  // Forward, then losses and metrics: sums over rows, from the outputs before the update.
  profile_.enter(Phase::kForward);
  const Pass pass{.training = true,
                  .seed = options_.seed,
                  .step = step,
                  .first_row = mine.first,
                  .input_is_scaled = true};
  const std::int64_t columns = model_.output_columns();
  const Matrix outputs =
      model_.forward(workspace, here, pass, /*until_logits=*/true).with_columns(columns);
  profile_.enter(Phase::kLoss);
  const Matrix output_gradient = workspace.output_gradient(here).with_columns(columns);
  const std::int64_t positions = plan.rows() * model_.output_positions();
  add_up_losses(outputs, targets, output_gradient, sync_->nodes(),
                1.0f / static_cast<float>(positions));
  if (model_.regularized())
    penalty_ += model_.regularization_penalty() * static_cast<double>(plan.rows());

  // Backward. finish() returns when the gradients of the whole batch are known and every replica
  // has made the same update; the sums of losses and metrics travel with them.
  profile_.enter(Phase::kBackward);
  model_.backward(workspace, here, pass, [this](std::size_t layer) { sync_->layer_done(layer); });
  fault_point("allreduce", communicator_.rank(), step);
  const std::span<const double> sums = sync_->finish();
  profile_.enter(Phase::kOther);
  profile_.count_step();
  for (std::size_t i = 0; i < sums.size(); ++i) running_[i] += sums[i];

  const double mean_loss = sums[0] / static_cast<double>(positions);
  check_collectively(std::isfinite(mean_loss), ExitCode::kNumerical,
                     "[trainer] step {} (epoch {}): expected a finite loss, got {}; try a smaller "
                     "learning rate, and look for extreme values in the data",
                     model_.optimizer().iterations(), epoch_ + 1, mean_loss);
}

/// The rows of the dataset that stand at these positions of the epoch.
std::span<const std::int64_t> Trainer::rows_at(Range positions) {
  for (std::int64_t i = positions.first; i < positions.last; ++i)
    rows_[static_cast<std::size_t>(i - positions.first)] = order_->row(i);
  return std::span(rows_).first(static_cast<std::size_t>(positions.count()));
}

/// The sums over each node's rows of the loss and of the metrics, grain by grain; and the gradient
/// by the outputs.
void Trainer::add_up_losses(Matrix outputs, const Targets& targets, Matrix gradient,
                            const GradientNodes& nodes, float scale) {
  const std::int64_t positions = model_.output_positions();
  for (std::size_t node = 0; node < nodes.size(); ++node) {
    const Range rows = nodes.samples[node];
    losses_.begin(nodes.grains(node));
    for (std::int64_t row = rows.first; row < rows.last; row += nodes.grain) {
      const std::int64_t first = row * positions;
      const std::int64_t count = std::min(nodes.grain, rows.last - row) * positions;
      const Matrix grain = outputs.rows_from(first, count);
      const Targets wanted = targets.slice(first, count);
      const std::span<double> sums = losses_.leaf();
      sums[0] = model_.loss().compute(grain, wanted, gradient.rows_from(first, count), scale,
                                      model_.loss_is_fused());
      for (std::size_t i = 0; i < model_.metrics().size(); ++i)
        sums[i + 1] = model_.metrics()[i]->sum(grain, wanted);
      losses_.push();
    }
    std::ranges::copy(losses_.root(), sync_->node_statistics(node).begin());
  }
}

void Trainer::validate(const ArrayDataset& validation) {
  double start = now();
  const Evaluation evaluation = lockstep::evaluate(
      model_, communicator_, validation,
      options_.validation_batch_size > 0 ? options_.validation_batch_size : options_.batch_size,
      options_.validate_on_root);
  report_.validation_loss = evaluation.loss;
  report_.validation_metrics = evaluation.metrics;
  report_.validation_seconds = now() - start;
  communicator_.broadcast(std::span(&report_.validation_seconds, 1));
}

Evaluation Trainer::evaluate(const ArrayDataset& data) {
  check_data(communicator_, model_, data, "x", "y");
  return lockstep::evaluate(model_, communicator_, data, options_.batch_size);
}

/// That all ranks were given the same things, and that they fit each other.
void Trainer::check_agreement(const ArrayDataset& data,
                              const std::optional<ArrayDataset>& validation) {
  check_same_everywhere(communicator_, "network", describe(model_));
  if (options_.verify_data) {
    check_same_everywhere(communicator_, "rows", hash_of(data));
    check_same_everywhere(communicator_, "validation rows",
                          validation ? hash_of(*validation) : "none");
  }
  check_collectively(data.rows() > 0, ExitCode::kBadData,
                     "[trainer] expected at least one row to train on, got none");
  check_data(communicator_, model_, data, "x", "y");
  if (validation) check_data(communicator_, model_, *validation, "validation x", "validation y");
}

/// Plans and memory for the steps to come: all batches are full but for the last one of a pass.
void Trainer::prepare(const ArrayDataset& train) {
  model_.set_numerics(options_.numerics);
  const StepPlan full = StepPlan::of_full_batch(options_.batch_size, train.rows(), options_.grain,
                                                communicator_.size());
  sync_.reset();  // it looks at the plans
  plans_ = {full};
  if (const std::int64_t rest = train.rows() % full.rows(); rest > 0)
    plans_.emplace_back(rest, full.grain(), communicator_.size());

  const std::size_t statistics = 1 + model_.metrics().size();
  losses_ = TreeStack(statistics);
  why_allreduce_.clear();
  sync_ = make_gradient_sync(options_.sync, model_, communicator_,
                             {.bucket_floats = options_.bucket_floats,
                              .statistics = statistics,
                              .profile = options_.profile ? &profile_ : nullptr},
                             plans_, why_allreduce_);

  // One rank's share of the largest batch is all that is gathered at once.
  std::int64_t largest = 0;
  for (const StepPlan& plan : plans_)
    for (int rank = 0; rank < communicator_.size(); ++rank)
      largest = std::max(largest, plan.rows_of(rank).count());
  order_ = std::make_unique<SampleOrder>(train.rows(), options_.shuffle, options_.seed);
  targets_ = std::make_unique<TargetLoader>(model_.loss().target_kind(), largest,
                                            model_.output_positions(), model_.output_columns());
  rows_.resize(static_cast<std::size_t>(largest));
}

/// All ranks set out from the same place: from the restored state, or from first weights.
void Trainer::set_out() {
  check_same_everywhere(communicator_, "state to go on from", describe(restored_));
  if (restored_) {
    epoch_ = restored_->epoch;
    stop_ = restored_->stopped;
    history_ = std::move(restored_->history);
    model_.optimizer().set_iterations(restored_->iterations);
    sync_->restore_slots(restored_->slots);
    for (const auto& callback : callbacks_) {
      // Of two callbacks of one name the first takes the first state.
      const auto saved = std::ranges::find(restored_->callbacks, callback->name(),
                                           [](const auto& entry) { return entry.first; });
      if (saved == restored_->callbacks.end()) continue;
      callback->restore(saved->second);
      restored_->callbacks.erase(saved);
    }
    restored_.reset();
  } else {
    epoch_ = 0;
    stop_ = false;
    history_.clear();
    model_.optimizer().set_iterations(0);
    if (options_.initialize) model_.initialize(options_.seed);
  }
  communicator_.broadcast(model_.arena().values());
  sync_->set_up();
}

void Trainer::begin_report() {
  report_ = {};
  report_.epoch = epoch_ + 1;
  for (const auto& metric : model_.metrics()) report_.metrics.emplace_back(metric->name(), 0.0);
  running_.assign(1 + model_.metrics().size(), 0.0);
  rows_done_ = 0;
  penalty_ = 0;
}

/// Running means over all ranks since the epoch began.
void Trainer::add_to_report(std::int64_t rows, double seconds, std::int64_t step,
                            std::int64_t steps) {
  rows_done_ += rows;
  const auto total_rows = static_cast<double>(rows_done_);
  const double positions = total_rows * static_cast<double>(model_.output_positions());
  report_.loss = running_[0] / positions + penalty_ / total_rows;
  for (std::size_t i = 0; i < report_.metrics.size(); ++i)
    report_.metrics[i].second = running_[i + 1] / positions;
  const StepReport step_report{.epoch = epoch_ + 1,
                               .step = step,
                               .steps = steps,
                               .rows = rows_done_,
                               .loss = report_.loss,
                               .so_far = &report_,
                               .seconds = seconds};
  for (const auto& callback : callbacks_) callback->on_step_end(*this, step_report);
}

void Trainer::finish_report(double seconds) {
  communicator_.broadcast(std::span(&seconds, 1));
  const Optimizer& optimizer = model_.optimizer();
  report_.learning_rate = optimizer.schedule().rate(optimizer.iterations() - 1);
  report_.train_seconds = seconds;
  report_.samples_per_second = seconds > 0 ? static_cast<double>(rows_done_) / seconds : 0;
}

/// What callbacks asked for counts on rank 0; all ranks do the same.
void Trainer::follow_root() {
  stop_ = communicator_.broadcast(stop_);
  if (!communicator_.broadcast(wanted_rate_.has_value())) return;
  double rate = wanted_rate_.value_or(0);
  communicator_.broadcast(std::span(&rate, 1));
  wanted_rate_.reset();
  model_.optimizer().set_learning_rate(rate);
}

void Trainer::save(const std::filesystem::path& path) {
  const TrainingState now = state_on_root();
  fault_point("save", communicator_.rank(), now.iterations);
  on_root(communicator_,
          [&] { save_model(path, model_, &now.slots, to_json_text(now), options_.table_mapping); });
}

TrainingState Trainer::state() {
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
  check_collectively(sync_ != nullptr, ExitCode::kUsage,
                     "[trainer] expected fit() before state() and save()");
  TrainingState state;
  state.epoch = epoch_;
  state.stopped = communicator_.broadcast(stop_);
  state.seed = options_.seed;
  state.history = history_;
  for (const auto& callback : callbacks_)
    if (!callback->name().empty())
      state.callbacks.emplace_back(callback->name(), callback->state());
  state.iterations = model_.optimizer().iterations();
  state.slots = sync_->gather_slots();
  return state;
}

void Trainer::restore(TrainingState state) {
  restored_ = std::move(state);
}

bool Trainer::larger_is_better(const std::string& monitor) const {
  const std::string name = monitor.starts_with("val_") ? monitor.substr(4) : monitor;
  if (name == "loss") return false;
  std::string known = "loss, val_loss";
  for (const auto& metric : model_.metrics()) {
    if (metric->name() == name) return metric->larger_is_better();
    known += fmt::format(", {0}, val_{0}", metric->name());
  }
  throw CollectiveError(
      ExitCode::kUsage,
      fmt::format("[callback] expected to monitor one of {}, got '{}'", known, monitor));
}

}  // namespace lockstep
