#pragma once

#include <filesystem>
#include <string>

#include "distributed/training/resident_array.hpp"
#include "io/data/batch.hpp"
#include "src/model/sequential.hpp"

namespace lockstep {

/// Where an array lies.
struct ArrayPlace {
  std::filesystem::path file;
  std::string dataset;
};
/// `name` is a dataset in `data`, or FILE.h5:/path for another file.
ArrayPlace array_place(const std::string& data, const std::string& name);

/// Where inputs and targets of the same rows lie.
struct DatasetPlace {
  ArrayPlace x;
  ArrayPlace y;
};

/// Whether both arrays are there. On rank 0; throws Error: 66, 77, 65 for the files.
bool exists(const DatasetPlace& place, bool trust);

/// Inputs and targets in the memory of every host.
class ResidentDataset {
 public:
  /// Collective; `host` must outlive it. Throws as ResidentArray.
  ResidentDataset(const Communicator& world, const Communicator& host, const DatasetPlace& place,
                  bool trust)
      : x_(world, host, place.x.file, place.x.dataset, trust),
        y_(world, host, place.y.file, place.y.dataset, trust) {}

  ArrayDataset rows() const { return {x_.view(), y_.view()}; }
  /// That the rows fit the compiled network; throws CollectiveError (65) that names the arrays.
  void check_for(const Communicator& world, const Sequential& model) const;

 private:
  ResidentArray x_;
  ResidentArray y_;
};

}  // namespace lockstep
