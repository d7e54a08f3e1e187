#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace lockstep {

/// What a .keras file of Keras 3 holds.
struct KerasArchive {
  std::string config;              ///< config.json: the network, and how it was compiled
  std::string keras_version;       ///< of metadata.json; empty if it does not say
  std::vector<std::byte> weights;  ///< model.weights.h5
};

/// Packs an archive, stored, with fixed dates: the same members give the same bytes. Throws Error
/// (74).
std::vector<std::byte> write_keras_archive(const KerasArchive& model);

/// Unpacks an archive from memory, stored or deflated. Throws Error (65) that begins with the
/// file's name for one that is damaged, that lacks one of the members, or whose members are too
/// large.
KerasArchive read_keras_archive(std::span<const std::byte> bytes, const std::string& file_name);

}  // namespace lockstep
