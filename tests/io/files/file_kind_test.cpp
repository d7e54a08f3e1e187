#include "io/files/file_kind.hpp"

#include <zlib.h>

#include "io/hdf5/hdf5.hpp"
#include "tests/io/io_test_support.hpp"

namespace lockstep {
namespace {

using namespace std::string_literals;
using test::expect_error;
using test::TemporaryDirectory;
using test::write_bytes;
using testing::AllOf;
using testing::HasSubstr;

FileKind kind_of(const std::string& bytes) {
  return file_kind(std::as_bytes(std::span(bytes)));
}

/// A zip archive of stored empty members, without its directory: enough to be known.
std::string zip_of(const std::vector<std::string>& names) {
  std::string bytes;
  for (const std::string& name : names)
    bytes += "PK\x03\x04"s + std::string(22, '\0') + static_cast<char>(name.size()) +
             std::string(3, '\0') + name;
  return bytes;
}

TEST(FileKind, KnowsArchivesByTheirMembers) {
  EXPECT_EQ(kind_of(zip_of({"x_train.npy", "y_train.npy"})), FileKind::kNpz);
  EXPECT_EQ(kind_of(zip_of({"metadata.json", "config.json", "model.weights.h5"})),
            FileKind::kKerasArchive);
  EXPECT_EQ(kind_of(zip_of({"archive/data.pkl", "archive/version"})), FileKind::kTorch);
  EXPECT_EQ(kind_of(zip_of({"[Content_Types].xml", "xl/workbook.xml"})), FileKind::kExcel);
  EXPECT_EQ(kind_of(zip_of({"data.csv"})), FileKind::kZip);
}

TEST(FileKind, KnowsWhatComesInsteadOfAFile) {
  EXPECT_EQ(kind_of(""), FileKind::kEmpty);
  EXPECT_EQ(kind_of(std::string(5000, '\0')), FileKind::kZeros);
  EXPECT_EQ(kind_of("version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 12\n"),
            FileKind::kGitLfsPointer);
  EXPECT_EQ(kind_of("/annex/objects/SHA256E-s12--ab.h5\n"), FileKind::kGitAnnexPointer);
  EXPECT_EQ(kind_of("\n\n<!DOCTYPE HTML>\n<html><title>Sign in</title>"), FileKind::kHtml);
  EXPECT_EQ(kind_of("<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code></Error>"),
            FileKind::kXml);
}

TEST(FileKind, KnowsTexts) {
  EXPECT_EQ(kind_of(R"({"class_name": "Sequential", "config": {"layers": []}})"),
            FileKind::kKerasJson);
  EXPECT_EQ(kind_of("[1, 2, 3]"), FileKind::kJson);
  EXPECT_EQ(kind_of("a;b\n1,5;2\n"), FileKind::kTable);
  EXPECT_EQ(kind_of("\xef\xbb\xbf"
                    "a,b\n1,2\n"),
            FileKind::kTable);
  EXPECT_EQ(kind_of("Dear all,\nthe data are on the other disk.\n"), FileKind::kText);
  EXPECT_EQ(kind_of("\xff\xfe"
                    "a\0,\0"s),
            FileKind::kUtf16Text);
}

TEST(FileKind, KnowsOtherProgramsFiles) {
  const std::vector<std::pair<std::string, FileKind>> cases = {
      {"\x93NUMPY\x01\0v\0"s, FileKind::kNpy},
      {"\0\0\x08\x03\0\0\0\x05"s, FileKind::kIdx},
      {"CDF\x01\0\0\0\0"s, FileKind::kNetcdfClassic},
      {"CDF\x05\0\0\0\0"s, FileKind::kNetcdfClassic},
      {"MATLAB 5.0 MAT-file, Platform: GLNXA64", FileKind::kMatlab5},
      {"PAR1\x15\x04", FileKind::kParquet},
      {"ARROW1\0\0"s, FileKind::kArrow},
      {"SIMPLE  =                    T", FileKind::kFits},
      {"\x80\x04\x95\x0b\0\0\0\0\0\0\0}."s, FileKind::kPickle},
      {"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"s, FileKind::kPng},
      {"\xff\xd8\xff\xe0\0\x10JFIF"s, FileKind::kJpeg},
      {"\x0e\x03\x13\x01\0\0"s, FileKind::kHdf4},
      {"\x1f\x8b\x08\0"s, FileKind::kGzip},
      {"SQLite format 3\0\x10"s, FileKind::kSqlite},
      {std::string(257, 'a') + "ustar\0"s, FileKind::kTar},
      {"\x10\0\0\0\0\0\0\0{\"w\":{\"a\":[0]}}    "s, FileKind::kSafetensors},
      {"\x01\x02\x03\x04\x05\x06\x07\x08", FileKind::kUnknown},
  };
  for (const auto& [bytes, kind] : cases)
    EXPECT_EQ(kind_of(bytes), kind) << what_kind_is(kind_of(bytes));
}

TEST(FileKind, EveryKindHasItsWords) {
  for (int kind = static_cast<int>(FileKind::kMissing);
       kind <= static_cast<int>(FileKind::kProgram); ++kind)
    EXPECT_NE(what_kind_is(static_cast<FileKind>(kind)), what_kind_is(FileKind::kUnknown)) << kind;
}

TEST(FileKind, KnowsAWholeACutOffAndANewerHdf5File) {
  TemporaryDirectory directory;
  hdf5::Writer writer = hdf5::Writer::create(directory / "whole.h5");
  writer.write_floats("x", {1000}, std::vector<float>(1000));
  writer.close();
  const std::string whole = test::bytes_of(directory / "whole.h5");
  EXPECT_EQ(kind_of(whole), FileKind::kHdf5);
  EXPECT_EQ(kind_of(std::string(512, 'm') + whole), FileKind::kHdf5);
  EXPECT_EQ(kind_of(whole.substr(0, 300)), FileKind::kTruncatedHdf5);
  EXPECT_EQ(kind_of(whole.substr(0, 6)), FileKind::kTruncatedHdf5);
  std::string archive = zip_of({"metadata.json", "config.json"});
  archive.resize(2048 - zip_of({"model.weights.h5"}).size());
  archive += zip_of({"model.weights.h5"}) + whole;
  ASSERT_EQ(archive.find("\x89HDF"), 2048u);  // where an HDF5 file may begin
  EXPECT_EQ(kind_of(archive), FileKind::kKerasArchive);
  std::string newer = whole;
  newer[8] = 4;
  EXPECT_EQ(kind_of(newer), FileKind::kNewerHdf5);

  write_bytes(directory / "cut.h5", whole.substr(0, 1000));
  write_bytes(directory / "newer.h5", newer);
  expect_error(ExitCode::kBadData, {"cut.h5", "cut off", "copy or make it again"},
               [&] { hdf5::File::open(directory / "cut.h5"); });
  expect_error(ExitCode::kBadData, {"newer.h5", "a newer format", "h5repack"},
               [&] { hdf5::File::open(directory / "newer.h5"); });
}

TEST(FileKind, LooksIntoGzipFiles) {
  TemporaryDirectory directory;
  const auto write_gzip = [&](const std::string& name, const std::string& bytes) {
    const gzFile file = ::gzopen((directory / name).c_str(), "wb");
    ::gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size()));
    ::gzclose(file);
  };
  write_gzip("t.csv.gz", "a,b\n1,2\n");
  write_gzip("d.h5.gz", "\x89HDF\r\n\x1a\n"s + std::string(200, '\0'));
  EXPECT_THAT(why_not_hdf5(directory / "t.csv.gz", FileUse::kData),
              AllOf(HasSubstr("gzip file that holds a table"), HasSubstr("import csv --train")));
  EXPECT_THAT(why_not_hdf5(directory / "d.h5.gz", FileUse::kData),
              AllOf(HasSubstr("gzip file that holds an HDF5 file"), HasSubstr("gunzip -k")));
}

