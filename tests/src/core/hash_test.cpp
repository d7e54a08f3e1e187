#include "src/core/hash.hpp"

#include <gtest/gtest.h>

#include <string_view>
#include <vector>

namespace lockstep {
namespace {

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}

std::string sha256(std::initializer_list<std::string_view> pieces) {
  Sha256 hash;
  for (const std::string_view piece : pieces) hash.add(bytes_of(piece));
  return to_hex(hash.digest());
}

TEST(Sha256, GivesThePublishedDigests) {
  EXPECT_EQ(sha256({}), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256({"abc"}), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Sha256, DoesNotDependOnTheCutIntoPieces) {
  EXPECT_EQ(sha256({"a", "", "bc"}), sha256({"abc"}));
  EXPECT_NE(sha256({"ab"}), sha256({"abc"}));
}

TEST(ToHex, WritesTwoLowerCaseDigitsAByte) {
  const std::vector<std::byte> bytes{std::byte{0x00}, std::byte{0x0f}, std::byte{0xf0},
                                     std::byte{0xab}};
  EXPECT_EQ(to_hex(bytes), "000ff0ab");
  EXPECT_EQ(to_hex({}), "");
}

TEST(FastHash, IsXxh3With128Bits) {
  const auto empty = fast_hash({});
  EXPECT_EQ(empty[0], 0x99aa06d3014798d8u);
  EXPECT_EQ(empty[1], 0x6001c324468d497fu);
}

TEST(FastHash, SeesOneFlippedBit) {
  std::vector<std::byte> bytes(1001);
  const auto before = fast_hash(bytes);
  EXPECT_EQ(fast_hash(bytes), before);
  bytes[777] ^= std::byte{1};
  EXPECT_NE(fast_hash(bytes), before);
}

}  // namespace
}  // namespace lockstep
