#include "distributed/update/sharded_sync.hpp"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "distributed/ranks/agreement.hpp"
#include "distributed/ranks/replica_check.hpp"

namespace lockstep {
namespace {

constexpr std::size_t kPage = 4096;
/// A look at the alarm takes as long as so many waits.
constexpr std::int64_t kWaitsBetweenLooks = 64;
/// Floats that stay in a second-level cache between gradients and update.
constexpr std::int64_t kStaysInCache = 1 << 16;
/// Floats of input that each rank of a host may keep for itself.
constexpr std::int64_t kLargestOwnInput = 1 << 22;

std::size_t whole_pages(std::size_t bytes) {
  return (bytes + kPage - 1) / kPage * kPage;
}

std::size_t float_bytes(std::int64_t floats) {
  return static_cast<std::size_t>(floats) * sizeof(float);
}

HostMap map_hosts(const Communicator& communicator, const Communicator& host) {
  int first_rank = communicator.rank();
  host.broadcast(std::span(&first_rank, 1));
  std::vector<int> host_of;
  for (const std::string& text : communicator.all_gather(std::to_string(first_rank)))
    host_of.push_back(std::stoi(text));
  return HostMap(host_of);
}

/// The pieces of a slice follow one another.
Range whole_slice(const HostMap& map, const Bucket& bucket, int slice) {
  return {map.piece(bucket, slice, 0).first, map.piece(bucket, slice, map.hosts() - 1).last};
}

/// Enough to meet a rank that is nearly there, unless it waits for this core.
int spins_before_yielding(int ranks) {
  constexpr int kFewMicroseconds = 20;
  constexpr int kHundredMicroseconds = 2000;
  return ranks > sysconf(_SC_NPROCESSORS_ONLN) ? kFewMicroseconds : kHundredMicroseconds;
}

}  // namespace

ShardedSync::ShardedSync(Sequential& model, const Communicator& communicator, Communicator host,
                         Options options, std::span<const StepPlan> plans)
    : model_(model),
      communicator_(communicator),
      host_(std::move(host)),
      options_(options),
      map_(map_hosts(communicator, host_)),
      self_(communicator.rank()),
      my_host_(map_.host_of(self_)),
      buckets_(plan_buckets(model, options.bucket_floats)),
      backoff_(spins_before_yielding(host_.size())),
      totals_(options.statistics),
      statistics_messages_(communicator) {
  for (int slice = 0; slice < map_.slices(); ++slice)
    if (map_.handler(my_host_, slice) == self_) my_slices_.push_back(slice);
  for (const StepPlan& plan : plans) steps_.push_back(plan_sharded_step(plan, map_, self_));
  plan_window(plans);
  if (!shares_memory()) return;
  flags_ = std::make_unique<HostSteps>(memory_, host_.size(), host_.rank(),
                                       static_cast<std::int64_t>(buckets_.size()));
  plan_slices();
  plan_inputs();
}

/// The columns of the input from which a rank of this host computes gradients.
Range ShardedSync::gradient_columns_of(int rank) const {
  Range columns{};
  for (const Bucket& bucket : buckets_)
    for (int slice = 0; slice < map_.slices(); ++slice)
      if (map_.handler(my_host_, slice) == rank)
        columns = hull(columns, model_.gradient_columns(whole_slice(map_, bucket, slice)));
  return columns;
}

void ShardedSync::plan_window(std::span<const StepPlan> plans) {
  std::size_t all_nodes = 0;
  for (const StepPlan& plan : plans) all_nodes = std::max(all_nodes, plan.all_nodes().size());
  std::int64_t host_rows = 0;
  for (const ShardedStep& step : steps_) host_rows = std::max(host_rows, step.host_rows.count());
  addends_.resize(all_nodes);

  std::size_t bytes = whole_pages(HostSteps::bytes(host_.size()));
  const auto place = [&](std::size_t length) {
    const std::size_t at = bytes;
    bytes += whole_pages(length);
    return at;
  };
  const std::int64_t input_columns = element_count(model_.input_shape());
  std::int64_t gathered = 0;  // columns of others' rows, by all ranks
  for (const int rank : map_.ranks_of(my_host_)) gathered += gradient_columns_of(rank).count();
  own_input_ = host_.size() > 1 && host_rows * input_columns <= kLargestOwnInput &&
               gathered <= 2 * input_columns;
  constexpr auto kTraining = Workspace::Use::kTraining;
  const std::int64_t workspace_floats = Workspace::floats(model_, host_rows, kTraining);
  statistics_at_ = place(all_nodes * options_.statistics * sizeof(double));
  parameters_at_ = place(float_bytes(model_.arena().size()));
  const std::size_t workspace_at = place(float_bytes(workspace_floats));

  if (host_.size() == 1) {
    alone_ = FloatBuffer(static_cast<std::int64_t>(bytes / sizeof(float)));
    memory_ = std::as_writable_bytes(alone_.span());
  } else {
    window_ = std::make_unique<HostMemory>(host_, bytes);
    memory_ = window_->bytes();
    if (!window_->shared()) return;
  }
  workspace_.emplace(model_, host_rows, kTraining,
                     std::span(reinterpret_cast<float*>(memory_.data() + workspace_at),
                               static_cast<std::size_t>(workspace_floats)),
                     own_input_);
}

void ShardedSync::plan_slices() {
  std::size_t most_nodes = 0;     // of this host, and
  std::size_t most_received = 0;  // of the others
  for (const ShardedStep& step : steps_) {
    most_nodes = std::max(most_nodes, step.host_nodes.size());
    most_received = std::max(most_received, step.sources.size() - step.host_nodes.size());
  }
  most_nodes = std::max<std::size_t>(most_nodes, 1);  // the sums end in the first
  std::int64_t gradients = 0;
  std::int64_t slots = 0;
  std::int64_t receiving = 0;
  for (const Bucket& bucket : buckets_) {
    BucketState& state = states_.emplace_back(communicator_);
    for (const int index : my_slices_) {
      const Range floats = whole_slice(map_, bucket, index);
      const Range own = map_.piece(bucket, index, my_host_);
      state.slices.push_back({index, floats, own, gradients, slots, receiving});
      gradients += floats.count() * static_cast<std::int64_t>(most_nodes);
      slots += own.count();
      receiving += own.count() * static_cast<std::int64_t>(most_received);
    }
  }
  gradients_ = FloatBuffer(gradients);
  received_ = FloatBuffer(receiving);
  for (std::size_t i = 0; i < model_.optimizer().slot_names().size(); ++i)
    slots_.emplace_back(slots);
}

/// Of the other ranks' rows, if this rank cannot see their input, the columns that its slices need.
void ShardedSync::plan_inputs() {
  const Range columns = gradient_columns_of(self_);
  const Range all_columns{0, element_count(model_.input_shape())};
  for (const ShardedStep& step : steps_) {
    std::vector<Input>& inputs = inputs_.emplace_back();
    std::int64_t row = 0;
    for (const int rank : map_.ranks_of(my_host_)) {
      const Range batch_rows = step.plan->rows_of(rank);
      const Range rows{row, row + batch_rows.count()};
      row = rows.last;
      if (own_input_ && rank != self_ && rows.count() > 0 && columns.count() > 0)
        inputs.push_back({batch_rows, rows, columns});
    }
    inputs.push_back({step.plan->rows_of(self_), step.rows, all_columns});
  }
}

std::span<float> ShardedSync::gradients_of(const Slice& slice, std::size_t node, Range floats) {
  return part_of(gradients_.span(),
                 slice.gradients_at + static_cast<std::int64_t>(node) * slice.floats.count() +
                     floats.first - slice.floats.first,
                 floats.count());
}

std::span<double> ShardedSync::statistics_of(int rank) const {
  double* const first = reinterpret_cast<double*>(memory_.data() + statistics_at_);
  return {first + step_->plan->first_node(rank) * options_.statistics,
          step_->plan->nodes_of(rank).size() * options_.statistics};
}

void ShardedSync::set_up() {
  float* const first = reinterpret_cast<float*>(memory_.data() + parameters_at_);
  const std::span<float> shared(first, static_cast<std::size_t>(model_.arena().size()));
  if (host_.is_root()) {
    std::ranges::fill(memory_.first(parameters_at_), std::byte{0});  // MPI does not promise zeros
    std::ranges::copy(model_.arena().values(), shared.begin());
  }
  if (window_) window_->synchronize();
  model_.arena().use_values(shared);
  set_up_ = true;
}

void ShardedSync::hand_back() {
  if (!set_up_) return;
  std::ranges::copy(model_.arena().values(), model_.arena().own_values().begin());
  model_.arena().use_values({});
  set_up_ = false;
}

void ShardedSync::begin_step(const StepPlan& plan) {
  step_ = &*std::ranges::find(steps_, &plan, &ShardedStep::plan);
  meanwhile_.reset();  // of a step that an exception ended
  computing_ = false;
  flags_->begin_step();
  model_.optimizer().begin_step();
  for (BucketState& state : states_) state.stage = Stage::kFilling;
  arrived_ = published_ = 0;
  statistics_sent_ = totals_known_ = false;
}

GradientNodes ShardedSync::nodes() const {
  return {.samples = step_->node_rows, .grain = step_->plan->grain()};
}

std::span<double> ShardedSync::node_statistics(std::size_t node) {
  return statistics_of(self_).subspan(node * options_.statistics, options_.statistics);
}

void ShardedSync::layer_done(std::size_t layer) {
  for (; arrived_ < buckets_.size() && buckets_[arrived_].last_layer >= layer; ++arrived_)
    flags_->arrive();
  if (arrived_ == 0) return;
  advance();
  if (map_.hosts() > 1 && !meanwhile_) meanwhile_.emplace([this] { advance(); });
}

std::span<const double> ShardedSync::finish() {
  const InPhase phase(options_.profile, Phase::kExchange);
  const auto all = static_cast<std::int64_t>(buckets_.size());
  backoff_.reset();
  std::int64_t waits = 0;
  while (flags_->all_published() < all) {
    if (advance()) {
      backoff_.reset();
    } else {
      backoff_.wait();
      if (++waits % kWaitsBetweenLooks == 0) communicator_.look_for_alarm();
    }
  }
  meanwhile_.reset();
  return totals_;
}

/// Takes every bucket as far as it goes without waiting. Whether anything went on.
bool ShardedSync::advance() {
  bool moved = !totals_known_ && advance_statistics();
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
      update(bucket);
      send_back(bucket);
      state.stage = Stage::kReturning;
    }
    if (state.stage == Stage::kReturning && state.messages.done()) state.stage = Stage::kDone;
    moved = moved || state.stage != before;
  }
  // In order; the last one not before the statistics are read, which may be overwritten then.
  while (published_ < arrived_ && states_[published_].stage == Stage::kDone &&
         (published_ + 1 < buckets_.size() || totals_known_)) {
    flags_->publish();
    ++published_;
    moved = true;
  }
  return moved;
}

