#include "io/data/prediction_file.hpp"

#include "io/import/import.hpp"
#include "tests/io/io_test_support.hpp"

namespace lockstep {
namespace {

using test::expect_error;
using test::TemporaryDirectory;

const std::vector<float> kNumbers = {0.1F, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};

/// Two rows of `row_shape`, in two pieces.
void write(const std::filesystem::path& path, const Shape& row_shape, TableLabels labels = {}) {
  PredictionFile file(output_format(path), 2, row_shape, std::move(labels));
  const ConstMatrix rows{kNumbers.data(), 2, element_count(row_shape)};
  file.add(rows.rows_from(0, 1));
  file.add(rows.rows_from(1, 1));
  file.save(path);
}

TEST(OutputFormat, IsKnownByTheEnding) {
  EXPECT_EQ(output_format("a/p.csv"), OutputFormat::kCsv);
  EXPECT_EQ(output_format("p.tsv"), OutputFormat::kTsv);
  EXPECT_EQ(output_format("p.npy"), OutputFormat::kNpy);
  EXPECT_EQ(output_format("p.hdf5"), OutputFormat::kHdf5);
  EXPECT_EQ(output_format("p.csv.h5"), OutputFormat::kHdf5);
  for (const char* name : {"p", "p.txt", "p.npz", "p.CSV.gz", ".csv", "p.h5/"}) {
    expect_error(ExitCode::kUsage, {".csv", ".tsv", ".npy", ".h5", ".hdf5"},
                 [&] { output_format(name); });
  }
}

TEST(PredictionFile, WritesATable) {
  const TemporaryDirectory directory;
  write(directory / "p.csv", {2});
  write(directory / "p.tsv", {2});
  EXPECT_EQ(test::bytes_of(directory / "p.csv"), "output_0,output_1\n0.1,2\n3,4\n");
  EXPECT_EQ(test::bytes_of(directory / "p.tsv"), "output_0\toutput_1\n0.1\t2\n3\t4\n");
}

TEST(PredictionFile, WritesANumPyArray) {
  const TemporaryDirectory directory;
  for (const Shape& shape : {Shape{}, Shape{3}, Shape{2, 3}}) {
    write(directory / "p.npy", shape);
    const Array array = read_npy(directory / "p.npy");
    EXPECT_EQ(array.type, ElementType::kFloat32);
    EXPECT_EQ(array.rows, 2);
    EXPECT_EQ(array.row_shape, shape);
    const auto numbers = std::as_bytes(std::span(kNumbers).first(array.bytes.size() / 4));
    EXPECT_TRUE(std::ranges::equal(array.bytes, numbers));
    const std::size_t begin = test::bytes_of(directory / "p.npy").size() - array.bytes.size();
    EXPECT_EQ(begin % 64, 0U);
  }
}

TEST(PredictionFile, WritesHdf5WithIdsAndPredictedClasses) {
  const TemporaryDirectory directory;
  write(directory / "p.h5", {2}, {.ids = {"first", "2"}, .classes = {"cat", "dog"}});
  const hdf5::File file = hdf5::File::open(directory / "p.h5");
  EXPECT_EQ(file.read_floats("predictions", {2, 2}), (std::vector<float>{0.1F, 2, 3, 4}));
  EXPECT_THAT(file.datasets(), testing::ElementsAre("/ids", "/predicted", "/predictions"));
  EXPECT_EQ(file.dataset_info("ids").extents, Shape{2});
  EXPECT_THAT(test::bytes_of(directory / "p.h5"),
              testing::HasSubstr(std::string("first2\0\0\0\0", 10)));
  EXPECT_THAT(test::bytes_of(directory / "p.h5"), testing::HasSubstr("dogdog"));
}

TEST(PredictionFile, RefusesLabelsThatDoNotFit) {
  for (const OutputFormat format : {OutputFormat::kCsv, OutputFormat::kHdf5}) {
    expect_error(ExitCode::kBadData, {"2 rows", "got 1"},
                 [&] { PredictionFile(format, 2, {2}, {.ids = {"a"}}); });
  }
}

}  // namespace
}  // namespace lockstep
