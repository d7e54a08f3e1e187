#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "distributed/training/early_stopping.hpp"
#include "distributed/training/trainer.hpp"
#include "io/data/batch.hpp"

namespace lockstep::test {

/// Rows of some number type.
struct TypedRows {
  ElementType type = ElementType::kFloat32;
  Shape row_shape;
  std::int64_t rows = 0;
  std::vector<std::byte> bytes;

  ArrayView view() const { return {type, rows, row_shape, bytes.data()}; }
};

/// What decides the result of a training.
struct Configuration {
  std::string layers;
  Shape input;
  nlohmann::ordered_json optimizer;
  nlohmann::ordered_json loss;
  nlohmann::ordered_json metrics;
  TrainOptions options;
  std::optional<EarlyStopping::Options> early_stopping;
  std::int64_t validation_rows = 0;  ///< the last rows are passed as a dataset of their own
  TypedRows x;
  TypedRows y;
  TypedRows weights;  ///< maybe none

  ArrayDataset all() const {
    return {x.view(), y.view(), weights.rows > 0 ? weights.view() : ArrayView{}};
  }
  ArrayDataset train() const { return all().slice(0, x.rows - validation_rows); }
  ArrayDataset validation() const { return all().slice(x.rows - validation_rows, x.rows); }
  std::string describe() const;
};

/// A function of the seed. About one of twelve cannot be trained: each has one mistake.
Configuration draw_configuration(std::uint64_t seed);

/// What must not change a bit of the result.
struct Variant {
  std::vector<bool> members;        ///< which ranks of the world take part
  std::vector<bool> later_members;  ///< after the stop
  std::int64_t stop_after = 0;      ///< epochs; 0: never
  int threads = 1;
  DistributedOptimizer::Strategy sync = DistributedOptimizer::Strategy::kSharded;
  std::int64_t bucket_floats = 1 << 20;
  bool validate_on_root = false;
  std::int64_t check_replicas_every = 100;
  bool verify_data = true;
  bool profile = false;
  std::int64_t predict_rows = 32;
  std::uint64_t environments = 0;  ///< 0: the usual one on every rank

  std::string describe() const;
};

/// Variant 0: one rank, nothing special. The others are functions of seed and number.
Variant draw_variant(std::uint64_t seed, int number, int ranks, std::int64_t epochs);

}  // namespace lockstep::test
