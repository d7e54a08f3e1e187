#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "distributed/ranks/communicator.hpp"
#include "distributed/ranks/host_memory.hpp"
#include "io/data/array_view.hpp"
#include "io/data/dataset_file.hpp"

namespace lockstep {

/// One array of a dataset file in the memory of every host, in its stored type: the ranks of a host
/// read disjoint parts of the file, once, into one shared window; any rank then takes any row. Of
/// windows of a series that is the series, and each rank has the windows' beginnings.
class ResidentArray {
 public:
  /// Collective; every rank opens the file. All ranks throw the same Error if one cannot (see
  /// DatasetFile), and Error (78) if the ranks' files differ in shape, type or content.
  ResidentArray(const Communicator& communicator, const Communicator& host,
                const std::filesystem::path& path, const std::string& dataset, bool trust);

  const ArrayView& view() const { return view_; }
  const std::string& label() const { return label_; }  ///< "FILE:/x_train"
  bool shared() const { return memory_.shared(); }
  const std::vector<std::string>& classes() const { return classes_; }  ///< see DatasetFile
  const std::vector<std::string>& notes() const { return notes_; }      ///< see DatasetFile

 private:
  ResidentArray(const Communicator& communicator, const Communicator& host,
                const std::filesystem::path& path, DatasetFile file, bool trust);
  void compare_over_hosts(const Communicator& communicator, const Communicator& host);

  HostMemory memory_;
  std::vector<std::int64_t> starts_;
  ArrayView view_;
  std::string label_;
  std::vector<std::string> classes_;
  std::vector<std::string> notes_;
};

}  // namespace lockstep
