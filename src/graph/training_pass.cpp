#include "src/graph/training_pass.hpp"

#include <algorithm>
#include <bit>

#include "src/kernels/kernels.hpp"

namespace lockstep {

void cut_into_blocks(const Subtrees& subtrees, std::int64_t block_grains,
                     std::vector<Block>& blocks) {
  blocks.clear();
  for (std::size_t i = 0; i < subtrees.size(); ++i) {
    const Range rows = subtrees.samples[i];
    const std::int64_t grains = subtrees.grains(i);
    const std::int64_t most = block_grains == 0 ? grains : block_grains;
    const std::int64_t block_rows = most * subtrees.grain;
    const std::int64_t pieces = (grains + most - 1) / most;
    // Whole subtrees may go together.
    if (!blocks.empty() && pieces == 1 && blocks.back().pieces == 1 &&
        (block_grains == 0 || rows.last - blocks.back().rows.first <= block_rows)) {
      blocks.back().rows.last = rows.last;
      ++blocks.back().subtrees;
      continue;
    }
    for (std::int64_t piece = 0; piece < pieces; ++piece) {
      const std::int64_t first = rows.first + piece * block_rows;
      blocks.push_back({.rows = {first, std::min(first + block_rows, rows.last)},
                        .first_subtree = i,
                        .subtrees = 1,
                        .piece = piece,
                        .pieces = pieces});
    }
  }
}

TrainingPass::TrainingPass(const Graph& graph, const Workspace& workspace,
                           const GradientPlan& gradients, std::int64_t block_grains,
                           std::int64_t most_grains)
    : graph_(graph),
      workspace_(workspace),
      gradients_(gradients),
      block_grains_(block_grains),
      ops_(workspace.use().ops),
      phases_(graph, workspace.use()),
      by_rows_(graph, workspace, gradients, GradientWay::kRows, most_grains),
      by_owner_(graph, workspace, gradients, GradientWay::kOwner, most_grains),
      due_(graph.ops()) {
  for (std::size_t i = 0; i < gradients.parameters.size(); ++i)
    if (gradients.parameters[i].way == GradientWay::kRows)
      due_[gradients.parameters[i].uses.front().op].push_back(i);
  stack_ = FloatBuffer(gradients.partial_floats * stack_entries(block_grains, most_grains));
  for (const std::size_t op : phases_.cut_ops()) {
    const Needs needs = graph.steps()[op].op->needs();
    cuts_.push_back({op, TreeStack(needs.forward_sums), TreeStack(needs.backward_sums)});
  }
  blocks_.reserve(static_cast<std::size_t>(most_grains));
  samples_.reserve(static_cast<std::size_t>(most_grains));
}

std::int64_t TrainingPass::stack_entries(std::int64_t block_grains, std::int64_t most_grains) {
  if (block_grains == 0 || block_grains >= most_grains) return 0;
  return std::bit_width(static_cast<std::uint64_t>(most_grains / block_grains));
}

void TrainingPass::run(const Pass& pass, const Subtrees& subtrees, const Partials& partials,
                       const LossOfBlock& loss, const OpDone& op_done) {
  pass_ = pass;
  subtrees_ = subtrees;
  partials_ = partials;
  cut_into_blocks(subtrees, block_grains_, blocks_);
  // A rank without rows takes part in everything with one empty block.
  if (blocks_.empty()) blocks_.push_back({.rows = {}, .subtrees = 0});
  for (int phase = 0; phase < phases_.count(); ++phase) {
    if (phase > 0) exchange(phase);
    for (const Block& block : blocks_)
      run_phase(phase, block, &block == &blocks_.back(), loss, op_done);
  }
  if (ops_ == 0 && op_done) op_done(0);  // who waits for the first op waits for the loss
}

Rows TrainingPass::rows_of(const Block& block) const {
  const std::int64_t first = workspace_.first_row();
  Rows rows = workspace_.rows({block.rows.first + first, block.rows.last + first},
                              block.rows.first + first);
  rows.batch_row += pass_.first_row;
  return rows;
}

void TrainingPass::run_phase(int phase, const Block& block, bool last, const LossOfBlock& loss,
                             const OpDone& op_done) {
  const auto& cut_ops = phases_.cut_ops();
  const int cuts = phases_.cuts();
  const Rows rows = rows_of(block);
  const auto cut = [&](int i) { return cut_ops[static_cast<std::size_t>(i)]; };
  if (phase <= cuts) {
    const std::size_t first = phase == 0 ? 0 : cut(phase - 1);
    const std::size_t end = phase == cuts ? ops_ : cut(phase);
    observe(Activity::kForward);
    run_forward(graph_, workspace_, rows, pass_,
                {static_cast<std::int64_t>(first), static_cast<std::int64_t>(end)});
    if (phase < cuts) add_up_sums(cuts_[static_cast<std::size_t>(phase)], true, block);
  }
  if (phase < cuts) return;
  if (phase == cuts) {
    observe(Activity::kLoss);
    if (workspace_.loss_takes_over())
      copy_values(OpValues(workspace_.op(ops_), rows).x(), workspace_.output(rows.range));
    loss(block);
  }
  observe(Activity::kBackward);
  // From the cut of this phase, or the end, down to the cut before it.
  const int below = 2 * cuts - phase - 1;  // -1: none
  const std::size_t from = phase == cuts ? ops_ : cut(below + 1) + 1;
  const std::size_t to = below < 0 ? 0 : cut(below) + 1;
  for (std::size_t op = from; op-- > to;) {
    backward_of(op, block);
    if (last && op_done) op_done(op);
  }
  if (below >= 0) add_up_sums(cuts_[static_cast<std::size_t>(below)], false, block);
}

void TrainingPass::backward_of(std::size_t op, const Block& block) {
  run_backward(graph_, workspace_, rows_of(block), pass_, op);
  if (due_[op].empty()) return;
  observe(Activity::kGradients);
  for (const std::size_t parameter : due_[op])
    add_up_gradient(gradients_.parameters[parameter], block);
  observe(Activity::kBackward);
}

/// The block's partials; pieces of a subtree are added on a stack as the tree says.
void TrainingPass::add_up_gradient(const TrainedParameter& parameter, const Block& block) {
  if (block.subtrees == 0) return;
  const std::int64_t count = element_count(parameter.parameter->shape);
  float* const target = partials_.first + parameter.partial_at +
                        static_cast<std::int64_t>(block.first_subtree) * partials_.stride;
  const auto entry = [&](std::int64_t i) {
    return i == 0
               ? target
               : stack_.span().data() + (i - 1) * gradients_.partial_floats + parameter.partial_at;
  };
  samples_.clear();
  for (std::size_t i = 0; i < block.subtrees; ++i) {
    const Range samples = subtrees_.samples[block.first_subtree + i];
    samples_.push_back({samples.first - block.rows.first, samples.last - block.rows.first});
  }
  if (block.pieces > 1) samples_ = {{0, block.rows.count()}};
  const Subtrees subtrees{
      .samples = samples_, .grain = subtrees_.grain, .stride = partials_.stride};
  std::int64_t entries = std::popcount(static_cast<std::uint64_t>(block.piece));
  by_rows_.compute(parameter, rows_of(block), pass_, subtrees, {0, count}, entry(entries));
  if (block.pieces == 1) return;
  ++entries;
  for (int merges = tree_merges_after(block.piece, block.pieces); merges > 0; --merges) {
    --entries;
    kernels().sum(entry(entries - 1), entry(entries), entry(entries - 1), count);
  }
}

/// What the block adds to the sums of an op, grain by grain, by the tree.
void TrainingPass::add_up_sums(Cut& cut, bool forward, const Block& block) {
  const Op& op = *graph_.steps()[cut.op].op;
  TreeStack& tree = forward ? cut.forward : cut.backward;
  const std::size_t width = forward ? workspace_.op(cut.op).forward_sums.size()
                                    : workspace_.op(cut.op).backward_sums.size();
  if (width == 0 || (!forward && !workspace_.has_backward(cut.op))) return;
  const std::int64_t first = workspace_.first_row();
  for (std::size_t i = 0; i < block.subtrees; ++i) {
    const std::size_t subtree = block.first_subtree + i;
    const Range rows = block.pieces > 1 ? block.rows : subtrees_.samples[subtree];
    if (block.piece == 0) tree.begin(subtrees_.grains(subtree));
    for (std::int64_t row = rows.first; row < rows.last; row += subtrees_.grain) {
      const Range grain{first + row, first + std::min(row + subtrees_.grain, rows.last)};
      Rows of_grain = workspace_.rows(grain, first + block.rows.first);
      of_grain.batch_row += pass_.first_row;
      const OpValues values{workspace_.op(cut.op), of_grain};
      if (forward)
        op.forward_sums(pass_, values, tree.leaf());
      else
        op.backward_sums(pass_, values, tree.leaf());
      tree.push();
    }
    if (block.piece + 1 == block.pieces)
      std::ranges::copy(tree.root(), pass_.batch_sums->of_subtree(subtree, width).begin());
  }
}

/// Between two phases: the sums that the next one begins with.
void TrainingPass::exchange(int phase) {
  const int cuts = phases_.cuts();
  const bool forward = phase <= cuts;
  const std::size_t op = cuts_[static_cast<std::size_t>(forward ? phase - 1 : 2 * cuts - phase)].op;
  const OpPlaces& places = workspace_.op(op);
  const std::span<double> totals = forward ? places.forward_sums : places.backward_sums;
  if (totals.empty() || (!forward && !workspace_.has_backward(op))) return;
  pass_.batch_sums->add_up(totals);
  if (forward && pass_.writes_state) graph_.steps()[op].op->update_state(pass_, totals);
}

}  // namespace lockstep
