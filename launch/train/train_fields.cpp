#include "launch/train/train_fields.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

#include "distributed/training/option_text.hpp"
#include "launch/train/setting_fields.hpp"
#include "src/core/words.hpp"
#include "src/optimizers/make_optimizer.hpp"

namespace lockstep {
namespace {

using Use = TrainField::Use;
using Text = std::string;
using Json = nlohmann::ordered_json;

constexpr std::int64_t kMany = 1'000'000'000;

constexpr NumberRange kBuckets{1.0 / 1024, 1024, "a number from 0.001 to 1024"};

template <class T>
struct IsOptional : std::false_type {};
template <class T>
struct IsOptional<std::optional<T>> : std::true_type {};

/// Describes the members of TrainSettings one after the other. A member may be optional: then it is
/// written only if it is set.
class FieldList {
 public:
  std::vector<TrainField> fields;

  void begin_group(const char* name) { group_ = name; }

  template <class Member>
  void text(const char* name, Use use, Member TrainSettings::*member, const char* argument,
            const Text& help) {
    add(
        name, use, argument, help, member, [](const Text& text) { return text; },
        [](const Text& text) { return text.empty() && !IsOptional<Member>() ? Written() : text; });
  }
  template <class Member>
  void integer(const char* name, Use use, Member TrainSettings::*member, std::int64_t low,
               std::int64_t high, const Text& help) {
    add(
        name, use, "N", help, member,
        [low, high](const Text& text) { return read_integer(text, low, high); },
        [low](std::int64_t value) {  // 0 means "not set" where it is out of range
          return value < low ? Written() : fmt::format("{}", value);
        });
  }
  template <class Member>
  void number(const char* name, Use use, Member TrainSettings::*member, NumberRange range,
              const Text& help) {
    add(
        name, use, "X", help, member,
        [range](const Text& text) { return read_number(text, range); },
        [](double value) -> Written { return fmt::format("{}", value); });
  }
  template <class Member>
  void flag(const char* name, Use use, Member TrainSettings::*member, const Text& help) {
    add(name, use, "", help, member, read_switch,
        [](bool value) -> Written { return value ? "true" : "false"; });
  }
  /// The opposite of a flag that stands before it.
  void opposite(const char* name, bool TrainSettings::*member, const Text& help) {
    add(
        name, Use::kThisCall, "", help, member, [](const Text& text) { return !read_switch(text); },
        [](bool) { return Written(); });
  }
  template <class Member, class T>
  void choice(const char* name, Use use, Member TrainSettings::*member, const char* argument,
              const Choices<T>& choices, const Text& help) {
    add(
        name, use, argument, help, member,
        [choices](const Text& text) { return read_choice(text, choices); },
        [choices](T value) -> Written { return word_of(value, choices); });
  }
  /// The settings of optimizers or schedules.
  void settings(const std::vector<Choosable>& choices, Json TrainSettings::*member) {
    for (TrainField& field : setting_fields(choices, group_, member))
      fields.push_back(std::move(field));
  }
  /// A test dataset: naming it makes it wanted; the empty name, which is written too, skips it.
  void test_dataset(const char* name, std::string TrainSettings::*member, const Text& help) {
    text(name, Use::kRun, member, "DATASET", help);
    fields.back().read = [member](TrainSettings& settings, const Text& text) {
      settings.*member = text;
      settings.test_wanted = settings.test_wanted || !text.empty();
    };
    fields.back().write = [member](const TrainSettings& settings) -> Written {
      return settings.*member;
    };
  }

 private:
  using Written = std::optional<Text>;

  template <class Member, class Read, class Write>
  void add(const char* name, Use use, const char* argument, const Text& help,
           Member TrainSettings::*member, Read read, Write write) {
    TrainField field{name, group_, argument, help, use, {}, {}};
    field.read = [member, read](TrainSettings& settings, const Text& text) {
      settings.*member = read(text);
    };
    field.write = [member, write](const TrainSettings& settings) -> Written {
      if constexpr (IsOptional<Member>()) {
        return settings.*member ? write(*(settings.*member)) : std::nullopt;
      } else {
        return write(settings.*member);
      }
    };
    fields.push_back(std::move(field));
  }

