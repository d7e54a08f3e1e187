#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "distributed/ranks/messages.hpp"
#include "distributed/update/sharded_step.hpp"
#include "distributed/update/table_rows.hpp"
#include "distributed/update/touched_rows.hpp"
#include "distributed/update/traffic.hpp"
#include "src/core/float_buffer.hpp"
#include "src/graph/workspace.hpp"

namespace lockstep {

/// The tables of which a step moves the rows that its ids name (GradientWay::kTouched), for either
/// strategy. A host has its tables and their slots once, each row with an owner (RowShare), so that
/// no row ever travels because it is read; of AllreduceOptimizer every rank is a host of its own.
///
/// A step: when all ranks of the host have filled in their ids, find() and catch_up() bring the
/// rows that these name to where a sweep in every step would have them, each by its owner; then
/// forward may begin. When all are through with backward, compute() adds up each row's gradient:
/// a chain for every use and grain, grains by the tree, those that do not name the row left out.
/// On one host the row is updated at once, while it is in the cache. Else send() exchanges the sums
/// over the host's subtrees, of touched rows alone, with those who own the row on other hosts, and
/// update() adds them by the tree; each host makes the same update.
class TableUpdates {
 public:
  /// The references must outlive this object; `slots`: see TableRows.
  TableUpdates(Objective& objective, const HostMap& map, int rank, std::span<const Table> tables,
               std::span<const StepPlan> plans, const Workspace& workspace,
               std::vector<std::array<float*, kMaxSlots>> slots, Traffic& traffic);
  /// What it allocates on a rank. A pure function.
  static std::int64_t bytes(std::span<const Table> tables, const HostMap& map, int rank,
                            std::span<const StepPlan> plans);

  bool any() const { return !tables_.empty(); }
  TableRows& rows() { return rows_; }

  /// After the optimizer's begin_step().
  void begin_step(ShardedStep& step);
  void catch_up();
  void compute();
  void send(Messages& messages, int tag);
  void update();

 private:
  /// A message: the number of records, then each with its row, which of its host's subtrees it is
  /// the sum over, and that sum.
  struct Exchange {
    std::int64_t stride = 0;  ///< floats of a record
    FloatBuffer sent;
    std::vector<FloatBuffer> received;  ///< of each peer
    TouchedRows rows;                   ///< of all hosts that this rank owns
  };

  void find(std::size_t table);
  std::int32_t add_up(std::size_t table, std::int32_t place, float* sum);
  void add_records(Exchange& exchange, const FloatBuffer& records, std::int32_t message, int host);

  const HostMap& map_;
  std::span<const Table> tables_;
  const Workspace& workspace_;
  Traffic& traffic_;
  int my_host_;
  std::vector<int> peers_;  ///< ranks of other hosts that own rows of this one's
  TableRows rows_;
  std::vector<TouchedRows> touched_;    ///< of each table, by this host
  std::vector<Exchange> exchanges_;     ///< of each table, if there are several hosts
  FloatBuffer sum_, nothing_;           ///< of a row
  std::vector<std::size_t> source_of_;  ///< of each host's subtrees, one host after the other
  std::vector<std::size_t> first_of_host_;
  std::vector<const float*> addends_;
  ShardedStep* step_ = nullptr;
};

}  // namespace lockstep
