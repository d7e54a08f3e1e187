#include "tests/support/layer_settings.hpp"

#include <algorithm>
#include <array>

#include "tests/support/finite_differences.hpp"
#include "tests/support/layer_checks.hpp"

namespace lockstep::test {

void PrintTo(const LayerSetting& setting, std::ostream* out) {
  *out << setting.name;
}

std::unique_ptr<Layer> LayerSettings::layer() const {
  return layer_of(GetParam().class_name, GetParam().config);
}

TEST_P(LayerSettings, BackwardMatchesFiniteDifferences) {
  expect_gradients_match_finite_differences(*layer(), GetParam().input, 3);
}

TEST_P(LayerSettings, GiveTheSameBitsInBlocks) {
  expect_the_same_bits_in_blocks(GetParam().class_name, GetParam().config, {GetParam().input});
}

TEST_P(LayerSettings, ConfigMakesTheSameLayerAgain) {
  constexpr std::array kCounts = {"filters", "groups", "depth_multiplier"};
  const nlohmann::ordered_json config = layer()->config();
  EXPECT_EQ(layer_of(GetParam().class_name, config)->config(), config);
  for (const auto& [key, value] : GetParam().config.items()) {
    if (value.is_number() && std::ranges::find(kCounts, key) == kCounts.end())
      continue;  // of all axes
    EXPECT_EQ(config.at(key), value) << key;
  }
}

}  // namespace lockstep::test
