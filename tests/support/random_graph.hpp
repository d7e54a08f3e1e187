#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "src/core/random.hpp"
#include "src/graph/graph.hpp"
#include "src/parameters/parameter.hpp"

namespace lockstep::test {

/// One random number after the other.
class Draw {
 public:
  explicit Draw(std::uint64_t seed) : random_(seed, Purpose::kSynthetic, 0) {}
  std::int64_t below(std::int64_t bound) {
    return static_cast<std::int64_t>(random_.below(static_cast<std::uint64_t>(bound), next_++));
  }
  bool chance(std::int64_t of) { return below(of) == 0; }  ///< 1 / of
  float number() { return 2 * random_.uniform(next_++) - 1; }
  std::vector<float> numbers(std::int64_t count);

 private:
  RandomStream random_;
  std::uint64_t next_ = 0;
};

/// Mixes its inputs' columns, and reads and writes exactly what its Needs allow. What it calls
/// gradients are none, but they depend on everything that they may depend on.
class MixOp final : public Op {
 public:
  /// `parameter`: as many elements as columns, or null.
  MixOp(const Needs& needs, Parameter* parameter) : needs_(needs) {
    if (parameter != nullptr) parameters_.push_back(parameter);
  }
  Needs needs() const override { return needs_; }
  std::span<Parameter* const> parameters() const override { return parameters_; }
  void forward(const Pass& pass, const OpValues& values) const override;
  void backward(const Pass& pass, const OpValues& values) const override;
  void gradient(const Pass& pass, const OpValues& values, const Subtrees& subtrees,
                std::size_t parameter, Range elements, float* out) const override;
  void forward_sums(const Pass& pass, const OpValues& values,
                    std::span<double> sums) const override;
  void backward_sums(const Pass& pass, const OpValues& values,
                     std::span<double> sums) const override;

 private:
  Needs needs_;
  std::vector<Parameter*> parameters_;
};

/// A graph of MixOps with several readers of a value, several uses of a parameter, and values under
/// other shapes. Everything leads to its output.
struct RandomGraph {
  RandomGraph(std::uint64_t seed, bool batch_sums);

  Graph graph;
  std::vector<std::unique_ptr<Parameter>> parameters;
  ParameterArena arena;
  std::size_t ops = 0;  ///< the loss takes over the others
};

}  // namespace lockstep::test