TEST(FileKind, PutsNamesIntoCommandsAsTheyMustStandThere) {
  const auto advice = [](FileKind kind, const char* path) {
    return how_to_use(kind, path, FileUse::kData);
  };
  EXPECT_THAT(advice(FileKind::kTable, "NEWS.csv"), HasSubstr("--train NEWS.csv --label"));
  EXPECT_THAT(advice(FileKind::kTable, "FILE NEW.csv"),
              AllOf(HasSubstr("--train 'FILE NEW.csv' "), HasSubstr("--out 'FILE NEW.h5'")));
  EXPECT_THAT(advice(FileKind::kJson, "my file.json"),
              AllOf(HasSubstr("read_json('my file.json').to_csv('my file.csv',"),
                    HasSubstr("--train 'my file.csv' ")));
  EXPECT_THAT(advice(FileKind::kJson, "it's.json"),
              AllOf(HasSubstr("read_json('it\\'s.json')"), HasSubstr("--train 'it'\\''s.csv' ")));
  EXPECT_THAT(advice(FileKind::kParquet, "a$b.parquet"),
              HasSubstr("read_parquet('a\\$b.parquet')"));
}

TEST(FileKind, SaysWhatToTypeWithTheFilesName) {
  TemporaryDirectory directory;
  write_bytes(directory / "a b.nc", "CDF\x02\0\0\0\0"s);
  const std::string path = (directory / "a b.nc").string();
  expect_error(ExitCode::kBadData,
               {"netCDF file of the classic format", "not an HDF5 file",
                "nccopy -k nc4 '" + path + "' 'a b-nc4.nc'"},
               [&] { hdf5::File::open(path); });
  write_bytes(directory / "p.png", "\x89PNG\r\n\x1a\n");
  expect_error(ExitCode::kBadData, {"got a PNG picture: not an HDF5 file"},
               [&] { hdf5::File::open(directory / "p.png"); });
}

}  // namespace
}  // namespace lockstep
