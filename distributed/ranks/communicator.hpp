#pragma once

#include <mpi.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "src/core/error.hpp"

namespace lockstep {

class Alarm;

/// A group of ranks over a duplicate of the MPI communicator it is given, so that no message of
/// ours meets one of the caller's. Every call but rank() and size() is collective: all ranks of the
/// group must make it, in the same order. MPI's return codes are checked; a failure throws Error
/// (74). Needs MPI_THREAD_FUNNELED. Must be destroyed before MPI_Finalize.
///
/// No rank waits for ever for one that has left by an exception: that one calls raise_alarm(), and
/// every call that waits, on this communicator and on parts of it, then throws its CollectiveError.
/// Nothing else can be done with it after that.
class Communicator {
 public:
  explicit Communicator(MPI_Comm communicator);
  ~Communicator();
  Communicator(Communicator&& other) noexcept;
  Communicator& operator=(Communicator&& other) noexcept;

  int rank() const { return rank_; }
  int size() const { return size_; }
  bool is_root() const { return rank_ == 0; }

  void barrier() const;

  /// Tells all ranks that this one will not come. Not collective.
  void raise_alarm(ExitCode code, const std::string& message) const;
  /// For loops that wait otherwise than by a call of this class: throws if an alarm was raised. Not
  /// collective.
  void look_for_alarm() const;
  bool alarm_raised() const;

  /// Rank 0's values on every rank.
  void broadcast(std::span<std::byte> bytes) const;
  template <class T>
  void broadcast(std::span<T> values) const {
    broadcast(std::as_writable_bytes(values));
  }
  std::string broadcast(const std::string& text) const;
  bool broadcast(bool value) const;

  /// Element-wise over all ranks, the same on every rank.
  void all_sum(std::span<float> values) const;
  void all_sum(std::span<double> values) const;
  void all_sum(std::span<std::int64_t> values) const;
  std::int64_t all_sum(std::int64_t value) const;
  std::int64_t all_max(std::int64_t value) const;
  std::int64_t all_min(std::int64_t value) const;

  /// Every rank's text on every rank, in the order of ranks.
  std::vector<std::string> all_gather(const std::string& text) const;
  /// Every rank's bytes (each of its own length) one after the other on rank 0; empty elsewhere.
  std::vector<std::byte> gather(std::span<const std::byte> bytes) const;

  /// The ranks of the same host (those that can share memory), in the same order.
  Communicator on_this_host() const;
  /// The ranks that passed the same color.
  Communicator split(int color) const;

  MPI_Comm get() const { return communicator_; }

 private:
  Communicator() = default;
  void adopt(MPI_Comm communicator);  ///< takes over its ownership
  std::vector<int> all_lengths(std::size_t mine) const;
  void meet() const;        ///< returns when all ranks are here; before every call that waits
  void meet_again() const;  ///< after a call from which a rank returns before all have begun it

  MPI_Comm communicator_ = MPI_COMM_NULL;
  int rank_ = 0;
  int size_ = 1;
  std::shared_ptr<Alarm> alarm_;                ///< of the communicator that this is a part of
  mutable std::shared_ptr<Communicator> host_;  ///< to be duplicated: finding it takes longer
};

}  // namespace lockstep
