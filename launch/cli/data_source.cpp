#include "launch/cli/data_source.hpp"

#include <algorithm>

#include "distributed/ranks/agreement.hpp"
#include "distributed/ranks/setup_check.hpp"
#include "io/data/dataset_file.hpp"
#include "src/core/printable.hpp"

namespace lockstep {
namespace {

bool exists(const ArrayPlace& place, bool trust) {
  return has_array(place.file, place.dataset, trust);
}

void add_notes(const ResidentArray& array, std::vector<std::string>& lines) {
  for (const std::string& note : array.notes())
    lines.push_back(printable(array.label()) + ": " + note);
}

}  // namespace

ArrayPlace array_place(const std::string& data, const std::string& name, bool transpose) {
  const std::size_t colon = name.rfind(":/");
  const bool elsewhere = colon != std::string::npos && colon != 0;
  const std::string dataset = elsewhere ? name.substr(colon + 1) : name;
  return {elsewhere ? name.substr(0, colon) : data, transpose ? transposed_name(dataset) : dataset};
}

bool exists(const DatasetPlace& place, bool trust) {
  return exists(place.x, trust) && exists(place.y, trust) &&
         (!place.weights || exists(*place.weights, trust));
}

ResidentDataset::ResidentDataset(const Communicator& world, const Communicator& host,
                                 const DatasetPlace& place, bool trust)
    : x_(world, host, place.x.file, place.x.dataset, trust),
      y_(world, host, place.y.file, place.y.dataset, trust) {
  if (place.weights)
    weights_.emplace(world, host, place.weights->file, place.weights->dataset, trust);
  together(world, [&] {
    notes_of_inputs(x_);
    if (weights_) notes_of_inputs(*weights_);
  });
}

ArrayDataset ResidentDataset::rows() const {
  ArrayView y = y_.view();
  if (!labels_.empty()) y.data = std::as_bytes(std::span(labels_)).data();
  return {x_.view(), y, weights_ ? weights_->view() : ArrayView{}};
}

std::vector<std::string> ResidentDataset::notes() const {
  std::vector<std::string> lines;
  add_notes(x_, lines);
  add_notes(y_, lines);
  if (weights_) add_notes(*weights_, lines);
  return lines;
}

void ResidentDataset::use_classes_of(const Communicator& world, const ResidentDataset& train) {
  const std::vector<std::string>& known = train.y_.classes();
  if (y_.classes() == known) return;
  together(world, [&] {
    check(!known.empty() && !y_.classes().empty(), ExitCode::kBadData,
          "[data] expected strings or numbers as targets in both, got {} in {} and {} in {}",
          known.empty() ? "numbers" : "strings", printable(train.y_.label()),
          y_.classes().empty() ? "numbers" : "strings", printable(y_.label()));
    number_as(known, printable(train.y_.label()));
  });
}

void ResidentDataset::use_classes(const Communicator& world, const std::vector<std::string>& known,
                                  const Network& model, const std::string& model_name) {
  if (y_.classes().empty() || y_.classes() == known) return;
  together(world, [&] {
    if (known.empty())
      check_class_count(model, model_name);
    else
      number_as(known, printable(model_name));
  });
}

void ResidentDataset::number_as(const std::vector<std::string>& known, const std::string& source) {
  std::vector<std::int32_t> number;  // there, of each class here
  for (const std::string& name : y_.classes()) {
    const auto place = std::ranges::lower_bound(known, name);
    check(place != known.end() && *place == name, ExitCode::kBadData,
          "[data] {}: expected one of the {} classes of {}, got '{}', which is none of them",
          printable(y_.label()), known.size(), source, printable(name));
    number.push_back(static_cast<std::int32_t>(place - known.begin()));
  }
  const ArrayView y = y_.view();
  const auto* own = reinterpret_cast<const std::int32_t*>(y.data);
  for (std::int64_t i = 0; i < y.rows * y.row_elements(); ++i)
    labels_.push_back(number[static_cast<std::size_t>(own[i])]);
}

void ResidentDataset::check_class_count(const Network& model, const std::string& model_name) const {
  const auto classes = static_cast<std::int64_t>(y_.classes().size());
  const std::int64_t told = std::max<std::int64_t>(2, model.output_columns());
  check(classes == told, ExitCode::kBadData,
        "[data] {}: expected strings of all {} classes of {}, which does not name them, got {}, so "
        "that their numbers cannot be known; import training and test rows into one file by "
        "lockstep import hdf5",
        printable(y_.label()), told, printable(model_name), classes);
}

void check_no_classes(const std::vector<std::string>& classes, const std::string& label) {
  check(classes.empty(), ExitCode::kBadData,
        "[{}] expected numbers as inputs, got strings (a table with words: lockstep import csv)",
        printable(label));
}

std::vector<std::string> notes_of_inputs(const ResidentArray& x) {
  check_no_classes(x.classes(), x.label());
  std::vector<std::string> lines;
  add_notes(x, lines);
  return lines;
}

void ResidentDataset::check_for(const Communicator& world, const Network& model) const {
  check_data(world, model, rows(), x_.label(), y_.label(), weights_ ? weights_->label() : "");
}

}  // namespace lockstep
