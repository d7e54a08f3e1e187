#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>

#include "distributed/ranks/agreement.hpp"
#include "distributed/training/carried_states.hpp"
#include "distributed/training/early_stopping.hpp"
#include "distributed/training/finite_check.hpp"
#include "distributed/training/learning_rate_scheduler.hpp"
#include "distributed/training/model_checkpoint.hpp"
#include "distributed/training/reduce_lr_on_plateau.hpp"
#include "distributed/training/trainer.hpp"
#include "io/data/sample_order.hpp"
#include "launch/cli/command.hpp"
#include "launch/cli/option_parser.hpp"
#include "launch/machine/blas_correction.hpp"
#include "launch/machine/host_report.hpp"
#include "launch/train/profile_table.hpp"
#include "launch/train/progress.hpp"
#include "launch/train/rate_expression.hpp"
#include "launch/train/resume.hpp"
#include "launch/train/run_recorder.hpp"
#include "launch/train/split_warning.hpp"
#include "launch/train/stall_watch.hpp"
#include "launch/train/tensorboard.hpp"
#include "launch/train/train_plan.hpp"
#include "launch/train/training_facts.hpp"
#include "src/core/hash.hpp"
#include "src/core/parallel.hpp"
#include "src/core/printable.hpp"
#include "src/kernels/gemm.hpp"
#include "src/model/summary.hpp"

namespace lockstep {
namespace {

constexpr const char* kUsage = R"help(Usage: lockstep train [CONFIG.cfg] [options]
       mpirun -n 4 lockstep train [CONFIG.cfg] [options]

Trains a network on all ranks in lockstep. CONFIG.cfg holds lines `key = value` with the names
below, without the dashes; the command line wins. Results go to the run directory: final.h5 (which
Keras opens), history.csv, config.cfg, checkpoints. Started again, training goes on where it stood.

Example:
  lockstep train --data fashion_mnist.h5 --epochs 5 --validation-split 0.2 \
    --layers "Rescaling(1/255), Flatten(), Dense(64, relu), Dense(32, relu), Dense(10, softmax)"

)help";

void print_help() {
  std::ostringstream options;
  print_train_options(options);
  print_now(kUsage + options.str());
}

/// All rows that a run works on, in memory and known to fit the network.
struct RunData {
  ResidentDataset train;
  std::optional<ResidentDataset> validation;
  std::optional<ResidentDataset> test;
};

/// Collective; `host` must outlive the result.
RunData load_data(const Communicator& world, const Communicator& host, const TrainPlan& plan) {
  const auto load = [&](const DatasetPlace& place) {
    ResidentDataset data(world, host, place, plan.settings.trust_data);
    data.check_for(world, plan.network.model);
    return data;
  };
  RunData data{load(plan.train), {}, {}};
  if (plan.validation) data.validation.emplace(load(*plan.validation));
  if (plan.test) data.test.emplace(load(*plan.test));
  if (data.validation) data.validation->use_classes_of(world, data.train);
  if (data.test) data.test->use_classes_of(world, data.train);
  return data;
}

/// That the rows suit stateful layers, before anything is written.
void check_batches(const RunData& data, TrainPlan& plan) {
  const TrainOptions& options = plan.settings.training;
  const std::int64_t rows = data.train.rows().rows();
  std::int64_t train = rows, validation = data.validation ? data.validation->rows().rows() : 0;
  if (!data.validation && options.validation_split > 0) {
    train = training_rows(rows, options.validation_split);
    validation = rows - train;
  }
  check_stateful(plan.network.model, options, train, validation);
  if (data.test)
    check_whole_batches(plan.network.model, options.batch_size, data.test->rows().rows(), "test");
}

/// What --from brings, as inspect shows it: the file may be written anew with the same in it.
std::string describe_start(const NetworkSource& network) {
  std::string text = "weights of SHA-256 " + network.model.weights_sha256();
  if (!network.start) return text + ", optimizer afresh";
  std::vector<std::uint64_t> hashes;
  for (const auto& slot : network.start->slots)
    hashes.push_back(fast_hash(std::as_bytes(std::span<const float>(slot)))[0]);
  return text + fmt::format(", optimizer of step {}, hash {}", network.start->iterations,
                            to_hex(std::as_bytes(std::span(hashes))));
}

/// One run, from its directory to its last file.
class TrainRun {
 public:
  TrainRun(const Communicator& world, TrainPlan& plan, const Screen& screen)
      : world_(world),
        plan_(plan),
        settings_(plan.settings),
        screen_(screen),
        directory_(settings_.run_dir, settings_.save_format) {}

