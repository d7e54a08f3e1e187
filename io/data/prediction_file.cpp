#include "io/data/prediction_file.hpp"

#include <fmt/format.h>

#include <bit>
#include <iterator>
#include <utility>

#include "io/files/atomic_file.hpp"
#include "io/files/left_behind.hpp"
#include "src/core/error.hpp"
#include "src/core/printable.hpp"

namespace lockstep {
namespace {

constexpr const char* kDataset = "predictions";

/// The beginning of an .npy file, version 1.0 (numpy.lib.format).
std::string npy_header(const Shape& extents) {
  static_assert(std::endian::native == std::endian::little);
  constexpr std::size_t kPrologue = 10;
  constexpr std::size_t kAlignment = 64;
  std::string shape;
  for (const std::int64_t extent : extents) shape += fmt::format("{}, ", extent);
  shape.resize(shape.size() - (extents.size() == 1 ? 1 : 2));
  std::string text =
      fmt::format("{{'descr': '<f4', 'fortran_order': False, 'shape': ({}), }}", shape);
  const std::size_t used = kPrologue + text.size() + 1;
  text.append((kAlignment - used % kAlignment) % kAlignment, ' ');
  text += '\n';
  const auto low = static_cast<char>(text.size() & 0xFF);
  const auto high = static_cast<char>(text.size() >> 8);
  return std::string("\x93NUMPY\x01\x00", 8) + low + high + text;
}

Shape with_rows(std::int64_t rows, const Shape& row_shape) {
  Shape extents = {rows};
  extents.insert(extents.end(), row_shape.begin(), row_shape.end());
  return extents;
}

}  // namespace

OutputFormat output_format(const std::filesystem::path& path) {
  const std::string ending = path.extension().string();
  if (ending == ".csv") return OutputFormat::kCsv;
  if (ending == ".tsv") return OutputFormat::kTsv;
  if (ending == ".npy") return OutputFormat::kNpy;
  if (ending == ".h5" || ending == ".hdf5") return OutputFormat::kHdf5;
  fail(ExitCode::kUsage,
       "[{}] expected a name that ends in .csv, .tsv (a table), .npy (NumPy), .h5 or .hdf5 (HDF5), "
       "got {}",
       printable(path.string()),
       ending.empty() ? "none of them" : fmt::format("'{}'", printable(ending)));
}

void PredictionFile::NpyPart::add(ConstMatrix rows) {
  const auto numbers = std::as_bytes(rows.flat());
  bytes.append(reinterpret_cast<const char*>(numbers.data()), numbers.size());
}

void PredictionFile::Hdf5Part::add(ConstMatrix rows) {
  writer.write_rows(kDataset, ElementType::kFloat32, next_row, rows.rows,
                    std::as_bytes(rows.flat()));
  next_row += rows.rows;
  if (labels.classes.empty()) return;
  for (std::int64_t i = 0; i < rows.rows; ++i) {
    predicted.push_back(predicted_class(rows.rows_from(i, 1).flat(), labels.classes));
  }
}

std::vector<std::byte> PredictionFile::Hdf5Part::take_image() {
  if (!labels.ids.empty()) writer.write_string_dataset("ids", labels.ids);
  if (!predicted.empty()) writer.write_string_dataset("predicted", predicted);
  return writer.take_image();
}

PredictionFile::Part PredictionFile::begin(OutputFormat format, std::int64_t rows,
                                           const Shape& row_shape, TableLabels labels) {
  const Shape extents = with_rows(rows, row_shape);
  check(labels.ids.empty() || std::ssize(labels.ids) == rows, ExitCode::kBadData,
        "[table] expected an id for each of {} rows, got {}", rows, labels.ids.size());
  switch (format) {
    case OutputFormat::kCsv:
      return TableText(',', row_shape, std::move(labels));
    case OutputFormat::kTsv:
      return TableText('\t', row_shape, std::move(labels));
    case OutputFormat::kNpy:
      return NpyPart{npy_header(extents)};
    case OutputFormat::kHdf5:
      break;
  }
  Hdf5Part part{hdf5::Writer::in_memory(), std::move(labels), {}, 0};
  part.writer.create_dataset(kDataset, ElementType::kFloat32, extents);
  return part;
}

PredictionFile::PredictionFile(OutputFormat format, std::int64_t rows, const Shape& row_shape,
                               TableLabels labels)
    : part_(begin(format, rows, row_shape, std::move(labels))) {}

void PredictionFile::add(ConstMatrix rows) {
  std::visit([&](auto& part) { part.add(rows); }, part_);
}

void PredictionFile::save(const std::filesystem::path& path) {
  remove_left_behind(path);
  if (const auto* table = std::get_if<TableText>(&part_)) {
    write_atomically(path, table->text());
  } else if (const auto* npy = std::get_if<NpyPart>(&part_)) {
    write_atomically(path, npy->bytes);
  } else {
    write_atomically(path, std::get<Hdf5Part>(part_).take_image());
  }
}

}  // namespace lockstep
