#include <gtest/gtest.h>
#include <mpi.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <thread>

namespace {

constexpr unsigned kSecondsOfAllTests = LOCKSTEP_TEST_SECONDS;
constexpr std::chrono::seconds kPatienceAfterFailure{10};

/// What the signal handler says; written before every step that it may interrupt.
char where[512] = "";

void set_where(int rank, const testing::TestInfo& test, const char* phase) {
  std::snprintf(where, sizeof(where), "[rank %d] time limit reached %s %s.%s\n", rank, phase,
                test.test_suite_name(), test.name());
}

/// A rank that left a test early waits here for the others; if they hang in a call that this rank
/// will never make, the job ends instead.
void meet_others(int rank, const testing::TestInfo& test) {
  MPI_Request request = MPI_REQUEST_NULL;
  MPI_Ibarrier(MPI_COMM_WORLD, &request);
  const auto give_up = std::chrono::steady_clock::now() + kPatienceAfterFailure;
  for (int done = 0;;) {
    MPI_Test(&request, &done, MPI_STATUS_IGNORE);
    if (done) return;
    if (test.result()->Failed() && std::chrono::steady_clock::now() > give_up) {
      std::fprintf(stderr, "[rank %d] %s.%s failed here, and the other ranks hang in it\n", rank,
                   test.test_suite_name(), test.name());
      MPI_Abort(MPI_COMM_WORLD, 1);
    }
    std::this_thread::sleep_for(std::chrono::microseconds(100));
  }
}

/// Rank 0 has GoogleTest's own listener; the others print their failures only.
class RankListener final : public testing::EmptyTestEventListener {
 public:
  explicit RankListener(int rank) : rank_(rank) {}

  void OnTestStart(const testing::TestInfo& test) override {
    test_ = &test;
    set_where(rank_, test, "in");
  }
  void OnTestPartResult(const testing::TestPartResult& result) override {
    if (rank_ == 0 || result.passed() || result.skipped()) return;
    // GoogleTest holds a lock here: it must not be asked for the current test.
    std::printf("[rank %d] %s.%s %s:%d: %s\n", rank_, test_ ? test_->test_suite_name() : "",
                test_ ? test_->name() : "", result.file_name() ? result.file_name() : "",
                result.line_number(), result.message());
    std::fflush(stdout);
  }
  void OnTestEnd(const testing::TestInfo& test) override {
    set_where(rank_, test, "while waiting for other ranks at the end of");
    meet_others(rank_, test);
  }

 private:
  int rank_;
  const testing::TestInfo* test_ = nullptr;
};

void end_hanging_job(int) {
  [[maybe_unused]] const auto written = write(STDERR_FILENO, where, std::strlen(where));
  _exit(1);
}

}  // namespace

int main(int argc, char** argv) {
  int provided = 0;
  MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided);
  testing::InitGoogleTest(&argc, argv);
  int rank = 0;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);

  std::signal(SIGALRM, end_hanging_job);
  alarm(kSecondsOfAllTests);
  auto& listeners = testing::UnitTest::GetInstance()->listeners();
  if (rank != 0) delete listeners.Release(listeners.default_result_printer());
  listeners.Append(new RankListener(rank));

  int result = RUN_ALL_TESTS();
  MPI_Allreduce(MPI_IN_PLACE, &result, 1, MPI_INT, MPI_BOR, MPI_COMM_WORLD);
  MPI_Finalize();
  return result;
}
