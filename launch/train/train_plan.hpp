#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "distributed/ranks/communicator.hpp"
#include "launch/cli/data_source.hpp"
#include "launch/train/network_source.hpp"
#include "launch/train/train_settings.hpp"

namespace lockstep {

/// What `lockstep train` is going to do, resolved before any row is read; equal on every rank.
struct TrainPlan {
  TrainSettings settings;  ///< x_test and y_test are empty if nothing is to be evaluated
  NetworkSource network;
  DatasetPlace train;
  std::optional<DatasetPlace> validation;
  std::optional<DatasetPlace> test;
  std::string table_mapping;  ///< of the table that the training rows come from; empty: of none
};

/// Reads options, config file, network and the descriptions of the datasets. Throws
/// CollectiveError: 64, 65, 66, 77, or 78 if the ranks were given different options. Collective.
TrainPlan make_train_plan(const Communicator& world, const std::vector<std::string>& arguments);

/// Where the inputs lie that a run's identity names: ("x", "d.h5:/x_train"), ...
Facts input_places(const TrainPlan& plan);

/// Updates per epoch, of a dataset with so many rows.
std::int64_t steps_per_epoch(const TrainSettings& settings, std::int64_t rows);

/// One line if some ranks have no grain of a full batch out of so many rows in the dataset; else
/// empty.
std::string idle_ranks_warning(const TrainSettings& settings, std::int64_t rows, int ranks);

/// The network as model.json holds it.
std::string model_json_text(const Network& model);

/// --dry-run: says what would be done. Writes nothing. Throws CollectiveError: 65 for shapes that
/// do not fit, 73 for a run directory in the way, 74 if the rows do not fit into the memory.
/// Collective.
void describe_plan(const Communicator& world, const TrainPlan& plan);

}  // namespace lockstep
