#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <vector>

#include "src/graph/training_pass.hpp"

/// Training passes over a graph alone, by the workspace plan and without one.
namespace lockstep::test {

/// Sums over a batch of which one rank has some subtrees; the totals are kept.
class RecordedBatchSums final : public BatchSums {
 public:
  explicit RecordedBatchSums(std::size_t subtrees) : sums_(subtrees) {}
  std::span<double> of_subtree(std::size_t subtree, std::size_t width) override;
  /// Of the subtrees in order.
  void add_up(std::span<double> totals) override;
  std::vector<std::vector<double>> totals;

 private:
  std::vector<std::vector<double>> sums_;
};

struct PassResults {
  std::vector<float> output;  ///< as the loss sees it
  /// Of each trained parameter in the order of the arena, subtree by subtree.
  std::vector<std::vector<float>> gradients;
  std::vector<std::vector<double>> sums;  ///< of each exchange
};
/// Bit by bit.
void expect_same_bits(const PassResults& a, const PassResults& b);

using Inputs = std::vector<std::vector<float>>;
/// Random ones.
Inputs inputs_of(const Graph& graph, std::int64_t rows, std::uint64_t seed);

/// Every value, every gradient and everything that is kept has memory of its own; all rows go
/// through an op together, and the tree is walked by recursion. The gradient by the output is a
/// function of it.
PassResults naive_pass(const Graph& graph, std::size_t ops, const Pass& pass,
                       const Subtrees& subtrees, const Inputs& inputs);

/// The same by TrainingPass in a Workspace, for any number of steps. The graph must outlive it.
class PlannedPass {
 public:
  struct Options {
    std::vector<GradientWay> way;
    std::int64_t block_grains = 0;
    std::int64_t first_row = 0;  ///< of the rank on its host
    bool shared = false;         ///< memory of a host
    bool own_input = false;
  };
  /// `rows`, of which each grain has `grain`, at most.
  PlannedPass(const Graph& graph, std::size_t ops, std::int64_t rows, std::int64_t grain,
              Options options);
  PlannedPass(const PlannedPass&) = delete;

  PassResults run(const Pass& pass, const Subtrees& subtrees, const Inputs& inputs,
                  const TrainingPass::OpDone& op_done = {});
  /// Partials by rows, as they are.
  std::span<const float> partials() const { return partials_; }
  const GradientPlan& gradients() const { return gradients_; }
  int blocks = 0;  ///< that the loss of the last run saw

 private:
  const Graph& graph_;
  Options options_;
  GradientPlan gradients_;
  FloatBuffer host_memory_;
  std::optional<Workspace> workspace_;
  std::optional<TrainingPass> passes_;
  std::vector<float> partials_;
};

/// The subtrees that grains [first, last) of a batch make up, in rows from the first of them.
std::vector<Range> subtree_rows(std::int64_t batch_rows, std::int64_t grain, Range grains);

}  // namespace lockstep::test
