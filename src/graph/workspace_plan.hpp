#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "src/graph/aim.hpp"
#include "src/graph/gradient_plan.hpp"
#include "src/graph/graph.hpp"

namespace lockstep {

/// What passes will do, and over how many rows at most.
struct WorkspaceUse {
  bool training = false;
  std::size_t ops = 0;  ///< the first ones; the loss takes over the others
  Aim aim = {};
  std::vector<GradientWay> way = {};         ///< by op; training only
  std::array<std::int64_t, kScopes> rows{};  ///< of the host, of this rank, of a block
  /// Ranks share the memory of Scope::kHost.
  bool shared = false;
};

/// Where every buffer of a pass lies, and from when to when it lives. Buffers whose lives do not
/// meet may share memory, and so may an op's input and output.
struct WorkspacePlan {
  struct Buffer {
    Scope scope = Scope::kRank;
    std::int64_t columns = 0;
    std::int64_t offset = 0;  ///< of the first row, in floats from the start of the scope's memory
    int first = 0, last = 0;  ///< times of its first and last use: see plan_workspace()
  };
  static constexpr int kNone = -1;
  struct OpBuffers {
    std::vector<int> x, dx;  ///< of each input; kNone: nobody needs it
    int y = kNone, dy = kNone, kept = kNone;
  };
  /// The gradient by a value with several readers: `into` += each of `from`, in this order, after
  /// backward of an op.
  struct GradientSum {
    int into;
    std::vector<int> from;
  };

  std::vector<Buffer> buffers;
  std::vector<OpBuffers> ops;
  std::vector<std::vector<GradientSum>> sums;  ///< by op
  std::vector<bool> backward;                  ///< by op: whether backward has to do with it
  std::vector<int> inputs;
  int output = kNone;           ///< of the whole graph
  int last_value = kNone;       ///< that the ops in use compute: where the loss begins
  int output_gradient = kNone;  ///< by it
  std::array<std::int64_t, kScopes> floats{};
};

/// Ops that need sums over the batch cut a training pass into phases, in each of which blocks of
/// rows go through the same ops: forward of op i lies in phase (cuts up to i), the loss in phase
/// (cuts), backward of op i in phase cuts + (cuts from i on).
class Phases {
 public:
  Phases(const Graph& graph, const WorkspaceUse& use);
  int count() const { return 2 * cuts() + 1; }
  int cuts() const { return static_cast<int>(cuts_.size()); }
  int forward(std::size_t op) const;
  int loss() const { return cuts(); }
  int backward(std::size_t op) const;
  /// The ops that need sums, ascending.
  const std::vector<std::size_t>& cut_ops() const { return cuts_; }

 private:
  std::vector<std::size_t> cuts_;
};

/// The end of the ops that have to do with a pass: those that run, and those that the loss takes
/// over.
std::size_t ops_with_loss(const Graph& graph, const WorkspaceUse& use);

/// A pure function. Times: forward of op i is i, the loss `ops`, backward of op i 2 ops - i, what
/// comes after backward 2 ops + 1. Where a pass goes over several blocks, a buffer of all the
/// rank's rows lives for whole phases, and those are its times.
WorkspacePlan plan_workspace(const Graph& graph, const WorkspaceUse& use);

}  // namespace lockstep
