#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <vector>

#include "src/graph/aim.hpp"
#include "src/graph/graph.hpp"
#include "src/losses/loss.hpp"
#include "src/metrics/metric.hpp"
#include "src/optimizers/optimizer.hpp"

namespace lockstep {

/// What a network is trained for, apart from the network: loss, metrics, optimizer, where in the
/// graph they stand, and which of its weights they train. A network may have several objectives,
/// each with an optimizer of its own, over the same weights: Network::objective().
class Objective {
 public:
  /// From Keras's names or JSON. Throws Error (65), naming what Lockstep lacks.
  Objective(const Graph& graph, const nlohmann::ordered_json& optimizer,
            const nlohmann::ordered_json& loss, const nlohmann::ordered_json& metrics,
            Aim aim = {});

  Optimizer& optimizer() { return *optimizer_; }
  const Optimizer& optimizer() const { return *optimizer_; }
  const Loss& loss() const { return *loss_; }
  const std::vector<std::unique_ptr<Metric>>& metrics() const { return metrics_; }
  /// The first ops, which hold those that training runs: all, or all but a final activation that
  /// the loss takes over.
  std::size_t ops() const { return ops_; }
  bool loss_is_fused() const { return fused_; }
  const Aim& aim() const { return aim_; }
  /// See Aim::begin_at().
  void begin_at(std::optional<std::size_t> value) { aim_.begin_at(value); }
  /// (positions, K) of one sample's output: all axes but the last, and the last.
  std::int64_t output_positions() const { return positions_; }
  std::int64_t output_columns() const { return columns_; }
  /// The op whose output is the output's mask and whose forward sum is the number of positions of
  /// the batch that count, if there is a mask: then they alone count for loss and metrics.
  std::optional<std::size_t> mask_op() const { return mask_op_; }
  /// The ops whose outputs are parts of the loss: penalties of layers' activities.
  const std::vector<std::size_t>& penalty_ops() const { return penalty_ops_; }
  /// Numbers that are summed up over rows: the loss, those of the metrics, penalties if there are,
  /// and how many positions count if not all.
  std::size_t loss_sums() const { return loss_sums_; }

 private:
  std::unique_ptr<Optimizer> optimizer_;
  std::unique_ptr<Loss> loss_;
  std::vector<std::unique_ptr<Metric>> metrics_;
  Aim aim_;
  std::int64_t positions_;
  std::int64_t columns_;
  std::size_t ops_;
  bool fused_;
  std::optional<std::size_t> mask_op_;
  std::vector<std::size_t> penalty_ops_;
  std::size_t loss_sums_ = 1;
};

}  // namespace lockstep
