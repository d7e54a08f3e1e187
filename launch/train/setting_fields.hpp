#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "launch/train/train_fields.hpp"
#include "src/optimizers/setting.hpp"

namespace lockstep {

/// "beta-1", the option for Keras's "beta_1".
std::string option_name(std::string key);

/// The default of a setting in one of the choices.
struct ChoiceDefault {
  std::string choice;
  std::string standard;
};
/// "0.001; sgd 0.01": what most have, then the others.
std::string defaults_in_words(const std::vector<ChoiceDefault>& standards);

/// An option for each setting that some of the choices (optimizers, schedules) have, whose help
/// says which; its value goes into the member, by Keras's key.
std::vector<TrainField> setting_fields(const std::vector<Choosable>& choices,
                                       nlohmann::ordered_json TrainSettings::*member);

}  // namespace lockstep
