#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "distributed/ranks/communicator.hpp"
#include "distributed/training/callback.hpp"
#include "distributed/training/evaluator.hpp"
#include "distributed/training/training_state.hpp"
#include "distributed/update/gradient_sync.hpp"
#include "distributed/update/step_profile.hpp"
#include "io/data/batch.hpp"
#include "io/data/sample_order.hpp"
#include "io/keras/history.hpp"
#include "src/model/sequential.hpp"

namespace lockstep {

/// Keras's arguments of fit(), with Keras's defaults, and what ranks add to them.
struct TrainOptions {
  std::int64_t epochs = 1;                 ///< the last epoch to be done, counted from 1
  std::int64_t batch_size = 32;            ///< samples per update, over all ranks together
  double validation_split = 0;             ///< the last part of the rows validates
  std::int64_t validation_batch_size = 0;  ///< rows per evaluated block; 0: batch_size
  std::int64_t validation_freq = 1;        ///< validate after every so many epochs
  bool shuffle = true;
  std::int64_t steps_per_epoch = 0;  ///< 0: until the rows are used up
  std::uint64_t seed = 0;
  bool initialize = true;  ///< draw first weights; false: train on from the model's weights

  std::int64_t grain = 0;  ///< rows that are added up as one leaf; 0: default_grain(batch)
  GradientSync::Strategy sync = GradientSync::Strategy::kSharded;
  Numerics numerics = Numerics::kExact;     ///< kExact: the same bits on any number of ranks
  std::int64_t bucket_floats = 1 << 20;     ///< gradients per message, at most (one layer at least)
  std::int64_t check_replicas_every = 100;  ///< steps between comparisons of all replicas; 0: never
  bool validate_on_root =
      false;                ///< rank 0 alone runs the validation passes: the same numbers, slower
  bool verify_data = true;  ///< compare a hash of the rows over the ranks first
  bool profile = false;     ///< measure where the steps' time goes: Trainer::profile()
  std::string table_mapping =
      {};  ///< of the rows' table, for the files that save() writes; rank 0's
};

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
  Trainer(Sequential& model, Communicator communicator, TrainOptions options);
  ~Trainer();  ///< Collective, as long as MPI is not finalized.

  void add_callback(std::shared_ptr<Callback> callback);

  /// Trains until options.epochs, from the start or from a restored state. Collective; every rank
  /// passes the same rows. `validation` replaces validation_split. Returns all epochs' reports,
  /// equal on every rank (but for clocks: rank 0's). Throws on every rank: Error (64) options that
  /// do not fit, (65) shapes, labels or values that do not fit, (70) loss NaN or Inf, replicas that
  /// differ, (78) ranks that passed different rows, options or networks.
  History fit(const ArrayDataset& data, const std::optional<ArrayDataset>& validation = {});

  /// Loss (regularisers included) and metrics, the same on any number of ranks. Collective.
  Evaluation evaluate(const ArrayDataset& data);

  // --- For callbacks, and between fits ---

  void stop() { stop_ = true; }  ///< after this epoch; counts on rank 0
  /// Whether rank 0 wants to stop after this epoch. Collective.
  bool will_stop() const { return communicator_.broadcast(stop_); }
  void set_learning_rate(double rate) { wanted_rate_ = rate; }  ///< from the next epoch; on rank 0
  /// Writes model, optimizer state and training state to a file, atomically. Collective.
  void save(const std::filesystem::path& path);
  /// Collective: on every rank, the whole state.
  TrainingState state();
  /// Goes on from there at the next fit(). The model must have the weights of that moment.
  void restore(TrainingState state);

  Sequential& model() { return model_; }
  const Communicator& communicator() const { return communicator_; }
  const TrainOptions& options() const { return options_; }
  const History& history() const { return history_; }
  /// Where the time of all steps of fit() went, with options().profile. Collective.
  ProfileReport profile() const { return gather_profiles(profile_, communicator_); }
  /// Why fit() exchanges messages on one host although options().sync is kSharded; empty if not.
  const std::string& why_allreduce() const { return why_allreduce_; }
  /// Whether larger values of this report entry ("val_accuracy") are better; Error (64) if there is
  /// none.
  bool larger_is_better(const std::string& monitor) const;

 private:
  void check_agreement(const ArrayDataset& data, const std::optional<ArrayDataset>& validation);
  void prepare(const ArrayDataset& train);
  void set_out();
  void train_epoch(const ArrayDataset& train);
  void train_step(const ArrayDataset& train, std::int64_t first_row, const StepPlan& plan);
  std::span<const std::int64_t> rows_at(Range positions);
  void add_up_losses(Matrix outputs, const Targets& targets, Matrix gradient,
                     const GradientNodes& nodes, float scale);
  void validate(const ArrayDataset& validation);
  void begin_report();
  void finish_report(double seconds);
  void add_to_report(std::int64_t rows, double seconds, std::int64_t step, std::int64_t steps);
  void follow_root();
  TrainingState state_on_root();

  Sequential& model_;
  Communicator communicator_;
  TrainOptions options_;
  std::vector<std::shared_ptr<Callback>> callbacks_;

  StepProfile profile_;
  std::vector<StepPlan> plans_;  ///< of a full batch, and of a pass's last one if it is partial
  std::unique_ptr<GradientSync> sync_;
  std::string why_allreduce_;
  std::unique_ptr<SampleOrder> order_;
  std::unique_ptr<TargetLoader> targets_;
  std::vector<std::int64_t> rows_;  ///< of a batch, of one rank: to be gathered, or fetched

  std::int64_t epoch_ = 0;  ///< epochs done
  TreeStack losses_{1};
  std::vector<double> running_;  ///< loss and metrics, summed over all ranks since the epoch began
  std::int64_t rows_done_ = 0;   ///< since the epoch began, over all ranks
  double penalty_ = 0;           ///< regularisers' penalty times rows, since the epoch began
  EpochReport report_;           ///< of the epoch under way
  History history_;
  bool stop_ = false;
  std::optional<double> wanted_rate_;
  std::optional<TrainingState> restored_;
};

}  // namespace lockstep