  std::string group_;
};

void add_data(FieldList& list) {
  using S = TrainSettings;
  list.begin_group("Data");
  list.text("data", Use::kInput, &S::data, "FILE.h5",
            "HDF5 file with the datasets; the first axis of each counts the samples");
  list.text("x", Use::kResult, &S::x, "DATASET",
            "training inputs; a path in --data, or FILE.h5:/path for another file; PATH.field or "
            "PATH.[a,b] of records or a data frame, PATH.T with its axes reversed (so for all of "
            "these)");
  list.text("y", Use::kResult, &S::y, "DATASET",
            "training targets; strings become classes 0, 1, ... in alphabetical order");
  list.text("x-val", Use::kResult, &S::x_val, "DATASET",
            "validation inputs, instead of --validation-split");
  list.text("y-val", Use::kResult, &S::y_val, "DATASET", "validation targets");
  list.test_dataset("x-test", &S::x_test,
                    "test inputs, evaluated at the end if they are there; \"\": never");
  list.test_dataset("y-test", &S::y_test, "test targets");
  list.flag("trust-data", Use::kRun, &S::trust_data,
            "follow links and virtual datasets that lead to other files, let HDF5 load plugins of "
            "filters, take rows that were never written");
  list.flag("transpose", Use::kResult, &S::transpose,
            "reverse the axes of all of these, as MATLAB and Fortran show them");
}

void add_network(FieldList& list) {
  using S = TrainSettings;
  list.begin_group("Network (one of --model, --layers, --from)");
  list.text("model", Use::kInput, &S::model, "FILE.json",
            "the network as Keras's model.to_json() writes it");
  list.text("layers", Use::kResult, &S::layers, "TEXT",
            "the network in Keras's words: \"Flatten(), Dense(64, relu), Dense(10, softmax)\"");
  list.text("from", Use::kInput, &S::from, "FILE",
            "train a saved network on, with its weights and, unless set below, the optimizer, "
            "loss and metrics that it was compiled with");
  list.text("weights", Use::kInput, &S::weights, "FILE",
            "first weights for --model or --layers, as Keras's save_weights() writes them");
  list.text("loss", Use::kResult, &S::loss, "NAME",
            "Keras's name of the loss, with settings if need be: \"huber(delta=2)\", "
            "\"sparse_categorical_crossentropy(from_logits=True)\" [default: "
            "sparse_categorical_crossentropy]");
  list.text("metrics", Use::kResult, &S::metrics, "NAMES",
            "names, with commas; \"\": none [default: accuracy; of a regression the mean absolute "
            "error]");
  std::vector<Text> names, rates;
  for (const KnownOptimizer& optimizer : known_optimizers()) {
    names.push_back(optimizer.name);
    rates.push_back(fmt::format("{} {}", optimizer.name, optimizer.learning_rate));
  }
  list.text("optimizer", Use::kResult, &S::optimizer, "NAME",
            alternatives(names) + " [default: adam]");
  list.number("learning-rate", Use::kResult, &S::learning_rate, kNotNegative,
              fmt::format("[default: {}]", fmt::join(rates, ", ")));
  list.settings({known_optimizers().begin(), known_optimizers().end()}, &S::optimizer_settings);
}

void add_schedule(FieldList& list) {
  using S = TrainSettings;
  list.begin_group("Learning rate over time (all counts are optimizer steps)");
  std::vector<Text> names;
  for (const Choosable& schedule : known_schedules()) names.push_back(schedule.name);
  list.text("learning-rate-schedule", Use::kResult, &S::schedule, "NAME",
            alternatives(names) + " [default: constant]");
  list.settings(known_schedules(), &S::schedule_settings);
}

void add_training(FieldList& list) {
  using S = TrainSettings;
  list.begin_group("Training");
  list.integer("epochs", Use::kRun, &S::epochs, 1, kMany, "passes over the data, in all");
  list.integer("batch-size", Use::kResult, &S::batch_size, 1, kMany,
               "samples per update, over all ranks together");
  list.integer("batch-size-per-rank", Use::kThisCall, &S::batch_size_per_rank, 1, kMany,
               "the same for each rank: results then depend on the number of ranks");
  list.number("validation-split", Use::kResult, &S::validation_split, kFraction,
              "this part of the rows, the last ones, validates");
  list.integer("validation-batch-size", Use::kResult, &S::validation_batch_size, 1, kMany,
               "[default: the batch size]");
  list.integer("validation-freq", Use::kResult, &S::validation_freq, 1, kMany,
               "validate after every N epochs");
  list.flag("shuffle", Use::kResult, &S::shuffle, "another order of rows in every epoch");
  list.opposite("no-shuffle", &S::shuffle, "take the rows as they stand in the file");
  list.integer("steps-per-epoch", Use::kResult, &S::steps_per_epoch, 1, kMany,
               "updates per epoch [default: until all rows are used]");
  list.integer("seed", Use::kResult, &S::seed, 0, std::numeric_limits<std::int64_t>::max(),
               "decides first weights, order of rows and dropout");
}

void add_callbacks(FieldList& list) {
  using S = TrainSettings;
  list.begin_group("Callbacks");
  list.text("early-stopping", Use::kResult, &S::early_stopping, "MONITOR",
            "stop when this number (val_loss, accuracy, ...) improves no more");
  list.integer("patience", Use::kResult, &S::patience, 0, kMany,
               "early stopping: epochs without improvement");
  list.number("min-delta", Use::kResult, &S::min_delta, kAnyNumber,
              "early stopping: the least change that is one");
  list.flag("restore-best-weights", Use::kResult, &S::restore_best_weights,
            "early stopping: end with the weights of the best epoch");
  list.text("save-best", Use::kResult, &S::save_best, "MONITOR",
            "write best.h5 whenever this number is better than ever before");
}

void add_distribution(FieldList& list) {
  using S = TrainSettings;
  list.begin_group("Distribution (results do not depend on the number of ranks)");
  list.choice("numerics", Use::kResult, &S::numerics, "HOW",
              Choices<Numerics>{{"exact", Numerics::kExact}, {"fast", Numerics::kFast}},
              "exact: the same bits on any number of ranks and threads and any CPU with FMA; fast: "
              "as the BLAS adds up, bits depend on all of these [default: exact; fast if a CPU "
              "lacks FMA]");
  list.integer("grain", Use::kResult, &S::grain, 1, kMany,
               "rows that are added up one after the other; a rank works on whole grains "
               "[default: batch size / 8, from 8 to 32]");
  list.choice("sync", Use::kRun, &S::sync, "HOW",
              Choices<DistributedOptimizer::Strategy>{
                  {"sharded", DistributedOptimizer::Strategy::kSharded},
                  {"allreduce", DistributedOptimizer::Strategy::kAllreduce}},
              "sharded: each parameter is updated by one rank, in memory that the ranks of a host "
              "share; allreduce: by every rank, after messages: the same numbers");
  list.choice("validate-on", Use::kRun, &S::validate_on_root, "RANKS",
              Choices<bool>{{"all", false}, {"root", true}},
              "which ranks run the validation passes, all or root: the same numbers");
  list.integer("threads", Use::kRun, &S::threads, 1, 1024,
               "threads of each rank for its matrix products");
  list.number("bucket-mib", Use::kRun, &S::bucket_mib, kBuckets,
              "gradients per message, in MiB, at most");
  list.integer("check-replicas-every", Use::kRun, &S::check_replicas_every, 0, kMany,
               "steps between comparisons of all replicas; 0: only after training");
}

void add_running(FieldList& list) {
  using S = TrainSettings;
  list.begin_group("Running");
  list.text("run-dir", Use::kRun, &S::run_dir, "DIR", "where results and checkpoints go");
  list.flag("overwrite", Use::kThisCall, &S::overwrite, "remove the results in --run-dir first");
  list.choice(
      "resume", Use::kRun, &S::resume, "WHEN",
      Choices<Resume>{
          {"auto", Resume::kAuto}, {"required", Resume::kRequired}, {"never", Resume::kNever}},
      "go on from the newest checkpoint in --run-dir: auto (if there is one), required or "
      "never");
  list.integer("checkpoint-every", Use::kRun, &S::checkpoint_every, 1, kMany, "epochs");
  list.integer("keep", Use::kRun, &S::keep, 1, kMany, "checkpoints that stay");
  list.flag("summary", Use::kRun, &S::summary, "print the network's layers and parameters");
  list.flag("dry-run", Use::kThisCall, &S::dry_run,
            "check options, files, shapes and memory, say what would be done, write nothing");
  list.flag("profile", Use::kThisCall, &S::profile,
            "measure where the time of a training step goes, print it at the end");
  list.integer("verbose", Use::kRun, &S::verbose, 0, 2,
               "0: silent; 1: progress on a terminal, one line per epoch in a log; 2: one line "
               "per epoch");
}

std::vector<TrainField> all_fields() {
  FieldList list;
  add_data(list);
  add_network(list);
  add_schedule(list);
  add_training(list);
  add_callbacks(list);
  add_distribution(list);
  add_running(list);
  return std::move(list.fields);
}

}  // namespace

const std::vector<TrainField>& train_fields() {
  static const std::vector<TrainField> fields = all_fields();
  return fields;
}

}  // namespace lockstep
