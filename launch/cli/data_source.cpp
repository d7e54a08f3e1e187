#include "launch/cli/data_source.hpp"

#include "distributed/ranks/setup_check.hpp"
#include "io/hdf5/hdf5.hpp"

namespace lockstep {
namespace {

bool exists(const ArrayPlace& place, bool trust) {
  return hdf5::File::open(place.file, trust).exists(place.dataset);
}

}  // namespace

ArrayPlace array_place(const std::string& data, const std::string& name) {
  const std::size_t colon = name.rfind(":/");
  if (colon == std::string::npos || colon == 0) return {data, name};
  return {name.substr(0, colon), name.substr(colon + 1)};
}

bool exists(const DatasetPlace& place, bool trust) {
  return exists(place.x, trust) && exists(place.y, trust);
}

void ResidentDataset::check_for(const Communicator& world, const Sequential& model) const {
  check_data(world, model, rows(), x_.label(), y_.label());
}

}  // namespace lockstep
