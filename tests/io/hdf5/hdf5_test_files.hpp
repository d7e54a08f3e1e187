#pragma once

#include <hdf5.h>

#include <filesystem>
#include <string>
#include <vector>

/// Files made with HDF5's own interface, good and hostile ones.
namespace lockstep::test {

/// An open HDF5 file that a test fills; closed at the end of its scope.
class RawFile {
 public:
  explicit RawFile(const std::filesystem::path& path)
      : id_(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT)) {}
  ~RawFile() { H5Fclose(id_); }
  RawFile(const RawFile&) = delete;
  RawFile& operator=(const RawFile&) = delete;
  hid_t id() const { return id_; }

 private:
  hid_t id_;
};

/// Creates a dataset and, if `values` is given, writes it. Returns whether that worked.
inline bool add_dataset(hid_t file, const std::string& name, hid_t stored_type,
                        const std::vector<hsize_t>& extents, hid_t memory_type = -1,
                        const void* values = nullptr, hid_t creation = H5P_DEFAULT) {
  const hid_t space =
      extents.empty() ? H5Screate(H5S_SCALAR)
                      : H5Screate_simple(static_cast<int>(extents.size()), extents.data(), nullptr);
  const hid_t dataset =
      H5Dcreate2(file, name.c_str(), stored_type, space, H5P_DEFAULT, creation, H5P_DEFAULT);
  bool done = dataset >= 0;
  if (done && values != nullptr) {
    done = H5Dwrite(dataset, memory_type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0;
  }
  if (dataset >= 0) H5Dclose(dataset);
  H5Sclose(space);
  return done;
}

/// Creation properties with these chunks.
inline hid_t chunked(const std::vector<hsize_t>& chunk) {
  const hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
  H5Pset_chunk(creation, static_cast<int>(chunk.size()), chunk.data());
  return creation;
}

/// IEEE half precision, little-endian or big-endian.
inline hid_t half_type(hid_t like) {
  const hid_t type = H5Tcopy(like);
  H5Tset_fields(type, 15, 10, 5, 0, 10);
  H5Tset_size(type, 2);
  H5Tset_ebias(type, 15);
  return type;
}

}  // namespace lockstep::test
