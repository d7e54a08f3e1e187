#include "tests/support/tiny_training.hpp"

#include <nlohmann/json.hpp>

#include "src/core/random.hpp"
#include "src/layers/dense.hpp"
#include "src/layers/dropout.hpp"

namespace lockstep::test {

EpochReport scripted_report(std::size_t epoch, std::optional<double> validation_loss) {
  EpochReport report;
  report.epoch = static_cast<std::int64_t>(epoch) + 1;
  report.validation_loss = validation_loss;
  return report;
}

TinyData classified_rows(std::int64_t rows, std::int64_t features, std::int64_t classes) {
  const RandomStream random(20, Purpose::kSynthetic, 0);
  TinyData data{{}, {}, {features}, {}};
  for (std::int64_t row = 0; row < rows; ++row) {
    std::int64_t largest = 0;
    for (std::int64_t i = 0; i < features; ++i) {
      data.x.push_back(
          static_cast<float>(random.normal(static_cast<std::uint64_t>(row * features + i))));
      const std::size_t first = data.x.size() - 1 - static_cast<std::size_t>(i);
      if (data.x.back() > data.x[first + static_cast<std::size_t>(largest)]) largest = i;
    }
    data.y.push_back(static_cast<float>(largest % classes));
  }
  return data;
}

TinyData unit_rows(const std::vector<float>& y) {
  const std::size_t rows = y.size();
  TinyData data{std::vector<float>(rows * rows), y, {static_cast<std::int64_t>(rows)}, {1}};
  for (std::size_t i = 0; i < rows; ++i) data.x[i * rows + i] = 1;
  return data;
}

Network classifier(std::int64_t features, std::int64_t hidden, std::int64_t classes,
                   const std::string& optimizer, double dropout) {
  Sequential model;
  model.add(std::make_unique<Dense>(hidden, Activation::kRelu));
  if (dropout > 0) model.add(std::make_unique<Dropout>(dropout));
  model.add(std::make_unique<Dense>(classes, Activation::kSoftmax));
  model.build({features});
  model.compile(optimizer, "sparse_categorical_crossentropy", {"accuracy"});
  return model;
}

Network linear_network(std::int64_t features, const std::string& loss, double rate,
                       const std::string& initializer, float l2) {
  Sequential model;
  Dense::Options options;
  options.use_bias = false;
  options.kernel_initializer = make_initializer(initializer);
  options.kernel_regularizer = {.l1 = 0, .l2 = l2};
  model.add(std::make_unique<Dense>(1, Activation::kLinear, options));
  model.build({features});
  const nlohmann::ordered_json optimizer = {{"class_name", "SGD"},
                                            {"config", {{"learning_rate", rate}}}};
  model.compile(optimizer, nlohmann::ordered_json(loss), nlohmann::ordered_json::array());
  return model;
}

}  // namespace lockstep::test
