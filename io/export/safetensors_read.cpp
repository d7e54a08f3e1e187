#include "io/export/safetensors_read.hpp"

#include <bit>
#include <cstdint>
#include <cstring>
#include <nlohmann/json.hpp>
#include <string_view>

#include "io/export/safetensors.hpp"
#include "src/core/error.hpp"
#include "src/core/printable.hpp"

namespace lockstep {
namespace {

using Json = nlohmann::json;  // finds a key among many at once

constexpr std::size_t kMostHeader = std::size_t{100} << 20;  // as the library's
constexpr std::int64_t kMostElements = std::int64_t{1} << 40;

template <class Number>
Number number_at(const char* bytes) {
  Number number;
  std::memcpy(&number, bytes, sizeof(number));
  return number;
}

/// IEEE's 16 bits.
float half_at(const char* bytes) {
  const auto bits = number_at<std::uint16_t>(bytes);
  const std::uint32_t sign = static_cast<std::uint32_t>(bits & 0x8000U) << 16;
  const std::uint32_t exponent = (bits >> 10) & 31U, fraction = bits & 1023U;
  if (exponent == 0) {
    const float value = static_cast<float>(fraction) * 0x1p-24F;
    return sign != 0 ? -value : value;
  }
  const std::uint32_t wide = exponent == 31 ? 255 : exponent + 112;
  return std::bit_cast<float>(sign | (wide << 23) | (fraction << 13));
}

float float_at(const std::string& dtype, const char* bytes) {
  if (dtype == "F32") return number_at<float>(bytes);
  if (dtype == "F64") return static_cast<float>(number_at<double>(bytes));
  if (dtype == "F16") return half_at(bytes);
  return std::bit_cast<float>(static_cast<std::uint32_t>(number_at<std::uint16_t>(bytes)) << 16);
}

std::size_t size_of(const std::string& dtype) {
  return dtype == "F64" ? 8 : dtype == "F32" ? 4 : 2;
}

/// No deeper than the arrays in the entries. (The parser's callback would look at all entries anew
/// behind each one.)
bool is_flat(std::string_view text) {
  constexpr int kDeepest = 3;
  int depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char letter = text[i];
    if (in_string && letter == '\\')
      ++i;
    else if (letter == '"')
      in_string = !in_string;
    else if (!in_string && (letter == '{' || letter == '['))
      ++depth;
    else if (!in_string && (letter == '}' || letter == ']'))
      --depth;
    if (depth > kDeepest) return false;
  }
  return true;
}

Json header_of(std::span<const char> file, const std::string& name) {
  const auto refuse = [&](const char* found) {
    fail(ExitCode::kBadData, "[{}] expected a safetensors file, got {}", printable(name), found);
  };
  if (file.size() < sizeof(std::uint64_t)) refuse("less than 8 bytes");
  const auto length = number_at<std::uint64_t>(file.data());
  if (length > kMostHeader || length > file.size() - sizeof(length))
    refuse(
        "a header that is longer than the file: torch.save()'s are written anew by "
        "safetensors.torch.save_file()");
  const char* begin = file.data() + sizeof(length);
  if (!is_flat({begin, length})) refuse("a header that is nested");
  Json header = Json::parse(begin, begin + length, nullptr, /*allow_exceptions=*/false);
  if (!header.is_object()) refuse("a header that is no JSON");
  return header;
}

}  // namespace

StateDict read_safetensors(std::span<const char> file, const std::string& name) {
  const Json header = header_of(file, name);
  const std::size_t begin = sizeof(std::uint64_t) + number_at<std::uint64_t>(file.data());
  StateDict read;
  for (const auto& [key, entry] : header.items()) {
    if (key == "__metadata__") {
      read.is_of_export = entry.is_object() && entry.contains(kExportMark);
      continue;
    }
    const auto damaged = [&, key = key](const char* what) {
      fail(ExitCode::kBadData, "[{}] {}: expected {}", printable(name), printable(key, 80), what);
    };
    if (!entry.is_object() || !entry.contains("dtype") || !entry["dtype"].is_string() ||
        !entry.contains("shape") || !entry["shape"].is_array() || !entry.contains("data_offsets") ||
        !entry["data_offsets"].is_array() || entry["data_offsets"].size() != 2)
      damaged("dtype, shape and data_offsets");
    const std::string dtype = entry["dtype"];
    if (dtype.starts_with("I") || dtype.starts_with("U") || dtype == "BOOL") continue;
    if (dtype != "F32" && dtype != "F64" && dtype != "F16" && dtype != "BF16")
      damaged("numbers of type F32, F64, F16 or BF16");
    Tensor tensor;
    std::int64_t count = 1;
    for (const Json& extent : entry["shape"]) {
      if (!extent.is_number_unsigned() || extent.get<std::uint64_t>() > kMostElements)
        damaged("a shape of whole numbers");
      tensor.shape.push_back(extent.get<std::int64_t>());
      if (__builtin_mul_overflow(count, tensor.shape.back(), &count) || count > kMostElements)
        damaged("a shape that fits into the file");
    }
    const Json& offsets = entry["data_offsets"];
    if (!offsets[0].is_number_unsigned() || !offsets[1].is_number_unsigned())
      damaged("offsets of whole numbers");
    const auto first = offsets[0].get<std::uint64_t>(), last = offsets[1].get<std::uint64_t>();
    if (first > last || last > file.size() - begin ||
        last - first != static_cast<std::uint64_t>(count) * size_of(dtype))
      damaged("as many bytes as its shape has, within the file");
    tensor.values.resize(static_cast<std::size_t>(count));
    const char* at = file.data() + begin + first;
    for (float& value : tensor.values) {
      value = float_at(dtype, at);
      at += size_of(dtype);
    }
    read.tensors[key] = std::move(tensor);
  }
  return read;
}

}  // namespace lockstep
