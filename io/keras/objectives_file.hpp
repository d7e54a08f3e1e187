#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "io/keras/keras_optimizer_state.hpp"
#include "src/model/network.hpp"

namespace lockstep {

/// One of several objectives of a network, by the name that files have for it: "discriminator".
struct NamedObjective {
  std::string name;
  Objective* objective;
};

/// The bytes of a checkpoint of a network with several objectives: Keras's layout for the network
/// and its weights, as model_file() has it, and for each objective a group
/// /lockstep/objectives/NAME with its settings and its optimizer's state; `training_state` as in
/// model_file(); the same trailer.
std::vector<std::byte> objectives_file(const Network& model,
                                       std::span<const NamedObjective> objectives,
                                       std::span<const OptimizerState> states,
                                       const std::string& training_state);

/// Loss, optimizer and what it trains, as text: what must be the same where training goes on, and
/// on every rank.
std::string objective_settings(const Network& model, const Objective& objective);

struct LoadedObjectives {
  std::vector<OptimizerState> states;  ///< of each objective
  std::string training_state;
};
/// Reads such a file: the weights go into the built model. Throws Error: 66, 77, 65 (damaged, of
/// another network, other objectives or other settings).
LoadedObjectives load_objectives(const std::filesystem::path& path, Network& model,
                                 std::span<const NamedObjective> objectives);

}  // namespace lockstep
