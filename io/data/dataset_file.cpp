#include "io/data/dataset_file.hpp"

#include "src/core/error.hpp"
#include "src/core/floating_point.hpp"

namespace lockstep {

DatasetFile::DatasetFile(const std::filesystem::path& path, const std::string& dataset, bool trust)
    : file_(hdf5::File::open(path, trust)),
      dataset_(dataset),
      label_(path.string() + ":" + (dataset.starts_with('/') ? "" : "/") + dataset) {
  const hdf5::DatasetInfo info = file_.dataset_info(dataset);
  check(info.type.has_value(), ExitCode::kBadData, "[{}] expected numbers, got type {}", label_,
        info.stored_type);
  check(!info.extents.empty(), ExitCode::kBadData,
        "[{}] expected rows along the first axis, got a scalar", label_);
  check(info.extents[0] > 0, ExitCode::kBadData, "[{}] expected at least one row, got shape {}",
        label_, to_string(info.extents));
  type_ = *info.type;
  rows_ = info.extents[0];
  row_shape_.assign(info.extents.begin() + 1, info.extents.end());
}

std::size_t DatasetFile::row_bytes() const {
  return static_cast<std::size_t>(element_count(row_shape_)) * element_size(type_);
}

void DatasetFile::read(std::int64_t first, std::int64_t count, std::span<std::byte> out) const {
  const FloatingPointEnvironment environment(Denormals::kKeep);
  file_.read_rows(dataset_, type_, first, count, out);
}

}  // namespace lockstep