/// Statistics are complete when a rank has arrived at its first bucket. The first rank of each host
/// exchanges those of its host's ranks with the other hosts.
bool ShardedSync::advance_statistics() {
  if (flags_->all_arrived() == 0) return false;
  if (map_.hosts() > 1 && host_.is_root() && !statistics_sent_) {
    for (int rank = 0; rank < communicator_.size(); ++rank) {
      const std::span<double> values = statistics_of(rank);
      if (values.empty()) continue;
      const int host = map_.host_of(rank);
      if (host != my_host_) {
        statistics_messages_.receive(values, map_.ranks_of(host)[0], kStatisticsTag);
        continue;
      }
      for (int other = 0; other < map_.hosts(); ++other) {
        if (other == my_host_) continue;
        statistics_messages_.send(values, map_.ranks_of(other)[0], kStatisticsTag);
        count(values.size_bytes());
      }
    }
    statistics_sent_ = true;
  }
  if (map_.hosts() > 1) {
    if (host_.is_root()) {
      if (!statistics_messages_.done()) return false;
      flags_->announce();
    } else if (!flags_->announced()) {
      return false;
    }
  }
  const double* const first = reinterpret_cast<const double*>(memory_.data() + statistics_at_);
  step_->all_nodes.add_to_root({first, step_->plan->all_nodes().size() * options_.statistics},
                               totals_);
  totals_known_ = true;
  return true;
}

