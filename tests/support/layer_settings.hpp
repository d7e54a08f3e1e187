#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "src/layers/layer.hpp"

namespace lockstep::test {

/// What a layer may be told, and an input of it.
struct LayerSetting {
  const char* name;
  const char* class_name;
  nlohmann::ordered_json config;
  Shape input;
};
void PrintTo(const LayerSetting& setting, std::ostream* out);

/// What holds for every layer with parameters; instantiate it with settings of yours, by
/// setting_name: finite differences, the same bits in blocks, a config that makes the layer again.
class LayerSettings : public testing::TestWithParam<LayerSetting> {
 protected:
  std::unique_ptr<Layer> layer() const;
};
inline std::string setting_name(const testing::TestParamInfo<LayerSetting>& setting) {
  return setting.param.name;
}

}  // namespace lockstep::test
