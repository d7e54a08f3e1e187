#include "io/keras/exact_json.hpp"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <vector>

#include "src/core/error.hpp"

namespace lockstep {
namespace {

TEST(ExactJson, DoublesKeepEveryBit) {
  for (const double value : {0.1, -0.0, 1e-310, std::numeric_limits<double>::max(),
                             std::numeric_limits<double>::infinity(), 1.0 / 3})
    EXPECT_EQ(std::bit_cast<std::uint64_t>(exact_double(exact_json(value))),
              std::bit_cast<std::uint64_t>(value));
  EXPECT_TRUE(std::isnan(exact_double(exact_json(std::nan("")))));
}

TEST(ExactJson, FloatsKeepEveryBit) {
  const std::vector<float> values{0.1f, -0.0f, std::numeric_limits<float>::infinity(), 1e-45f};
  const std::vector<float> back = exact_floats(exact_json(std::span<const float>(values)));
  ASSERT_EQ(back.size(), values.size());
  for (std::size_t i = 0; i < values.size(); ++i)
    EXPECT_EQ(std::bit_cast<std::uint32_t>(back[i]), std::bit_cast<std::uint32_t>(values[i]));
}

TEST(ExactJson, RefusesOtherText) {
  EXPECT_THROW(exact_double("1.5x"), Error);
  EXPECT_THROW(exact_floats("0000zzzz"), Error);
}

TEST(ExactJson, HistoryIsReadBackAsItWas) {
  EpochReport report;
  report.epoch = 3;
  report.loss = 0.1;
  report.metrics = {{"accuracy", 2.0 / 3}};
  report.validation_loss = 0.7;
  report.validation_metrics = {{"accuracy", 1.0 / 7}};
  report.learning_rate = 1e-3;
  History history{report, EpochReport{}};

  const History back = history_from_json(history_to_json(history));

  ASSERT_EQ(back.size(), 2u);
  EXPECT_EQ(back[0].epoch, 3);
  EXPECT_EQ(back[0].metrics, report.metrics);
  EXPECT_EQ(back[0].validation_loss, report.validation_loss);
  EXPECT_EQ(back[0].validation_metrics, report.validation_metrics);
  EXPECT_FALSE(back[1].validation_loss.has_value());
}

}  // namespace
}  // namespace lockstep