/// The gradients of the slices that this rank handles, for each node of the host's rows.
void ShardedSync::compute(std::size_t bucket) {
  const InPhase phase(options_.profile, Phase::kGradients);
  computing_ = true;
  for (const Slice& slice : states_[bucket].slices) {
    float* const gradients = gradients_of(slice, 0, slice.floats).data();
    Pass pass{.nodes = {.samples = step_->host_nodes,
                        .grain = step_->plan->grain(),
                        .stride = slice.floats.count()}};
    // Other cores have read the parameters since the last step: the update wants them back.
    if (host_.size() > 1 && step_->sources.size() == 1 && slice.floats.count() <= kStaysInCache)
      pass.nodes.fetch =
          reinterpret_cast<const char*>(model_.arena().values().data() + slice.floats.first) -
          reinterpret_cast<const char*>(gradients);
    model_.gradients(*workspace_, step_->host_rows, pass, slice.floats, gradients);
  }
  computing_ = false;
}

/// Sends this host's nodes of the other hosts' pieces, and expects theirs of this rank's.
void ShardedSync::collect(std::size_t bucket) {
  BucketState& state = states_[bucket];
  for (const Slice& slice : state.slices) {
    std::int64_t received_at = slice.received_at;
    for (int host = 0; host < map_.hosts(); ++host) {
      if (host == my_host_) continue;
      const int peer = map_.handler(host, slice.index);
      for (std::size_t node = 0;
           slice.own.count() > 0 && node < step_->nodes_of_host[static_cast<std::size_t>(host)];
           ++node) {
        state.messages.receive(part_of(received_.span(), received_at, slice.own.count()), peer,
                               tag_of(bucket));
        received_at += slice.own.count();
      }
      const Range theirs = map_.piece(buckets_[bucket], slice.index, host);
      for (std::size_t node = 0; theirs.count() > 0 && node < step_->host_nodes.size(); ++node) {
        const std::span<float> gradients = gradients_of(slice, node, theirs);
        state.messages.send(gradients, peer, tag_of(bucket));
        count(gradients.size_bytes());
      }
    }
  }
}

