#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "src/graph/training_pass.hpp"
#include "src/layers/layer.hpp"
#include "tests/support/local_batch_sums.hpp"

namespace lockstep::test {

/// A layer alone: some rows through it, forward and backward, with the gradients by its inputs and
/// parameters. `block_grains`: as of TrainingPass; a grain is 2 rows. `inference`: called with
/// training=False, in a pass that trains. `causal`: as of Network::Call. `masks`: of the inputs,
/// (rows, positions) each, of all axes but the last, or fewer; empty for none.
class LayerRun {
 public:
  using Masks = std::vector<std::vector<float>>;
  LayerRun(Layer& layer, std::vector<Shape> inputs, std::int64_t rows,
           const Pass& pass = {.training = true}, std::int64_t block_grains = 0,
           bool inference = false, std::optional<bool> causal = {}, Masks masks = {});
  LayerRun(const LayerRun&) = delete;
  LayerRun& operator=(const LayerRun&) = delete;

  std::vector<float>& x(std::size_t input = 0) { return x_[input]; }
  const Shape& output_shape() const { return graph_.shape(graph_.output()); }

  /// Whether an op is random in training, or sums up the batch: if not, it computes what it does in
  /// inference.
  bool differs_in_training() const;
  /// Behind forward() in training; empty if there is none.
  const std::vector<float>& output_mask() const { return output_mask_; }

  /// y for x(), as the pass says: in training or not.
  std::vector<float> forward();
  /// All gradients of sum(dy * y); in training.
  void backward(const std::vector<float>& dy);
  const std::vector<float>& dx(std::size_t input = 0) const { return *dx_[input]; }
  std::vector<float> gradient(std::size_t parameter) const;

 private:
  void fill_in();
  void take_mask(std::size_t mask, Range rows);

  Layer& layer_;
  std::int64_t rows_;
  Pass pass_;
  LocalBatchSums sums_;
  Graph graph_;
  Parameter probe_;
  std::vector<std::unique_ptr<std::vector<float>>> dx_;
  std::vector<std::vector<float>> x_;
  Masks masks_;
  std::vector<float> output_mask_;
  ParameterArena arena_;
  GradientPlan gradients_;
  std::optional<Workspace> workspace_;
  std::optional<TrainingPass> passes_;
  std::vector<float> partial_;
};

}  // namespace lockstep::test
