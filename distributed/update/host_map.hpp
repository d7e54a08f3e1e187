#pragma once

#include <span>
#include <vector>

#include "distributed/update/bucket.hpp"

namespace lockstep {

/// Which ranks share memory, and who owns which part of a bucket. A bucket is cut into slices, as
/// many as the largest host has ranks; on each host one rank handles a slice (its own, or several
/// where the host has fewer ranks). A slice is cut into one piece for each host: the piece's owner
/// is the rank that handles the slice there, and its peers are the ranks that handle the slice on
/// the other hosts. A pure function of the hosts, the same on every rank.
class HostMap {
 public:
  /// host_of[rank]: any number that is the same for ranks of one host.
  explicit HostMap(std::span<const int> host_of);

  int hosts() const { return static_cast<int>(ranks_.size()); }
  int slices() const { return slices_; }
  int host_of(int rank) const { return host_of_[static_cast<std::size_t>(rank)]; }
  /// The ranks of a host, ascending.
  std::span<const int> ranks_of(int host) const { return ranks_[static_cast<std::size_t>(host)]; }
  /// Position of a rank among those of its host.
  int place_of(int rank) const;

  int handler(int host, int slice) const;
  Range piece(const Bucket& bucket, int slice, int host) const {
    return slice_of(bucket.floats, slice * hosts() + host, slices_ * hosts());
  }

 private:
  std::vector<int> host_of_;  ///< from 0, in order of first ranks
  std::vector<std::vector<int>> ranks_;
  int slices_ = 1;
};

}  // namespace lockstep
