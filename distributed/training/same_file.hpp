#pragma once

#include <filesystem>

#include "distributed/ranks/communicator.hpp"
#include "io/data/dataset_file.hpp"

namespace lockstep {

/// That a name leads all ranks to the same array. Ranks of one host read parts of it into one
/// memory, so they must see one file: if they do not see the same one (working directories,
/// containers, a file replaced in between), each reads all of it, and the hashes are compared.
/// Throws CollectiveError (78) with what rank 0 and the first rank that differs see. Collective.
void check_same_file(const Communicator& communicator, const Communicator& host,
                     const std::filesystem::path& path, const DatasetFile& file);

/// That rows here and there in `view` are those that this rank reads from `file`: for arrays that
/// lie in other files than the one that check_same_file() looked at. Throws as that. Collective.
void check_sample_rows(const Communicator& communicator, const DatasetFile& file,
                       const ArrayView& view);

}  // namespace lockstep
