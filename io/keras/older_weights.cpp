#include "io/keras/older_weights.hpp"

#include <algorithm>
#include <array>
#include <numeric>

#include "src/core/error.hpp"
#include "src/core/printable.hpp"
#include "src/layers/time_distributed.hpp"
#include "src/model/model_layer.hpp"

namespace lockstep {
namespace {

/// The layer that made the parameter, within those that wrap it.
const Layer& maker_of(const OwnedParameter& owned) {
  const Layer* layer = owned.layer;
  for (;;) {
    const auto* const wrapper = dynamic_cast<const TimeDistributed*>(layer);
    if (wrapper == nullptr) return *layer;
    layer = &wrapper->layer();
    const auto* const model = dynamic_cast<const ModelLayer*>(layer);
    if (model == nullptr) continue;
    for (const auto& inner : model->network().layers())
      for (const Parameter& parameter : inner->parameters())
        if (&parameter == owned.parameter) layer = inner.get();
    if (layer == model) return *layer;
  }
}

std::string attribute(const hdf5::File& file, const std::string& group, const std::string& name) {
  const std::string text = file.text_or_nothing(group, name);
  return text.empty() ? file.text_or_nothing("/", name) : text;
}

class Finder {
 public:
  Finder(const hdf5::File& file, const std::string& group,
         const std::vector<OwnedParameter>& wanted, const std::vector<std::string>& paths)
      : file_(file), wanted_(wanted), paths_(paths) {
    const std::string version = attribute(file, group, "keras_version");
    keras1_ = version.empty() || version.starts_with('1');  // Keras 1 wrote none beside weights
    flipped_ = attribute(file, group, "backend") == "theano";
  }

  std::optional<std::vector<StoredWeight>> find() {
    while (stored_.size() < wanted_.size()) {
      if (next_ >= paths_.size()) return {};
      if (is_recurrent())
        add_recurrent();
      else
        add_kernel_or_other();
    }
    if (next_ != paths_.size()) return {};
    return std::move(stored_);
  }

 private:
  const Parameter& parameter(std::size_t behind = 0) const {
    return *wanted_[stored_.size() + behind].parameter;
  }
  Shape extents(std::size_t path) const { return file_.dataset_info(paths_[path]).extents; }
  bool follows(std::size_t behind, const char* name) const {
    return stored_.size() + behind < wanted_.size() && parameter(behind).name == name &&
           parameter(behind).scope == parameter().scope;
  }
  bool is_recurrent() const {
    return parameter().name == "kernel" && follows(1, "recurrent_kernel");
  }

  void add(StoredWeight weight) {
    next_ += weight.paths.size();
    stored_.push_back(std::move(weight));
  }
  StoredWeight one() const { return {{paths_[next_]}}; }

  /// Gates by themselves: of each its kernel, recurrent kernel and bias.
  bool add_gates(std::size_t gates) {
    if (!keras1_ || gates < 3 || !follows(2, "bias") || next_ + 3 * gates > paths_.size() ||
        extents(next_).empty() ||
        extents(next_).back() * static_cast<std::int64_t>(gates) != parameter().shape.back())
      return false;
    // Keras 1 has an LSTM's in the order i, c, f, o; Keras 2 f before c.
    static constexpr std::array<std::size_t, 4> kOfLstm = {0, 2, 1, 3}, kOfGru = {0, 1, 2, 0};
    const auto& order = gates == 4 ? kOfLstm : kOfGru;
    const std::size_t first = next_;
    for (std::size_t part = 0; part < 3; ++part) {
      StoredWeight weight;
      for (std::size_t gate = 0; gate < gates; ++gate)
        weight.paths.push_back(paths_[first + 3 * order[gate] + part]);
      add(std::move(weight));
    }
    return true;
  }

  /// Known by the number of biases: two for each unit and gate.
  bool add_cudnn(std::size_t gates) {
    if (!follows(2, "bias") || next_ + 3 > paths_.size() || parameter().shape.size() != 2)
      return false;
    const Shape bias = parameter(2).shape;
    if (extents(next_ + 2) != Shape{2 * parameter().shape.back()}) return false;
    if (bias.size() == 1 && gates != 4) return false;
    StoredWeight kernel = one();
    kernel.gates = gates;
    kernel.kernel = true;
    add(std::move(kernel));
    StoredWeight recurrent = one();
    recurrent.gates = gates;
    add(std::move(recurrent));
    StoredWeight biases = one();
    if (bias.size() == 1)
      biases.halves = true;
    else
      biases.kept = bias;
    add(std::move(biases));
    return true;
  }

