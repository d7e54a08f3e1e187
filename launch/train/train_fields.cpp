#include "launch/train/train_fields.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "src/core/error.hpp"
#include "src/core/printable.hpp"

namespace lockstep {
namespace {

using Use = TrainField::Use;
using Text = std::string;

constexpr std::int64_t kMany = 1'000'000'000;
constexpr double kInfinite = std::numeric_limits<double>::infinity();

template <class T>
std::optional<T> parse_number(const Text& text) {
  T value{};
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || stop != end) return std::nullopt;
  return value;
}

[[noreturn]] void refuse(const std::string& expected, const Text& text) {
  fail(ExitCode::kUsage, "expected {}, got '{}'", expected, printable(text));
}

std::int64_t read_integer(const Text& text, std::int64_t low, std::int64_t high) {
  const auto value = parse_number<std::int64_t>(text);
  if (!value || *value < low || *value > high) {
    refuse(fmt::format("an integer from {} to {}", low, high), text);
  }
  return *value;
}

/// The words for the values of an option.
template <class T>
using Choices = std::vector<std::pair<const char*, T>>;

template <class T>
std::string words_of(const Choices<T>& choices) {
  std::string words;
  for (std::size_t i = 0; i < choices.size(); ++i)
    words += (i == 0 ? "" : i + 1 < choices.size() ? ", " : " or ") + Text(choices[i].first);
  return words;
}

template <class T>
T read_choice(const Text& text, const Choices<T>& choices) {
  for (const auto& [word, value] : choices)
    if (text == word) return value;
  refuse(words_of(choices), text);
}

template <class T>
const char* word_of(T value, const Choices<T>& choices) {
  return std::ranges::find(choices, value, [](const auto& choice) { return choice.second; })->first;
}

/// A range of real numbers, in words and as a test.
struct NumberRange {
  double low = -kInfinite;
  double high = kInfinite;
  const char* words = "a number";
};
constexpr NumberRange kAnyNumber;
constexpr NumberRange kPositive{std::numeric_limits<double>::denorm_min(), kInfinite,
                                "a number > 0"};
constexpr NumberRange kNotNegative{0, kInfinite, "a number >= 0"};
/// The largest double below 1.
constexpr NumberRange kFraction{0, 1 - std::numeric_limits<double>::epsilon() / 2,
                                "a number >= 0 and < 1"};
constexpr NumberRange kBuckets{1.0 / 1024, 1024, "a number from 0.001 to 1024"};

double read_number(const Text& text, const NumberRange& range) {
  const auto value = parse_number<double>(text);
  if (!value || !std::isfinite(*value) || *value < range.low || *value > range.high) {
    refuse(range.words, text);
  }
  return *value;
}

bool read_switch(const Text& text) {
  if (text == "true" || text == "yes" || text == "on" || text == "1") return true;
  if (text == "false" || text == "no" || text == "off" || text == "0") return false;
  refuse("true or false", text);
}

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
            const char* help) {
    add(
        name, use, argument, help, member, [](const Text& text) { return text; },
        [](const Text& text) { return text.empty() && !IsOptional<Member>() ? Written() : text; });
  }
  template <class Member>
  void integer(const char* name, Use use, Member TrainSettings::*member, std::int64_t low,
               std::int64_t high, const char* help) {
    add(
        name, use, "N", help, member,
        [low, high](const Text& text) { return read_integer(text, low, high); },
        [low](std::int64_t value) {  // 0 means "not set" where it is out of range
          return value < low ? Written() : fmt::format("{}", value);
        });
  }
  template <class Member>
  void number(const char* name, Use use, Member TrainSettings::*member, NumberRange range,
              const char* help) {
    add(
        name, use, "X", help, member,
        [range](const Text& text) { return read_number(text, range); },
        [](double value) -> Written { return fmt::format("{}", value); });
  }
  template <class Member>
  void flag(const char* name, Use use, Member TrainSettings::*member, const char* help) {
    add(name, use, "", help, member, read_switch,
        [](bool value) -> Written { return value ? "true" : "false"; });
  }
  /// The opposite of a flag that stands before it.
  void opposite(const char* name, bool TrainSettings::*member, const char* help) {
    add(
        name, Use::kThisCall, "", help, member, [](const Text& text) { return !read_switch(text); },
        [](bool) { return Written(); });
  }
  template <class Member, class T>
  void choice(const char* name, Use use, Member TrainSettings::*member, const char* argument,
              const Choices<T>& choices, const char* help) {
    add(
        name, use, argument, help, member,
        [choices](const Text& text) { return read_choice(text, choices); },
        [choices](T value) -> Written { return word_of(value, choices); });
  }
  /// A test dataset: naming it makes it wanted; the empty name, which is written too, skips it.
  void test_dataset(const char* name, std::string TrainSettings::*member, const char* help) {
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
  void add(const char* name, Use use, const char* argument, const char* help,
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
  list.text("optimizer", Use::kResult, &S::optimizer, "NAME", "adam or sgd [default: adam]");
  list.number("learning-rate", Use::kResult, &S::learning_rate, kNotNegative,
              "[default: adam 0.001, sgd 0.01]");
  list.number("momentum", Use::kResult, &S::momentum, kFraction, "sgd only [default: 0]");
  list.flag("nesterov", Use::kResult, &S::nesterov, "sgd only: Nesterov's form of momentum");
  list.number("beta-1", Use::kResult, &S::beta_1, kFraction, "adam only [default: 0.9]");
  list.number("beta-2", Use::kResult, &S::beta_2, kFraction, "adam only [default: 0.999]");
  list.number("epsilon", Use::kResult, &S::epsilon, kPositive, "adam only [default: 1e-07]");
  list.flag("amsgrad", Use::kResult, &S::amsgrad, "adam only: the variant of that name");
}

void add_schedule(FieldList& list) {
  using S = TrainSettings;
  list.begin_group("Learning rate over time (all counts are optimizer steps)");
  list.text("learning-rate-schedule", Use::kResult, &S::schedule, "NAME",
            "constant, exponential, piecewise or cosine [default: constant]");
  list.integer("decay-steps", Use::kResult, &S::decay_steps, 1, kMany, "exponential, cosine");
  list.number("decay-rate", Use::kResult, &S::decay_rate, kPositive, "exponential");
  list.flag("staircase", Use::kResult, &S::staircase, "exponential: decay in whole steps");
  list.text("boundaries", Use::kResult, &S::boundaries, "N,N,...", "piecewise: where it changes");
  list.text("values", Use::kResult, &S::values, "X,X,...",
            "piecewise: the rates, one more than boundaries");
  list.number("alpha", Use::kResult, &S::alpha, kNotNegative,
              "cosine: last rate as a fraction of the highest [default: 0]");
  list.integer("warmup-steps", Use::kResult, &S::warmup_steps, 1, kMany, "cosine");
  list.number("warmup-target", Use::kResult, &S::warmup_target, kNotNegative,
              "cosine: the rate to rise to from --learning-rate");
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