  ExitCode run();

 private:
  void decide();
  void warn_about_split(const RunData& data) const;
  void advise_on_rates(std::int64_t rows) const;
  void begin(const RunData& data);
  void identify(const RunData& data);
  void load_checkpoint(const RunData& data);
  ExitCode train(const RunData& data);
  std::shared_ptr<RunRecorder> add_callbacks(Trainer& trainer) const;
  void report_test(const Evaluation& evaluation) const;
  void say(const std::string& line) const;
  void write_failure(ExitCode code, const std::string& reason) const;

  const Communicator& world_;
  TrainPlan& plan_;
  const TrainSettings& settings_;
  Screen screen_;
  RunDirectory directory_;
  RunIdentity identity_;
  bool resumes_ = false;
};

ExitCode TrainRun::run() {
  decide();  // before hours of reading; nothing is written until the data are known to be good
  const Communicator host = world_.on_this_host();
  const RunData data = load_data(world_, host, plan_);
  check_batches(data, plan_);
  const std::string idle = idle_ranks_warning(settings_, data.train.rows().rows(), world_.size());
  if (world_.is_root() && !idle.empty()) print_error(idle);
  for (const std::string& note : data.train.notes()) say(note);
  follow(world_, advice_on(facts_of(plan_.network.model),
                           facts_of(world_, data.train.rows(), plan_.network.model, settings_.x,
                                    settings_.y)));
  warn_about_split(data);
  if (!resumes_) advise_on_rates(data.train.rows().rows());
  begin(data);
  try {
    return train(data);
  } catch (const Error& error) {
    write_failure(error.code(), error.what());
    throw;
  } catch (const std::exception& error) {
    write_failure(ExitCode::kNumerical, error.what());
    throw;
  }
}

void TrainRun::decide() {
  on_root(world_, [&] {
    resumes_ =
        directory_.decide(settings_, model_json_text(plan_.network.model)) == Beginning::kResume;
  });
  resumes_ = world_.broadcast(resumes_);
}

void TrainRun::warn_about_split(const RunData& data) const {
  if (!world_.is_root() || data.validation || settings_.training.validation_split <= 0) return;
  const std::string warning = split_warning(
      data.train.rows().y, settings_.training.validation_split, plan_.network.model.loss());
  if (!warning.empty()) print_error(warning);
}

/// Of the steps from where training sets out.
void TrainRun::advise_on_rates(std::int64_t rows) const {
  const std::optional<TrainingState>& start = plan_.network.start;
  const std::int64_t epochs = settings_.training.epochs - (start && resumes_ ? start->epoch : 0);
  const std::int64_t done = start && resumes_ ? start->amid.steps : 0;
  const bool ends = epochs <= 0 || (start && start->stopped);
  const Schedule& schedule = plan_.network.model.optimizer().schedule();
  follow(world_, advice_on({.constant = schedule.to_json().is_number(),
                            .first_step = start ? start->iterations : 0,
                            .steps = ends ? 0 : epochs * steps_per_epoch(settings_, rows) - done,
                            .rate = [&](std::int64_t step) { return schedule.rate(step); }}));
}

void TrainRun::begin(const RunData& data) {
  on_root(world_, [&] {
    directory_.create();
    directory_.take_lock();
    // A run that has been here goes on with its own epochs, also before its first checkpoint.
    if (!settings_.tensorboard.empty() && !settings_.overwrite && !directory_.holds_results())
      TensorBoard::check_free(settings_.tensorboard);
  });
  decide();  // once more: until the lock, somebody else may have been at work here
  identify(data);
  if (resumes_) {
    load_checkpoint(data);
    advise_on_rates(data.train.rows().rows());
  }
  // Up to here a run that is here, and refused, stays as it was.
  on_root(world_, [&] {
    if (!resumes_) directory_.remove_results();
    directory_.write_description(settings_, model_json_text(plan_.network.model));
    directory_.write_status("RUNNING");
  });
}

/// What decides the result: for the checkpoints, and to know those of another run.
void TrainRun::identify(const RunData& data) {
  identity_.options = result_facts(settings_);
  identity_.trainer = trainer_facts(settings_.training, plan_.network.model);
  const auto add = [&](const ResidentDataset& rows, const std::string& ending) {
    for (Fact& fact :
         data_facts(world_, rows.rows(), "x" + ending, "y" + ending, "sample-weight" + ending))
      identity_.inputs.push_back(std::move(fact));
  };
  add(data.train, "");
  if (data.validation) add(*data.validation, "-val");
  if (!settings_.from.empty()) identity_.inputs.emplace_back("from", describe_start(plan_.network));
}

void TrainRun::load_checkpoint(const RunData& data) {
  const ExpectedRun expected{
      .identity = identity_,
      .places = input_places(plan_),
      .seed = settings_.training.seed,
      .first_step = plan_.network.start ? plan_.network.start->iterations : 0,
      .steps_per_epoch = steps_per_epoch(settings_, data.train.rows().rows()),
      .resume_required = settings_.resume == Resume::kRequired};
  ResumePoint point = load_newest_checkpoint(world_, directory_, expected, plan_.network.model);
  const std::int64_t done = point.state.epoch, steps = point.state.amid.steps;
  const std::int64_t begun = done + (steps > 0 ? 1 : 0);
  check_collectively(
      begun <= settings_.training.epochs,
      settings_.resume == Resume::kRequired ? ExitCode::kUsage : ExitCode::kCannotCreate,
      "[{}] holds another run: epochs {} there, {} here; choose another --run-dir, or --overwrite",
      printable(directory_.path().string()), begun, settings_.training.epochs);
  const bool complete = steps == 0 && (point.state.stopped || done == settings_.training.epochs);
  say(complete ? fmt::format("{} is complete after epoch {}: nothing to train",
                             printable(directory_.path().string()), done)
               : fmt::format("going on after {}epoch {} of {} ({})",
                             steps > 0 ? fmt::format("step {} of ", steps) : "", begun,
                             settings_.training.epochs, printable(point.file)));
  plan_.network.start = std::move(point.state);
}

ExitCode TrainRun::train(const RunData& data) {
  TrainOptions options = settings_.training;
  options.table_mapping = plan_.table_mapping;
  options.classes = data.train.classes();
  Trainer trainer(plan_.network.model, Communicator(world_.get()), std::move(options));
  trainer.set_identity(identity_.options, identity_.inputs);
  const auto recorder = add_callbacks(trainer);
  if (plan_.network.start) trainer.restore(std::move(*plan_.network.start));
  {
    const StallWatch watch(trainer.heartbeat(), settings_.stall_warning);
    trainer.fit(data.train.rows(),
                data.validation ? std::optional(data.validation->rows()) : std::nullopt);
  }
  if (world_.is_root() && !trainer.why_allreduce().empty())
    print_error("warning: --sync allreduce instead of sharded: " + trainer.why_allreduce());
  const bool saved = recorder->write_final(trainer);
  if (data.test) report_test(trainer.evaluate(data.test->rows()));
  const ExitCode code = recorder->exit_code();
  if (code == ExitCode::kDone) {
    on_root(world_, [&] { directory_.write_status("DONE"); });
  } else {
    write_failure(code, recorder->reason());
  }
  if (saved) say(fmt::format("model in {}", printable(directory_.final_model().string())));
  if (settings_.training.profile) {
    const std::string table = profile_table(trainer.profile(), world_.size());
    if (world_.is_root()) print_now(table);
  }
  return code;
}

std::shared_ptr<RunRecorder> TrainRun::add_callbacks(Trainer& trainer) const {
  auto recorder =
      std::make_shared<RunRecorder>(directory_, settings_.checkpoint_every, settings_.keep);
  trainer.add_callback(std::make_shared<Progress>(settings_.verbose, screen_));
  if (!settings_.early_stopping.empty()) {
    trainer.add_callback(std::make_shared<EarlyStopping>(
        EarlyStopping::Options{.monitor = settings_.early_stopping,
                               .min_delta = settings_.min_delta,
                               .patience = settings_.patience,
                               .baseline = settings_.baseline,
                               .restore_best_weights = settings_.restore_best_weights,
                               .start_from_epoch = settings_.start_from_epoch}));
  }
  if (!settings_.reduce_lr.empty())
    trainer.add_callback(std::make_shared<ReduceLROnPlateau>(
        ReduceLROnPlateau::Options{.monitor = settings_.reduce_lr,
                                   .factor = settings_.reduce_lr_factor,
                                   .patience = settings_.reduce_lr_patience,
                                   .min_delta = settings_.reduce_lr_min_delta,
                                   .cooldown = settings_.reduce_lr_cooldown,
                                   .min_lr = settings_.min_lr}));
  if (!settings_.rate_expression.empty())
    trainer.add_callback(
        std::make_shared<LearningRateScheduler>(rate_expression(settings_.rate_expression)));
  if (!settings_.save_best.empty()) {
    ModelCheckpoint::Options options{.path = directory_.best_model(),
                                     .monitor = settings_.save_best};
    options.write = [this](std::span<const std::byte> bytes) {
      directory_.write(directory_.best_model(), bytes);
    };
    const auto best = std::make_shared<ModelCheckpoint>(std::move(options));
    trainer.add_callback(std::make_shared<RecordedCallback>(best, recorder));
  }
  if (!settings_.tensorboard.empty()) {
    const auto board = std::make_shared<TensorBoard>(TensorBoard::Options{
        .directory = settings_.tensorboard, .histogram_freq = settings_.tensorboard_histograms});
    trainer.add_callback(std::make_shared<RecordedCallback>(board, recorder));
  }
  trainer.add_callback(recorder);  // last: a checkpoint holds what the others made of the epoch
  return recorder;
}

void TrainRun::report_test(const Evaluation& evaluation) const {
  std::string line = "test loss " + keras_number(evaluation.loss);
  for (const auto& [name, value] : evaluation.metrics) {
    line += fmt::format(", test {} {}", name, keras_number(value));
  }
  say(line);
  const std::string bad = describe_not_finite(evaluation);
  check_collectively(
      bad.empty(), ExitCode::kNumerical,
      "[{}] expected finite results of the trained network, but {}; the network is in "
      "{}; look for extreme values in the test rows",
      printable(settings_.x_test), bad, printable(directory_.final_model().string()));
}

void TrainRun::say(const std::string& line) const {
  if (world_.is_root() && settings_.verbose > 0) print_now(line + "\n");
}

/// As well as it goes: the error itself matters more.
void TrainRun::write_failure(ExitCode code, const std::string& reason) const {
  if (!world_.is_root()) return;
  try {
    directory_.write_status(fmt::format("FAILED {} {}", static_cast<int>(code), printable(reason)));
  } catch (const Error&) {
  }
}

void warn_about_machine(const Communicator& world, const TrainSettings& settings) {
  const std::string blas = blas_warning(blas_report());
  if (settings.training.numerics == Numerics::kFast && world.is_root() && !blas.empty())
    print_error("warning: " + blas);
  warn_about_shared_cores(world, static_cast<int>(settings.threads));
}

/// What has become of the layers of a network that was changed.
std::string describe_transfer(const std::vector<TransferredLayer>& layers) {
  std::string text = fmt::format("{:<44} {:>12}  {}\n", "Layer (type)", "Param #", "weights");
  for (const TransferredLayer& layer : layers) {
    std::string fate = "left behind";
    if (layer.from != TransferredLayer::Weights::kLeftBehind)
      fate = fmt::format("{}, {}", layer.from == TransferredLayer::Weights::kNew ? "new" : "kept",
                         layer.frozen ? "frozen" : "trained");
    text += fmt::format("{:<44} {:>12}  {}\n",
                        fmt::format("{} ({})", printable(layer.name), layer.class_name),
                        layer.weights, fate);
  }
  return text;
}

}  // namespace

ExitCode run_train(const CommandContext& context) {
  if (wants_help(context.arguments)) {
    if (context.is_root()) print_help();
    return ExitCode::kDone;
  }
  const Communicator& world = *context.world;
  TrainPlan plan = make_train_plan(world, context.arguments);
  set_threads(static_cast<int>(plan.settings.threads));
  set_blas_threads(static_cast<int>(plan.settings.threads));
  warn_about_machine(world, plan.settings);
  for (const std::string& note : plan.network.notes)
    if (world.is_root()) print_error("note: " + note);
  if (world.is_root() && plan.settings.verbose > 0 && !plan.network.transferred.empty())
    print_now(describe_transfer(plan.network.transferred));
  follow(world, advice_on(facts_of(plan.network.model)));
  if (plan.settings.summary && world.is_root()) print_now(summary(plan.network.model));
  if (plan.settings.dry_run) {
    describe_plan(world, plan);
    return ExitCode::kDone;
  }
  const ExitCode code = TrainRun(world, plan, find_screen(context.under_launcher)).run();
  const std::string lost = forgive_lost_output();
  if (world.is_root() && !lost.empty()) print_error("warning: " + lost + "; training went on");
  return code;
}

}  // namespace lockstep
