#pragma once

#include <span>
#include <vector>

#include "distributed/ranks/communicator.hpp"
#include "distributed/update/bucket.hpp"

namespace lockstep {

/// Which ranks share memory, and who owns which part of the parameters:
///
///   host    a machine of the job; its ranks share memory
///   bucket  a run of parameters whose gradients travel together
///   shard   a part of a bucket: as many as the largest host has ranks
///   owner   of a shard, on each host: the rank that computes the shard's gradients there (its own
///           shard, or several where a host has fewer ranks)
///   piece   a part of a shard, one for each host: its owner there updates it, once in the job
///   peers   the owners of one shard on the other hosts: they send their partials of the piece
///
/// A pure function of the hosts, the same on every rank.
class HostMap {
 public:
  /// host_of[rank]: any number that is the same for ranks of one host.
  explicit HostMap(std::span<const int> host_of);

  int hosts() const { return static_cast<int>(ranks_.size()); }
  int shards() const { return shards_; }
  int host_of(int rank) const { return host_of_[static_cast<std::size_t>(rank)]; }
  /// The ranks of a host, ascending.
  std::span<const int> ranks_of(int host) const { return ranks_[static_cast<std::size_t>(host)]; }
  /// Position of a rank among those of its host.
  int place_of(int rank) const;

  int owner(int host, int shard) const;
  /// The floats of a shard: its pieces follow one another.
  Range shard(const Bucket& bucket, int shard) const {
    return {piece(bucket, shard, 0).first, piece(bucket, shard, hosts() - 1).last};
  }
  Range piece(const Bucket& bucket, int shard, int host) const {
    return shard_of(bucket.floats, shard * hosts() + host, shards_ * hosts());
  }

 private:
  std::vector<int> host_of_;  ///< from 0, in order of first ranks
  std::vector<std::vector<int>> ranks_;
  int shards_ = 1;
};

/// `host`: the ranks of `communicator` that share memory with this one. Collective.
HostMap map_hosts(const Communicator& communicator, const Communicator& host);

}  // namespace lockstep
