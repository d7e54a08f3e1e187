#include "distributed/ranks/messages.hpp"

#include <utility>

#include "distributed/ranks/mpi_calls.hpp"

namespace lockstep {
namespace {

int message_length(std::size_t count) {
  check(count <= kLongestPiece, ExitCode::kInputOutput,
        "[mpi] expected at most 2^30 elements in one message, got {}", count);
  return static_cast<int>(count);
}

}  // namespace

Messages::~Messages() {
  if (std::uncaught_exceptions() == exceptions_ && !communicator_->alarm_raised()) {
    MPI_Waitall(static_cast<int>(requests_.size()), requests_.data(), MPI_STATUSES_IGNORE);
    return;
  }
  // Nothing must arrive in memory that is about to go. What this rank sends is read by then, or
  // never will be.
  for (std::size_t i = 0; i < requests_.size(); ++i)
    if (receives_[i] && requests_[i] != MPI_REQUEST_NULL) {
      MPI_Cancel(&requests_[i]);
      MPI_Request_free(&requests_[i]);
    }
}

Messages::Messages(Messages&& other) noexcept
    : communicator_(other.communicator_),
      requests_(std::exchange(other.requests_, {})),
      receives_(std::exchange(other.receives_, {})) {}

void Messages::send(const void* values, std::size_t count, MPI_Datatype type, int to, int tag) {
  requests_.push_back(MPI_REQUEST_NULL);
  receives_.push_back(false);
  check_mpi(MPI_Isend(values, message_length(count), type, to, tag, communicator_->get(),
                      &requests_.back()),
            "MPI_Isend");
}

void Messages::receive(void* values, std::size_t count, MPI_Datatype type, int from, int tag) {
  requests_.push_back(MPI_REQUEST_NULL);
  receives_.push_back(true);
  check_mpi(MPI_Irecv(values, message_length(count), type, from, tag, communicator_->get(),
                      &requests_.back()),
            "MPI_Irecv");
}

void Messages::send(std::span<const float> values, int to, int tag) {
  send(values.data(), values.size(), MPI_FLOAT, to, tag);
}
void Messages::send(std::span<const double> values, int to, int tag) {
  send(values.data(), values.size(), MPI_DOUBLE, to, tag);
}
void Messages::receive(std::span<float> values, int from, int tag) {
  receive(values.data(), values.size(), MPI_FLOAT, from, tag);
}
void Messages::receive(std::span<double> values, int from, int tag) {
  receive(values.data(), values.size(), MPI_DOUBLE, from, tag);
}

bool Messages::done() {
  if (requests_.empty()) return true;
  int all = 0;
  check_mpi(
      MPI_Testall(static_cast<int>(requests_.size()), requests_.data(), &all, MPI_STATUSES_IGNORE),
      "MPI_Testall");
  if (all != 0) clear();
  return all != 0;
}

void Messages::wait() {
  for (Patience patience; !done(); patience.wait()) communicator_->look_for_alarm();
}

void Messages::clear() {
  requests_.clear();
  receives_.clear();
}

}  // namespace lockstep
