#include "io/tensorboard/event_record.hpp"

#include <algorithm>
#include <bit>
#include <boost/crc.hpp>
#include <cmath>
#include <cstring>
#include <vector>

#include "event.pb.h"

namespace lockstep {
namespace {

namespace proto = tensorboard;
static_assert(std::endian::native == std::endian::little);

/// CRC-32C (Castagnoli), masked as TensorFlow masks it.
std::uint32_t masked_crc(std::string_view bytes) {
  boost::crc_optimal<32, 0x1EDC6F41, 0xFFFFFFFF, 0xFFFFFFFF, true, true> crc;
  crc.process_bytes(bytes.data(), bytes.size());
  return std::rotr(static_cast<std::uint32_t>(crc.checksum()), 15) + 0xa282ead8U;
}

template <class Number>
void append(std::string& to, Number number) {
  to.append(reinterpret_cast<const char*>(&number), sizeof(number));
}

template <class Number>
Number number_at(std::string_view bytes, std::size_t at) {
  Number number;
  std::memcpy(&number, bytes.data() + at, sizeof(number));
  return number;
}

// Length, its checksum, data, their checksum.
constexpr std::size_t kHead = sizeof(std::uint64_t) + sizeof(std::uint32_t);
constexpr std::size_t kTail = sizeof(std::uint32_t);

std::string record(const proto::Event& event) {
  const std::string data = event.SerializeAsString();
  std::string bytes;
  append(bytes, static_cast<std::uint64_t>(data.size()));
  append(bytes, masked_crc(bytes));
  bytes += data;
  append(bytes, masked_crc(data));
  return bytes;
}

proto::Summary::Value& new_value(proto::Event& event, double wall_time, std::int64_t step,
                                 const std::string& tag, const char* plugin) {
  event.set_wall_time(wall_time);
  event.set_step(step);
  proto::Summary::Value& value = *event.mutable_summary()->add_value();
  value.set_tag(tag);
  value.mutable_metadata()->mutable_plugin_data()->set_plugin_name(plugin);
  return value;
}

/// The data of the record that begins here; none: it is not whole.
std::optional<std::string_view> data_at(std::string_view file, std::size_t at) {
  const std::string_view rest = file.substr(at);
  if (rest.size() < kHead + kTail) return std::nullopt;
  const auto length = number_at<std::uint64_t>(rest, 0);
  if (number_at<std::uint32_t>(rest, sizeof(length)) !=
          masked_crc(rest.substr(0, sizeof(length))) ||
      length > rest.size() - kHead - kTail)
    return std::nullopt;
  const std::string_view data = rest.substr(kHead, length);
  if (number_at<std::uint32_t>(rest, kHead + length) != masked_crc(data)) return std::nullopt;
  return data;
}

}  // namespace

std::string version_record(double wall_time) {
  proto::Event event;
  event.set_wall_time(wall_time);
  event.set_file_version("brain.Event:2");
  return record(event);
}

std::string scalar_record(double wall_time, std::int64_t step, const std::string& tag,
                          double value) {
  proto::Event event;
  proto::Summary::Value& written = new_value(event, wall_time, step, tag, "scalars");
  written.mutable_metadata()->set_data_class(proto::Metadata::DATA_CLASS_SCALAR);
  written.mutable_tensor()->set_dtype(proto::Tensor::DT_FLOAT);
  written.mutable_tensor()->mutable_tensor_shape();
  written.mutable_tensor()->add_float_val(static_cast<float>(value));
  return record(event);
}

std::string histogram_record(double wall_time, std::int64_t step, const std::string& tag,
                             std::span<const float> values) {
  constexpr int kBuckets = 30;
  if (values.empty() || !std::ranges::all_of(values, [](float x) { return std::isfinite(x); }))
    return "";
  const auto [low, high] = std::ranges::minmax(values);
  const double first = low, width = (static_cast<double>(high) - low) / kBuckets;
  std::vector<double> counts(kBuckets, 0);
  for (const float value : values) {
    const double bucket = width == 0 ? kBuckets : std::floor((value - first) / width);
    ++counts[static_cast<std::size_t>(std::min<double>(bucket, kBuckets - 1))];
  }
  proto::Event event;
  proto::Summary::Value& written = new_value(event, wall_time, step, tag, "histograms");
  written.mutable_metadata()->set_data_class(proto::Metadata::DATA_CLASS_TENSOR);
  proto::Tensor& tensor = *written.mutable_tensor();
  tensor.set_dtype(proto::Tensor::DT_DOUBLE);
  tensor.mutable_tensor_shape()->add_dim()->set_size(kBuckets);
  tensor.mutable_tensor_shape()->add_dim()->set_size(3);
  for (int i = 0; i < kBuckets; ++i) {
    tensor.add_double_val(first + i * width);
    tensor.add_double_val(i + 1 == kBuckets ? static_cast<double>(high) : first + (i + 1) * width);
    tensor.add_double_val(counts[static_cast<std::size_t>(i)]);
  }
  return record(event);
}

EventRecords records_before(std::string_view file, std::int64_t step) {
  EventRecords found;
  while (const auto data = data_at(file, found.bytes)) {
    proto::Event event;
    if (!event.ParseFromArray(data->data(), static_cast<int>(data->size()))) break;
    if (event.has_summary() && event.step() >= step) {
      found.later = true;
      break;
    }
    if (event.has_summary()) found.last_step = event.step();
    found.bytes += kHead + data->size() + kTail;
  }
  return found;
}

}  // namespace lockstep
