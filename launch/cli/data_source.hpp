#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "distributed/training/resident_array.hpp"
#include "io/data/batch.hpp"
#include "src/model/network.hpp"

namespace lockstep {

/// Where an array lies.
struct ArrayPlace {
  std::filesystem::path file;
  std::string dataset;
};
/// `name` is a dataset in `data` (see DatasetSelection), or FILE.h5:/path for another file;
/// `transpose` reverses its axes.
ArrayPlace array_place(const std::string& data, const std::string& name, bool transpose = false);

/// Where inputs, targets and maybe sample weights of the same rows lie.
struct DatasetPlace {
  ArrayPlace x;
  ArrayPlace y;
  std::optional<ArrayPlace> weights = {};
};

/// Whether the arrays are there. On rank 0; throws Error: 66, 77, 65 for the files.
bool exists(const DatasetPlace& place, bool trust);

/// Inputs, targets and sample weights in the memory of every host.
class ResidentDataset {
 public:
  /// Collective; `host` must outlive it. Throws as ResidentArray, and 65 for inputs or
  /// weights of strings.
  ResidentDataset(const Communicator& world, const Communicator& host, const DatasetPlace& place,
                  bool trust);

  ArrayDataset rows() const;
  /// What was done to the stored numbers, a line for each: "FILE:/y: strings as 3 classes ...".
  std::vector<std::string> notes() const;
  /// Numbers strings as the training set does; Error (65) for one that it lacks. Collective.
  void use_classes_of(const Communicator& world, const ResidentDataset& train);
  /// Numbers strings by the names of the classes that a network was trained on, in their order;
  /// `model_name` for messages. Without names there must be as many classes as the network tells
  /// apart: then they are numbered as in training, if they are the same. Error (65). Collective.
  void use_classes(const Communicator& world, const std::vector<std::string>& known,
                   const Network& model, const std::string& model_name);
  /// The names of the classes of targets that are strings.
  const std::vector<std::string>& classes() const { return y_.classes(); }
  /// That the rows fit the compiled network; throws CollectiveError (65) that names the arrays.
  void check_for(const Communicator& world, const Network& model) const;

 private:
  /// `source`: where the known classes are from. Throws Error (65).
  void number_as(const std::vector<std::string>& known, const std::string& source);
  void check_class_count(const Network& model, const std::string& model_name) const;

  ResidentArray x_;
  ResidentArray y_;
  std::optional<ResidentArray> weights_;
  std::vector<std::int32_t> labels_;  ///< of y, if they are numbered as another dataset's
};

/// Throws Error (65) for inputs that are strings.
void check_no_classes(const std::vector<std::string>& classes, const std::string& label);

/// "FILE:/x: NOTE" for each. Throws Error (65) if the array holds strings, which are no inputs.
std::vector<std::string> notes_of_inputs(const ResidentArray& x);

}  // namespace lockstep
