#include "distributed/training/evaluator.hpp"

#include <algorithm>
#include <numeric>

#include "distributed/ranks/agreement.hpp"
#include "distributed/ranks/setup_check.hpp"
#include "distributed/training/batches_in_order.hpp"
#include "distributed/training/carried_states.hpp"
#include "distributed/training/loss_sums.hpp"
#include "src/core/floating_point.hpp"
#include "src/core/range.hpp"

namespace lockstep {
namespace {

/// Of the blocks whose sums are exchanged at a time: bounds the memory, and changes no bit.
constexpr std::int64_t kMostBlocks = 4096;
constexpr std::int64_t kMostSums = 1 << 20;

/// Loss (in front) and metric sums of one block.
void evaluate_block(const Network& model, Workspace& workspace, TargetLoader& targets,
                    const ArrayDataset& data, std::span<const std::int64_t> rows,
                    std::span<double> sums) {
  const auto count = static_cast<std::int64_t>(rows.size());
  gather_rows(data.x, rows, workspace.input({0, count}), model.input_scaling());
  const Targets wanted = targets.gather(data, rows);
  const Matrix output = model.forward(workspace, {0, count}, {}, /*until_logits=*/true)
                            .with_columns(model.output_columns());
  loss_sums_of(model.objective(), output, wanted, mask_of(model.objective(), workspace, {0, count}),
               {}, 1.0f, sums);
  add_penalties(model.objective(), workspace, {0, count}, {0, count}, sums);
  sums[0] = whole_loss_sum(model.objective(), sums, count);
}

/// The part of `blocks` that this rank works on.
Range my_blocks(const Communicator& communicator, std::int64_t blocks, bool root_only) {
  if (root_only) return {0, communicator.is_root() ? blocks : 0};
  return share(blocks, communicator.rank(), communicator.size());
}

/// The sums over all rows, block after block.
std::vector<double> sums_of_blocks(const Network& model, const Communicator& communicator,
                                   const ArrayDataset& data, std::int64_t block_rows,
                                   bool root_only) {
  const std::size_t width = loss_sum_count(model.objective());
  block_rows = std::min(block_rows, std::max<std::int64_t>(data.rows(), 1));
  Workspace workspace = model.inference_workspace(block_rows);
  TargetLoader targets(model.loss().target_kind(), block_rows, model.output_positions(),
                       model.output_columns());
  std::vector<std::int64_t> rows(static_cast<std::size_t>(block_rows));
  std::vector<double> totals(width, 0.0);

  const std::int64_t blocks = (data.rows() + block_rows - 1) / block_rows;
  const std::int64_t together =
      std::clamp<std::int64_t>(kMostSums / static_cast<std::int64_t>(width), 1, kMostBlocks);
  for (std::int64_t base = 0; base < blocks; base += together) {
    const std::int64_t count = std::min(together, blocks - base);
    const Range mine = my_blocks(communicator, count, root_only);
    // One rank fills a block's sums, the others add zeros: the exchange is exact.
    std::vector<double> sums(static_cast<std::size_t>(count) * width, 0.0);
    for (std::int64_t block = mine.first; block < mine.last; ++block) {
      const std::int64_t first = (base + block) * block_rows;
      const std::int64_t last = std::min(first + block_rows, data.rows());
      const std::span<std::int64_t> ids(rows.data(), static_cast<std::size_t>(last - first));
      std::iota(ids.begin(), ids.end(), first);
      evaluate_block(model, workspace, targets, data, ids,
                     std::span(sums).subspan(static_cast<std::size_t>(block) * width, width));
    }
    communicator.all_sum(std::span(sums));
    for (std::size_t i = 0; i < sums.size(); ++i) totals[i % width] += sums[i];
  }
  return totals;
}

Evaluation evaluate_rows(const Network& model, const Communicator& communicator,
                         const ArrayDataset& data, std::int64_t block_rows, bool root_only) {
  const std::vector<double> totals =
      model.is_stateful() ? sums_in_order(model, communicator, data, block_rows, root_only)
                          : sums_of_blocks(model, communicator, data, block_rows, root_only);
  const auto positions = static_cast<double>(data.rows() * model.output_positions());
  const double counted = counted_positions(model.objective(), totals, data.rows());
  Evaluation evaluation;
  evaluation.rows = data.rows();
  evaluation.loss = (positions > 0 ? totals[0] / positions : 0) + model.regularization_penalty();
  metric_results(model.objective(), totals, counted, [&](const std::string& name, double value) {
    evaluation.metrics.emplace_back(name, value);
  });
  return evaluation;
}

void predict_rounds(const Network& model, const Communicator& communicator, const ArrayView& x,
                    std::int64_t block_rows, const PredictionSink& sink) {
  const std::int64_t columns = element_count(model.output_shape());
  // Per round each rank computes some consecutive blocks: at most 8 MiB of output a rank, and half
  // a GiB of all, which is what one gather carries.
  const std::int64_t round_floats =
      std::min<std::int64_t>(2 << 20, (1 << 27) / communicator.size());
  const std::int64_t row_floats = std::max<std::int64_t>(1, columns);
  block_rows =
      std::clamp<std::int64_t>(round_floats / row_floats, 1, std::max<std::int64_t>(1, block_rows));
  const std::int64_t blocks_per_round =
      std::max<std::int64_t>(1, round_floats / (block_rows * row_floats));
  const std::int64_t round_rows = blocks_per_round * block_rows * communicator.size();
  Workspace workspace = model.inference_workspace(block_rows);
  std::vector<std::int64_t> rows(static_cast<std::size_t>(block_rows));
  std::vector<float> mine;

  for (std::int64_t base = 0; base < x.rows; base += round_rows) {
    const std::int64_t round_end = std::min(base + round_rows, x.rows);
    const std::int64_t blocks = (round_end - base + block_rows - 1) / block_rows;
    const Range my_part = share(blocks, communicator.rank(), communicator.size());
    mine.clear();
    for (std::int64_t block = my_part.first; block < my_part.last; ++block) {
      const std::int64_t first = base + block * block_rows;
      const std::int64_t count = std::min(block_rows, round_end - first);
      const std::span<std::int64_t> ids(rows.data(), static_cast<std::size_t>(count));
      std::iota(ids.begin(), ids.end(), first);
      gather_rows(x, ids, workspace.input({0, count}), model.input_scaling());
      const Matrix output = model.forward(workspace, {0, count}, {});
      mine.insert(mine.end(), output.data, output.data + output.size());
    }
    const std::vector<std::byte> all = communicator.gather(std::as_bytes(std::span(mine)));
    if (communicator.is_root())
      sink(base, {reinterpret_cast<const float*>(all.data()), round_end - base, columns});
  }
}

}  // namespace

Evaluation evaluate(const Network& model, const Communicator& communicator,
                    const ArrayDataset& data, std::int64_t block_rows, bool root_only) {
  const FloatingPointEnvironment environment;
  Evaluation evaluation;
  never_alone(communicator, [&] {
    check_whole_batches(model, block_rows, data.rows(), "evaluated");
    evaluation = evaluate_rows(model, communicator, data, block_rows, root_only);
  });
  return evaluation;
}

void predict(const Network& model, const Communicator& communicator, const ArrayView& x,
             std::int64_t block_rows, const PredictionSink& sink) {
  const FloatingPointEnvironment environment;
  never_alone(communicator, [&] {
    check_same_everywhere(communicator, "network", describe_network(model));
    check_same_everywhere(communicator, "weights", describe_weights(model));
    check_whole_batches(model, block_rows, x.rows, "predicted");
    if (model.is_stateful())
      predict_in_order(model, communicator, x, block_rows, sink);
    else
      predict_rounds(model, communicator, x, block_rows, sink);
  });
}

}  // namespace lockstep
