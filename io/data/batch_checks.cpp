#include <cmath>
#include <type_traits>
#include <utility>

#include "io/data/batch.hpp"
#include "src/core/error.hpp"

namespace lockstep {
namespace {

/// Counts the elements of rows [first, last) for which `bad` holds.
template <class Bad>
Findings find_elements(const ArrayView& source, std::int64_t first, std::int64_t last, Bad bad) {
  Findings findings;
  const std::int64_t elements = source.row_elements();
  with_element_type(source.type, [&]<class T>() {
    for (std::int64_t row = first; row < last; ++row) {
      const T* values = reinterpret_cast<const T*>(source.row(row));
      for (std::int64_t k = 0; k < elements; ++k) {
        if (!bad(values[k])) continue;
        if (findings.count++ > 0) continue;
        findings.first_row = row;
        findings.position = k;
        findings.example = fmt::format("{}", values[k]);
      }
    }
  });
  return findings;
}

/// `shape` without its last axis.
Shape without_last(const Shape& shape) {
  return {shape.begin(), shape.end() - 1};
}

bool ends_in_one(const Shape& shape) {
  return !shape.empty() && shape.back() == 1;
}

bool fits_classes(const Shape& y, const Shape& output) {
  if (output.empty()) return false;
  const Shape positions = without_last(output);
  return y == positions || (ends_in_one(y) && without_last(y) == positions);
}

bool fits_values(const Shape& y, const Shape& output) {
  return y == output || (ends_in_one(output) && y == without_last(output));
}

/// As where the samples lie along the last axis.
bool last_axes_agree(const ArrayView& x, const ArrayView& y) {
  if (x.row_shape.empty()) return false;
  return x.row_shape.back() == (y.row_shape.empty() ? y.rows : y.row_shape.back());
}

}  // namespace

Findings find_not_finite(const ArrayView& x, std::int64_t first, std::int64_t last) {
  if (is_integer(x.type)) return {};
  return find_elements(x, first, last, [](auto value) {
    return !std::isfinite(static_cast<float>(value));  // a double may be too large for a float
  });
}

Findings find_outside(const ArrayView& y, std::int64_t first, std::int64_t last, double low,
                      double high) {
  return find_elements(y, first, last, [&](auto value) {
    return !(static_cast<double>(value) >= low && static_cast<double>(value) <= high);
  });
}

Findings find_bad_labels(const ArrayView& y, std::int64_t first, std::int64_t last,
                         std::int64_t classes) {
  return find_elements(y, first, last, [classes](auto value) {
    if constexpr (std::is_integral_v<decltype(value)>) {
      return std::cmp_less(value, 0) || std::cmp_greater_equal(value, classes);
    } else {
      return !(value >= 0 && value < static_cast<decltype(value)>(classes) &&
               value == std::floor(value));
    }
  });
}

void check_weight_shape(const ArrayView& weights, const ArrayView& y, const Shape& output_shape,
                        const std::string& label, const std::string& y_label) {
  check(weights.rows == y.rows, ExitCode::kBadData,
        "[data] expected as many rows in {} as in {}, got {} and {}", label, y_label, weights.rows,
        y.rows);
  const Shape positions = output_shape.empty() ? Shape{} : without_last(output_shape);
  const bool fits =
      weights.row_elements() == 1 || weights.row_shape == positions ||
      (ends_in_one(weights.row_shape) && without_last(weights.row_shape) == positions);
  check(fits, ExitCode::kBadData,
        "[data] {}: expected one weight for each row, or for each position {} of the output, got "
        "rows of shape {}",
        label, to_string(positions), to_string(weights.row_shape));
}

void check_shapes(const ArrayView& x, const ArrayView& y, const Shape& input_shape,
                  const Shape& output_shape, TargetKind kind, const std::string& x_label,
                  const std::string& y_label) {
  check(x.rows == y.rows, ExitCode::kBadData,
        "[data] expected as many rows in {} as in {}, got {} and {}{}", x_label, y_label, x.rows,
        y.rows,
        last_axes_agree(x, y) ? "; their last axes agree: if MATLAB or Fortran wrote the file, "
                                "whose axes stand the other way round here, say --transpose"
                              : "");
  const bool x_fits =
      x.row_shape == input_shape || (x.row_shape.empty() && input_shape == Shape{1});
  if (!x_fits) {
    const bool same_count = element_count(x.row_shape) == element_count(input_shape);
    fail(ExitCode::kBadData, "[data] {}: expected rows of the network's input shape {}, got {}{}",
         x_label, to_string(input_shape), to_string(x.row_shape),
         same_count ? " (a Flatten or Reshape layer in front would make them fit)" : "");
  }
  if (kind == TargetKind::kClasses) {
    check(fits_classes(y.row_shape, output_shape), ExitCode::kBadData,
          "[data] {}: expected one class index for each position of the output {}, got rows of "
          "shape {}{}",
          y_label, to_string(output_shape), to_string(y.row_shape),
          y.row_shape == output_shape ? " (one-hot rows want categorical_crossentropy)" : "");
  } else {
    check(fits_values(y.row_shape, output_shape), ExitCode::kBadData,
          "[data] {}: expected rows of the output's shape {}, got {}{}", y_label,
          to_string(output_shape), to_string(y.row_shape),
          fits_classes(y.row_shape, output_shape)
              ? " (class indices want sparse_categorical_crossentropy)"
              : "");
  }
}

}  // namespace lockstep
