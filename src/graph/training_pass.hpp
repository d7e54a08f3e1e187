#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "src/graph/passes.hpp"

namespace lockstep {

/// Some of a rank's rows that go through the ops together: whole subtrees, or a piece of one.
struct Block {
  Range rows;  ///< from the rank's first
  std::size_t first_subtree = 0;
  std::size_t subtrees = 1;
  std::int64_t piece = 0, pieces = 1;  ///< of the subtree, each a subtree of as many grains
};

/// The blocks of at most `block_grains` grains, a power of two, or of whole subtrees if it is 0.
/// Pieces of a subtree are leaves of the same tree. A pure function.
void cut_into_blocks(const Subtrees& subtrees, std::int64_t block_grains,
                     std::vector<Block>& blocks);

/// Forward, loss and backward of a step's rows, and the gradients that every rank computes of its
/// own rows, block by block while what they touch is in the cache. The results do not depend on the
/// blocks.
class TrainingPass {
 public:
  /// The references must outlive this object. `most_grains`: of a rank.
  TrainingPass(const Graph& graph, const Workspace& workspace, const GradientPlan& gradients,
               std::int64_t block_grains, std::int64_t most_grains);

  /// Entries of the stack on which pieces of a subtree are added up, above the lowest.
  static std::int64_t stack_entries(std::int64_t block_grains, std::int64_t most_grains);

  /// Where this rank's partials by GradientWay::kRows go: subtree i to first + i * stride.
  struct Partials {
    float* first = nullptr;
    std::int64_t stride = 0;
  };
  /// What it is at, for profiles.
  enum class Activity { kForward, kLoss, kBackward, kGradients };
  using Observer = std::function<void(Activity)>;
  void set_observer(Observer observer) { observer_ = std::move(observer); }

  /// Adds up the losses of a block and fills in the gradient by the last value.
  using LossOfBlock = std::function<void(const Block& block)>;
  /// Backward is through with op i and all later ones, of all rows.
  using OpDone = std::function<void(std::size_t op)>;
  /// Of this rank's rows, maybe none. Collective where the graph has sums over the batch.
  void run(const Pass& pass, const Subtrees& subtrees, const Partials& partials,
           const LossOfBlock& loss, const OpDone& op_done);

  /// For gradients by GradientWay::kOwner, when backward is through with their ops; amid others'
  /// gradients, too.
  ParameterGradients& parameter_gradients() { return by_owner_; }

 private:
  struct Cut {
    std::size_t op;
    TreeStack forward, backward;
  };

  Rows rows_of(const Block& block) const;
  void run_phase(int phase, const Block& block, bool last, const LossOfBlock& loss,
                 const OpDone& op_done);
  void backward_of(std::size_t op, const Block& block);
  void observe(Activity activity) {
    if (observer_) observer_(activity);
  }
  void add_up_gradient(const TrainedParameter& parameter, const Block& block);
  void add_up_sums(Cut& cut, bool forward, const Block& block);
  void exchange(int phase);

  const Graph& graph_;
  const Workspace& workspace_;
  const GradientPlan& gradients_;
  std::int64_t block_grains_;
  std::size_t ops_;
  Phases phases_;
  ParameterGradients by_rows_, by_owner_;
  std::vector<std::vector<std::size_t>> due_;  ///< by op: which gradients by rows
  FloatBuffer stack_;                          ///< of partials, above the lowest entry
  std::vector<Cut> cuts_;
  std::vector<Block> blocks_;
  std::vector<Range> samples_;  ///< of a block's subtrees
  Observer observer_;

  // Of the step under way.
  Pass pass_;
  Subtrees subtrees_;
  Partials partials_;
};

}  // namespace lockstep
