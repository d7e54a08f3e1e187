#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "distributed/ranks/host_memory.hpp"
#include "src/core/float_buffer.hpp"

namespace lockstep {

/// What the ranks of a host share while they train, each part on pages of its own:
///
///   flags       how far each rank is (HostSteps)
///   sums        of every rank's subtrees: loss sums, sums over the batch; requests of each host
///   parameters  the host's one copy
///   partials    of the gradients that every rank computes of its own rows
///   workspace   of the rows of all ranks: what owners of gradients read
///
/// A rank that is alone on its host has it in memory of its own.
class HostWindow {
 public:
  struct Sizes {
    std::size_t flag_bytes = 0;
    std::size_t loss_sums = 0;    ///< doubles
    std::size_t requests = 0;     ///< doubles
    std::size_t batch_sums = 0;   ///< doubles
    std::int64_t parameters = 0;  ///< floats
    std::int64_t partials = 0;    ///< floats
    std::int64_t workspace = 0;   ///< floats
  };
  /// Collective over `host`, which must outlive this object.
  HostWindow(const Communicator& host, const Sizes& sizes);

  /// Whether all ranks of the host see the same memory; if not, there is nothing to do with it.
  bool shared() const { return !window_ || window_->shared(); }

  /// Zeroes all but partials and workspace, which MPI does not promise, and fills in the
  /// parameters. Collective.
  void set_up(const Communicator& host, std::span<const float> parameters);
  /// What ranks wrote before it is seen by all ranks after it. Collective.
  void synchronize() const {
    if (window_) window_->synchronize();
  }

  std::span<std::byte> flags() const { return memory_; }
  std::span<double> loss_sums() const { return doubles(0, sizes_.loss_sums); }
  std::span<double> requests() const { return doubles(sizes_.loss_sums, sizes_.requests); }
  std::span<double> batch_sums() const {
    return doubles(sizes_.loss_sums + sizes_.requests, sizes_.batch_sums);
  }
  std::span<float> parameters() const { return floats(parameters_at_, sizes_.parameters); }
  std::span<float> partials() const { return floats(partials_at_, sizes_.partials); }
  std::span<float> workspace() const { return floats(workspace_at_, sizes_.workspace); }

 private:
  std::span<double> doubles(std::size_t first, std::size_t count) const;
  std::span<float> floats(std::size_t at, std::int64_t count) const;

  Sizes sizes_;
  std::size_t sums_at_ = 0;  ///< bytes
  std::size_t parameters_at_ = 0;
  std::size_t partials_at_ = 0;
  std::size_t workspace_at_ = 0;
  std::unique_ptr<HostMemory> window_;
  FloatBuffer alone_;
  std::span<std::byte> memory_;
};

}  // namespace lockstep
