// Times training steps without their data: forward, backward, gradients of the weights, their sum
// over all ranks, the update of the parameters. Lockstep's strategies against the plain way: each
// rank computes the gradients over its rows, then one MPI_Allreduce, then one Adam sweep over all
// parameters on every rank, with two sweeps to choose from. All use the same matrix products.
// Synchronization and update take what is left of a way's time without the time in which a rank
// computes the gradients over its rows alone.
//
//   mpirun -n 2 sync_and_update [--csv FILE] [--rounds 15] [--only wide]
//
// A step lasts as long as on its slowest rank. Each round times some steps of every way
// in turn and keeps their median; medians of rounds are printed.

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

#include "distributed/update/distributed_optimizer.hpp"
#include "src/core/float_buffer.hpp"
#include "src/core/floating_point.hpp"
#include "src/core/grain_tree.hpp"
#include "src/kernels/kernels.hpp"
#include "src/model/layers_text.hpp"

void plain_adam(float* values, const float* gradients, float* m, float* v, long count, float alpha);

namespace lockstep {
namespace {

struct Case {
  const char* name;
  const char* layers;
  std::int64_t rows_per_rank;
  int steps;  ///< of one round
};
constexpr Case kNetworks[] = {
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

Network make_model(const Case& network) {
  Network model = model_from_layers_text(network.layers);
  model.build({784});
  model.compile("adam", "sparse_categorical_crossentropy", {"accuracy"});
  model.initialize(1);
  return model;
}

/// Half of the numbers are zero, as in images; other ones in every step.
void fill_input(Matrix x, std::int64_t step) {
  for (std::int64_t i = 0; i < x.size(); ++i) x.data[i] = (i * 7 + step) % 5 < 2 ? 0.5f : 0.0f;
}

/// The gradient by the outputs of these rows.
void compute_loss(const Network& model, const Workspace& workspace, Range rows) {
  const std::vector<std::int32_t> classes(static_cast<std::size_t>(rows.count()), 3);
  model.loss().compute(workspace.output(rows), {.classes = classes, .values = {}},
                       workspace.output_gradient(rows), 0.01f, model.loss_is_fused());
}

/// One way: prepare() before the clock starts, run() while it runs.
class Way {
 public:
  virtual ~Way() = default;
  virtual void prepare(std::int64_t step) = 0;
  virtual void run() = 0;
};

class OfLockstep final : public Way {
 public:
  OfLockstep(const Case& network, const Communicator& communicator,
             DistributedOptimizer::Strategy strategy)
      : plan_(StepPlan::of_full_batch(network.rows_per_rank * communicator.size(), 1 << 20, 0,
                                      communicator.size())),
        model_(make_model(network)) {
    std::string why_not;
    optimizer_ = make_distributed_optimizer(strategy, model_, communicator, {.loss_sums = 2},
                                            std::span(&plan_, 1), why_not);
    if (!why_not.empty()) fmt::print(stderr, "sharded becomes allreduce: {}\n", why_not);
    optimizer_->set_up();
  }
  OfLockstep(const OfLockstep&) = delete;
  OfLockstep& operator=(const OfLockstep&) = delete;
  ~OfLockstep() override { optimizer_->hand_back(); }

  void prepare(std::int64_t step) override {
    optimizer_->begin_step(0);
    for (const DistributedOptimizer::Input& input : optimizer_->other_inputs())
      fill_input(optimizer_->workspace().input(input.rows), step);
    const Range rows = optimizer_->own_input().rows;
    fill_input(optimizer_->workspace().input(rows), step);
    for (std::size_t subtree = 0; subtree < optimizer_->subtrees().size(); ++subtree)
      std::ranges::fill(optimizer_->loss_sums(subtree), 1.0);
  }
  void run() override {
    optimizer_->run({.training = true}, [this](const Block&) {
      compute_loss(model_, optimizer_->workspace(), optimizer_->own_input().rows);
    });
    optimizer_->finish();
  }
  std::int64_t parameters() const { return model_.parameter_count(); }

 private:
  StepPlan plan_;
  Network model_;
  std::unique_ptr<DistributedOptimizer> optimizer_;
};

class Plain final : public Way {
 public:
  enum class Ends { kWithGradients, kWithPlainLoop, kWithLockstepKernel };
  Plain(const Case& network, const Communicator& communicator, Ends ends)
      : communicator_(communicator),
        ends_(ends),
        model_(make_model(network)),
        rows_{0, network.rows_per_rank},
        grain_(default_grain(network.rows_per_rank * communicator.size())),
        workspace_(model_.training_workspace(rows_.count())),
        gradients_(model_.arena().trainable_size()),
        m_(model_.arena().trainable_size()),
        v_(model_.arena().trainable_size()) {}

  void prepare(std::int64_t step) override {
    fill_input(workspace_.input(rows_), step);
    const auto t = static_cast<double>(step);
    alpha_ = static_cast<float>(1e-3 * std::sqrt(1 - std::pow(0.999, t)) / (1 - std::pow(0.9, t)));
  }
  void run() override {
    const std::int64_t count = model_.arena().trainable_size();
    float *const w = model_.arena().values().data(), *const g = gradients_.span().data(),
                 *const m = m_.span().data(), *const v = v_.span().data();
    const Pass pass{.training = true};
    model_.forward(workspace_, rows_, pass, /*until_logits=*/true);
    compute_loss(model_, workspace_, rows_);
    model_.backward(workspace_, rows_, pass);
    model_.gradients(workspace_, rows_, pass, {.samples = {&rows_, 1}, .grain = grain_}, {0, count},
                     g);
    if (ends_ == Ends::kWithGradients) return;
    communicator_.all_sum(gradients_.span());
    if (ends_ == Ends::kWithPlainLoop) {
      plain_adam(w, g, m, v, count, alpha_);
    } else {
      kernels().adam(w, g, m, v, count, {alpha_, 0.1f, 0.001f, 1e-7f});
    }
  }

 private:
  const Communicator& communicator_;
  Ends ends_;
  Network model_;
  Range rows_;
  std::int64_t grain_;
  Workspace workspace_;
  FloatBuffer gradients_, m_, v_;
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

void measure(const Case& network, const Communicator& communicator, const Settings& settings,
             std::ofstream& csv) {
  auto sharded =
      std::make_unique<OfLockstep>(network, communicator, DistributedOptimizer::Strategy::kSharded);
  const std::int64_t parameters = sharded->parameters();
  const auto plain = [&](Plain::Ends ends) {
    return std::make_unique<Plain>(network, communicator, ends);
  };
  struct Candidate {
    const char* name;
    std::unique_ptr<Way> way;
    std::int64_t step = 0;
    std::vector<double> all = {};   ///< medians of rounds, and
    std::vector<double> sync = {};  ///< without the gradients' of the same round
  };
  std::vector<Candidate> candidates;
  candidates.push_back({"gradients alone", plain(Plain::Ends::kWithGradients)});
  candidates.push_back({"sharded", std::move(sharded)});
  candidates.push_back(
      {"allreduce", std::make_unique<OfLockstep>(network, communicator,
                                                 DistributedOptimizer::Strategy::kAllreduce)});
  candidates.push_back({"MPI_Allreduce + loop", plain(Plain::Ends::kWithPlainLoop)});
  candidates.push_back({"MPI_Allreduce + kernel", plain(Plain::Ends::kWithLockstepKernel)});
  for (Candidate& candidate : candidates)
    time_steps(*candidate.way, communicator, network.steps, candidate.step);
  for (int round = 0; round < settings.rounds; ++round)
    for (Candidate& candidate : candidates) {
      const double all =
          median(time_steps(*candidate.way, communicator, network.steps, candidate.step));
      candidate.all.push_back(all);
      candidate.sync.push_back(all - candidates[0].all.back());
      if (csv.is_open() && &candidate != &candidates[0])
        csv << parameters << ',' << communicator.size() << ',' << candidate.name << ',' << round
            << ',' << all * 1e6 << ',' << candidate.sync.back() * 1e6 << '\n';
    }
  if (!communicator.is_root()) return;
  const double best_plain = std::min(median(candidates[3].sync), median(candidates[4].sync));
  const double ranks = communicator.size();
  const double bytes = 2 * (ranks - 1) / ranks * 4 * static_cast<double>(parameters);
  for (const Candidate& candidate : candidates) {
    fmt::print("| {:>10} | {:>5} | {:22} | {:>12.1f} |", parameters, communicator.size(),
               candidate.name, median(candidate.all) * 1e6);
    if (&candidate == &candidates[0]) {
      fmt::print(" {:>12} | {:>8} | {:>10} |\n", "", "", "");
      continue;
    }
    const double seconds = median(candidate.sync);
    fmt::print(" {:>12.1f} | {:>8.2f} | {:>10.1f} |\n", seconds * 1e6, best_plain / seconds,
               bytes / seconds * 1e-9);
  }
  std::fflush(stdout);
}

int run(const Settings& settings) {
  const FloatingPointEnvironment guard;
  const Communicator communicator(MPI_COMM_WORLD);
  std::ofstream csv;
  if (communicator.is_root()) {
    if (!settings.csv.empty()) {
      csv.open(settings.csv);
      if (!csv) {
        fmt::print(stderr, "cannot write {}\n", settings.csv);
        MPI_Abort(MPI_COMM_WORLD, 73);
      }
      csv << "parameters,ranks,way,round,microseconds,without_gradients\n";
    }
    fmt::print(
        "medians of {} rounds; sync + update: without the gradients alone; speed-up of that: over "
        "the faster plain way;\nbus bandwidth: 2 (p - 1) / p of the gradients' bytes, over it\n"
        "| parameters | ranks | way                    | microseconds | sync, update | speed-up | "
        "bus (GB/s) |\n",
        settings.rounds);
  }
  for (const Case& network : kNetworks)
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
