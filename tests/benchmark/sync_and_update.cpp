// Times what a training step does beside its arithmetic: adding up the gradients of all ranks and
// updating the parameters. Lockstep's strategies against the plain way, one MPI_Allreduce of all
// gradients and one Adam sweep over all parameters on every rank, with two sweeps to choose from.
//
//   mpirun -n 2 sync_and_update [--csv FILE] [--rounds 15] [--only wide]
//
// Each rank writes its gradients anew before a step, outside the clock, as backward would; then a
// barrier, then the clock. A step lasts as long as on its slowest rank. Each round times some steps
// of every way in turn and keeps their median; medians of rounds are printed.

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "distributed/gradient_sync.hpp"
#include "src/core/float_buffer.hpp"
#include "src/core/flush_denormals.hpp"
#include "src/kernels/kernels.hpp"
#include "src/model/layers_text.hpp"

void plain_adam(float* values, const float* gradients, float* m, float* v, long count, float alpha);

namespace lockstep {
namespace {

struct Network {
  const char* name;
  const char* layers;
  std::int64_t rows_per_rank;
  int steps;  ///< of one round
};
constexpr Network kNetworks[] = {
    {"reference", "Dense(64, relu), Dense(32, relu), Dense(10, softmax)", 32, 400},
    {"wide", "Dense(2048, relu), Dense(2048, relu), Dense(10, softmax)", 128, 10}};

struct Settings {
  std::string csv;
  int rounds = 15;
  std::string only;
};

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// Gradients of plausible size, other ones in every step.
void write_gradients(std::span<float> gradients, std::int64_t step) {
  float value = 1e-3f / static_cast<float>(1 + step % 7);
  for (float& gradient : gradients) gradient = value = -value;
}

/// One way to add up and update: prepare() before the clock starts, run() while it runs.
class Way {
 public:
  virtual ~Way() = default;
  virtual void prepare(std::int64_t step) = 0;
  virtual void run() = 0;
};

class OfLockstep final : public Way {
 public:
  OfLockstep(const Network& network, const Communicator& communicator,
             GradientSync::Strategy strategy)
      : plan_(StepPlan::of_full_batch(network.rows_per_rank * communicator.size(), 1 << 20, 0,
                                      communicator.size())),
        model_(model_from_layers_text(network.layers)) {
    model_.build({784});
    model_.compile("adam", "sparse_categorical_crossentropy", {"accuracy"});
    model_.initialize(1);
    std::string why_not;
    sync_ = make_gradient_sync(strategy, model_, communicator, {.statistics = 2},
                               std::span(&plan_, 1), why_not);
    if (!why_not.empty()) fmt::print(stderr, "sharded becomes allreduce: {}\n", why_not);
    sync_->set_up();
  }
  OfLockstep(const OfLockstep&) = delete;
  OfLockstep& operator=(const OfLockstep&) = delete;
  ~OfLockstep() override { sync_->hand_back(); }

  void prepare(std::int64_t step) override {
    sync_->begin_step(plan_);
    const GradientNodes nodes = sync_->nodes();
    for (std::size_t node = 0; node < nodes.size(); ++node) {
      std::ranges::fill(sync_->node_statistics(node), 1.0);
      float* const first =
          model_.arena().gradients().data() + static_cast<std::int64_t>(node) * nodes.stride;
      write_gradients({first, static_cast<std::size_t>(floats())}, step);
    }
  }
  void run() override {
    for (std::size_t layer = model_.layers().size(); layer-- > 0;) sync_->layer_done(layer);
    sync_->finish();
  }

  /// With the gaps between them.
  std::int64_t floats() const { return model_.arena().trainable_size(); }
  std::int64_t parameters() const { return model_.parameter_count(); }

 private:
  StepPlan plan_;
  Sequential model_;
  std::unique_ptr<GradientSync> sync_;
};

class Plain final : public Way {
 public:
  enum class Sweep { kPlainLoop, kLockstepKernel };
  Plain(std::int64_t parameters, const Communicator& communicator, Sweep sweep)
      : communicator_(communicator),
        sweep_(sweep),
        values_(parameters),
        gradients_(parameters),
        m_(parameters),
        v_(parameters) {}

  void prepare(std::int64_t step) override {
    write_gradients(gradients_.span(), step);
    const auto t = static_cast<double>(step);
    alpha_ = static_cast<float>(1e-3 * std::sqrt(1 - std::pow(0.999, t)) / (1 - std::pow(0.9, t)));
  }
  void run() override {
    communicator_.all_sum(gradients_.span());
    const auto count = static_cast<std::int64_t>(values_.span().size());
    float *const w = values_.span().data(), *const g = gradients_.span().data(),
                 *const m = m_.span().data(), *const v = v_.span().data();
    if (sweep_ == Sweep::kPlainLoop) {
      plain_adam(w, g, m, v, count, alpha_);
    } else {
      kernels().adam(w, g, m, v, count, {alpha_, 0.1f, 0.001f, 1e-7f});
    }
  }

