#include "io/keras/history.hpp"

#include <cmath>
#include <limits>

#include "tests/io/io_test_support.hpp"

namespace lockstep {
namespace {

using test::expect_error;

EpochReport report(std::int64_t epoch, double loss, std::optional<double> validation_loss) {
  EpochReport result;
  result.epoch = epoch;
  result.loss = loss;
  result.metrics = {{"accuracy", 0.1 * loss}, {"mse", 1.0 / 3}};
  result.validation_loss = validation_loss;
  if (validation_loss) result.validation_metrics = {{"accuracy", 0.875}, {"mse", 1e-300}};
  result.learning_rate = 0.001;
  result.train_seconds = 1.5;
  result.validation_seconds = 0.25;
  result.samples_per_second = 123456.789;
  return result;
}

void expect_same(const EpochReport& a, const EpochReport& b) {
  EXPECT_EQ(a.epoch, b.epoch);
  EXPECT_EQ(a.loss, b.loss);
  EXPECT_EQ(a.metrics, b.metrics);
  EXPECT_EQ(a.validation_loss, b.validation_loss);
  EXPECT_EQ(a.validation_metrics, b.validation_metrics);
  EXPECT_EQ(a.learning_rate, b.learning_rate);
  EXPECT_EQ(a.train_seconds, b.train_seconds);
  EXPECT_EQ(a.validation_seconds, b.validation_seconds);
  EXPECT_EQ(a.samples_per_second, b.samples_per_second);
}

TEST(History, WritesTheDesignedColumns) {
  EpochReport first = report(1, 0.5, 0.25);
  first.metrics = {{"accuracy", 0.75}};
  first.validation_metrics = {{"accuracy", 0.875}};

  EXPECT_EQ(history_to_csv({first}),
            "epoch,loss,accuracy,val_loss,val_accuracy,learning_rate,train_seconds,val_seconds,"
            "samples_per_second\n"
            "1,0.5,0.75,0.25,0.875,0.001,1.5,0.25,123456.789\n");
}

TEST(History, HasNoValidationColumnsWithoutValidation) {
  EpochReport first = report(1, 0.5, std::nullopt);
  first.metrics.clear();
  EXPECT_EQ(history_to_csv({first}),
            "epoch,loss,learning_rate,train_seconds,val_seconds,samples_per_second\n"
            "1,0.5,0.001,1.5,0.25,123456.789\n");
}

TEST(History, LeavesFieldsEmptyOnEpochsWithoutValidation) {
  const std::string text = history_to_csv({report(1, 0.5, std::nullopt), report(2, 0.25, 0.125)});
  EXPECT_THAT(text, testing::HasSubstr("\n1,0.5,0.05,0.3333333333333333,,,,0.001,"));
  EXPECT_THAT(text, testing::HasSubstr("\n2,0.25,0.025,0.3333333333333333,0.125,0.875,1e-300,"));
}

TEST(History, ReadsBackTheSameDoubles) {
  const double odd = std::nextafter(0.1, 1.0);
  const History history = {report(1, odd, std::nullopt), report(2, 0.1, 4.9e-324),
                           report(3, std::numeric_limits<double>::max(), -0.0),
                           report(4, std::numeric_limits<double>::infinity(), std::nullopt)};

  const History back = history_from_csv(history_to_csv(history));

  ASSERT_EQ(back.size(), history.size());
  for (std::size_t i = 0; i < history.size(); ++i) expect_same(back[i], history[i]);
}

TEST(History, ReadsBackNan) {
  const History back = history_from_csv(history_to_csv({report(1, std::nan(""), std::nullopt)}));
  EXPECT_TRUE(std::isnan(back.at(0).loss));
}

TEST(History, OfNoEpochsIsAHeader) {
  EXPECT_TRUE(history_from_csv(history_to_csv({})).empty());
}

TEST(History, FindsNumbersByKerasName) {
  const EpochReport epoch = report(1, 0.5, 0.25);
  EXPECT_EQ(epoch.value("loss"), 0.5);
  EXPECT_EQ(epoch.value("val_loss"), 0.25);
  EXPECT_EQ(epoch.value("mse"), 1.0 / 3);
  EXPECT_EQ(epoch.value("val_accuracy"), 0.875);
  EXPECT_EQ(epoch.value("auc"), std::nullopt);
  EXPECT_EQ(report(1, 0.5, std::nullopt).value("val_loss"), std::nullopt);
}

TEST(History, NamesTheLineThatIsDamaged) {
  const std::string text = history_to_csv({report(1, 0.5, 0.25), report(2, 0.25, 0.125)});
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string changed = text;
    changed.replace(changed.find(from), from.size(), to);
    return changed;
  };

  expect_error(ExitCode::kBadData, {"line 3", "loss", "number", "'0.2x'"},
               [&] { history_from_csv(with("2,0.25", "2,0.2x")); });
  expect_error(ExitCode::kBadData, {"line 2", "expected 11 fields", "got 12"},
               [&] { history_from_csv(with("1,0.5", "1,0.5,7")); });
  expect_error(ExitCode::kBadData, {"line 3", "accuracy", "''"},
               [&] { history_from_csv(with("2,0.25,0.025", "2,0.25,")); });
  expect_error(ExitCode::kBadData, {"line 1", "learning_rate"},
               [&] { history_from_csv(with("learning_rate", "rate")); });
  expect_error(ExitCode::kBadData, {"line 1", "val_"},
               [&] { history_from_csv(with("val_accuracy", "accuracy_2")); });
  expect_error(ExitCode::kBadData, {"line feed"},
               [&] { history_from_csv(text.substr(0, text.size() - 1)); });
  expect_error(ExitCode::kBadData, {"nothing"}, [&] { history_from_csv(""); });
}

}  // namespace
}  // namespace lockstep
