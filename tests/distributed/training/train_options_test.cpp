#include "distributed/training/train_options.hpp"

#include <gmock/gmock.h>

#include <limits>

#include "distributed/ranks/agreement.hpp"

namespace lockstep {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::HasSubstr;
using testing::Key;
using testing::Not;
using testing::Pair;

TEST(TrainOptions, AreAllDescribed) {
  const std::string text = describe({.epochs = 7,
                                     .shuffle = false,
                                     .seed = std::numeric_limits<std::uint64_t>::max(),
                                     .initialize = false,
                                     .sync = DistributedOptimizer::Strategy::kAllreduce,
                                     .bucket_floats = 1 << 19,
                                     .validate_on_root = true});
  EXPECT_THAT(text, AllOf(HasSubstr("epochs 7, batch-size 32, validation-split 0, "
                                    "validation-batch-size the batch size"),
                          HasSubstr("shuffle false"), HasSubstr("seed 18446744073709551615"),
                          HasSubstr("sync allreduce, validate-on root, bucket-mib 2"),
                          HasSubstr("initialize false, verify-data true")));
}

TEST(TrainOptions, TellWhatDecidesTheNumbers) {
  const Facts facts = option_facts({.batch_size = 512});
  EXPECT_THAT(facts, AllOf(Contains(Pair("batch-size", "512")), Contains(Pair("shuffle", "true")),
                           Contains(Pair("numerics", "exact")),
                           Contains(Pair("steps-per-epoch", "all rows"))));
  for (const char* other : {"epochs", "sync", "bucket-mib", "profile", "verify-data"})
    EXPECT_THAT(facts, Not(Contains(Key(other))));
}

TEST(TrainOptions, CountByWhatAnUnsetOneStandsFor) {
  const TrainOptions explicitly = {.batch_size = 512,
                                   .validation_batch_size = 512,
                                   .grain = default_grain(512),
                                   .numerics = Numerics::kExact};
  EXPECT_EQ(option_facts({.batch_size = 512}), option_facts(explicitly));
}

TEST(TrainOptions, AreCheckedByTheRangesOfTheProgramsOptions) {
  check_options({});
  check_options({.batch_size = std::numeric_limits<std::int64_t>::max()});
  check_options({.epochs = 0,
                 .seed = std::numeric_limits<std::uint64_t>::max(),
                 .bucket_floats = 1,
                 .check_replicas_every = 0});
  EXPECT_THROW(check_options({.epochs = -1}), CollectiveError);
  EXPECT_THROW(check_options({.grain = -1}), CollectiveError);
  EXPECT_THROW(check_options({.validation_freq = 0}), CollectiveError);
}

TEST(TrainOptions, AreReadFromTheTextThatTheyWrite) {
  for (const auto& field : train_option_fields()) {
    TrainOptions options;
    const auto text = field.write(options);
    if (!text) {
      EXPECT_FALSE(field.unset.empty()) << field.name;
      continue;
    }
    field.read(options, *text);
    EXPECT_EQ(field.write(options), text) << field.name;
  }
}

}  // namespace
}  // namespace lockstep
