#include <cstddef>
#include <tuple>
#include <vector>

#include "tests/distributed/update/leaf_network.hpp"
#include "tests/distributed/update/leaf_steps.hpp"
#include "tests/support/host_setting.hpp"
#include "tests/support/optimizer_settings.hpp"
#include "tests/support/ranks.hpp"

/// Every optimizer by every strategy against the plain loop.
namespace lockstep {
namespace {

using test::world;
using Parameters = std::tuple<test::HostSetting, test::OptimizerSetting>;

class OptimizerSettings : public testing::TestWithParam<Parameters> {};

/// Those that a strategy might do otherwise than another: all that is not a rule for one number.
std::vector<test::OptimizerSetting> settings() {
  std::vector<test::OptimizerSetting> chosen;
  for (const auto& setting : test::optimizer_settings())
    for (const char* name : {"RMSpropOfAll", "Ftrl", "Clipnorm", "GlobalClipnorm", "AllTogether"})
      if (setting.name == name) chosen.push_back(setting);
  return chosen;
}

INSTANTIATE_TEST_SUITE_P(Strategies, OptimizerSettings,
                         testing::Combine(testing::ValuesIn(test::host_settings()),
                                          testing::ValuesIn(settings())),
                         [](const auto& info) {
                           return std::get<0>(info.param).name + std::get<1>(info.param).name;
                         });

/// One optimizer with the whole arena's slots in one place.
struct PlainLoop {
  PlainLoop(const Network& model, std::unique_ptr<Optimizer> of)
      : network(model), optimizer(std::move(of)) {
    const auto floats = static_cast<std::size_t>(model.arena().trainable_size());
    values.assign(model.arena().values().begin(),
                  model.arena().values().begin() + static_cast<std::ptrdiff_t>(floats));
    gradients.resize(floats);
    for (std::size_t i = 0; i < optimizer->slot_names().size(); ++i)
      slots.emplace_back(floats, optimizer->slot_start(i));
  }

  UpdateSpan span(const Parameter& parameter) {
    UpdateSpan span{values, gradients, {}};
    for (std::size_t i = 0; i < slots.size(); ++i) span.slots[i] = slots[i];
    return span.part(static_cast<std::size_t>(parameter.offset), parameter.value.size());
  }

  void step(std::uint32_t step, Range leaves) {
    for (const Parameter* parameter : network.arena().parameters())
      for (std::size_t i = 0; i < parameter->value.size(); ++i)
        gradients[static_cast<std::size_t>(parameter->offset) + i] =
            test::tree_value<float>(step, leaves, i % 61);
    optimizer->begin_step();
    ExactSum all;
    for (const Parameter* parameter : network.arena().parameters())
      optimizer->add_squares(span(*parameter), all);
    for (const Parameter* parameter : network.arena().parameters()) {
      UpdateSpan its = span(*parameter);
      ExactSum sum;
      optimizer->add_squares(its, sum);
      if (optimizer->clips_norms())
        its.scale = optimizer->scale_of((optimizer->common().clipnorm > 0 ? sum : all).value());
      optimizer->update(its);
    }
  }

  const Network& network;
  std::unique_ptr<Optimizer> optimizer;
  std::vector<float> values, gradients;
  std::vector<std::vector<float>> slots;
};

TEST_P(OptimizerSettings, LeaveTheBitsOfThePlainLoop) {
  const auto& [hosts, setting] = GetParam();
  const Communicator communicator = world();
  const int ranks = communicator.size();
  const std::vector<StepPlan> plans = {StepPlan(52, 4, ranks), StepPlan(19, 4, ranks),
                                       StepPlan(3, 4, ranks)};
  Network model = test::leaf_network(130, {9, 7, 3}, "sgd");
  model.compile(setting.json, nlohmann::ordered_json("mse"), nlohmann::ordered_json::array());
  model.initialize(1);
  communicator.broadcast(model.arena().values());
  PlainLoop plain(model, make_optimizer(setting.json));
  const auto optimizer = test::make_distributed(hosts, model, communicator,
                                                {.bucket_floats = 1000, .loss_sums = 3}, plans);
  for (std::uint32_t step = 0; step < 5; ++step) {
    const std::size_t which = step % plans.size();
    test::make_step(*optimizer, plans, which, step);
    plain.step(step, {0, plans[which].grains()});
    for (const Parameter* parameter : model.arena().parameters())
      for (std::size_t i = 0; i < parameter->value.size(); ++i)
        ASSERT_EQ(parameter->value[i],
                  plain.values[static_cast<std::size_t>(parameter->offset) + i])
            << "step " << step << ", float " << i;
  }
  const OptimizerSlots slots = optimizer->gather_slots();
  if (!communicator.is_root()) return;
  for (const Parameter* parameter : model.arena().parameters())
    for (std::size_t slot = 0; slot < slots.size(); ++slot)
      for (std::size_t i = 0; i < parameter->value.size(); ++i)
        ASSERT_EQ(slots[slot][static_cast<std::size_t>(parameter->offset) + i],
                  plain.slots[slot][static_cast<std::size_t>(parameter->offset) + i]);
}

}  // namespace
}  // namespace lockstep