 private:
  const Communicator& communicator_;
  Sweep sweep_;
  FloatBuffer values_, gradients_, m_, v_;
  float alpha_ = 0;
};

/// Seconds of `steps` steps, each of them on its slowest rank.
std::vector<double> time_steps(Way& way, const Communicator& communicator, int steps,
                               std::int64_t& step) {
  std::vector<double> seconds;
  for (int i = 0; i < steps; ++i) {
    way.prepare(++step);
    communicator.barrier();
    const double start = now();
    way.run();
    seconds.push_back(now() - start);
  }
  MPI_Allreduce(MPI_IN_PLACE, seconds.data(), steps, MPI_DOUBLE, MPI_MAX, MPI_COMM_WORLD);
  return seconds;
}

void measure(const Network& network, const Communicator& communicator, const Settings& settings,
             std::ofstream& csv) {
  auto sharded =
      std::make_unique<OfLockstep>(network, communicator, GradientSync::Strategy::kSharded);
  const std::int64_t parameters = sharded->parameters();
  const std::int64_t floats = sharded->floats();
  struct Candidate {
    const char* name;
    std::unique_ptr<Way> way;
    std::int64_t step = 0;
    std::vector<double> medians = {};
  };
  std::vector<Candidate> candidates;
  candidates.push_back({"sharded", std::move(sharded)});
  candidates.push_back(
      {"allreduce",
       std::make_unique<OfLockstep>(network, communicator, GradientSync::Strategy::kAllreduce)});
  candidates.push_back({"MPI_Allreduce + loop",
                        std::make_unique<Plain>(floats, communicator, Plain::Sweep::kPlainLoop)});
  candidates.push_back(
      {"MPI_Allreduce + kernel",
       std::make_unique<Plain>(floats, communicator, Plain::Sweep::kLockstepKernel)});
  for (Candidate& candidate : candidates)
    time_steps(*candidate.way, communicator, network.steps, candidate.step);
  for (int round = 0; round < settings.rounds; ++round)
    for (Candidate& candidate : candidates) {
      candidate.medians.push_back(
          median(time_steps(*candidate.way, communicator, network.steps, candidate.step)));
      if (csv.is_open())
        csv << parameters << ',' << communicator.size() << ',' << candidate.name << ',' << round
            << ',' << candidate.medians.back() * 1e6 << '\n';
    }
  if (!communicator.is_root()) return;
  const double plain = std::min(median(candidates[2].medians), median(candidates[3].medians));
  const double ranks = communicator.size();
  const double bytes = 2 * (ranks - 1) / ranks * 4 * static_cast<double>(parameters);
  for (const Candidate& candidate : candidates) {
    const double seconds = median(candidate.medians);
    fmt::print("| {:>10} | {:>5} | {:22} | {:>12.1f} | {:>8.2f} | {:>10.1f} |\n", parameters,
               communicator.size(), candidate.name, seconds * 1e6, plain / seconds,
               bytes / seconds * 1e-9);
  }
  std::fflush(stdout);
}

int run(const Settings& settings) {
  const FlushDenormals guard;
  const Communicator communicator(MPI_COMM_WORLD);
  std::ofstream csv;
  if (communicator.is_root()) {
    if (!settings.csv.empty()) {
      csv.open(settings.csv);
      if (!csv) {
        fmt::print(stderr, "cannot write {}\n", settings.csv);
        MPI_Abort(MPI_COMM_WORLD, 73);
      }
      csv << "parameters,ranks,way,round,microseconds\n";
    }
    fmt::print(
        "medians of {} rounds; speed-up: over the faster plain way; bus bandwidth: 2 (p - 1) / p "
        "of the gradients' bytes, over the time\n"
        "| parameters | ranks | way                    | microseconds | speed-up | bus (GB/s) |\n",
        settings.rounds);
  }
  for (const Network& network : kNetworks)
    if (std::string(network.name).find(settings.only) != std::string::npos)
      measure(network, communicator, settings, csv);
  if (csv.is_open() && !csv.flush()) {
    fmt::print(stderr, "cannot write {}\n", settings.csv);
    return 1;
  }
  return 0;
}

}  // namespace
}  // namespace lockstep

int main(int argc, char** argv) {
  MPI_Init(&argc, &argv);
  lockstep::Settings settings;
  bool understood = true;
  for (int i = 1; i < argc; i += 2) {
    const std::string option = argv[i];
    const bool has_value = i + 1 < argc;
    if (option == "--csv" && has_value)
      settings.csv = argv[i + 1];
    else if (option == "--rounds" && has_value)
      settings.rounds = std::atoi(argv[i + 1]);
    else if (option == "--only" && has_value)
      settings.only = argv[i + 1];
    else
      understood = false;
  }
  if (!understood || settings.rounds < 1) {
    fmt::print(stderr,
               "usage: sync_and_update [--csv FILE] [--rounds N] [--only reference|wide]\n");
    MPI_Abort(MPI_COMM_WORLD, 64);
  }
  const int code = lockstep::run(settings);
  MPI_Finalize();
  return code;
}
