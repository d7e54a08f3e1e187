#include "distributed/training/train_options.hpp"

#include <cmath>
#include <limits>

#include "distributed/ranks/agreement.hpp"
#include "src/core/grain_tree.hpp"

namespace lockstep {
namespace {

using O = TrainOptions;
using List = OptionList<TrainOptions>;
using Use = List::Use;

constexpr std::int64_t kMany = 1'000'000'000;
constexpr double kFloatsPerMib = 1 << 18;
constexpr NumberRange kBuckets{std::numeric_limits<double>::min(), 1024,
                               "a number > 0, at most 1024"};

void add_training(List& list) {
  list.begin_group("Training");
  list.integer_or_unset("epochs", Use::kRun, &O::epochs, 1, kMany, "none",
                        "passes over the data, in all");
  list.integer("batch-size", Use::kResult, &O::batch_size, 1, kMany,
               "samples per update, over all ranks together");
  list.number("validation-split", Use::kResult, &O::validation_split, kFraction,
              "this part of the rows, the last ones, validates");
  list.integer_or_unset("validation-batch-size", Use::kResult, &O::validation_batch_size, 1, kMany,
                        "the batch size", "rows that are validated together");
  list.integer("validation-freq", Use::kResult, &O::validation_freq, 1, kMany,
               "validate after every N epochs");
  list.flag("shuffle", Use::kResult, &O::shuffle, "another order of rows in every epoch");
  list.choice(
      "reset-states", Use::kResult, &O::reset_states, "WHEN",
      Choices<bool>{{"never", false}, {"epoch", true}},
      "when the states of stateful layers become zeros: never again, as in Keras's fit(), or "
      "before every epoch");
  // Not written unless it is set: runs from before there was such an option go on.
  list.fields.back().unset = "never";
  list.fields.back().write = [](const O& options) {
    return options.reset_states ? List::Written("epoch") : List::Written();
  };
  list.integer_or_unset("steps-per-epoch", Use::kResult, &O::steps_per_epoch, 1, kMany, "all rows",
                        "updates per epoch");
  list.other(
      {"class-weight", "", "WEIGHTS",
       "what samples of a class count for the loss: \"0:1, 3:2.5\" (others 1), or balanced: "
       "all classes alike",
       Use::kResult,
       [](O& options, const std::string& text) { options.class_weight = read_class_weights(text); },
       [](const O& options) -> List::Written {
         if (options.class_weight.empty()) return {};
         return to_text(options.class_weight);
       }});
  list.fields.back().unset = "1 each";
  list.integer("seed", Use::kResult, &O::seed, 0, std::numeric_limits<std::uint64_t>::max(),
               "decides first weights, order of rows and dropout");
}

void add_distribution(List& list) {
  list.begin_group("Distribution (results do not depend on the number of ranks)");
  list.choice("numerics", Use::kResult, &O::numerics, "HOW",
              Choices<Numerics>{{"exact", Numerics::kExact}, {"fast", Numerics::kFast}},
              "exact: the same bits on any number of ranks and threads and any CPU with FMA; fast: "
              "as the BLAS adds up, bits depend on all of these");
  list.fields.back().unset = "exact; fast if a CPU lacks FMA";
  list.integer_or_unset("grain", Use::kResult, &O::grain, 1, kMany, "batch size / 8, from 8 to 32",
                        "rows that are added up one after the other; a rank works on whole grains");
  list.choice("sync", Use::kRun, &O::sync, "HOW",
              Choices<DistributedOptimizer::Strategy>{
                  {"sharded", DistributedOptimizer::Strategy::kSharded},
                  {"allreduce", DistributedOptimizer::Strategy::kAllreduce}},
              "sharded: each parameter is updated by one rank, in memory that the ranks of a host "
              "share; allreduce: by every rank, after messages: the same numbers");
  list.choice("validate-on", Use::kRun, &O::validate_on_root, "RANKS",
              Choices<bool>{{"all", false}, {"root", true}},
              "which ranks run the validation passes, all or root: the same numbers");
  list.other(
      {"bucket-mib", "", "X", "gradients per message, in MiB, at most", Use::kRun,
       [](O& options, const std::string& text) {
         options.bucket_floats =
             static_cast<std::int64_t>(std::ceil(read_number(text, kBuckets) * kFloatsPerMib));
       },
       [](const O& options) -> List::Written {
         return fmt::format("{}", static_cast<double>(options.bucket_floats) / kFloatsPerMib);
       }});
  list.other({"block-grains", "", "N",
              "grains that go through the network together: a power of two; 0: all", Use::kRun,
              [](O& options, const std::string& text) {
                const std::int64_t grains = read_integer<std::int64_t>(text, 0, kMany);
                if ((grains & (grains - 1)) != 0) refuse_option("a power of two, or 0", text);
                options.block_grains = grains;
              },
              [](const O& options) -> List::Written {
                if (!options.block_grains) return {};
                return fmt::format("{}", *options.block_grains);
              }});
  list.fields.back().unset = "by the cache";
  list.flag("cache-features", Use::kRun, &O::cache_features,
            "compute once what layers that are not trained make of each row, if half of the memory "
            "that is free has room for it: the same numbers");
  list.integer("check-replicas-every", Use::kRun, &O::check_replicas_every, 0, kMany,
               "steps between comparisons of all replicas; 0: only after training");
}

void add_running(List& list) {
  list.begin_group("Running");
  list.flag("profile", Use::kThisCall, &O::profile,
            "measure where the time of a training step goes, print it at the end");
}

/// What no user sets.
void add_internal(List& list) {
  list.begin_group("");
  list.flag("initialize", Use::kThisCall, &O::initialize, "draw first weights");
  list.flag("verify-data", Use::kThisCall, &O::verify_data, "compare the rows of all ranks");
  list.other({"sparse-tables", "", "0|1", "update the rows of tables when they are named",
              Use::kThisCall,
              [](O& options, const std::string& text) {
                options.sparse_tables = read_integer<std::int64_t>(text, 0, 1) == 1;
              },
              [](const O& options) -> List::Written {
                if (!options.sparse_tables) return {};
                return *options.sparse_tables ? "1" : "0";
              }});
  list.fields.back().unset = "where that pays";
}

std::string text_of(const OptionField<TrainOptions>& field, const TrainOptions& options) {
  return field.write(options).value_or(field.unset);
}

/// With what 0 and no value stand for, where that is a value.
TrainOptions resolved(TrainOptions options) {
  if (options.validation_batch_size == 0) options.validation_batch_size = options.batch_size;
  if (options.grain == 0) options.grain = default_grain(options.batch_size);
  if (!options.numerics) options.numerics = Numerics::kExact;
  return options;
}

}  // namespace

const std::vector<OptionField<TrainOptions>>& train_option_fields() {
  static const std::vector<OptionField<TrainOptions>> fields = [] {
    List list;
    add_training(list);
    add_distribution(list);
    add_running(list);
    add_internal(list);
    return std::move(list.fields);
  }();
  return fields;
}

std::string describe(const TrainOptions& options) {
  std::string all;
  for (const auto& field : train_option_fields())
    all += fmt::format("{}{} {}", all.empty() ? "" : ", ", field.name, text_of(field, options));
  return all;
}

Facts option_facts(const TrainOptions& options) {
  Facts facts;
  for (const auto& field : train_option_fields())
    if (field.use == Use::kResult)
      facts.emplace_back(field.name, text_of(field, resolved(options)));
  return facts;
}

void check_options(const TrainOptions& options) {
  for (const auto& field : train_option_fields()) {
    try {
      check_value(field, options);
    } catch (const Error& error) {
      throw CollectiveError(error.code(),
                            fmt::format("[trainer] {}: {}", field.name, error.what()));
    }
  }
}

}  // namespace lockstep
