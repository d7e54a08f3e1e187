#pragma once

#include <nlohmann/json.hpp>
#include <ostream>
#include <string>
#include <vector>

namespace lockstep::test {

struct OptimizerSetting {
  std::string name;
  nlohmann::ordered_json json;
};
inline void PrintTo(const OptimizerSetting& setting, std::ostream* out) {
  *out << setting.name;
}

/// Every optimizer, and every setting that all have, at rates that move weights visibly.
inline const std::vector<OptimizerSetting>& optimizer_settings() {
  static const std::vector<OptimizerSetting> settings = [] {
    std::vector<OptimizerSetting> all;
    const auto add = [&](const char* name, const char* class_name, const char* config) {
      all.push_back(
          {name, {{"class_name", class_name}, {"config", nlohmann::ordered_json::parse(config)}}});
    };
    add("AdamW", "AdamW", R"({"learning_rate": 0.01, "weight_decay": 0.5})");
    add("RMSprop", "RMSprop", "{}");
    add("RMSpropOfAll", "RMSprop", R"({"momentum": 0.5, "centered": true, "epsilon": 1e-4})");
    add("Adagrad", "Adagrad", R"({"learning_rate": 0.05})");
    add("Adadelta", "Adadelta", R"({"learning_rate": 1.0})");
    add("Adamax", "Adamax", R"({"learning_rate": 0.01})");
    add("Nadam", "Nadam", R"({"learning_rate": 0.01})");
    add("Lion", "Lion", "{}");
    add("Ftrl", "Ftrl", R"({"learning_rate": 0.1, "l1_regularization_strength": 0.001})");
    add("Lamb", "Lamb", R"({"learning_rate": 0.05})");
    add("LambOfAll", "Lamb",
        R"({"learning_rate": 0.05, "gradient_accumulation_steps": 2, "clipnorm": 0.1,
            "weight_decay": 0.1, "use_ema": true})");
    add("Lars", "LARS", R"({"trust_coefficient": 0.05, "weight_decay_rate": 0.01})");
    add("Clipvalue", "Adam", R"({"clipvalue": 0.02})");
    add("Clipnorm", "SGD", R"({"learning_rate": 0.1, "momentum": 0.5, "clipnorm": 0.1})");
    add("GlobalClipnorm", "Adam", R"({"learning_rate": 0.01, "global_clipnorm": 0.2})");
    add("Averages", "SGD",
        R"({"learning_rate": 0.1, "use_ema": true, "ema_momentum": 0.5,
            "ema_overwrite_frequency": 3})");
    add("Accumulation", "Adam", R"({"learning_rate": 0.01, "gradient_accumulation_steps": 2})");
    add("AllTogether", "Nadam",
        R"({"learning_rate": 0.01, "gradient_accumulation_steps": 3, "use_ema": true,
            "weight_decay": 0.1, "global_clipnorm": 0.2})");
    return all;
  }();
  return settings;
}

}  // namespace lockstep::test
