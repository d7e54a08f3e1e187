#include "distributed/training/train_options.hpp"

#include "distributed/ranks/agreement.hpp"

namespace lockstep {

std::string describe(const TrainOptions& o) {
  return fmt::format(
      "epochs {}, batch {}, validation split {}, validation batch {}, validation freq {}, shuffle "
      "{}, steps per epoch {}, seed {}, initialize {}, grain {}, numerics {}, sync {}, bucket {}, "
      "replica check {}, validate on root {}, verify data {}, profile {}",
      o.epochs, o.batch_size, o.validation_split, o.validation_batch_size, o.validation_freq,
      o.shuffle, o.steps_per_epoch, o.seed, o.initialize, o.grain,
      o.numerics == Numerics::kExact ? "exact" : "fast",
      o.sync == DistributedOptimizer::Strategy::kSharded ? "sharded" : "allreduce", o.bucket_floats,
      o.check_replicas_every, o.validate_on_root, o.verify_data, o.profile);
}

void check_options(const TrainOptions& o) {
  check_collectively(o.epochs >= 0, ExitCode::kUsage, "[trainer] expected epochs >= 0, got {}",
                     o.epochs);
  check_collectively(o.batch_size >= 1, ExitCode::kUsage,
                     "[trainer] expected a batch size >= 1, got {}", o.batch_size);
  check_collectively(o.validation_split >= 0 && o.validation_split < 1, ExitCode::kUsage,
                     "[trainer] expected a validation split in [0, 1), got {}", o.validation_split);
  check_collectively(
      o.validation_freq >= 1 && o.validation_batch_size >= 0 && o.steps_per_epoch >= 0 &&
          o.check_replicas_every >= 0 && o.bucket_floats >= 1 && o.grain >= 0,
      ExitCode::kUsage, "[trainer] expected no negative options, got {}", describe(o));
}

}  // namespace lockstep
