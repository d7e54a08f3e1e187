#include "distributed/update/sharded_optimizer.hpp"

#include <algorithm>
#include <utility>

#include "distributed/ranks/agreement.hpp"
#include "distributed/ranks/replica_check.hpp"
#include "distributed/update/wait_until.hpp"

namespace lockstep {
namespace {

/// Floats that stay in a second-level cache between gradients and update.
constexpr std::int64_t kStaysInCache = 1 << 16;

}  // namespace

ShardedOptimizer::ShardedOptimizer(Network& model, const Communicator& communicator,
                                   Communicator host, Options options,
                                   std::span<const StepPlan> plans)
    : DistributedOptimizer(model, options),
      communicator_(communicator),
      host_(std::move(host)),
      map_(map_hosts(communicator, host_)),
      self_(communicator.rank()),
      my_host_(map_.host_of(self_)),
      layout_(plan_sharded_layout(model, map_, self_, options, plans)),
      buckets_(layout_.buckets),
      window_(host_, layout_.window),
      backoff_(Backoff::spins_for(host_.size())),
      addends_(layout_.most_addends),
      slots_(model, objective_, communicator, map_, buckets_, layout_.tables),
      loss_sums_(communicator, map_, kLossSumsTag, traffic_),
      loss_totals_(options.loss_sums) {
  if (!shares_memory()) return;
  workspace_.emplace(model.graph(), layout_.workspace, window_.workspace(), layout_.own_input);
  plan_passes(*workspace_, layout_.gradients, layout_.block_grains, layout_.most_grains);
  flags_ = std::make_unique<HostSteps>(window_.flags(), host_.size(), host_.rank(),
                                       static_cast<std::int64_t>(buckets_.size()));
  tables_.emplace(objective_, map_, self_, layout_.tables, plans, *workspace_, slots_.of_tables(),
                  traffic_);
  batch_sums_.emplace(communicator_, map_, host_.size(), *flags_, window_.batch_sums(), traffic_,
                      [this] { return advance(); });
  for (std::size_t i = 0; i < buckets_.size(); ++i) states_.emplace_back(communicator_);
  gradients_ = FloatBuffer(layout_.gradient_floats);
  received_ = FloatBuffer(layout_.received_floats);
}

std::span<float> ShardedOptimizer::gradients_of(const Shard& shard, std::size_t subtree,
                                                Range floats) {
  return part_of(gradients_.span(),
                 static_cast<std::int64_t>(subtree) * layout_.partial_floats + shard.gradients_at +
                     floats.first - shard.floats.first,
                 floats.count());
}

void ShardedOptimizer::set_up() {
  window_.set_up(host_, options_.borrows_parameters ? std::span<float>() : model_.arena().values());
  tables_->rows().begin();
  if (options_.borrows_parameters) return;
  model_.arena().use_values(window_.parameters());
  set_up_ = true;
}

void ShardedOptimizer::hand_back() {
  if (!set_up_) return;
  std::ranges::copy(model_.arena().values(), model_.arena().own_values().begin());
  model_.arena().use_values({});
  set_up_ = false;
}

void ShardedOptimizer::begin_step(std::size_t plan) {
  step_ = &layout_.steps[plan];
  workspace_->set_first_row(step_->rows.first);
  progress_.reset();  // of a step that an exception ended
  computing_ = false;
  flags_->begin_step();
  objective_.optimizer().begin_step();
  norms_.begin_step();
  norms_known_ = !norms_.wanted();
  tables_->begin_step(*step_);
  for (BucketState& state : states_) state.stage = Stage::kFilling;
  arrived_ = published_ = 0;
  loss_sums_.begin(*step_, window_.loss_sums(), options_.loss_sums, window_.requests());
  losses_known_ = false;
  batch_sums_->begin_step(*step_);
}

DistributedOptimizer::Input ShardedOptimizer::own_input() const {
  return {step_->plan->rows_of(self_),
          step_->rows,
          {0, objective_.aim().input_columns(model_.graph())}};
}

Subtrees ShardedOptimizer::subtrees() const {
  return {.samples = step_->subtree_rows, .grain = step_->plan->grain()};
}

std::span<double> ShardedOptimizer::loss_sums(std::size_t subtree) {
  return loss_sums_.of_rank(self_).subspan(subtree * options_.loss_sums, options_.loss_sums);
}

TrainingPass::Partials ShardedOptimizer::partials() {
  if (host_.size() == 1) return {gradients_.span().data(), layout_.partial_floats};
  const auto slot = static_cast<std::int64_t>(step_->first_partial);
  const std::int64_t stride = layout_.gradients.partial_floats;
  return {window_.partials().data() + slot * stride, stride};
}

/// Owners look at the ids of all ranks of the host, and all wait for the owners of their rows.
void ShardedOptimizer::catch_up_tables() {
  if (!tables_->any()) return;
  const InPhase phase(options_.profile, Phase::kUpdate);
  const auto wait_for_all = [&](const auto& there) {
    wait_until(
        there, [] { return false; }, communicator_, backoff_);
  };
  flags_->fill_in();
  wait_for_all([&] { return flags_->all_filled_in(); });
  tables_->catch_up();
  flags_->catch_up();
  wait_for_all([&] { return flags_->all_caught_up(); });
}

void ShardedOptimizer::op_done(std::size_t op) {
  if (arrived_ == 0) flags_->request(requested_);
  for (; arrived_ < buckets_.size() && buckets_[arrived_].last_op >= op; ++arrived_)
    flags_->arrive();
  if (arrived_ == 0) return;
  advance();
  if (map_.hosts() > 1 && !progress_) progress_.emplace([this] { advance_amid_product(); });
}

std::span<const double> ShardedOptimizer::finish() {
  const InPhase phase(options_.profile, Phase::kExchange);
  const auto all = static_cast<std::int64_t>(buckets_.size());
  if (!norms_known_) {
    // Of what other ranks wait for until they are here, too, this one has done everything.
    const auto complete = [](const BucketState& state) { return state.stage == Stage::kComplete; };
    wait_until([&] { return std::ranges::all_of(states_, complete); }, [this] { return advance(); },
               communicator_, backoff_);
    norms_.exchange(communicator_);
    if (norms_.wants_ratios()) {
      for (const auto& shards : layout_.shards)
        for (const Shard& shard : shards)
          if (shard.own.count() > 0) norms_.begin_update(update_span(shard), shard.own);
      norms_.exchange_ratios(communicator_);
    }
    norms_known_ = true;
  }
  wait_until([&] { return flags_->all_published() == all; }, [this] { return advance(); },
             communicator_, backoff_);
  progress_.reset();
  constrain_weights();
  return loss_totals_;
}

/// Each rank of the host has a part of it.
void ShardedOptimizer::constrain_weights() {
  if (!constraints_.any()) return;
  const InPhase phase(options_.profile, Phase::kUpdate);
  constraints_.apply(host_.rank(), host_.size());
  flags_->constrain();
  wait_until([&] { return flags_->all_constrained(); }, [] { return false; }, communicator_,
             backoff_);
}

/// Whether the sums have become known.
bool ShardedOptimizer::advance_loss_sums() {
  if (losses_known_ || flags_->all_arrived() == 0) return false;
  if (map_.hosts() > 1) {
    if (host_.is_root()) {
      if (!loss_sums_.exchange_with_hosts(flags_->requested())) return false;
      flags_->announce();
    } else if (!flags_->announced()) {
      return false;
    }
  }
  loss_sums_.add_up(loss_totals_);
  requests_ = map_.hosts() > 1 ? any_of(window_.requests()) : flags_->requested();
  return losses_known_ = true;
}

/// Within a product nothing is computed that would need its thread's scratch memory, too.
void ShardedOptimizer::advance_amid_product() {
  const bool computing = std::exchange(computing_, true);
  advance();
  computing_ = computing;
}

/// Takes every bucket as far as it goes without waiting. Whether anything went on.
bool ShardedOptimizer::advance() {
  bool moved = advance_loss_sums();
  for (std::size_t bucket = published_; bucket < arrived_; ++bucket) {
    BucketState& state = states_[bucket];
    const Stage before = state.stage;
    if (state.stage == Stage::kFilling && !computing_ &&
        flags_->all_arrived() > static_cast<std::int64_t>(bucket)) {
      compute(bucket);
      collect(bucket);
      state.stage = Stage::kCollecting;
    }
    if (state.stage == Stage::kCollecting && state.messages.done()) {
      const InPhase phase(options_.profile, Phase::kUpdate);
      complete_gradients(bucket);
      state.stage = Stage::kComplete;
    }
    if (state.stage == Stage::kComplete && norms_known_) {
      const InPhase phase(options_.profile, Phase::kUpdate);
      update(bucket);
      send_back(bucket);
      state.stage = Stage::kReturning;
    }
    if (state.stage == Stage::kReturning && state.messages.done()) state.stage = Stage::kDone;
    moved = moved || state.stage != before;
  }
  // In order. When all have published the last bucket, they begin the next step, and write their
  // loss sums where this step's lie: so a rank publishes it only after it has read those.
  //
  //   rank 0   published 0 .. last-1 | reads all loss sums | publishes last | next step: writes
  //   sums rank 1      may still be reading loss sums ^           publishes last ^ after that only
  while (published_ < arrived_ && states_[published_].stage == Stage::kDone &&
         (published_ + 1 < buckets_.size() || losses_known_)) {
    flags_->publish();
    ++published_;
    moved = true;
  }
  return moved;
}

/// The partials of the shards that this rank owns: one for each subtree of the host's rows.
void ShardedOptimizer::compute(std::size_t bucket) {
  const InPhase phase(options_.profile, Phase::kGradients);
  computing_ = true;
  const Pass pass{.training = true, .numerics = model_.numerics()};
  if (is_of_tables(bucket)) tables_->compute();
  for (const Shard& shard : layout_.shards[bucket]) {
    float* const gradients = gradients_of(shard, 0, shard.floats).data();
    Subtrees subtrees{.samples = step_->host_subtrees,
                      .grain = step_->plan->grain(),
                      .stride = layout_.partial_floats};
    // Other cores have read the parameters since the last step: the update wants them back.
    if (host_.size() > 1 && step_->sources.size() == 1 && shard.floats.count() <= kStaysInCache)
      subtrees.prefetch =
          reinterpret_cast<const char*>(model_.arena().values().data() + shard.floats.first) -
          reinterpret_cast<const char*>(gradients);
    passes_->parameter_gradients().compute_owned(workspace_->rows(step_->host_rows, 0), pass,
                                                 subtrees, shard.floats, gradients);
    if (host_.size() > 1) add_up_ranks(shard);
  }
  computing_ = false;
}

/// Of the gradients that every rank of the host has computed of its own rows.
void ShardedOptimizer::add_up_ranks(const Shard& shard) {
  const std::int64_t stride = layout_.gradients.partial_floats;
  for (const TrainedParameter& trained : layout_.gradients.parameters) {
    const Range elements = trained.parameter->elements_within(shard.floats);
    if (trained.way != GradientWay::kRows || elements.count() == 0) continue;
    const std::int64_t offset = trained.parameter->offset;
    const Range floats{offset + elements.first, offset + elements.last};
    for (std::size_t i = 0; i < step_->host_partials.size(); ++i) {
      ShardedStep::HostPartial& partial = step_->host_partials[i];
      for (std::size_t k = 0; k < partial.count; ++k)
        addends_[k] = window_.partials().data() +
                      static_cast<std::int64_t>(partial.first + k) * stride + trained.partial_at +
                      elements.first;
      partial.sum.add(std::span(addends_).first(partial.count),
                      gradients_of(shard, i, floats).data(), floats.count());
    }
  }
}

/// Sends this host's partials of the other hosts' pieces, and expects theirs of this rank's.
void ShardedOptimizer::collect(std::size_t bucket) {
  BucketState& state = states_[bucket];
  if (is_of_tables(bucket)) tables_->send(state.messages, tag_of(bucket));
  for (const Shard& shard : layout_.shards[bucket]) {
    std::int64_t received_at = shard.received_at;
    for (int host = 0; host < map_.hosts(); ++host) {
      if (host == my_host_) continue;
      const int peer = map_.owner(host, shard.index);
      for (std::size_t subtree = 0;
           shard.own.count() > 0 &&
           subtree < step_->subtrees_of_host[static_cast<std::size_t>(host)];
           ++subtree) {
        state.messages.receive(part_of(received_.span(), received_at, shard.own.count()), peer,
                               tag_of(bucket));
        received_at += shard.own.count();
      }
      const Range theirs = map_.piece(buckets_[bucket], shard.index, host);
      for (std::size_t subtree = 0; theirs.count() > 0 && subtree < step_->host_subtrees.size();
           ++subtree) {
        const std::span<float> gradients = gradients_of(shard, subtree, theirs);
        state.messages.send(gradients, peer, tag_of(bucket));
        traffic_.count(gradients.size_bytes());
      }
    }
  }
}

/// Adds up the gradients of this rank's pieces.
void ShardedOptimizer::complete_gradients(std::size_t bucket) {
  for (const Shard& shard : layout_.shards[bucket]) {
    const Range floats = shard.own;
    if (floats.count() == 0) continue;
    const std::size_t count = step_->sources.size();
    for (std::size_t i = 0; i < count; ++i) {
      const ShardedStep::Source& source = step_->sources[i];
      addends_[i] = source.own ? gradients_of(shard, source.subtree, floats).data()
                               : received_.span().data() + shard.received_at +
                                     static_cast<std::int64_t>(source.subtree) * floats.count();
    }
    const std::span<float> sum = gradients_of(shard, 0, floats);
    step_->total.add(std::span(addends_).first(count), sum.data(), floats.count());
    model_.add_regularization_gradient(floats, sum.data());
    if (!norms_known_) norms_.add(update_span(shard), floats);
  }
}

UpdateSpan ShardedOptimizer::update_span(const Shard& shard) {
  const Range floats = shard.own;
  UpdateSpan span{part_of(model_.arena().values(), floats.first, floats.count()),
                  gradients_of(shard, 0, floats),
                  {}};
  for (std::size_t i = 0; i < slots_.count(); ++i)
    span.slots[i] = slots_.of(i, shard.slots_at, floats.count());
  return span;
}

void ShardedOptimizer::update(std::size_t bucket) {
  if (is_of_tables(bucket)) tables_->update();
  for (const Shard& shard : layout_.shards[bucket])
    if (shard.own.count() > 0) norms_.update(update_span(shard), shard.own);
}

/// Exchanges the new parameters with the peers.
void ShardedOptimizer::send_back(std::size_t bucket) {
  BucketState& state = states_[bucket];
  const auto values = [&](Range floats) {
    return part_of(model_.arena().values(), floats.first, floats.count());
  };
  for (const Shard& shard : layout_.shards[bucket]) {
    for (int host = 0; host < map_.hosts(); ++host) {
      if (host == my_host_) continue;
      const int peer = map_.owner(host, shard.index);
      const Range theirs = map_.piece(buckets_[bucket], shard.index, host);
      if (theirs.count() > 0) state.messages.receive(values(theirs), peer, tag_of(bucket));
      if (shard.own.count() == 0) continue;
      state.messages.send(values(shard.own), peer, tag_of(bucket));
      traffic_.count(values(shard.own).size_bytes());
    }
  }
}

/// Nobody reads while owners write.
void ShardedOptimizer::catch_up_weights() {
  if (!tables_->rows().values_are_behind()) return;
  window_.synchronize();
  tables_->rows().catch_up_values();
  window_.synchronize();
}

void ShardedOptimizer::catch_up_all() {
  if (!tables_->rows().slots_are_behind()) return;
  window_.synchronize();
  tables_->rows().catch_up_all();
  window_.synchronize();
}

OptimizerSlots ShardedOptimizer::gather_slots() {
  catch_up_all();
  return slots_.gather();
}

void ShardedOptimizer::check_replicas(const std::string& when) const {
  lockstep::check_replicas(model_, communicator_, when);
  const std::int64_t rank = communicator_.all_min(slots_.finite() ? communicator_.size() : self_);
  check_collectively(rank == communicator_.size(), ExitCode::kNumerical,
                     "[replicas] {}: expected finite optimizer state, got NaN or Inf on rank {}",
                     when, rank);
}

}  // namespace lockstep
