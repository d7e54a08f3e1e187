#include "distributed/training/trainer.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <span>

#include "distributed/ranks/agreement.hpp"
#include "distributed/ranks/setup_check.hpp"
#include "distributed/training/carried_states.hpp"
#include "distributed/update/training_memory.hpp"
#include "src/core/fault.hpp"
#include "src/core/floating_point.hpp"

namespace lockstep {
namespace {

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace

Trainer::Trainer(Network& model, Communicator communicator, TrainOptions options)
    : model_(model), communicator_(std::move(communicator)), options_(options), meter_(model) {
  const FloatingPointEnvironment environment;
  check_same_everywhere(communicator_, "training options", describe(options_));
  check_options(options_);
  check_collectively(model_.built() && model_.compiled(), ExitCode::kUsage,
                     "[trainer] expected a network that is built and compiled");
  never_alone(communicator_, [&] { heartbeat_.emplace(communicator_); });
  profile_.set_heartbeat(&*heartbeat_);
}

// The whole algorithm: fit() -> train() -> train_epoch() -> train_step().

History Trainer::fit(const ArrayDataset& data, const std::optional<ArrayDataset>& validation) {
  const FloatingPointEnvironment environment;
  // Whatever ends training: the model is whole again.
  const struct Forget {
    std::unique_ptr<FrozenFeatures>& features;
    ~Forget() { features.reset(); }
  } forget{features_};
  never_alone(communicator_, [&] { train(data, validation); });
  return history_;
}

void Trainer::train(const ArrayDataset& data, const std::optional<ArrayDataset>& validation) {
  check_agreement(data, validation);

  // Rank 0 decides where the rows are cut: before shuffling, the last ones validate.
  std::int64_t split = data.rows();
  if (!validation && options_.validation_split > 0)
    on_root(communicator_, [&] { split = training_rows(data.rows(), options_.validation_split); });
  communicator_.broadcast(std::span(&split, 1));
  const ArrayDataset train = data.slice(0, split);
  const ArrayDataset held_out = validation ? *validation : data.slice(split, data.rows());

  check_stateful(model_, options_, train.rows(), held_out.rows());
  identify(data, validation);
  prepare(train);
  set_out();
  if (features_) features_->compute(communicator_);
  for (const auto& callback : callbacks_) callback->on_train_begin(*this);
  if (!amid_epoch()) follow_requests();
  while (epoch_ < options_.epochs && (amid_epoch() || !stops())) {
    train_epoch(train);
    if (held_out.rows() > 0 && (epoch_ + 1) % options_.validation_freq == 0) validate(held_out);
    meter_.check_finite();
    history_.push_back(meter_.report());
    meter_.begin(++epoch_ + 1);
    distributed_optimizer_->catch_up_weights();
    for (const auto& callback : callbacks_) callback->on_epoch_end(*this, history_.back());
    follow_requests();
  }
  distributed_optimizer_->check_replicas(fmt::format("after epoch {}", epoch_));
  distributed_optimizer_->catch_up_all();
  distributed_optimizer_->hand_back();
  take_averages();
  for (const auto& callback : callbacks_) callback->on_train_end(*this);
}

void Trainer::train_epoch(const ArrayDataset& train) {
  const std::int64_t batch = plans_.front().rows();
  const std::int64_t batches = (train.rows() + batch - 1) / batch;
  const std::int64_t steps = steps_of_epoch(train.rows());
  communicator_.barrier();
  const EpochTotals& done = meter_.totals();
  const bool read_in_steps = std::ranges::any_of(
      callbacks_, [](const auto& callback) { return callback->reads_weights_in_steps(); });
  if (options_.reset_states && !amid_epoch()) model_.reset_states();
  const double start = now() - done.seconds;
  if (options_.profile) profile_.start();
  for (bool begins = true; done.steps < steps && !done.cut_short; begins = false) {
    // Batches are one stream over all passes: an epoch of fewer steps goes on where the last ended.
    const std::int64_t in_stream = epoch_ * steps + done.steps;
    if (begins || in_stream % batches == 0) feed_->begin_pass(in_stream / batches);
    const std::int64_t first = in_stream % batches * batch;

    train_step(first, first + batch > train.rows() ? plans_.size() - 1 : 0);

    const StepReport report = meter_.step_report(steps, now() - start);
    if (read_in_steps) distributed_optimizer_->catch_up_weights();
    for (const auto& callback : callbacks_) callback->on_step_end(*this, report);
    const std::int64_t taken = model_.optimizer().iterations();
    if (options_.check_replicas_every > 0 && taken % options_.check_replicas_every == 0)
      distributed_optimizer_->check_replicas(fmt::format("after step {}", taken));
  }
  profile_.pause();
  share_states(model_, communicator_, plans_.front());
  double seconds = now() - start;
  communicator_.broadcast(std::span(&seconds, 1));
  meter_.finish(seconds);
}

/// The batch whose first row stands at position `first` of the pass.
void Trainer::train_step(std::int64_t first, std::size_t plan_index) {
  const StepPlan& plan = plans_[plan_index];
  const std::int64_t step = model_.optimizer().iterations();

  // This rank's rows of the global batch; there may be none, and every formula below still holds.
  heartbeat_->begin_step(step);
  profile_.enter(Phase::kData);
  distributed_optimizer_->begin_step(plan_index);
  const Targets targets = feed_->load(first, first + plan.rows(), *distributed_optimizer_);
  fault_point("compute", communicator_.rank(), step);

  const Pass pass{.training = true,
                  .seed = options_.seed,
                  .step = step,
                  .first_row = plan.rows_of(communicator_.rank()).first,
                  .batch_rows = plan.rows()};
  const double penalty = model_.regularized() ? model_.regularization_penalty() : 0;

  // Forward, then losses and metrics (sums over rows, from the outputs before the update), then
  // backward; finish() returns when the gradients of the whole batch are known and every replica
  // has made the same update. The sums of losses and metrics travel with them.
  const auto loss = [&](const Block& block) {
    loss_sums_->add_up(*distributed_optimizer_, targets, block, plan.rows());
  };
  distributed_optimizer_->request(requests_);
  distributed_optimizer_->run(pass, std::cref(loss));  // which allocates nothing
  fault_point("allreduce", communicator_.rank(), step);
  const std::span<const double> sums = distributed_optimizer_->finish();
  model_.turn_states();

  profile_.enter(Phase::kOther);
  profile_.count_step();
  meter_.add(sums, plan.rows(), penalty);
  if ((distributed_optimizer_->requests() & kStopRequest) != 0) meter_.cut_short();
  const double mean_loss =
      mean_of(sums[0], counted_positions(model_.objective(), sums, plan.rows()));
  check_collectively(std::isfinite(mean_loss), ExitCode::kNumerical,
                     "[trainer] step {} (epoch {}): expected a finite loss, got {}; try a smaller "
                     "learning rate, and look for extreme values in the data",
                     model_.optimizer().iterations(), epoch_ + 1, mean_loss);
}

void Trainer::validate(const ArrayDataset& validation) {
  const double start = now();
  distributed_optimizer_->catch_up_weights();
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
    if (distributed_optimizer_) distributed_optimizer_->catch_up_weights();
    check_same_everywhere(communicator_, "network", describe_network(model_));
    check_same_everywhere(communicator_, "weights", describe_weights(model_));
    check_same_rows(communicator_, "rows", &data, options_.verify_data);
    check_data(communicator_, model_, data, "x", "y");
    if (model_.is_stateful() && model_.batch_size() == 0)
      model_.set_batch_size(options_.batch_size);
    if (!plans_.empty()) share_states(model_, communicator_, plans_.front());
    evaluation = lockstep::evaluate(model_, communicator_, data, options_.batch_size);
  });
  return evaluation;
}

