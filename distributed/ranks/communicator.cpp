#include "distributed/ranks/communicator.hpp"

#include <algorithm>
#include <utility>

#include "distributed/ranks/alarm.hpp"
#include "distributed/ranks/mpi_calls.hpp"
#include "src/core/error.hpp"
#include "src/core/memory.hpp"

namespace lockstep {
namespace {

template <class T, class Function>
void in_pieces(std::span<T> values, Function function) {
  for (std::size_t i = 0; i < values.size(); i += kLongestPiece) {
    const std::size_t count = std::min(kLongestPiece, values.size() - i);
    function(values.data() + i, static_cast<int>(count));
  }
}

/// While it waits, Open MPI lets others have the core (mpi_yield_when_idle); MPICH keeps it from
/// the ranks that it waits for. Open MPI, in turn, ends the process if a call without waiting
/// fails.
#ifdef OPEN_MPI
constexpr bool kYields = true;
#else
constexpr bool kYields = false;
#endif

/// A call that all ranks have met for: MPI_X(arguments), or MPI_IX and our own waiting.
template <class Call, class Start, class... Arguments>
void collective(const char* name, Call call, Start start, Arguments... arguments) {
  if constexpr (kYields) {
    check_mpi(call(arguments...), name);
  } else {
    MPI_Request request = MPI_REQUEST_NULL;
    check_mpi(start(arguments..., &request), name);
    Patience patience;
    for (int done = 0;; patience.wait()) {
      check_mpi(MPI_Test(&request, &done, MPI_STATUS_IGNORE), name);
      if (done != 0) return;
    }
  }
}

template <class T>
void all_reduce(std::span<T> values, MPI_Datatype type, MPI_Op operation, MPI_Comm communicator) {
  in_pieces(values, [&](T* piece, int count) {
    collective("MPI_Allreduce", MPI_Allreduce, MPI_Iallreduce, MPI_IN_PLACE, piece, count, type,
               operation, communicator);
  });
}

std::int64_t reduced(std::int64_t value, MPI_Op operation, MPI_Comm communicator) {
  all_reduce(std::span(&value, 1), MPI_INT64_T, operation, communicator);
  return value;
}

MPI_Comm duplicate(MPI_Comm communicator) {
  MPI_Comm result = MPI_COMM_NULL;
  collective("MPI_Comm_dup", MPI_Comm_dup, MPI_Comm_idup, communicator, &result);
  return result;
}

/// Where each part begins; throws if the whole does not fit MPI's int.
std::vector<int> displacements(const std::vector<int>& lengths) {
  std::vector<int> starts(lengths.size());
  std::int64_t start = 0;
  for (std::size_t i = 0; i < lengths.size(); ++i) {
    starts[i] = static_cast<int>(start);
    start += lengths[i];
    check(start <= std::int64_t{1} << 30, ExitCode::kInputOutput,
          "[mpi] expected to gather at most 1 GiB at a time, got more");
  }
  return starts;
}

}  // namespace

Communicator::Communicator(MPI_Comm communicator) {
  adopt(duplicate(communicator));
  alarm_ = std::make_shared<Alarm>(communicator_);
}

void Communicator::adopt(MPI_Comm communicator) {
  communicator_ = communicator;
  check_mpi(MPI_Comm_set_errhandler(communicator_, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
  check_mpi(MPI_Comm_rank(communicator_, &rank_), "MPI_Comm_rank");
  check_mpi(MPI_Comm_size(communicator_, &size_), "MPI_Comm_size");
}

Communicator::~Communicator() {
  int finalized = 0;
  MPI_Finalized(&finalized);
  // After an alarm a barrier stays under way for ever.
  if (communicator_ != MPI_COMM_NULL && !finalized && !alarm_raised())
    MPI_Comm_free(&communicator_);
}

Communicator::Communicator(Communicator&& other) noexcept
    : communicator_(std::exchange(other.communicator_, MPI_COMM_NULL)),
      rank_(other.rank_),
      size_(other.size_),
      alarm_(other.alarm_),
      host_(std::move(other.host_)) {}

Communicator& Communicator::operator=(Communicator&& other) noexcept {
  std::swap(communicator_, other.communicator_);
  std::swap(rank_, other.rank_);
  std::swap(size_, other.size_);
  std::swap(alarm_, other.alarm_);
  std::swap(host_, other.host_);
  return *this;
}

/// A call that waits in MPI cannot look up. So nobody begins one before all are there, and that is
/// found out by a call that can be left, and that has no memory of ours.
void Communicator::meet() const {
  look_for_alarm();
  if (size_ == 1) return;
  MPI_Request barrier = MPI_REQUEST_NULL;
  check_mpi(MPI_Ibarrier(communicator_, &barrier), "MPI_Ibarrier");
  Patience patience;
  for (int done = 0;;) {
    check_mpi(MPI_Test(&barrier, &done, MPI_STATUS_IGNORE), "MPI_Test");
    if (done != 0) return;
    look_for_alarm();
    patience.wait();
  }
}

/// A rank that is through with a broadcast or a gather may be so before the others have seen that
/// all had met. If it raised an alarm now, some of them would leave meet() by that, and the rest
/// would wait in MPI for those.
///
///   rank 0   met | sends its values, is through, throws
///   rank 1   has come, but not looked yet             | sees the alarm, leaves
///   rank 3   met                | waits for rank 1, which passes the values on, for ever
///
/// So nobody goes on before all are through. Sums need no such thing: who has one has heard of all.
void Communicator::meet_again() const {
  meet();
}

void Communicator::raise_alarm(ExitCode code, const std::string& message) const {
  alarm_->ring(code, message);
}

bool Communicator::alarm_raised() const {
  return alarm_ && alarm_->has_rung();
}

void Communicator::look_for_alarm() const {
  alarm_->look();
}

void Communicator::barrier() const {
  meet();
}

void Communicator::broadcast(std::span<std::byte> bytes) const {
  meet();
  in_pieces(bytes, [&](std::byte* piece, int count) {
    collective("MPI_Bcast", MPI_Bcast, MPI_Ibcast, piece, count, MPI_BYTE, 0, communicator_);
  });
  meet_again();
}

std::string Communicator::broadcast(const std::string& text) const {
  std::uint64_t length = text.size();
  broadcast(std::span(&length, 1));
  std::string received = is_root() ? text : std::string(length, '\0');
  broadcast(std::span(received.data(), received.size()));
  return received;
}

bool Communicator::broadcast(bool value) const {
  std::uint8_t byte = value ? 1 : 0;
  broadcast(std::span(&byte, 1));
  return byte != 0;
}

void Communicator::all_sum(std::span<float> values) const {
  meet();
  all_reduce(values, MPI_FLOAT, MPI_SUM, communicator_);
}

void Communicator::all_sum(std::span<double> values) const {
  meet();
  all_reduce(values, MPI_DOUBLE, MPI_SUM, communicator_);
}

void Communicator::all_sum(std::span<std::int64_t> values) const {
  meet();
  all_reduce(values, MPI_INT64_T, MPI_SUM, communicator_);
}

std::int64_t Communicator::all_sum(std::int64_t value) const {
  meet();
  return reduced(value, MPI_SUM, communicator_);
}

std::int64_t Communicator::all_max(std::int64_t value) const {
  meet();
  return reduced(value, MPI_MAX, communicator_);
}

std::int64_t Communicator::all_min(std::int64_t value) const {
  meet();
  return reduced(value, MPI_MIN, communicator_);
}

std::vector<std::string> Communicator::all_gather(const std::string& text) const {
  const std::vector<int> lengths = all_lengths(text.size());
  const std::vector<int> starts = displacements(lengths);
  std::string all(static_cast<std::size_t>(starts.back() + lengths.back()), '\0');
  meet();
  collective("MPI_Allgatherv", MPI_Allgatherv, MPI_Iallgatherv, text.data(),
             static_cast<int>(text.size()), MPI_CHAR, all.data(), lengths.data(), starts.data(),
             MPI_CHAR, communicator_);
  meet_again();
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < lengths.size(); ++i)
    texts.push_back(
        all.substr(static_cast<std::size_t>(starts[i]), static_cast<std::size_t>(lengths[i])));
  return texts;
}

std::vector<std::byte> Communicator::gather(std::span<const std::byte> bytes) const {
  // Every rank learns the lengths, so that all of them see the same overflow.
  const std::vector<int> lengths = all_lengths(bytes.size());
  const std::vector<int> starts = displacements(lengths);
  std::vector<std::byte> all;
  const auto total = static_cast<std::size_t>(starts.back() + lengths.back());
  if (is_root())
    allocating(fmt::format("what all ranks send to rank 0 ({})", mebibytes(total)),
               [&] { all.resize(total); });
  meet();
  collective("MPI_Gatherv", MPI_Gatherv, MPI_Igatherv, bytes.data(), static_cast<int>(bytes.size()),
             MPI_BYTE, all.data(), lengths.data(), starts.data(), MPI_BYTE, 0, communicator_);
  meet_again();
  return all;
}

/// Of every rank's bytes.
std::vector<int> Communicator::all_lengths(std::size_t mine) const {
  check(mine <= kLongestPiece, ExitCode::kInputOutput,
        "[mpi] expected to gather at most 1 GiB at a time, got {} bytes", mine);
  const int length = static_cast<int>(mine);
  std::vector<int> lengths(static_cast<std::size_t>(size_));
  meet();
  collective("MPI_Allgather", MPI_Allgather, MPI_Iallgather, &length, 1, MPI_INT, lengths.data(), 1,
             MPI_INT, communicator_);
  return lengths;
}

Communicator Communicator::on_this_host() const {
  meet();
  if (!host_) {
    MPI_Comm host = MPI_COMM_NULL;
    check_mpi(MPI_Comm_split_type(communicator_, MPI_COMM_TYPE_SHARED, rank_, MPI_INFO_NULL, &host),
              "MPI_Comm_split_type");
    host_ = std::make_shared<Communicator>(Communicator());
    host_->adopt(host);
    host_->alarm_ = alarm_;
  }
  Communicator result;
  result.adopt(duplicate(host_->communicator_));
  result.alarm_ = alarm_;
  meet_again();  // of the other hosts' ranks, too
  return result;
}

Communicator Communicator::split(int color) const {
  meet();
  MPI_Comm part = MPI_COMM_NULL;
  check_mpi(MPI_Comm_split(communicator_, color, rank_, &part), "MPI_Comm_split");
  Communicator result;
  result.adopt(part);
  result.alarm_ = alarm_;
  return result;
}

}  // namespace lockstep
