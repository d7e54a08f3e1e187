#include <array>
#include <bit>
#include <charconv>
#include <cstring>
#include <string_view>

#include "io/files/file_kind.hpp"
#include "io/import/byte_source.hpp"
#include "io/import/import.hpp"
#include "src/core/error.hpp"
#include "src/core/printable.hpp"

namespace lockstep {
namespace {

/// Headers hold three short entries; numpy itself refuses more than 10,000 characters.
constexpr std::size_t kLongestHeader = 65536;

/// What the header says; `kind` and `size` as in numpy's array protocol: 'f', 4.
struct NpyHeader {
  std::string descr;
  char byte_order = '|';
  char kind = 0;
  std::size_t size = 0;
  bool fortran = false;
  Shape extents;
};

/// Reads the Python dictionary {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }.
class HeaderParser {
 public:
  HeaderParser(std::string_view text, const std::string& name) : text_(text), name_(name) {}

  NpyHeader parse() {
    NpyHeader header;
    bool descr = false;
    bool order = false;
    bool shape = false;
    expect('{');
    while (!accept('}')) {
      const std::string key = quoted();
      expect(':');
      if (key == "descr" && !descr) {
        descr = true;
        read_descr(header);
      } else if (key == "fortran_order" && !order) {
        order = true;
        header.fortran = boolean();
      } else if (key == "shape" && !shape) {
        shape = true;
        header.extents = tuple();
      } else {
        refuse("'descr', 'fortran_order' and 'shape', each once", key);
      }
      if (!accept(',')) {
        expect('}');
        break;
      }
    }
    if (!descr || !order || !shape) refuse("'descr', 'fortran_order' and 'shape'", "fewer entries");
    return header;
  }

 private:
  [[noreturn]] void refuse(std::string_view expected, std::string_view found) const {
    fail(ExitCode::kBadData, "[npy] {}: expected {} in the header, got {}", name_, expected,
         printable(found));
  }

  std::string_view rest() {
    const std::size_t start = text_.find_first_not_of(" \t\r\n");
    text_.remove_prefix(start == std::string_view::npos ? text_.size() : start);
    return text_;
  }
  bool accept(char wanted) {
    if (rest().empty() || text_.front() != wanted) return false;
    text_.remove_prefix(1);
    return true;
  }
  void expect(char wanted) {
    if (!accept(wanted)) refuse(std::string(1, wanted), rest().empty() ? "its end" : text_);
  }
  bool accept_word(std::string_view word) {
    if (!rest().starts_with(word)) return false;
    text_.remove_prefix(word.size());
    return true;
  }

  std::string quoted() {
    const char quote = accept('\'') ? '\'' : (expect('"'), '"');
    const std::size_t end = text_.find(quote);
    if (end == std::string_view::npos) refuse("a closing quote", text_);
    const std::string value(text_.substr(0, end));
    text_.remove_prefix(end + 1);
    return value;
  }
  bool boolean() {
    if (accept_word("True")) return true;
    if (accept_word("False")) return false;
    refuse("True or False", rest());
  }
  Shape tuple() {
    Shape extents;
    expect('(');
    while (!accept(')')) {
      std::int64_t extent = 0;
      const auto [end, error] = std::from_chars(rest().data(), text_.data() + text_.size(), extent);
      if (error != std::errc() || extent < 0) refuse("the extents of an array", text_);
      text_.remove_prefix(static_cast<std::size_t>(end - text_.data()));
      accept('L');  // Python 2 wrote long integers so
      extents.push_back(extent);
      if (!accept(',')) {
        expect(')');
        break;
      }
    }
    return extents;
  }

  void read_descr(NpyHeader& header) {
    if (rest().starts_with('[')) refuse("a single number type", "a structured type");
    header.descr = quoted();
    std::string_view text = header.descr;
    if (!text.empty() && std::string_view("<>|=").find(text.front()) != std::string_view::npos) {
      header.byte_order = text.front();
      text.remove_prefix(1);
    }
    if (text.empty()) refuse("a type such as '<f4'", header.descr);
    header.kind = text.front();
    const char* end = text.data() + text.size();
    if (std::from_chars(text.data() + 1, end, header.size).ptr != end) header.size = 0;
  }

