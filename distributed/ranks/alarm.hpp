#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "distributed/ranks/agreement.hpp"
#include "distributed/ranks/communicator.hpp"

namespace lockstep {

/// Tells ranks that wait for another one that it will not come: by a message on a channel of its
/// own, for which every rank always has a receive posted. Once it has rung it never stops.
class Alarm {
 public:
  /// Collective.
  explicit Alarm(MPI_Comm communicator);
  ~Alarm();
  Alarm(const Alarm&) = delete;
  Alarm& operator=(const Alarm&) = delete;

  /// To all other ranks; from now on look() throws here too.
  void ring(ExitCode code, const std::string& message);
  /// Throws CollectiveError if it has rung, here or on another rank.
  void look();
  bool has_rung() const { return error_.has_value(); }

 private:
  static constexpr std::size_t kLongest = 2000;  ///< small enough to be sent without a rendezvous
  struct Message {
    int code = 0;
    std::array<char, kLongest> text = {};
  };

  MPI_Comm communicator_ = MPI_COMM_NULL;
  MPI_Request receive_ = MPI_REQUEST_NULL;
  Message received_;
  std::optional<CollectiveError> error_;
};

}  // namespace lockstep
