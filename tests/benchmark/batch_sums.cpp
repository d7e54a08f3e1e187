// Times a sum over the batch in the middle of a pass, as BatchNormalization makes two of: steps of
// a tiny network with many of these layers against one without.
//
//   mpirun -n 2 batch_sums [ROUNDS]

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "distributed/ranks/session.hpp"
#include "distributed/update/distributed_optimizer.hpp"
#include "src/core/floating_point.hpp"
#include "src/model/layers_text.hpp"

namespace lockstep {
namespace {

constexpr int kLayers = 16;
constexpr int kSteps = 200;
constexpr std::int64_t kRowsPerRank = 8;

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

class Steps {
 public:
  Steps(const Communicator& communicator, int layers, DistributedOptimizer::Strategy strategy)
      : communicator_(communicator),
        plan_(kRowsPerRank * communicator.size(), kRowsPerRank, communicator.size()),
        model_(model_from_layers_text(network(layers))) {
    model_.build({8});
    model_.compile("sgd", "mean_squared_error", {});
    model_.initialize(1);
    std::string why_not;
    optimizer_ = make_distributed_optimizer(strategy, model_, communicator, {},
                                            std::span(&plan_, 1), why_not);
    optimizer_->set_up();
  }
  Steps(const Steps&) = delete;
  Steps& operator=(const Steps&) = delete;
  ~Steps() { optimizer_->hand_back(); }

  double seconds_a_step() {
    communicator_.barrier();
    const double start = now();
    for (int step = 0; step < kSteps; ++step) {
      optimizer_->begin_step(0);
      const Range rows = optimizer_->own_input().rows;
      std::ranges::fill(optimizer_->workspace().input(rows).flat(), 0.5f);
      optimizer_->run({.training = true, .batch_rows = plan_.rows()}, [&](const Block&) {
        std::ranges::fill(optimizer_->workspace().output_gradient(rows).flat(), 0.01f);
      });
      optimizer_->finish();
    }
    return (now() - start) / kSteps;
  }

 private:
  static std::string network(int layers) {
    std::string text = "Dense(8)";
    for (int i = 0; i < layers; ++i) text += ", BatchNormalization()";
    return text;
  }

  const Communicator& communicator_;
  StepPlan plan_;
  Network model_;
  std::unique_ptr<DistributedOptimizer> optimizer_;
};

void measure(const Communicator& communicator, int rounds) {
  using enum DistributedOptimizer::Strategy;
  for (const auto strategy : {kSharded, kAllreduce}) {
    Steps without(communicator, 0, strategy), with(communicator, kLayers, strategy);
    std::vector<double> exchange;
    for (int round = 0; round < rounds; ++round) {
      const double plain = without.seconds_a_step();
      exchange.push_back((with.seconds_a_step() - plain) / (2 * kLayers));
    }
    if (communicator.is_root())
      fmt::print("{}: {:.2f} microseconds an exchange on {} ranks, the layer's arithmetic on {} "
                 "rows of 8 included\n",
                 strategy == kSharded ? "sharded" : "allreduce", 1e6 * median(exchange),
                 communicator.size(), kRowsPerRank);
  }
}

}  // namespace
}  // namespace lockstep

int main(int argc, char** argv) {
  using namespace lockstep;
  const Session session(&argc, &argv);
  const FloatingPointEnvironment environment;
  measure(Communicator(MPI_COMM_WORLD), argc > 1 ? std::atoi(argv[1]) : 15);
  return 0;
}