/// Plans and memory for the steps to come: all batches are full but for the last one of a pass.
void Trainer::prepare(const ArrayDataset& train) {
  model_.set_numerics(options_.numerics.value_or(Numerics::kExact));
  const StepPlan full = StepPlan::of_full_batch(options_.batch_size, train.rows(), options_.grain,
                                                communicator_.size());
  distributed_optimizer_.reset();  // it looks at the plans
  plans_ = {full};
  if (const std::int64_t rest = train.rows() % full.rows(); rest > 0)
    plans_.emplace_back(rest, full.grain(), communicator_.size());

  together(communicator_, [&] {
    loss_sums_.emplace(model_.objective(),
                       ClassWeights(options_.class_weight, model_.objective(), train.y));
  });
  why_allreduce_.clear();
  const DistributedOptimizer::Options distributed{.bucket_floats = options_.bucket_floats,
                                                  .loss_sums = loss_sum_count(model_.objective()),
                                                  .block_grains = options_.block_grains,
                                                  .sparse_tables = options_.sparse_tables,
                                                  .profile = &profile_};
  cache_features(train, distributed);
  distributed_optimizer_ = make_distributed_optimizer(options_.sync, model_, communicator_,
                                                      distributed, plans_, why_allreduce_);

  // One rank's share of a batch is all that is gathered at once.
  const std::int64_t most = std::max(plans_.front().most_rows(), plans_.back().most_rows());
  if (features_) {
    feed_.emplace(ArrayDataset{features_->view(), train.y, train.weights}, Scaling(), model_, most,
                  options_.shuffle, options_.seed);
  } else {
    feed_.emplace(train, model_.input_scaling(), model_, most, options_.shuffle, options_.seed);
  }
}

/// If a row will be used more than once.
void Trainer::cache_features(const ArrayDataset& train,
                             const DistributedOptimizer::Options& distributed) {
  features_.reset();
  const double uses = static_cast<double>(options_.epochs) *
                      static_cast<double>(steps_of_epoch(train.rows())) *
                      static_cast<double>(options_.batch_size) / static_cast<double>(train.rows());
  if (!options_.cache_features || uses <= 1) return;
  const int host_ranks = communicator_.on_this_host().size();
  features_ = FrozenFeatures::of(
      model_, communicator_, train.x,
      training_memory(model_, options_.sync, distributed, host_ranks, plans_).total());
}

std::int64_t Trainer::steps_of_epoch(std::int64_t rows) const {
  const std::int64_t batch = std::min(options_.batch_size, rows);
  return options_.steps_per_epoch > 0 ? options_.steps_per_epoch : (rows + batch - 1) / batch;
}

}  // namespace lockstep
