#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "distributed/ranks/communicator.hpp"
#include "distributed/training/loss_sums.hpp"
#include "distributed/training/run_identity.hpp"
#include "distributed/update/distributed_optimizer.hpp"
#include "io/keras/objectives_file.hpp"
#include "src/model/network.hpp"

namespace lockstep {

struct AlternatingOptions {
  std::int64_t batch_size = 32;  ///< rows of a step, over all ranks together
  std::int64_t rows = 0;         ///< of a pass, whose last batch may be smaller; 0: all are full
  std::uint64_t seed = 0;        ///< of masks and noise
  std::int64_t grain = 0;        ///< rows that are added up as one leaf; 0: default_grain(batch)
  DistributedOptimizer::Strategy sync = DistributedOptimizer::Strategy::kSharded;
  Numerics numerics = Numerics::kExact;
  std::int64_t bucket_floats = 1 << 20;
  std::int64_t check_replicas_every = 100;  ///< steps of an objective; 0: never
  Facts inputs = {};                        ///< of the rows: data_facts(), which resume() compares
};

/// Training of one network for several objectives in turn, for loops of one's own, as of a GAN:
///
///   Objective d = gan.objective(verdicts, discriminator_layers, "adam", "binary_crossentropy",
///   {}); Objective g = gan.objective(verdict, generator_layers, "adam", "binary_crossentropy",
///   {}); AlternatingTrainer trainer(gan, {{"d", &d}, {"g", &g}}, Communicator(MPI_COMM_WORLD),
///   {}); trainer.start(); for (...) trainer.step(0, images_and_noise), trainer.step(1, noise);
///
/// Data-parallel as Trainer is: the same bits on any number of ranks. Every pass runs in training:
/// BatchNormalization takes the statistics of the pass that runs and moves its averages, also in
/// layers that the objective holds constant, as layers called with training=True do in Keras.
class AlternatingTrainer {
 public:
  /// Collective; takes the communicator over. Network and objectives must outlive the trainer, and
  /// be the same on every rank. Throws CollectiveError (64) for options that do not fit, (78) for
  /// ranks that differ.
  AlternatingTrainer(Network& model, std::vector<NamedObjective> objectives,
                     Communicator communicator, AlternatingOptions options);
  /// Leaves the weights in the network. Collective, as long as MPI is not finalized.
  ~AlternatingTrainer();

  /// Sets out from the network's weights, rank 0's. Collective; once, unless resume() is called.
  void start();
  /// Sets out from a file of save(); returns its `program_state`. Throws Error: 66, 77, 65
  /// (damaged, of another network or other objectives), 64 (of other options), 65 (of
  /// other inputs). Collective.
  std::string resume(const std::filesystem::path& path);

  struct Batch {
    std::int64_t rows;  ///< batch_size, or what is left of a pass
    /// Writes these rows of the global batch into `out`, (rows, elements) of input `which`, counted
    /// in the order of the network's inputs: at least these columns. Whoever needs a row asks for
    /// it: it must be a function of the row alone.
    std::function<void(std::size_t which, Range batch_rows, Range columns, Matrix out)> input;
    /// The targets of these rows, in the form of the objective's loss, valid until the next call.
    std::function<Targets(Range batch_rows)> targets;
  };
  struct Means {
    double loss;  ///< with the penalties of the regularizers of what the objective trains
    std::vector<double> metrics;
  };
  /// One update for an objective, by its number. Inputs that have no part in its output are not
  /// asked for. The same on every rank. Throws CollectiveError (70) for a loss that is not finite,
  /// and what the functions throw on every rank. Collective.
  Means step(std::size_t objective, const Batch& batch);
  std::int64_t steps(std::size_t objective) const {
    return objectives_[objective].objective->optimizer().iterations();
  }

  /// Writes weights, the state of every objective and a text of the program's own to a file,
  /// atomically; first all replicas are compared (70). Collective.
  void save(const std::filesystem::path& path, const std::string& program_state);

  const Communicator& communicator() const { return communicator_; }
  /// Why messages are exchanged on one host although options.sync is kSharded; empty if not.
  const std::string& why_allreduce() const { return why_allreduce_; }

 private:
  Facts identity() const;
  void check_setup() const;
  void fill_in(std::size_t objective, const Batch& batch);
  Targets targets_of(std::size_t objective, const Batch& batch, std::int64_t rows) const;
  double penalty(const Objective& objective) const;
  Means make_step(std::size_t objective, const Batch& batch);

  Network& model_;
  std::vector<NamedObjective> objectives_;
  Communicator communicator_;
  AlternatingOptions options_;
  std::vector<StepPlan> plans_;
  std::vector<std::unique_ptr<DistributedOptimizer>> optimizers_;
  std::vector<LossSums> loss_sums_;
  std::vector<std::vector<bool>> reads_input_;  ///< by objective and input
  std::string why_allreduce_;
  bool started_ = false;
};

}  // namespace lockstep
