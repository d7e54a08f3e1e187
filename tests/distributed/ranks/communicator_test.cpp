#include "distributed/ranks/communicator.hpp"
#include "distributed/ranks/messages.hpp"

#include <array>
#include <numeric>
#include <type_traits>

#include "tests/support/ranks.hpp"

namespace lockstep {
namespace {

using test::alone;
using test::world;

TEST(Communicator, KnowsRankAndSizeOfTheCommunicatorItWasGiven) {
  int rank = -1;
  int size = -1;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &size);

  const Communicator communicator = world();

  EXPECT_EQ(communicator.rank(), rank);
  EXPECT_EQ(communicator.size(), size);
  EXPECT_EQ(communicator.is_root(), rank == 0);
  EXPECT_NE(communicator.get(), MPI_COMM_WORLD);
}

TEST(Communicator, BroadcastsBytesNumbersTextsAndFlagsOfRankZero) {
  const Communicator communicator = world();
  const bool root = communicator.is_root();
  std::array<std::byte, 3> bytes{};
  std::vector<double> numbers(5, root ? 0.1 : 0.0);
  if (root) bytes.fill(std::byte{7});

  communicator.broadcast(std::span<std::byte>(bytes));
  communicator.broadcast(std::span(numbers));

  EXPECT_EQ(bytes[2], std::byte{7});
  EXPECT_THAT(numbers, testing::Each(0.1));
  EXPECT_EQ(communicator.broadcast(std::string(root ? "from rank 0" : "other")), "from rank 0");
  EXPECT_EQ(communicator.broadcast(std::string(root ? "" : "other")), "");
  EXPECT_TRUE(communicator.broadcast(root));
  EXPECT_FALSE(communicator.broadcast(!root));
}

TEST(Communicator, SumsEveryElementOverAllRanks) {
  const Communicator communicator = world();
  const int n = communicator.size();
  const int rank = communicator.rank();
  std::vector<float> floats(1001);
  std::iota(floats.begin(), floats.end(), static_cast<float>(rank));
  std::vector<double> doubles = {0.5 * rank, 1.0};
  std::vector<std::int64_t> integers = {std::int64_t{1} << 40, rank};

  communicator.all_sum(std::span(floats));
  communicator.all_sum(std::span(doubles));
  communicator.all_sum(std::span(integers));

  const int sum_of_ranks = n * (n - 1) / 2;
  for (std::size_t i = 0; i < floats.size(); ++i)
    ASSERT_EQ(floats[i], static_cast<float>(sum_of_ranks + n * static_cast<int>(i)));
  EXPECT_THAT(doubles, testing::ElementsAre(0.5 * sum_of_ranks, n));
  EXPECT_THAT(integers, testing::ElementsAre(n * (std::int64_t{1} << 40), sum_of_ranks));
}

TEST(Communicator, ReducesOneNumber) {
  const Communicator communicator = world();
  const std::int64_t rank = communicator.rank();
  EXPECT_EQ(communicator.all_sum(std::int64_t{3}), 3 * communicator.size());
  EXPECT_EQ(communicator.all_max(rank), communicator.size() - 1);
  EXPECT_EQ(communicator.all_min(-rank), 1 - communicator.size());
}

TEST(Communicator, GathersTextsOfAnyLengthInTheOrderOfRanks) {
  const Communicator communicator = world();
  const auto length = [](int rank) { return static_cast<std::size_t>(rank * rank); };

  const auto texts = communicator.all_gather(std::string(length(communicator.rank()), 'x'));

  ASSERT_EQ(texts.size(), static_cast<std::size_t>(communicator.size()));
  for (int rank = 0; rank < communicator.size(); ++rank)
    EXPECT_EQ(texts[static_cast<std::size_t>(rank)], std::string(length(rank), 'x'));
}

TEST(Communicator, GathersBytesOnRankZeroOnly) {
  const Communicator communicator = world();
  const auto rank = static_cast<std::size_t>(communicator.rank());
  const std::vector<std::byte> mine(rank + 1, static_cast<std::byte>(rank));

  const std::vector<std::byte> all = communicator.gather(mine);

  std::vector<std::byte> expected;
  if (communicator.is_root())
    for (std::size_t i = 0; i < static_cast<std::size_t>(communicator.size()); ++i)
      expected.insert(expected.end(), i + 1, static_cast<std::byte>(i));
  EXPECT_EQ(all, expected);
}

TEST(Communicator, PassesOnEmptySpans) {
  const Communicator communicator = world();
  communicator.all_sum(std::span<float>());
  communicator.broadcast(std::span<float>());
  EXPECT_TRUE(communicator.gather({}).empty());
  EXPECT_THAT(communicator.all_gather(std::string()), testing::Each(std::string()));
}

TEST(Communicator, SplitsIntoGroupsThatWorkApart) {
  const Communicator communicator = world();
  const int color = communicator.rank() % 2;

  const Communicator part = communicator.split(color);
  communicator.barrier();

  EXPECT_EQ(part.size(), (communicator.size() + 1 - color) / 2);
  EXPECT_EQ(part.rank(), communicator.rank() / 2);
  // Only one group communicates: nobody waits for the other one.
  if (color == 0) {
    EXPECT_EQ(part.all_sum(std::int64_t{1}), part.size());
  }
}

TEST(Communicator, SeesAllRanksOfThisHost) {
  const Communicator communicator = world();
  const Communicator host = communicator.on_this_host();
  EXPECT_EQ(host.size(), communicator.size());  // tests run on one host
  EXPECT_EQ(host.rank(), communicator.rank());
}

TEST(Communicator, WorksOnACommunicatorOfOneRank) {
  const Communicator communicator = alone();
  std::vector<float> values = {1, 2};
  communicator.barrier();
  communicator.all_sum(std::span(values));
  communicator.broadcast(std::span(values));
  EXPECT_EQ(communicator.size(), 1);
  EXPECT_TRUE(communicator.is_root());
  EXPECT_THAT(values, testing::ElementsAre(1, 2));
  EXPECT_THAT(communicator.all_gather(std::string("me")), testing::ElementsAre("me"));
  EXPECT_EQ(communicator.gather(std::as_bytes(std::span(values))).size(), 8u);
}

TEST(Communicator, MessagesNeverMeetThoseOfTheCaller) {
  const int size = world().size();
  int received = -1;
  MPI_Request request = MPI_REQUEST_NULL;
  MPI_Irecv(&received, 1, MPI_INT, MPI_ANY_SOURCE, MPI_ANY_TAG, MPI_COMM_WORLD, &request);

  const Communicator communicator = world();
  std::vector<int> large(100000, communicator.rank());
  communicator.broadcast(std::span(large));
  EXPECT_EQ(communicator.all_sum(std::int64_t{1}), size);
  communicator.all_gather(std::string(1000, 'x'));
  communicator.barrier();

  int met = 0;
  MPI_Test(&request, &met, MPI_STATUS_IGNORE);
  EXPECT_FALSE(met);
  communicator.barrier();
  const int to = (communicator.rank() + 1) % size;
  const int mine = 1000 + communicator.rank();
  MPI_Send(&mine, 1, MPI_INT, to, 3, MPI_COMM_WORLD);
  MPI_Wait(&request, MPI_STATUS_IGNORE);
  EXPECT_EQ(received, 1000 + (communicator.rank() + size - 1) % size);
}

TEST(Communicator, MovesWithoutLosingItsGroup) {
  static_assert(!std::is_copy_constructible_v<Communicator>);
  Communicator communicator = world();
  const int size = communicator.size();
  Communicator moved(std::move(communicator));
  Communicator assigned = alone();
  assigned = std::move(moved);
  EXPECT_EQ(assigned.all_sum(std::int64_t{1}), size);
}

TEST(Communicator, LeavesTheCallersErrorHandlerAlone) {
  MPI_Errhandler before = MPI_ERRHANDLER_NULL;
  MPI_Errhandler after = MPI_ERRHANDLER_NULL;
  MPI_Comm_get_errhandler(MPI_COMM_WORLD, &before);
  const Communicator communicator = world();
  MPI_Comm_get_errhandler(MPI_COMM_WORLD, &after);
  EXPECT_EQ(before, after);
}

TEST(Communicator, TurnsAFailureOfMpiIntoAnError) {
  // In pairs, so that no third rank waits in MPI for one that failed.
  MPI_Comm two = MPI_COMM_NULL;
  const int rank = world().rank();
  MPI_Comm_split(MPI_COMM_WORLD, rank / 2, rank, &two);
  const Communicator pair(two);
  MPI_Comm_free(&two);
  if (pair.size() == 1) return;
  std::vector<int> values(pair.is_root() ? 8 : 4);
  test::expect_error(ExitCode::kInputOutput, {"rank 1: [mpi] MPI_Bcast failed: "},
                     [&] { never_alone(pair, [&] { pair.broadcast(std::span(values)); }); });
}

TEST(Messages, ArriveInTheOrderInWhichTheyWereSentWhileOtherWorkGoesOn) {
  const Communicator communicator = world();
  const int next = (communicator.rank() + 1) % communicator.size();
  const int previous = (communicator.rank() + communicator.size() - 1) % communicator.size();
  const std::vector<float> first(100, static_cast<float>(communicator.rank()));
  const std::vector<double> second(7, 1.0 / (1 + communicator.rank()));
  std::vector<float> first_in(100);
  std::vector<double> second_in(7);

  Messages messages(communicator);
  messages.receive(first_in, previous, 5);
  messages.receive(second_in, previous, 5);
  messages.send(first, next, 5);
  messages.send(second, next, 5);
  EXPECT_EQ(communicator.all_sum(std::int64_t{1}), communicator.size());
  messages.wait();

  EXPECT_THAT(first_in, testing::Each(static_cast<float>(previous)));
  EXPECT_THAT(second_in, testing::Each(1.0 / (1 + previous)));
}

TEST(Messages, WaitForAllWhenTheyAreDestroyed) {
  const Communicator communicator = world();
  const int self = communicator.rank();
  const std::vector<float> out(50, 2.0f);
  std::vector<float> in(50);
  {
    Messages messages(communicator);
    messages.receive(in, self, 1);
    Messages moved(std::move(messages));
    moved.send(out, self, 1);
  }
  EXPECT_EQ(in, out);
}

TEST(Messages, AreNotWaitedForByARankThatLeavesByAnException) {
  const Communicator communicator = world();
  std::vector<float> never(3);
  const auto leave = [&] {
    Messages messages(communicator);
    messages.receive(never, communicator.rank(), 2);
    throw std::runtime_error("leaves");
  };
  EXPECT_THROW(leave(), std::runtime_error);
}

}  // namespace
}  // namespace lockstep
