#include "distributed/training/batches_in_order.hpp"

#include <algorithm>
#include <numeric>

#include "distributed/training/carried_states.hpp"
#include "distributed/training/loss_sums.hpp"
#include "distributed/update/step_plan.hpp"
#include "src/core/range.hpp"

namespace lockstep {
namespace {

/// Of the numbers that are exchanged at a time: bounds the memory, and changes no bit.
constexpr std::int64_t kMostSums = 1 << 20;
constexpr std::int64_t kMostFloats = 1 << 27;

/// The rows of every batch that this rank works on.
struct BatchShare {
  BatchShare(const Communicator& communicator, std::int64_t batch, bool root_only)
      : plan(StepPlan::of_full_batch(batch, batch, 0, root_only ? 1 : communicator.size())),
        alone(root_only) {
    if (!alone) mine = plan.rows_of(communicator.rank());
    if (alone && communicator.is_root()) mine = {0, batch};
  }
  /// To all ranks, the states that this rank has left.
  void share_states(const Network& model, const Communicator& communicator) const {
    if (alone)
      broadcast_states(model, communicator);
    else
      lockstep::share_states(model, communicator, plan);
  }

  StepPlan plan;
  bool alone;
  Range mine = {};
};

/// Takes this rank's rows of one batch after the other through the network.
class BatchRunner {
 public:
  BatchRunner(const Network& model, Range mine)
      : model_(model),
        mine_(mine),
        workspace_(model.inference_workspace(std::max<std::int64_t>(mine.count(), 1))),
        ids_(static_cast<std::size_t>(mine.count())) {}

  /// The rows of the batch, and their outputs, until the logits if the loss wants these.
  std::span<const std::int64_t> ids() const { return ids_; }
  const Workspace& workspace() const { return workspace_; }
  Matrix run(const ArrayView& x, std::int64_t first, std::int64_t batch, bool until_logits) {
    const Range rows{0, mine_.count()};
    std::iota(ids_.begin(), ids_.end(), first + mine_.first);
    gather_rows(x, ids_, workspace_.input(rows), model_.input_scaling());
    return model_.forward(workspace_, rows, {.first_row = mine_.first, .batch_rows = batch},
                          until_logits);
  }

