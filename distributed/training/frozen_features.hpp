#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "distributed/ranks/communicator.hpp"
#include "distributed/ranks/host_memory.hpp"
#include "io/data/array_view.hpp"
#include "src/model/network.hpp"

namespace lockstep {

/// What the front of a network that training leaves alone makes of every training row, computed
/// once, in memory that the ranks of a host share. As long as this object lives, the network's
/// objective begins behind that front: see frozen_front().
class FrozenFeatures {
 public:
  /// None if the network has no such front, or if on some host they would take more than half of
  /// the memory that is free when `others`, bytes that training will take, are taken, or cannot be
  /// shared. Collective; `x` must outlive the result, as must the model.
  static std::unique_ptr<FrozenFeatures> of(Network& model, const Communicator& communicator,
                                            const ArrayView& x, std::int64_t others);
  /// Of so many rows; 0: the network has no such front.
  static std::int64_t bytes_of(const Network& model, std::int64_t rows);

  ~FrozenFeatures() { model_.objective().begin_at({}); }
  FrozenFeatures(const FrozenFeatures&) = delete;
  FrozenFeatures& operator=(const FrozenFeatures&) = delete;

  /// From the model's weights as they are now: the ranks of each host share its work. Collective.
  void compute(const Communicator& communicator);
  /// float32, in the order of x.
  ArrayView view() const;
  std::int64_t bytes() const { return static_cast<std::int64_t>(memory_.bytes().size()); }

 private:
  FrozenFeatures(Network& model, Communicator host, const ArrayView& x, std::size_t value);
  void compute_rows(Range rows);

  Network& model_;
  ArrayView x_;
  std::size_t value_;
  Communicator host_;
  HostMemory memory_;
};

}  // namespace lockstep
