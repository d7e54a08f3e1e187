#include "io/data/dataset_file.hpp"

#include "io/data/window_cut.hpp"

#include <algorithm>
#include <map>

#include "src/core/error.hpp"
#include "src/core/printable.hpp"

namespace lockstep {
namespace {

constexpr std::size_t kNamesShown = 20;

/// "a, b and 3 more", for messages.
std::string list_names(std::vector<std::string> names) {
  const std::size_t more = names.size() - std::min(names.size(), kNamesShown);
  names.resize(names.size() - more);
  for (std::string& name : names) name = printable(name);
  return fmt::format("{}{}", fmt::join(names, ", "),
                     more > 0 ? fmt::format(" and {} more", more) : "");
}

/// The one type of all, or float64 if they differ.
ElementType common_type(const std::vector<ElementType>& types) {
  const bool same = std::ranges::all_of(types, [&](ElementType t) { return t == types.front(); });
  return same ? types.front() : ElementType::kFloat64;
}

}  // namespace

DatasetFile::DatasetFile(const std::filesystem::path& path, const std::string& name, bool trust)
    : file_(hdf5::File::open(path, trust)),
      selection_(select_dataset(file_, name)),
      label_(path.string() + ":" + (name.starts_with('/') ? "" : "/") + name) {
  if (file_.is_group(selection_.dataset) && file_.has_attribute(selection_.dataset, "pandas_type"))
    choose_columns();
  choose_dataset(trust);
  if (columns_.empty() && !selection_.transposed &&
      file_.has_attribute(selection_.dataset, kWindows))
    choose_windows();
  type_ = conventions_.packed() ? ElementType::kFloat32 : stored_;
  for (std::string& note : conventions_.notes) notes_.push_back(std::move(note));
}

/// Describes what was chosen: one dataset, or those that the columns lie in.
void DatasetFile::choose_dataset(bool trust) {
  if (!columns_.empty()) {
    for (const FrameColumn& column : columns_) {
      const hdf5::DatasetInfo info = file_.dataset_info(column.dataset);
      check_rows(info);
      check_written(info, trust);
      if (rows_ == 0) rows_ = info.extents[0];
      check(info.extents[0] == rows_, ExitCode::kBadData,
            "[{}] expected {} rows in every block of the data frame, got {}", label_, rows_,
            info.extents[0]);
    }
    return;
  }
  const hdf5::DatasetInfo info = file_.dataset_info(selection_.dataset);
  check_rows(info);
  rows_ = selection_.transposed ? info.extents.back() : info.extents.front();
  row_shape_.assign(info.extents.begin() + 1, info.extents.end());
  if (selection_.transposed) row_shape_.assign(info.extents.rbegin() + 1, info.extents.rend());
  if (!info.chunk.empty())
    chunk_rows_ = selection_.transposed ? info.chunk.back() : info.chunk.front();
  if (!selection_.fields.empty() || selection_.all_fields) {
    choose_fields(info);
  } else if (info.text) {
    read_classes("");
  } else {
    choose_whole(info);
  }
  check_written(info, trust);
}

void DatasetFile::choose_whole(const hdf5::DatasetInfo& info) {
  check(info.fields.empty(), ExitCode::kBadData,
        "[{}] expected numbers, got type {}; choose some of its fields: {}.{} or {}.[{}]", label_,
        info.stored_type, printable(selection_.dataset),
        printable(info.fields.empty() ? "" : info.fields.front().name),
        printable(selection_.dataset), [&] {
          std::vector<std::string> names;
          for (const hdf5::Field& field : info.fields)
            if (field.type) names.push_back(field.name);
          return list_names(names);
        }());
  check(info.type.has_value(), ExitCode::kBadData, "[{}] expected numbers, got type {}", label_,
        info.stored_type);
  native_ = stored_ = *info.type;
  conventions_ = read_conventions(file_, selection_.dataset, stored_, label_);
  if (!selection_.transposed && info.extents.size() > 1 &&
      file_.has_attribute(selection_.dataset, "MATLAB_class"))
    notes_.push_back(
        fmt::format("MATLAB wrote this array, and shows its axes in the other order, {} for {}: if "
                    "its rows are "
                    "the samples there, say --transpose (or {})",
                    to_string(Shape(info.extents.rbegin(), info.extents.rend())),
                    to_string(info.extents), transposed_name(printable(selection_.dataset))));
}

void DatasetFile::check_rows(const hdf5::DatasetInfo& info) const {
  check(!info.extents.empty(), ExitCode::kBadData,
        "[{}] expected rows along the first axis, got a scalar", label_);
  const std::int64_t rows = selection_.transposed ? info.extents.back() : info.extents.front();
  check(rows > 0, ExitCode::kBadData, "[{}] expected at least one row, got shape {}", label_,
        to_string(info.extents));
}

/// That what is read was written.
void DatasetFile::check_written(const hdf5::DatasetInfo& info, bool trust) {
  if (info.unwritten.empty()) return;
  check(trust, ExitCode::kBadData,
        "[{}] expected a dataset that was written as a whole, but {}; write the file again, or say "
        "--trust-data to take them so",
        label_, info.unwritten);
  notes_.push_back(info.unwritten);
}

void DatasetFile::choose_fields(const hdf5::DatasetInfo& info) {
  std::vector<std::string> names;
  for (const hdf5::Field& field : info.fields) names.push_back(field.name);
  if (selection_.all_fields)
    for (const hdf5::Field& field : info.fields)
      if (field.type) selection_.fields.push_back(field.name);
  std::vector<ElementType> types;
  std::int64_t width = 0;
  for (const std::string& name : selection_.fields) {
    const auto field = std::ranges::find(info.fields, name, &hdf5::Field::name);
    check(field != info.fields.end(), ExitCode::kBadData,
          "[{}] expected a field of {}, got '{}'; its fields: {}", label_,
          printable(selection_.dataset), printable(name), list_names(names));
    if (field->text && selection_.fields.size() == 1) return read_classes(name);
    check(field->type.has_value(), ExitCode::kBadData,
          "[{}] expected numbers, got type {} in the field {}", label_, field->stored_type,
          printable(name));
    types.push_back(*field->type);
    for (std::int64_t i = 0; i < element_count(field->extents); ++i)
      columns_.push_back({name, selection_.dataset, *field, i, {}, 0});
    width += element_count(field->extents);
  }
  check(!columns_.empty(), ExitCode::kBadData, "[{}] expected a field of numbers, got none",
        label_);
  check(row_shape_.empty(), ExitCode::kBadData,
        "[{}] expected records along one axis, got shape {}", label_, to_string(info.extents));
  stored_ = common_type(types);
  if (selection_.fields.size() == 1) {
    row_shape_ = columns_.front().field.extents;
  } else {
    row_shape_ = {width};
  }
}

/// Of a data frame.
void DatasetFile::choose_columns() {
  const std::vector<FrameColumn> all = frame_columns(file_, selection_.dataset);
  std::vector<std::string> names;
  for (const FrameColumn& column : all) names.push_back(column.name);
  check(!selection_.fields.empty() || selection_.all_fields, ExitCode::kBadData,
        "[{}] expected an array, got a data frame of pandas; choose some of its columns: {}.{} or "
        "{}.[{}]",
        label_, printable(selection_.dataset), names.empty() ? "" : printable(names.front()),
        printable(selection_.dataset), list_names(names));
  std::vector<ElementType> types;
  for (const std::string& name : selection_.all_fields ? names : selection_.fields) {
    const auto column = std::ranges::find(all, name, &FrameColumn::name);
    check(column != all.end(), ExitCode::kBadData,
          "[{}] expected a column of the data frame, got '{}'; its columns: {}", label_,
          printable(name), list_names(names));
    const hdf5::DatasetInfo info = file_.dataset_info(column->dataset);
    const auto type = column->field.name.empty() ? info.type : column->field.type;
    const std::string kind = file_.text_or_nothing(column->dataset, column->field.name + "_dtype");
    check(column->field.name.empty() || !kind.starts_with("datetime"), ExitCode::kBadData,
          "[{}] expected numbers, got times of pandas (attribute {}_dtype = {}); in pandas, make "
          "numbers of them first",
          label_, printable(column->field.name), printable(kind));
    if (column->field.text && selection_.fields.size() == 1) {
      selection_.dataset = column->dataset;
      selection_.fields = {column->field.name};
      return;  // classes: see choose_fields()
    }
    check(
        type.has_value(), ExitCode::kBadData,
        "[{}] expected numbers, got type {} in the column {} (text and mixed columns of pandas are "
        "pickled Python objects): write the frame by .to_csv(...), then lockstep import csv",
        label_, column->field.name.empty() ? info.stored_type : column->field.stored_type,
        printable(name));
    if (column->field.name.empty()) {
      ElementType stored = *type;
      read_conventions(file_, column->dataset, stored, label_);  // times
    }
    types.push_back(*type);
    columns_.push_back(*column);
    columns_.back().block_type = info.type;
    columns_.back().width = info.extents.empty() || info.extents[0] == 0
                                ? 0
                                : element_count(info.extents) / info.extents[0];
  }
  check(!columns_.empty(), ExitCode::kBadData, "[{}] expected columns, got none", label_);
  stored_ = common_type(types);
  if (columns_.size() > 1) row_shape_ = {static_cast<std::int64_t>(columns_.size())};
}

void DatasetFile::read_classes(const std::string& field) {
  const std::vector<std::string> texts = file_.read_texts(selection_.dataset, field);
  check(static_cast<std::int64_t>(texts.size()) == rows_, ExitCode::kBadData,
        "[{}] expected one string a row, got shape {} of strings", label_, to_string(row_shape_));
  std::map<std::string, std::int32_t> numbers;
  for (std::size_t row = 0; row < texts.size(); ++row) {
    check(!texts[row].empty(), ExitCode::kBadData,
          "[{}] expected the name of a class in every row, got an empty string in row {}", label_,
          row);
    numbers.try_emplace(texts[row], 0);
  }
  std::int32_t next = 0;
  for (auto& [text, number] : numbers) {
    classes_.push_back(text);
    number = next++;
  }
  for (const std::string& text : texts) labels_.push_back(numbers.at(text));
  row_shape_ = {};
  stored_ = ElementType::kInt32;
  notes_.push_back(fmt::format(
      "strings as {} classes: 0 = {}{}", classes_.size(), printable(classes_.front(), 60), [&] {
        std::string more;
        for (std::size_t i = 1; i < std::min<std::size_t>(classes_.size(), 10); ++i)
          more += fmt::format(", {} = {}", i, printable(classes_[i], 60));
        return more + (classes_.size() > 10 ? ", ..." : "");
      }()));
}

bool has_array(const std::filesystem::path& path, const std::string& name, bool trust) {
  const hdf5::File file = hdf5::File::open(path, trust);
  return file.exists(select_dataset(file, name).dataset);
}

}  // namespace lockstep
