#include "launch/train/train_fields.hpp"

#include <fmt/ranges.h>

#include <utility>
#include <vector>

#include "launch/train/setting_fields.hpp"
#include "src/core/words.hpp"
#include "src/losses/loss.hpp"
#include "src/metrics/metric.hpp"
#include "src/optimizers/make_optimizer.hpp"

namespace lockstep {
namespace {

using Use = TrainField::Use;
using Text = std::string;
using Json = nlohmann::ordered_json;

constexpr std::int64_t kMany = 1'000'000'000;

using List = OptionList<TrainSettings>;

/// A test dataset: naming it makes it wanted; the empty name, which is written too, skips it.
void add_test_dataset(List& list, const char* name, std::string TrainSettings::*member,
                      const Text& help) {
  list.text(name, Use::kRun, member, "DATASET", help);
  list.fields.back().read = [member](TrainSettings& settings, const Text& text) {
    settings.*member = text;
    settings.test_wanted = settings.test_wanted || !text.empty();
  };
  list.fields.back().write = [member](const TrainSettings& settings) -> List::Written {
    return settings.*member;
  };
}

/// Those of the settings of optimizers or schedules.
template <class Known>
void add_settings(List& list, const std::vector<Known>& choices, Json TrainSettings::*member) {
  for (TrainField& field : setting_fields({choices.begin(), choices.end()}, member))
    list.other(std::move(field));
}

void add_data(List& list) {
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
  list.text("sample-weight", Use::kResult, &S::sample_weight, "DATASET",
            "how much the loss of each training row counts, or of each position of its output; "
            "numbers from 0 on, which the metrics do not see");
  list.text("x-val", Use::kResult, &S::x_val, "DATASET",
            "validation inputs, instead of --validation-split");
  list.text("y-val", Use::kResult, &S::y_val, "DATASET", "validation targets");
  list.text("sample-weight-val", Use::kResult, &S::sample_weight_val, "DATASET",
            "the same of the validation rows");
  add_test_dataset(list, "x-test", &S::x_test,
                   "test inputs, evaluated at the end if they are there; \"\": never");
  add_test_dataset(list, "y-test", &S::y_test, "test targets");
  list.flag("trust-data", Use::kRun, &S::trust_data,
            "follow links and virtual datasets that lead to other files, let HDF5 load plugins of "
            "filters, take rows that were never written");
  list.flag("transpose", Use::kResult, &S::transpose,
            "reverse the axes of all of these, as MATLAB and Fortran show them");
}

void add_network(List& list) {
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
  list.flag("skip-mismatch", Use::kResult, &S::skip_mismatch,
            "read the weights of those layers that have the same name and shapes in --weights; the "
            "others are drawn anew");
  list.fields.back().unset = "false";
  list.fields.back().write = [](const S& settings) {
    return settings.skip_mismatch ? List::Written("true") : List::Written();
  };
  list.text(
      "freeze", Use::kResult, &S::freeze, "LAYERS",
      "names of layers that are not trained, with commas: \"conv*,block?_*\" (* any letters, ? "
      "one); their weights stay, batch normalization computes as in inference");
  list.text("unfreeze", Use::kResult, &S::unfreeze, "LAYERS",
            "of those, or of layers that were frozen in the file, which are trained after all");
  list.text("replace-head", Use::kResult, &S::replace_head, "TEXT",
            "layers as in --layers, in the place of the last one with weights and all behind it: "
            "\"Dense(5, softmax)\"");
  list.text("loss", Use::kResult, &S::loss, "NAME",
            "Keras's name of the loss, with settings if need be: \"huber(delta=2)\", "
            "\"sparse_categorical_crossentropy(from_logits=True)\": " +
                fmt::format("{}", fmt::join(known_losses(), ", ")) +
                " [default: sparse_categorical_crossentropy]");
  list.text("metrics", Use::kResult, &S::metrics, "NAMES",
            "Keras's names, with commas, and with settings if need be: \"accuracy, "
            "AUC(curve=PR, name=pr)\"; \"\": none; " +
                fmt::format("{}", fmt::join(known_metrics(), ", ")) +
                " [default: accuracy; of a regression the mean "
                "absolute error]");
  std::vector<Text> names;
  std::vector<ChoiceDefault> rates;
  for (const KnownOptimizer& optimizer : known_optimizers()) {
    names.push_back(optimizer.name);
    rates.push_back({optimizer.name, fmt::format("{}", optimizer.learning_rate)});
  }
  list.text("optimizer", Use::kResult, &S::optimizer, "NAME",
            alternatives(names) + " [default: adam]");
  list.number("learning-rate", Use::kResult, &S::learning_rate, kNotNegative,
              fmt::format("[default: {}]", defaults_in_words(rates)));
  add_settings(list, known_optimizers(), &S::optimizer_settings);
}

void add_schedule(List& list) {
  using S = TrainSettings;
  list.begin_group("Learning rate over time (all counts are optimizer steps)");
  std::vector<Text> names;
  for (const Choosable& schedule : known_schedules()) names.push_back(schedule.name);
  list.text("learning-rate-schedule", Use::kResult, &S::schedule, "NAME",
            alternatives(names) + " [default: constant]");
  add_settings(list, known_schedules(), &S::schedule_settings);
}

void add_training(List& list) {
  list.begin_group("Training");
  list.part(train_option_fields(), &TrainSettings::training);
  list.integer_or_unset("batch-size-per-rank", Use::kThisCall, &TrainSettings::batch_size_per_rank,
                        1, kMany, "",
                        "--batch-size for each rank: results then depend on the number of ranks");
  list.integer_or_unset("linear-scaling", Use::kThisCall, &TrainSettings::linear_scaling, 1, kMany,
                        "",
                        "for large batches: --learning-rate is that of batches of N samples; the "
                        "rate is that times batch size / N, and begins with a warm-up");
  list.integer("warmup-epochs", Use::kThisCall, &TrainSettings::warmup_epochs, 0, kMany,
               "linear scaling: epochs in which the rate rises to that");
  list.integer("steps-per-execution", Use::kThisCall, &TrainSettings::steps_per_execution, 1, kMany,
               "Keras's; changes nothing here, where a step costs no call of Python");
  list.other({"no-shuffle", "", "", "take the rows as they stand in the file", Use::kThisCall,
              [](TrainSettings& settings, const Text& text) {
                settings.training.shuffle = !read_switch(text);
              },
              [](const TrainSettings&) { return List::Written(); }});
}

void add_callbacks(List& list) {
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
  list.number("baseline", Use::kResult, &S::baseline, kAnyNumber,
              "early stopping: only what is better than this counts as an improvement");
  list.integer("start-from-epoch", Use::kResult, &S::start_from_epoch, 0, kMany,
               "early stopping: the first epoch, from 0, that is looked at");
  list.text("save-best", Use::kResult, &S::save_best, "MONITOR",
            "write best.h5 (or .keras) whenever this number is better than ever before");
  list.text("reduce-lr-on-plateau", Use::kResult, &S::reduce_lr, "MONITOR",
            "multiply the learning rate by --reduce-lr-factor when this number improves no more");
  list.number("reduce-lr-factor", Use::kResult, &S::reduce_lr_factor, kFraction,
              "what the learning rate is multiplied by");
  list.integer("reduce-lr-patience", Use::kResult, &S::reduce_lr_patience, 0, kMany,
               "epochs without improvement");
  list.number("reduce-lr-min-delta", Use::kResult, &S::reduce_lr_min_delta, kAnyNumber,
              "the least change that is one");
  list.integer("reduce-lr-cooldown", Use::kResult, &S::reduce_lr_cooldown, 0, kMany,
               "epochs after a reduction in which none is counted");
  list.number("min-lr", Use::kResult, &S::min_lr, kNotNegativeFloat,
              "the plateau reduces the learning rate to no less");
  list.text("learning-rate-expression", Use::kResult, &S::rate_expression, "TEXT",
            "the learning rate of every epoch, of epoch (from 0) and rate (so far): \"epoch < 10 ? "
            "rate : 0.9 * rate\"");
  list.text("tensorboard", Use::kRun, &S::tensorboard, "DIR",
            "write the numbers of every epoch for TensorBoard, as Keras's callback does, to train/ "
            "and validation/ in this directory");
  list.integer("tensorboard-histograms", Use::kRun, &S::tensorboard_histograms, 0, kMany,
               "and how the weights are distributed, after every N epochs; 0: never");
}

void add_distribution(List& list) {
  list.begin_group("Distribution (results do not depend on the number of ranks)");
  list.part(train_option_fields(), &TrainSettings::training);
  list.integer("threads", Use::kRun, &TrainSettings::threads, 1, 1024,
               "threads of each rank for its matrix products");
}

void add_running(List& list) {
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
  list.choice("save-format", Use::kRun, &S::save_format, "FORMAT",
              Choices<ModelFormat>{{"h5", ModelFormat::kHdf5}, {"keras", ModelFormat::kKeras}},
              "of the final and the best model: h5 (final.h5, which Keras 2 and 3 open) or keras "
              "(final.keras, which Keras 3 opens); checkpoints are always h5");
  list.number("stall-warning", Use::kRun, &S::stall_warning, kNotNegative,
              "seconds without progress in a step after which the ranks that others of their host "
              "wait for are named; 0: never");
  list.flag("summary", Use::kRun, &S::summary, "print the network's layers and parameters");
  list.flag("dry-run", Use::kThisCall, &S::dry_run,
            "check options, files, shapes and memory, say what would be done, write nothing");
  list.integer("verbose", Use::kRun, &S::verbose, 0, 2,
               "0: silent; 1: progress on a terminal, one line per epoch in a log; 2: one line "
               "per epoch");
  list.part(train_option_fields(), &S::training);
}

std::vector<TrainField> all_fields() {
  List list;
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
