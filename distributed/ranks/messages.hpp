#pragma once

#include <cstddef>
#include <exception>
#include <span>
#include <vector>

#include "distributed/ranks/communicator.hpp"

namespace lockstep {

/// Messages between two ranks each, under way: start any number, do other work, wait().
/// Those of one tag between the same two ranks arrive in the order in which they were sent.
class Messages {
 public:
  /// `communicator` must outlive this object.
  explicit Messages(const Communicator& communicator) : communicator_(&communicator) {}
  ~Messages();  ///< Waits, unless an exception or an alarm is under way: nobody may answer then.
  Messages(Messages&& other) noexcept;
  Messages& operator=(Messages&&) = delete;

  /// The values must stay untouched until wait() returns. At most 2^30 of them.
  void send(std::span<const float> values, int to, int tag);
  void send(std::span<const double> values, int to, int tag);
  void receive(std::span<float> values, int from, int tag);
  void receive(std::span<double> values, int from, int tag);
  void wait();
  /// Whether all have arrived; drives them forward.
  bool done();

 private:
  void send(const void* values, std::size_t count, MPI_Datatype type, int to, int tag);
  void receive(void* values, std::size_t count, MPI_Datatype type, int from, int tag);
  void clear();

  const Communicator* communicator_;
  int exceptions_ = std::uncaught_exceptions();  ///< under way when this object was made
  std::vector<MPI_Request> requests_;
  std::vector<bool> receives_;  ///< which of them
};

}  // namespace lockstep
