#include "distributed/ranks/alarm.hpp"

#include <algorithm>
#include <chrono>

#include "distributed/ranks/mpi_calls.hpp"

namespace lockstep {
namespace {

constexpr int kTag = 0;
/// A connection may have to be made first, which takes both sides.
constexpr std::chrono::seconds kPatience{5};

bool finalized() {
  int flag = 0;
  MPI_Finalized(&flag);
  return flag != 0;
}

}  // namespace

Alarm::Alarm(MPI_Comm communicator) {
  check_mpi(MPI_Comm_dup(communicator, &communicator_), "MPI_Comm_dup");
  check_mpi(MPI_Comm_set_errhandler(communicator_, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
  check_mpi(MPI_Irecv(&received_, sizeof(received_), MPI_BYTE, MPI_ANY_SOURCE, kTag, communicator_,
                      &receive_),
            "MPI_Irecv");
}

Alarm::~Alarm() {
  if (finalized()) return;
  if (receive_ != MPI_REQUEST_NULL) {
    MPI_Cancel(&receive_);
    MPI_Wait(&receive_, MPI_STATUS_IGNORE);
  }
  if (!has_rung()) MPI_Comm_free(&communicator_);
}

void Alarm::ring(ExitCode code, const std::string& message) {
  if (has_rung()) return;
  error_.emplace(code, message);
  int rank = 0;
  int size = 1;
  MPI_Comm_rank(communicator_, &rank);
  MPI_Comm_size(communicator_, &size);
  // Never freed: a message may still be under way when this rank has lost its patience.
  auto* const sent = new Message{.code = static_cast<int>(code)};
  std::copy_n(message.begin(), std::min(message.size(), kLongest - 1), sent->text.begin());
  std::vector<MPI_Request> requests;
  for (int other = 0; other < size; ++other) {
    if (other == rank) continue;
    requests.push_back(MPI_REQUEST_NULL);
    MPI_Isend(sent, sizeof(*sent), MPI_BYTE, other, kTag, communicator_, &requests.back());
  }
  const auto give_up = std::chrono::steady_clock::now() + kPatience;
  for (int done = 0; done == 0 && std::chrono::steady_clock::now() < give_up;)
    MPI_Testall(static_cast<int>(requests.size()), requests.data(), &done, MPI_STATUSES_IGNORE);
}

void Alarm::look() {
  if (!has_rung()) {
    int arrived = 0;
    check_mpi(MPI_Test(&receive_, &arrived, MPI_STATUS_IGNORE), "MPI_Test");
    if (arrived == 0) return;
    error_.emplace(static_cast<ExitCode>(received_.code), received_.text.data());
  }
  throw *error_;
}

}  // namespace lockstep
