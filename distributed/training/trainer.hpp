#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "distributed/ranks/communicator.hpp"
#include "distributed/training/batch_feed.hpp"
#include "distributed/training/callback.hpp"
#include "distributed/training/epoch_meter.hpp"
#include "distributed/training/evaluator.hpp"
#include "distributed/training/frozen_features.hpp"
#include "distributed/training/loss_sums.hpp"
#include "distributed/training/train_options.hpp"
#include "distributed/training/training_state.hpp"
#include "distributed/update/distributed_optimizer.hpp"
#include "distributed/update/heartbeat.hpp"
#include "distributed/update/step_profile.hpp"
#include "io/data/batch.hpp"
#include "io/keras/history.hpp"
#include "src/model/network.hpp"

namespace lockstep {

/// Data-parallel training of one network on all ranks of a communicator, in lockstep.
///
///   Trainer trainer(model, Communicator(MPI_COMM_WORLD), {.epochs = 5});
///   History history = trainer.fit({x, y});
///
/// It prints nothing and touches neither signals nor the environment nor MPI_COMM_WORLD.
class Trainer {
 public:
  /// Collective; takes the communicator over. The model must be compiled (Error 64 otherwise) and
  /// outlive the trainer.
  Trainer(Network& model, Communicator communicator, TrainOptions options);
  ~Trainer() = default;  ///< Collective, as long as MPI is not finalized.

  void add_callback(std::shared_ptr<Callback> callback) {
    callbacks_.push_back(std::move(callback));
  }

  /// Trains until options.epochs, from the start or from a restored state. Collective; every rank
  /// passes the same rows. `validation` replaces validation_split. Returns all epochs' reports,
  /// equal on every rank (but for clocks: rank 0's). Throws on every rank: Error (64) options that
  /// do not fit, (65) shapes, labels or values that do not fit, (70) loss NaN or Inf, replicas that
  /// differ, (78) ranks that passed different rows, options or networks. What one rank alone throws
  /// (a callback, lack of memory) all ranks throw, as a CollectiveError that names it: then nothing
  /// but the destructor may follow. After any error rows of large Embeddings may stand some steps
  /// behind the other weights.
  History fit(const ArrayDataset& data, const std::optional<ArrayDataset>& validation = {});

  /// Loss (regularisers included) and metrics, the same on any number of ranks. Collective.
  Evaluation evaluate(const ArrayDataset& data);

  // --- For callbacks, and between fits ---

  /// Keras's stop_training, on any rank: amid an epoch, it ends after the next step; validation and
  /// on_epoch_end follow, and training ends.
  void stop() { requests_ |= kStopRequest; }
  /// Whether any rank wants to stop. Collective.
  bool will_stop() const { return communicator_.all_max(stops() ? 1 : 0) > 0; }
  void set_learning_rate(double rate) { wanted_rate_ = rate; }  ///< from the next epoch; on rank 0
  /// Writes model, optimizer state and training state to a file, atomically, in the format of the
  /// name's ending; after any step or epoch. (After fit() an optimizer with use_ema has left the
  /// averages: to go on as if training had not ended, save in on_epoch_end.) First all replicas are
  /// compared: Error (70) if they differ or are not finite, and no file is touched. Collective.
  void save(const std::filesystem::path& path);
  /// Hands the file's bytes to `write`, which is called on rank 0 and may throw. Collective.
  using FileWriter = std::function<void(std::span<const std::byte> bytes)>;
  void save(const FileWriter& write, ModelFormat format = ModelFormat::kHdf5);
  /// Collective: on every rank, the whole state.
  TrainingState state();
  /// Goes on from there at the next fit(). The model must have the weights of that moment. Throws
  /// Error (65) for a state that cannot be one; fit() throws Error (64) if the state's identity
  /// names other options or another network, (65) if it names other data.
  void restore(TrainingState state);
  /// What else decides the result, of the program around: it goes into checkpoints. Inputs that are
  /// given here are data_facts() of the rows to come, which fit() then does not hash again.
  void set_identity(Facts options, Facts inputs);

  Network& model() { return model_; }
  const Communicator& communicator() const { return communicator_; }
  const TrainOptions& options() const { return options_; }
  const History& history() const { return history_; }
  /// Where the ranks of this host stand in fit(): to be read from any thread, for a watchdog.
  const Heartbeat& heartbeat() const { return *heartbeat_; }
  /// Where the time of all steps of fit() went, with options().profile. Collective.
  ProfileReport profile() const { return gather_profiles(profile_, communicator_); }
  /// What fit() computes once of the rows on each host, in bytes: see TrainOptions::cache_features.
  std::int64_t cached_bytes() const { return features_ ? features_->bytes() : 0; }
  /// Why fit() exchanges messages on one host although options().sync is kSharded; empty if not.
  const std::string& why_allreduce() const { return why_allreduce_; }

 private:
  void train(const ArrayDataset& data, const std::optional<ArrayDataset>& validation);
  void check_agreement(const ArrayDataset& data, const std::optional<ArrayDataset>& validation);
  void identify(const ArrayDataset& data, const std::optional<ArrayDataset>& validation);
  void prepare(const ArrayDataset& train);
  void cache_features(const ArrayDataset& train, const DistributedOptimizer::Options& distributed);
  std::int64_t steps_of_epoch(std::int64_t rows) const;
  void set_out();
  void train_epoch(const ArrayDataset& train);
  void train_step(std::int64_t first, std::size_t plan);
  void validate(const ArrayDataset& validation);
  void follow_requests();
  bool amid_epoch() const { return meter_.totals().steps > 0; }
  bool stops() const { return (requests_ & kStopRequest) != 0; }
  std::optional<double> wished_rate() const;
  void set_rate(double rate);
  void restore_callbacks();
  void take_averages();
  TrainingState state_on_root();
  TrainingState state_everywhere();

  Network& model_;
  Communicator communicator_;
  TrainOptions options_;
  std::vector<std::shared_ptr<Callback>> callbacks_;

  std::optional<Heartbeat> heartbeat_;
  StepProfile profile_;
  std::vector<StepPlan> plans_;  ///< of a full batch, and of a pass's last one if it is partial
  std::unique_ptr<DistributedOptimizer> distributed_optimizer_;
  std::string why_allreduce_;
  std::unique_ptr<FrozenFeatures> features_;
  std::optional<BatchFeed> feed_;
  std::optional<LossSums> loss_sums_;
  EpochMeter meter_;

  std::int64_t epoch_ = 0;  ///< epochs done
  History history_;
  Requests requests_ = 0;  ///< of this rank, and after each epoch of all
  std::optional<double> wanted_rate_;
  std::optional<double> set_rate_;  ///< the last rate that a callback asked for
  RunIdentity identity_;
  bool inputs_given_ = false;
  std::optional<TrainingState> restored_;
};

}  // namespace lockstep
