#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "distributed/training/class_weights.hpp"
#include "distributed/training/option_field.hpp"
#include "distributed/training/run_identity.hpp"
#include "distributed/update/distributed_optimizer.hpp"
#include "src/core/numerics.hpp"

namespace lockstep {

/// Keras's arguments of fit(), with Keras's defaults, and what ranks add to them.
struct TrainOptions {
  std::int64_t epochs = 1;                 ///< the last epoch to be done, counted from 1
  std::int64_t batch_size = 32;            ///< samples per update, over all ranks together
  double validation_split = 0;             ///< the last part of the rows validates
  std::int64_t validation_batch_size = 0;  ///< rows per evaluated block; 0: batch_size
  std::int64_t validation_freq = 1;        ///< validate after every so many epochs
  bool shuffle = true;
  /// Stateful layers begin every epoch with states of zeros; else they go on, as in Keras's fit(),
  /// from where the rows before, of training or validation, have ended.
  bool reset_states = false;
  std::int64_t steps_per_epoch = 0;  ///< 0: until the rows are used up
  ClassWeightOption class_weight = {};
  std::uint64_t seed = 0;
  bool initialize = true;  ///< draw first weights; false: train on from the model's weights

  std::int64_t grain = 0;  ///< rows that are added up as one leaf; 0: default_grain(batch)
  DistributedOptimizer::Strategy sync = DistributedOptimizer::Strategy::kSharded;
  std::optional<Numerics> numerics = {};  ///< kExact, also if not set: the same bits on any ranks
  std::int64_t bucket_floats = 1 << 20;   ///< gradients per message, at most (one layer at least)
  std::optional<std::int64_t> block_grains = {};  ///< see DistributedOptimizer::Options
  std::optional<bool> sparse_tables = {};   ///< see DistributedOptimizer::Options; the same bits
  std::int64_t check_replicas_every = 100;  ///< steps between comparisons of all replicas; 0: never
  bool validate_on_root =
      false;  ///< rank 0 alone runs the validation passes: the same numbers, slower
  /// Compute once what the layers in front that are not trained make of each row, if half of the
  /// memory that is free has room for it: the same bits.
  bool cache_features = true;
  bool verify_data = true;  ///< compare a hash of the rows over the ranks first
  bool profile = false;     ///< measure where the steps' time goes: Trainer::profile()
  /// How rows are made of a table or of texts (io/table, io/text), for the files that save()
  /// writes; rank 0's counts.
  std::string table_mapping = {};
  /// The names of the classes of targets that were strings, for the same files; rank 0's count.
  std::vector<std::string> classes = {};
};

/// All of them but the last two, in the order of `lockstep train --help`: the one table from which
/// the following come, and the program's options. Those without a group no user sets.
const std::vector<OptionField<TrainOptions>>& train_option_fields();

/// All of these as text, to be compared over ranks.
std::string describe(const TrainOptions& options);

/// Those that decide the numbers, with what stands for the unset ones.
Facts option_facts(const TrainOptions& options);

/// Throws CollectiveError (64) if a value is out of its range. The same on every rank.
void check_options(const TrainOptions& options);

}  // namespace lockstep