  void add_recurrent() {
    const Shape& recurrent = parameter(1).shape;
    const auto units = recurrent.size() < 2 ? 1 : recurrent[recurrent.size() - 2];
    const auto gates =
        static_cast<std::size_t>(parameter().shape.back() / std::max<std::int64_t>(units, 1));
    if (add_gates(gates) || (gates >= 3 && add_cudnn(gates))) return;
    add_kernel_or_other();
  }

  void add_kernel_or_other() {
    StoredWeight weight = one();
    const std::string& name = parameter().name;
    const Layer& layer = maker_of(wanted_[stored_.size()]);
    const std::string class_name = layer.class_name();
    const bool is_kernel =
        name == "kernel" || name == "depthwise_kernel" || name == "pointwise_kernel";
    const bool transpose = class_name == "Conv2DTranspose";
    const bool convolution = class_name == "Conv1D" || class_name == "Conv2D" ||
                             class_name == "Conv3D" || class_name == "SeparableConv2D";
    if (is_kernel && keras1_ && (convolution || transpose)) {
      if (class_name == "Conv1D")
        rewrite_of_one_axis(layer, weight);
      else if (layer.channels_first())
        put_channels_last(transpose, weight);
      else if (transpose)
        weight.axes = {0, 1, 3, 2};
    }
    weight.flipped =
        flipped_ && is_kernel && (convolution || transpose) && class_name != "SeparableConv2D";
    add(std::move(weight));
  }

  /// Two axes, one of them of extent 1: (positions, 1, channels, filters), and before Keras 1.1
  /// (filters, channels, positions, 1).
  void rewrite_of_one_axis(const Layer&, StoredWeight& weight) const {
    const Shape& shape = parameter().shape;  // (positions, channels, filters)
    const Shape stored = extents(next_);
    if (stored.size() != 4) return;
    if (stored[0] != shape[0] || stored[1] != 1 || stored[3] != shape[2])
      weight.axes = {2, 3, 1, 0};
    weight.kept = shape;
  }

  /// From (filters, channels, positions ...).
  void put_channels_last(bool transpose, StoredWeight& weight) const {
    const std::size_t positions = parameter().shape.size() - 2;
    for (std::size_t axis = 0; axis < positions; ++axis) weight.axes.push_back(axis + 2);
    weight.axes.push_back(transpose ? 0 : 1);
    weight.axes.push_back(transpose ? 1 : 0);
  }

