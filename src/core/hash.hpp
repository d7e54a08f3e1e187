#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace lockstep {

/// SHA-256 over any number of pieces (OpenSSL). For what is written down and compared by people.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;

  void add(std::span<const std::byte> bytes);
  std::array<std::byte, 32> digest();  ///< Ends the hash; add() must not follow.

 private:
  void* context_;
};

std::string to_hex(std::span<const std::byte> bytes);

/// XXH3, 128 bits: 20 times faster than SHA-256. For what replicas compare while they train.
std::array<std::uint64_t, 2> fast_hash(std::span<const std::byte> bytes);

}  // namespace lockstep
