#pragma once

#include <optional>
#include <string>
#include <vector>

#include "io/export/layer_use.hpp"
#include "src/core/problems.hpp"
#include "src/model/network.hpp"

namespace lockstep {

/// A value of the program that is written.
struct ExportValue {
  std::string name;
  std::optional<ExportMask> mask = {};
};

/// Writes a network for another program, call by call. What is the same for every format is here:
/// which values a layer reads, what becomes of masks, and TimeDistributed, which lays the steps of
/// a sequence into the batch.
class NetworkWriter {
 public:
  NetworkWriter() = default;
  NetworkWriter(const NetworkWriter&) = delete;
  NetworkWriter& operator=(const NetworkWriter&) = delete;
  virtual ~NetworkWriter() = default;

  /// Returns the output. Throws Error (65) that names every layer that cannot be written.
  std::string write(const Network& model, const std::string& input);

 protected:
  using Names = std::vector<std::string>;

  /// One use of a layer that is no TimeDistributed; returns all its outputs.
  virtual Names write_layer(const LayerUse& use, const Names& x) = 0;
  virtual std::string reshaped(const std::string& x, const Shape& shape) = 0;  ///< (N, shape ...)

  // Merging layers of two inputs of one shape. A mask has the value's axes but the last.
  virtual std::string merged(const std::string& kind, const std::string& a,
                             const std::string& b) = 0;
  virtual std::string chosen(const std::string& mask, const std::string& value,
                             const std::string& other) = 0;
  virtual std::string filled(const std::string& mask, const std::string& value, float other) = 0;

  // Masks.
  virtual std::string differing(const std::string& x, double value) = 0;  ///< of each number
  virtual std::string any_of_last_axis(const std::string& mask) = 0;
  virtual std::string either(const std::string& a, const std::string& b) = 0;
  virtual std::string joined(const Names& masks, std::int64_t axis) = 0;  ///< the batch counted
  virtual std::string all_true(const std::string& x, const Shape& positions) = 0;  ///< a row of x

 private:
  /// `input`: of calls without inputs, of that shape.
  ExportValue network(const Network& model, ExportValue input, const Shape& shape,
                      const LayerUse* within);
  /// The outputs of one call, the inputs' masks in `use`.
  std::vector<ExportValue> call(const LayerUse& use, const Names& x);
  ExportValue over_steps(const LayerUse& use, const std::string& x);
  std::string merged_by_masks(const LayerUse& use, const Names& x);

  // output_masks.cpp
  std::optional<ExportMask> mask_behind(const LayerUse& use, const Names& x);
  std::optional<ExportMask> carried(const LayerUse& use);
  std::optional<ExportMask> concatenated(const LayerUse& use, const Names& x);
  ExportMask either_mask(const ExportMask& a, const ExportMask& b);

  Problems problems_;
};

}  // namespace lockstep