/// Adds up the gradients of this rank's pieces and updates their parameters.
void ShardedSync::update(std::size_t bucket) {
  for (const Slice& slice : states_[bucket].slices) {
    const Range floats = slice.own;
    if (floats.count() == 0) continue;
    const std::size_t count = step_->sources.size();
    for (std::size_t i = 0; i < count; ++i) {
      const ShardedStep::Source& source = step_->sources[i];
      addends_[i] = source.own ? gradients_of(slice, source.node, floats).data()
                               : received_.span().data() + slice.received_at +
                                     static_cast<std::int64_t>(source.node) * floats.count();
    }
    const std::span<float> sum = gradients_of(slice, 0, floats);
    step_->total.add(std::span(addends_).first(count), sum.data(), floats.count());
    model_.add_regularization_gradient(floats, sum.data());
    UpdateSpan span{part_of(model_.arena().values(), floats.first, floats.count()), sum, {}};
    for (std::size_t i = 0; i < slots_.size(); ++i)
      span.slots[i] = part_of(slots_[i].span(), slice.slots_at, floats.count());
    model_.optimizer().update(span);
  }
}

/// Exchanges the new parameters with the peers.
void ShardedSync::send_back(std::size_t bucket) {
  BucketState& state = states_[bucket];
  const auto values = [&](Range floats) {
    return part_of(model_.arena().values(), floats.first, floats.count());
  };
  for (const Slice& slice : state.slices) {
    for (int host = 0; host < map_.hosts(); ++host) {
      if (host == my_host_) continue;
      const int peer = map_.handler(host, slice.index);
      const Range theirs = map_.piece(buckets_[bucket], slice.index, host);
      if (theirs.count() > 0) state.messages.receive(values(theirs), peer, tag_of(bucket));
      if (slice.own.count() == 0) continue;
      state.messages.send(values(slice.own), peer, tag_of(bucket));
      count(float_bytes(slice.own.count()));
    }
  }
}

void ShardedSync::check_replicas(const std::string& when) const {
  lockstep::check_replicas(model_, {}, communicator_, when);
  bool finite = true;
  for (const FloatBuffer& slot : slots_)
    finite = finite && std::ranges::all_of(slot.span(), [](float x) { return std::isfinite(x); });
  const std::int64_t rank = communicator_.all_min(finite ? communicator_.size() : self_);
  check_collectively(rank == communicator_.size(), ExitCode::kNumerical,
                     "[replicas] {}: expected finite optimizer state, got NaN or Inf on rank {}",
                     when, rank);
}

/// What a rank owns, in the order of its slots.
std::vector<Range> ShardedSync::owned_by(int rank) const {
  std::vector<Range> owned;
  for (const Bucket& bucket : buckets_)
    for (int slice = 0; slice < map_.slices(); ++slice)
      if (map_.handler(map_.host_of(rank), slice) == rank)
        owned.push_back(map_.piece(bucket, slice, map_.host_of(rank)));
  return owned;
}

OptimizerSlots ShardedSync::gather_slots() const {
  OptimizerSlots gathered;
  for (const FloatBuffer& slot : slots_) {
    Messages messages(communicator_);
    if (!communicator_.is_root()) {
      messages.send(slot.span(), 0, kStatisticsTag);
      messages.wait();
      continue;
    }
    auto& whole = gathered.emplace_back(static_cast<std::size_t>(model_.arena().trainable_size()));
    for (int rank = 0; rank < communicator_.size(); ++rank) {
      const std::vector<Range> owned = owned_by(rank);
      std::size_t floats = 0;
      for (const Range& piece : owned) floats += static_cast<std::size_t>(piece.count());
      std::vector<float> theirs(slot.span().begin(), slot.span().end());
      if (rank != 0) {
        theirs.resize(floats);
        messages.receive(theirs, rank, kStatisticsTag);
        messages.wait();
      }
      const float* next = theirs.data();
      for (const Range& piece : owned) {
        std::copy_n(next, piece.count(), whole.begin() + piece.first);
        next += piece.count();
      }
    }
  }
  return gathered;
}

void ShardedSync::restore_slots(const OptimizerSlots& slots) {
  check_slots(model_, slots);
  for (std::size_t i = 0; i < slots.size(); ++i) {
    float* next = slots_[i].span().data();
    for (const Range& piece : owned_by(self_))
      next = std::copy_n(slots[i].begin() + piece.first, piece.count(), next);
  }
}

std::int64_t ShardedSync::slot_floats() const {
  std::int64_t floats = 0;
  for (const FloatBuffer& slot : slots_) floats += static_cast<std::int64_t>(slot.span().size());
  return floats;
}

}  // namespace lockstep