  std::string_view text_;
  const std::string& name_;
};

/// The bytes between the magic and the array; magic, version and length are read here.
std::string read_header_text(ArraySource& source) {
  std::array<unsigned char, 8> start = {};
  const std::size_t got = source.read(std::as_writable_bytes(std::span(start)));
  check(got == start.size() && std::memcmp(start.data(), "\x93NUMPY", 6) == 0, ExitCode::kBadData,
        "[npy] {}: expected a NumPy file, which begins with \\x93NUMPY, got something else",
        source.name());
  const unsigned major = start[6];
  check(major >= 1 && major <= 3 && start[7] == 0, ExitCode::kBadData,
        "[npy] {}: expected format 1.0, 2.0 or 3.0, got {}.{}", source.name(), major, start[7]);

  std::array<unsigned char, 4> field = {};
  const std::size_t field_bytes = major == 1 ? 2 : 4;
  const auto field_span = std::as_writable_bytes(std::span(field)).first(field_bytes);
  check(source.read(field_span) == field_bytes, ExitCode::kBadData,
        "[npy] {}: expected the header's length, got the end of the file", source.name());
  const std::size_t length = std::size_t{field[0]} | std::size_t{field[1]} << 8 |
                             std::size_t{field[2]} << 16 | std::size_t{field[3]} << 24;
  check(length <= kLongestHeader, ExitCode::kBadData,
        "[npy] {}: expected a header of at most {} bytes, got {}", source.name(), kLongestHeader,
        length);
  std::string text(length, '\0');
  check(source.read(std::as_writable_bytes(std::span(text))) == length, ExitCode::kBadData,
        "[npy] {}: expected a header of {} bytes, got the end of the file", source.name(), length);
  return text;
}

/// The type in memory; float16 is widened and bool is a byte, the rest is kept.
ElementType memory_type(const NpyHeader& header, const std::string& name) {
  const std::size_t size = header.size;
  switch (header.kind) {
    case 'b':
      if (size == 1) return ElementType::kUint8;
      break;
    case 'i':
      if (size == 1) return ElementType::kInt8;
      if (size == 2) return ElementType::kInt16;
      if (size == 4) return ElementType::kInt32;
      if (size == 8) return ElementType::kInt64;
      break;
    case 'u':
      if (size == 1) return ElementType::kUint8;
      if (size == 2) return ElementType::kUint16;
      if (size == 4) return ElementType::kUint32;
      if (size == 8) return ElementType::kUint64;
      break;
    case 'f':
      if (size == 2 || size == 4) return ElementType::kFloat32;
      if (size == 8) return ElementType::kFloat64;
      break;
    default:
      break;
  }
  const char* what = header.kind == 'O' ? " (Python objects)"
                     : header.kind == 'U' || header.kind == 'S'
                         ? " (strings: number them, in Python "
                           "by numpy.unique(y, "
                           "return_inverse=True))"
                     : header.kind == 'M' ? " (times)"
                     : header.kind == 'c' ? " (complex numbers)"
                                          : "";
  fail(ExitCode::kBadData, "[npy] {}: expected bool, integer or floating numbers, got type '{}'{}",
       name, printable(header.descr), what);
}

/// The last extent runs fastest in C order, the first one in Fortran order.
std::vector<std::byte> fortran_to_c(const std::vector<std::byte>& bytes, const Shape& extents,
                                    std::size_t size) {
  std::vector<std::byte> out(bytes.size());
  std::vector<std::size_t> steps;  // of each axis, in the source
  std::size_t step = size;
  for (const std::int64_t extent : extents) {
    steps.push_back(step);
    step *= static_cast<std::size_t>(extent);
  }
  Shape index(extents.size(), 0);
  std::size_t from = 0;
  for (std::size_t to = 0; to < out.size(); to += size) {
    std::memcpy(out.data() + to, bytes.data() + from, size);
    for (std::size_t axis = extents.size(); axis-- > 0;) {
      from += steps[axis];
      if (++index[axis] < extents[axis]) break;
      from -= steps[axis] * static_cast<std::size_t>(extents[axis]);
      index[axis] = 0;
    }
  }
  return out;
}

/// IEEE 754 binary16 to binary32; every value is exact.
float widen(std::uint16_t half) {
  const std::uint32_t sign = std::uint32_t{half & 0x8000U} << 16;
  const std::uint32_t exponent = half >> 10 & 0x1FU;
  const std::uint32_t fraction = half & 0x3FFU;
  if (exponent == 0) {
    const float magnitude = static_cast<float>(fraction) * 0x1p-24F;
    return sign != 0 ? -magnitude : magnitude;
  }
  const std::uint32_t wide = exponent == 31 ? 255U : exponent + 112;
  return std::bit_cast<float>(sign | wide << 23 | fraction << 13);
}

std::vector<std::byte> widen_all(const std::vector<std::byte>& halves) {
  std::vector<std::byte> out(halves.size() * 2);
  for (std::size_t i = 0; i < halves.size() / 2; ++i) {
    std::uint16_t half = 0;
    std::memcpy(&half, halves.data() + i * sizeof half, sizeof half);
    const float value = widen(half);
    std::memcpy(out.data() + i * sizeof value, &value, sizeof value);
  }
  return out;
}

}  // namespace

Array read_npy(const std::filesystem::path& path) {
  const FileKind kind = file_kind(path);
  check(kind == FileKind::kNpy || kind == FileKind::kGzip || kind == FileKind::kMissing ||
            kind == FileKind::kDirectory,
        ExitCode::kBadData,
        "[npy] {}: expected a NumPy file, which begins with \\x93NUMPY, got {}{}",
        printable(path.string()), what_file_is(path),
        kind == FileKind::kNpz ? "; " + how_to_use(kind, path, FileUse::kData) : "");
  ByteSource source(path);
  return read_npy(source);
}

Array read_npy(ArraySource& source) {
  const std::string text = read_header_text(source);
  const NpyHeader header = HeaderParser(text, source.name()).parse();

  Array array;
  array.type = memory_type(header, source.name());
  check(!header.extents.empty(), ExitCode::kBadData,
        "[npy] {}: expected an array with at least one axis, got a scalar", source.name());
  array.rows = header.extents.front();
  array.row_shape.assign(header.extents.begin() + 1, header.extents.end());
  array.bytes = source.read_array(header.extents, header.size);

  const char native = std::endian::native == std::endian::little ? '<' : '>';
  if (header.byte_order == '<' || header.byte_order == '>') {
    if (header.byte_order != native) reverse_elements(array.bytes, header.size);
  }
  if (header.fortran && header.extents.size() > 1) {
    array.bytes = fortran_to_c(array.bytes, header.extents, header.size);
  }
  if (header.kind == 'f' && header.size == 2) array.bytes = widen_all(array.bytes);
  if (header.kind == 'b') {
    for (std::byte& value : array.bytes) value = std::byte{value != std::byte{0}};
  }
  return array;
}

}  // namespace lockstep
