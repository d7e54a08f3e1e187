#pragma once

#include <filesystem>
#include <string>

#include "distributed/ranks/communicator.hpp"
#include "tests/random/configuration.hpp"

namespace lockstep::test {

struct SearchSettings {
  bool fast = false;         ///< fast numerics: results may differ
  bool environments = true;  ///< variants have floating-point environments of their own
};

/// What one variant of a configuration gives: hashes of all that must be equal, or "code 65", or
/// what no variant should give. The same text on every rank of the world. Collective over all of
/// it; `file` is where the variant stops and goes on.
std::string run_variant(const Communicator& world, const Configuration& configuration,
                        const Variant& variant, const SearchSettings& settings,
                        const std::filesystem::path& file);

}  // namespace lockstep::test
