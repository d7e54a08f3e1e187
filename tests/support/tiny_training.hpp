#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "io/data/batch.hpp"
#include "io/keras/history.hpp"
#include "src/model/sequential.hpp"

/// Small networks and datasets for tests of training.
namespace lockstep::test {

/// Rows in memory with their view.
struct TinyData {
  std::vector<float> x;
  std::vector<float> y;
  Shape x_shape;
  Shape y_shape;

  ArrayDataset view() const {
    return {array_view<float>(x, x_shape), array_view<float>(y, y_shape)};
  }
};

/// What epoch `epoch` (from 0, as Keras counts) would report, with nothing but a validation loss.
EpochReport scripted_report(std::size_t epoch, std::optional<double> validation_loss = {});

/// `rows` rows of normal numbers, with a class index from 0 that depends on them.
TinyData classified_rows(std::int64_t rows, std::int64_t features, std::int64_t classes);

/// Row i is the unit vector e_i: in a linear network row i alone moves weight i. y: one number a
/// row.
TinyData unit_rows(const std::vector<float>& y);

/// Dense(hidden, relu), Dropout(rate) unless 0, Dense(classes, softmax), compiled with
/// sparse_categorical_crossentropy and accuracy.
Network classifier(std::int64_t features, std::int64_t hidden, std::int64_t classes,
                   const std::string& optimizer = "adam", double dropout = 0);

/// y = x w, w = `initializer`, with plain gradient descent at this rate.
Network linear_network(std::int64_t features, const std::string& loss, double rate,
                       const std::string& initializer = "zeros", float l2 = 0);

}  // namespace lockstep::test
