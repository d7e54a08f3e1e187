#include "io/data/window_cut.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "io/data/dataset_file.hpp"
#include "src/core/error.hpp"
#include "src/core/printable.hpp"

namespace lockstep {

std::string to_json_text(const WindowCut& cut) {
  nlohmann::ordered_json json = {{"series", cut.series}, {"offset", cut.offset}};
  if (cut.length) json["length"] = *cut.length;
  return json.dump();
}

WindowCut window_cut_from_json(const std::string& text, const std::string& where) {
  try {
    const auto json = nlohmann::ordered_json::parse(text);
    WindowCut cut{json.at("series"), json.at("offset"), {}};
    if (json.contains("length")) cut.length = json["length"].get<std::int64_t>();
    check(cut.offset >= 0 && cut.length.value_or(1) >= 1, ExitCode::kBadData,
          "[{}] expected an offset from 0 and a length from 1 in the attribute {}, got {} and {}",
          where, kWindows, cut.offset, cut.length.value_or(1));
    return cut;
  } catch (const nlohmann::json::exception& error) {
    fail(ExitCode::kBadData, "[{}] expected the attribute {} as lockstep import writes it: {}",
         where, kWindows, error.what());
  }
}

/// What was chosen are the windows' beginnings.
void DatasetFile::choose_windows() {
  const WindowCut cut =
      window_cut_from_json(file_.read_string(selection_.dataset, kWindows), label_);
  check(row_shape_.empty() && is_integer(native_) && cut.series != selection_.dataset,
        ExitCode::kBadData, "[{}] expected a list of the rows at which windows begin, got {} {}",
        label_, to_string(row_shape_), to_string(native_));
  check(!file_.has_attribute(cut.series, kWindows), ExitCode::kBadData,
        "[{}] expected windows of a series, got windows of windows ({})", label_,
        printable(cut.series));
  series_ = std::make_shared<const DatasetFile>(file_.name(), cut.series);
  check(series_->classes().empty(), ExitCode::kBadData, "[{}] expected numbers, got strings",
        series_->label());
  starts_.resize(static_cast<std::size_t>(rows_));
  file_.read_rows(selection_.dataset, ElementType::kInt64, 0, rows_,
                  std::as_writable_bytes(std::span(starts_)));
  const std::int64_t all = series_->rows();
  const bool fits = cut.offset <= all && cut.length.value_or(1) <= all - cut.offset;
  const std::int64_t last = fits ? all - cut.offset - cut.length.value_or(1) : -1;
  const auto bad =
      std::ranges::find_if(starts_, [&](std::int64_t start) { return start < 0 || start > last; });
  check(bad == starts_.end(), ExitCode::kBadData,
        "[{}] expected windows within {} rows of {}, got one that begins at row {} (the {}th)",
        label_, series_->rows(), printable(series_->label()), bad == starts_.end() ? 0 : *bad,
        bad - starts_.begin());
  for (std::int64_t& start : starts_) start += cut.offset;
  row_shape_ = series_->row_shape();
  if (cut.length) row_shape_.insert(row_shape_.begin(), *cut.length);
  native_ = stored_ = series_->type();
  conventions_ = {};
  notes_.push_back(fmt::format("windows of {}, cut when they are used: {} of {}",
                               printable(cut.series), rows_, to_string(row_shape_)));
}

void DatasetFile::read_windows(std::int64_t first, std::int64_t count,
                               std::span<std::byte> out) const {
  const auto rows = static_cast<std::int64_t>(row_bytes() / series_->row_bytes());
  for (std::int64_t i = 0; i < count; ++i)
    series_->read(starts_[static_cast<std::size_t>(first + i)], rows,
                  out.subspan(static_cast<std::size_t>(i) * row_bytes(), row_bytes()));
}

}  // namespace lockstep