  const hdf5::File& file_;
  const std::vector<OwnedParameter>& wanted_;
  const std::vector<std::string>& paths_;
  bool keras1_ = false;
  bool flipped_ = false;
  std::size_t next_ = 0;  ///< of the paths
  std::vector<StoredWeight> stored_;
};

std::size_t count(const Shape& shape) {
  return static_cast<std::size_t>(element_count(shape));
}

/// Numbers of shape `from`, whose axis axes[i] becomes axis i.
std::vector<float> transposed(const std::vector<float>& values, const Shape& from,
                              const std::vector<std::size_t>& axes) {
  std::vector<std::size_t> stride(from.size(), 1);
  for (std::size_t axis = from.size(); axis-- > 1;)
    stride[axis - 1] = stride[axis] * static_cast<std::size_t>(from[axis]);
  std::vector<float> result;
  result.reserve(values.size());
  std::vector<std::int64_t> at(axes.size(), 0);
  for (std::size_t i = 0; i < values.size(); ++i) {
    std::size_t source = 0;
    for (std::size_t axis = 0; axis < axes.size(); ++axis)
      source += static_cast<std::size_t>(at[axis]) * stride[axes[axis]];
    result.push_back(values[source]);
    for (std::size_t axis = axes.size(); axis-- > 0;) {
      if (++at[axis] < from[axes[axis]]) break;
      at[axis] = 0;
    }
  }
  return result;
}

/// The kernel's positions, all axes but the last two, in reversed order.
void flip(std::vector<float>& values, const Shape& shape) {
  const auto channels = static_cast<std::size_t>(shape[shape.size() - 2] * shape.back());
  if (channels == 0) return;
  const std::size_t positions = values.size() / channels;
  for (std::size_t i = 0; i < positions / 2; ++i)
    std::swap_ranges(values.begin() + static_cast<std::ptrdiff_t>(i * channels),
                     values.begin() + static_cast<std::ptrdiff_t>((i + 1) * channels),
                     values.begin() + static_cast<std::ptrdiff_t>((positions - 1 - i) * channels));
}

/// Each gate of (rows, gates x units) transposed; of a kernel, its numbers are those of
/// (units, rows) as they lie.
std::vector<float> from_cudnn(const std::vector<float>& values, const Shape& shape,
                              std::size_t gates, bool kernel) {
  const auto rows = static_cast<std::size_t>(shape[0]);
  const auto columns = static_cast<std::size_t>(shape[1]);
  const std::size_t units = columns / gates;
  std::vector<float> result(values.size());
  for (std::size_t gate = 0; gate < gates; ++gate)
    for (std::size_t row = 0; row < rows; ++row)
      for (std::size_t unit = 0; unit < units; ++unit) {
        const std::size_t at = unit * rows + row;  // of (units, rows)
        const std::size_t from_row = kernel ? at / units : unit;
        const std::size_t from_unit = kernel ? at % units : row;
        result[row * columns + gate * units + unit] =
            values[from_row * columns + gate * units + from_unit];
      }
  return result;
}

Shape side_by_side(const hdf5::File& file, const std::vector<std::string>& paths) {
  Shape shape = file.dataset_info(paths.front()).extents;
  for (std::size_t i = 1; i < paths.size(); ++i) {
    const Shape other = file.dataset_info(paths[i]).extents;
    check(!shape.empty() && other == file.dataset_info(paths.front()).extents, ExitCode::kBadData,
          "[{}:{}] expected shape {} as of the other gates, got {}", file.name(),
          printable(paths[i]), to_string(file.dataset_info(paths.front()).extents),
          to_string(other));
    shape.back() += other.back();
  }
  return shape;
}

std::vector<float> read_side_by_side(const hdf5::File& file, const std::vector<std::string>& paths,
                                     const Shape& whole) {
  if (paths.size() == 1) return file.read_floats(paths.front(), whole);
  Shape part = whole;
  part.back() /= static_cast<std::int64_t>(paths.size());
  const auto columns = static_cast<std::size_t>(part.back());
  const std::size_t rows = columns == 0 ? 0 : count(part) / columns;
  std::vector<float> values(count(whole));
  for (std::size_t i = 0; i < paths.size(); ++i) {
    const std::vector<float> one = file.read_floats(paths[i], part);
    for (std::size_t row = 0; row < rows; ++row)
      std::copy_n(one.begin() + static_cast<std::ptrdiff_t>(row * columns), columns,
                  values.begin() + static_cast<std::ptrdiff_t>((row * paths.size() + i) * columns));
  }
  return values;
}

}  // namespace

Shape StoredWeight::shape(const hdf5::File& file) const {
  Shape stored = side_by_side(file, paths);
  if (!axes.empty() && axes.size() == stored.size()) {
    const Shape before = stored;
    for (std::size_t i = 0; i < axes.size(); ++i) stored[i] = before[axes[i]];
  }
  if (!kept.empty() && element_count(kept) == element_count(stored)) stored = kept;
  if (halves && stored.size() == 1) stored[0] /= 2;
  return stored;
}

std::vector<float> StoredWeight::read(const hdf5::File& file, const Shape& shape) const {
  const Shape stored = side_by_side(file, paths);
  std::vector<float> values = read_side_by_side(file, paths, stored);
  if (!axes.empty()) values = transposed(values, stored, axes);
  if (flipped) flip(values, shape);
  if (gates > 0) values = from_cudnn(values, shape, gates, kernel);
  if (halves) {
    const std::size_t half = values.size() / 2;
    for (std::size_t i = 0; i < half; ++i) values[i] += values[half + i];
    values.resize(half);
  }
  return values;
}

std::optional<std::vector<StoredWeight>> find_stored_weights(
    const hdf5::File& file, const std::string& group, const std::vector<OwnedParameter>& wanted,
    const std::vector<std::string>& paths) {
  return Finder(file, group, wanted, paths).find();
}

}  // namespace lockstep
