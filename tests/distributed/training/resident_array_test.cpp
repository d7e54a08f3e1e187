#include "distributed/training/resident_array.hpp"

#include <cstring>
#include <numeric>
#include <optional>

#include "tests/io/hdf5/hdf5_test_files.hpp"
#include "tests/support/ranks.hpp"

namespace lockstep {
namespace {

using test::expect_collective_error;
using test::SharedDirectory;
using test::world;

/// A file with x, (11, 3) of 0, 1, 2, ..., written by rank 0. Collective.
void write_file(const Communicator& communicator, const std::filesystem::path& path, hid_t stored,
                float first = 0) {
  if (communicator.is_root()) {
    std::vector<float> values(33);
    std::iota(values.begin(), values.end(), first);
    const test::RawFile file(path);
    EXPECT_TRUE(
        test::add_dataset(file.id(), "x", stored, {11, 3}, H5T_NATIVE_FLOAT, values.data()));
  }
  communicator.barrier();
}

template <class T>
T element(const ArrayView& view, std::int64_t row, std::int64_t column) {
  T value{};
  std::memcpy(&value, view.row(row) + static_cast<std::size_t>(column) * sizeof(T), sizeof(T));
  return value;
}

TEST(ResidentArray, ShowsEveryRowToEveryRank) {
  const Communicator communicator = world();
  const Communicator host = communicator.on_this_host();
  const SharedDirectory directory(communicator);
  write_file(communicator, directory / "data.h5", H5T_IEEE_F32LE);

  const ResidentArray array(communicator, host, directory / "data.h5", "x", false);

  EXPECT_EQ(array.view().rows, 11);
  EXPECT_EQ(array.view().row_shape, Shape{3});
  EXPECT_EQ(array.view().type, ElementType::kFloat32);
  EXPECT_THAT(array.label(), testing::HasSubstr("data.h5"));
  for (std::int64_t row = 0; row < 11; ++row)
    for (std::int64_t column = 0; column < 3; ++column)
      ASSERT_EQ(element<float>(array.view(), row, column), static_cast<float>(3 * row + column));
}

TEST(ResidentArray, TurnsBigEndianNumbersIntoTheMachinesOrder) {
  const Communicator communicator = world();
  const Communicator host = communicator.on_this_host();
  const SharedDirectory directory(communicator);
  write_file(communicator, directory / "double.h5", H5T_IEEE_F64BE);
  write_file(communicator, directory / "short.h5", H5T_STD_I16BE);

  const ResidentArray doubles(communicator, host, directory / "double.h5", "x", false);
  const ResidentArray shorts(communicator, host, directory / "short.h5", "x", false);

  EXPECT_EQ(doubles.view().type, ElementType::kFloat64);
  EXPECT_EQ(shorts.view().type, ElementType::kInt16);
  EXPECT_EQ(element<double>(doubles.view(), 10, 2), 32.0);
  EXPECT_EQ(element<std::int16_t>(shorts.view(), 10, 1), 31);
}

TEST(ResidentArray, MovesWithItsRows) {
  const Communicator communicator = world();
  const Communicator host = communicator.on_this_host();
  const SharedDirectory directory(communicator);
  write_file(communicator, directory / "data.h5", H5T_IEEE_F32LE);

  std::vector<ResidentArray> arrays;
  arrays.emplace_back(communicator, host, directory / "data.h5", "x", false);
  arrays.emplace_back(communicator, host, directory / "data.h5", "x", false);

  EXPECT_EQ(element<float>(arrays[0].view(), 10, 2), 32.0f);
  EXPECT_EQ(element<float>(arrays[1].view(), 10, 2), 32.0f);
}

TEST(ResidentArray, ThrowsTheSameErrorOnAllRanksIfAFileIsMissing) {
  const Communicator communicator = world();
  const Communicator host = communicator.on_this_host();
  const SharedDirectory directory(communicator);
  expect_collective_error(communicator, ExitCode::kMissingInput, {"nowhere.h5"}, [&] {
    ResidentArray(communicator, host, directory / "nowhere.h5", "x", false);
  });
}

TEST(ResidentArray, NamesTheOneRankWhoseFileIsMissing) {
  const Communicator communicator = world();
  if (communicator.size() == 1) GTEST_SKIP() << "needs two ranks";
  const Communicator host = communicator.on_this_host();
  const SharedDirectory directory(communicator);
  write_file(communicator, directory / "data.h5", H5T_IEEE_F32LE);
  const std::string name = communicator.rank() == 1 ? "nowhere.h5" : "data.h5";
  expect_collective_error(communicator, ExitCode::kMissingInput, {"rank 1", "nowhere.h5"},
                          [&] { ResidentArray(communicator, host, directory / name, "x", false); });
}

TEST(ResidentArray, NamesTheDatasetsOfTheFileIfOneIsMissing) {
  const Communicator communicator = world();
  const Communicator host = communicator.on_this_host();
  const SharedDirectory directory(communicator);
  write_file(communicator, directory / "data.h5", H5T_IEEE_F32LE);
  expect_collective_error(communicator, ExitCode::kBadData, {"data.h5", "y", "x"}, [&] {
    ResidentArray(communicator, host, directory / "data.h5", "y", false);
  });
}

TEST(ResidentArray, RefusesFilesThatDifferInTypeBetweenRanks) {
  const Communicator communicator = world();
  if (communicator.size() == 1) GTEST_SKIP() << "needs two ranks";
  const Communicator host = communicator.on_this_host();
  const SharedDirectory directory(communicator);
  write_file(communicator, directory / "float.h5", H5T_IEEE_F32LE);
  write_file(communicator, directory / "short.h5", H5T_STD_I16LE);
  const std::string name = communicator.rank() == 1 ? "short.h5" : "float.h5";
  expect_collective_error(communicator, ExitCode::kDisagreement, {"float32", "int16", "rank 1"},
                          [&] { ResidentArray(communicator, host, directory / name, "x", false); });
}

TEST(ResidentArray, RefusesFilesThatDifferInContentBetweenHosts) {
  const Communicator communicator = world();
  if (communicator.size() == 1) GTEST_SKIP() << "needs two ranks";
  // Every rank plays a host of its own, with a file of its own.
  const Communicator host = communicator.split(communicator.rank());
  const SharedDirectory directory(communicator);
  write_file(communicator, directory / "good.h5", H5T_IEEE_F32LE);
  write_file(communicator, directory / "other.h5", H5T_IEEE_F32LE, 1);

  const ResidentArray same(communicator, host, directory / "good.h5", "x", false);
  EXPECT_EQ(element<float>(same.view(), 10, 2), 32.0f);
  const bool last = communicator.rank() == communicator.size() - 1;
  expect_collective_error(communicator, ExitCode::kDisagreement,
                          {"content", fmt::format("rank {}", communicator.size() - 1)}, [&] {
                            ResidentArray(communicator, host,
                                          directory / (last ? "other.h5" : "good.h5"), "x", false);
                          });
}

}  // namespace
}  // namespace lockstep
