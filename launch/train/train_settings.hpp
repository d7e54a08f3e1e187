#pragma once

#include <cstdint>
#include <iosfwd>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "distributed/training/trainer.hpp"

namespace lockstep {

enum class Resume { kAuto, kRequired, kNever };

/// Every option of `lockstep train`, from the command line and a config file, with its default.
/// Empty optionals: the optimizer's, or with --from the file's.
struct TrainSettings {
  // Data
  std::string data;
  std::string x = "x_train";
  std::string y = "y_train";
  std::string sample_weight;
  std::string x_val;
  std::string y_val;
  std::string sample_weight_val;
  std::string x_test = "x_test";
  std::string y_test = "y_test";
  bool test_wanted = false;  ///< the user named x_test or y_test: they must be there
  bool trust_data = false;
  bool transpose = false;

  // Network
  std::string model;
  std::string layers;
  std::string from;
  std::string weights;
  bool skip_mismatch = false;
  std::string freeze, unfreeze;  ///< names of layers, with commas
  std::string replace_head;
  std::optional<std::string> optimizer;
  /// By Keras's keys: {"beta_1": 0.8}; so for the schedule.
  nlohmann::ordered_json optimizer_settings = nlohmann::ordered_json::object();
  std::optional<double> learning_rate;
  std::optional<std::string> schedule;
  nlohmann::ordered_json schedule_settings = nlohmann::ordered_json::object();
  std::optional<std::string> loss;
  std::optional<std::string> metrics;

  // Training, Distribution
  TrainOptions training = {.verify_data = false};  ///< ResidentArray compares the hosts' rows
  std::int64_t batch_size_per_rank = 0;            ///< 0: training.batch_size counts
  std::int64_t linear_scaling = 0;  ///< samples a batch that learning_rate is for; 0: any
  std::int64_t warmup_epochs = 5;
  std::int64_t steps_per_execution = 1;  ///< Keras's, which means nothing here
  std::int64_t threads = 1;

  // Callbacks
  std::string early_stopping;
  std::int64_t patience = 0;
  double min_delta = 0;
  bool restore_best_weights = false;
  std::optional<double> baseline;
  std::int64_t start_from_epoch = 0;
  std::string save_best;
  std::string reduce_lr;
  double reduce_lr_factor = 0.1;
  std::int64_t reduce_lr_patience = 10;
  double reduce_lr_min_delta = 1e-4;
  std::int64_t reduce_lr_cooldown = 0;
  double min_lr = 0;
  std::string rate_expression;
  std::string tensorboard;  ///< directory
  std::int64_t tensorboard_histograms = 0;

  // Running
  std::string run_dir = "run";
  bool overwrite = false;
  Resume resume = Resume::kAuto;
  std::int64_t checkpoint_every = 1;
  std::int64_t keep = 3;
  ModelFormat save_format = ModelFormat::kHdf5;
  double stall_warning = 60;  ///< seconds
  bool summary = false;
  bool dry_run = false;
  std::int64_t verbose = 1;
};

/// Resolves the arguments behind `train`: [CONFIG.cfg] [options]; the command line wins. Throws
/// Error (64) naming the option (and file and line), 66 or 77 for the config file.
TrainSettings parse_train_settings(const std::vector<std::string>& arguments);

/// That the settings go together. Throws Error (64).
void check_together(const TrainSettings& settings);

/// The settings in a config file's text. Throws Error (64) with `name` and the line.
TrainSettings train_settings_from_config(const std::string& text, const std::string& name);

/// Every option that is set, `key = value`, always in the same order: a config file again. Left
/// out is what belongs to one call only (overwrite, dry-run, profile).
std::string to_config(const TrainSettings& settings);

/// The options that shape results and differ: "batch-size 32 there, 64 here".
std::vector<std::string> differing_options(const TrainSettings& there, const TrainSettings& here);

/// Every option that shapes results and is set, as the checkpoints of a run keep it.
Facts result_facts(const TrainSettings& settings);

/// Replaces --batch-size-per-rank by the batch size that it means on so many ranks.
void resolve_batch_size(TrainSettings& settings, int ranks);

/// For `lockstep train --help`.
void print_train_options(std::ostream& out);

}  // namespace lockstep
