#include <array>
#include <bit>

#include "io/import/byte_source.hpp"
#include "io/import/import.hpp"
#include "src/core/error.hpp"

namespace lockstep {
namespace {

/// The third byte of the magic number (Y. LeCun's description of the MNIST files).
ElementType idx_type(unsigned code, const std::string& name) {
  switch (code) {
    case 0x08:
      return ElementType::kUint8;
    case 0x09:
      return ElementType::kInt8;
    case 0x0B:
      return ElementType::kInt16;
    case 0x0C:
      return ElementType::kInt32;
    case 0x0D:
      return ElementType::kFloat32;
    case 0x0E:
      return ElementType::kFloat64;
    default:
      break;
  }
  fail(ExitCode::kBadData,
       "[idx] {}: expected a type of 0x08, 0x09, 0x0B, 0x0C, 0x0D or 0x0E, got 0x{:02X}", name,
       code);
}

}  // namespace

Array read_idx(const std::filesystem::path& path) {
  ByteSource source(path);
  std::array<std::byte, 4> word = {};
  const auto byte = [&](std::size_t i) { return std::to_integer<unsigned>(word[i]); };
  const std::size_t got = source.read(word);
  check(got == 4 && byte(0) == 0 && byte(1) == 0, ExitCode::kBadData,
        "[idx] {}: expected an IDX file, which begins with two zero bytes, type and number of "
        "axes, got {}",
        source.name(),
        got < 4 ? fmt::format("{} bytes in all", got)
                : fmt::format("{:02x} {:02x} {:02x} {:02x}", byte(0), byte(1), byte(2), byte(3)));

  Array array;
  array.type = idx_type(byte(2), source.name());
  const unsigned axes = byte(3);
  check(axes >= 1, ExitCode::kBadData, "[idx] {}: expected at least one axis, got none",
        source.name());
  Shape extents;
  for (unsigned axis = 0; axis < axes; ++axis) {
    check(source.read(word) == 4, ExitCode::kBadData,
          "[idx] {}: expected {} extents in the header, got {}", source.name(), axes, axis);
    extents.push_back(std::int64_t{byte(0)} << 24 | byte(1) << 16 | byte(2) << 8 | byte(3));
  }

  array.rows = extents.front();
  array.row_shape.assign(extents.begin() + 1, extents.end());
  const std::size_t size = element_size(array.type);
  array.bytes = source.read_array(extents, size);
  if (std::endian::native == std::endian::little) reverse_elements(array.bytes, size);
  return array;
}

}  // namespace lockstep