 private:
  const Network& model_;
  Range mine_;
  Workspace workspace_;
  std::vector<std::int64_t> ids_;
};

/// What each of this rank's grains adds to the sums of a batch.
void add_up_grains(const Objective& objective, const BatchShare& share, const Workspace& workspace,
                   Matrix outputs, const Targets& targets, std::span<double> sums) {
  const Range all{0, share.mine.count()};
  const std::span<const float> mask = mask_of(objective, workspace, all);
  const std::int64_t positions = objective.output_positions();
  const std::size_t width = loss_sum_count(objective);
  const std::int64_t grain = share.plan.grain();
  for (std::int64_t first = share.mine.first; first < share.mine.last; first += grain) {
    const std::int64_t at = (first - share.mine.first) * positions;
    const std::int64_t count = std::min(grain, share.mine.last - first) * positions;
    const auto of_grain =
        mask.empty() ? mask
                     : mask.subspan(static_cast<std::size_t>(at), static_cast<std::size_t>(count));
    const auto its = sums.subspan(static_cast<std::size_t>(first / grain) * width, width);
    loss_sums_of(objective, outputs.rows_from(at, count), targets.slice(at, count), of_grain, {},
                 1.0f, its);
    add_penalties(
        objective, workspace, all,
        {first - share.mine.first, std::min(first + grain, share.mine.last) - share.mine.first},
        its);
  }
}

/// The sums of a batch from those of its grains, in their order.
std::vector<double> sums_of_batch(const Objective& objective, std::span<const double> grains,
                                  std::int64_t batch) {
  std::vector<double> sums(loss_sum_count(objective), 0.0);
  for (std::size_t i = 0; i < grains.size(); ++i) sums[i % sums.size()] += grains[i];
  sums[0] = whole_loss_sum(objective, sums, batch);
  return sums;
}

}  // namespace

std::vector<double> sums_in_order(const Network& model, const Communicator& communicator,
                                  const ArrayDataset& data, std::int64_t batch, bool root_only) {
  const Objective& objective = model.objective();
  const BatchShare share(communicator, batch, root_only);
  BatchRunner runner(model, share.mine);
  TargetLoader loader(model.loss().target_kind(), std::max<std::int64_t>(share.mine.count(), 1),
                      model.output_positions(), model.output_columns());
  const std::size_t of_batch =
      static_cast<std::size_t>(share.plan.grains()) * loss_sum_count(objective);
  const std::int64_t together =
      batch * std::max<std::int64_t>(1, kMostSums / static_cast<std::int64_t>(of_batch));
  std::vector<double> totals(loss_sum_count(objective), 0.0), sums;
  model.begin_states();
  for (std::int64_t base = 0; base < data.rows(); base += together) {
    const std::int64_t end = std::min(base + together, data.rows());
    // One rank fills a grain's sums, the others add zeros: the exchange is exact.
    sums.assign(static_cast<std::size_t>((end - base) / batch) * of_batch, 0.0);
    const auto sums_at = [&](std::int64_t row) {
      return std::span(sums).subspan(static_cast<std::size_t>((row - base) / batch) * of_batch,
                                     of_batch);
    };
    for (std::int64_t row = base; row < end; row += batch, model.turn_states()) {
      if (share.mine.count() == 0) continue;
      const Matrix outputs = runner.run(data.x, row, batch, /*until_logits=*/true);
      add_up_grains(objective, share, runner.workspace(),
                    outputs.with_columns(model.output_columns()), loader.gather(data, runner.ids()),
                    sums_at(row));
    }
    communicator.all_sum(std::span(sums));
    for (std::int64_t row = base; row < end; row += batch) {
      const std::vector<double> its = sums_of_batch(objective, sums_at(row), batch);
      for (std::size_t i = 0; i < its.size(); ++i) totals[i] += its[i];
    }
  }
  share.share_states(model, communicator);
  return totals;
}

void predict_in_order(const Network& model, const Communicator& communicator, const ArrayView& x,
                      std::int64_t batch, const PredictionSink& sink) {
  const std::int64_t columns = element_count(model.output_shape());
  const BatchShare share(communicator, batch, /*root_only=*/false);
  BatchRunner runner(model, share.mine);
  const std::int64_t together =
      batch * std::max<std::int64_t>(1, kMostFloats / (batch * std::max<std::int64_t>(1, columns)));
  std::vector<float> mine, in_order;
  model.begin_states();
  for (std::int64_t base = 0; base < x.rows; base += together) {
    const std::int64_t end = std::min(base + together, x.rows);
    mine.clear();
    for (std::int64_t row = base; row < end; row += batch, model.turn_states()) {
      if (share.mine.count() == 0) continue;
      const Matrix outputs = runner.run(x, row, batch, /*until_logits=*/false);
      mine.insert(mine.end(), outputs.data, outputs.data + outputs.size());
    }
    const std::vector<std::byte> all = communicator.gather(std::as_bytes(std::span(mine)));
    if (!communicator.is_root()) continue;
    in_order.resize(static_cast<std::size_t>((end - base) * columns));
    const auto* from = reinterpret_cast<const float*>(all.data());
    for (int rank = 0; rank < communicator.size(); ++rank) {
      const Range rows = share.plan.rows_of(rank);
      const std::int64_t floats = rows.count() * columns;
      for (std::int64_t row = 0; row < end - base; row += batch, from += floats)
        std::copy_n(from, floats, in_order.begin() + (row + rows.first) * columns);
    }
    sink(base, {in_order.data(), end - base, columns});
  }
  share.share_states(model, communicator);
}

}  // namespace lockstep
