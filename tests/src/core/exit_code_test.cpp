#include "src/core/exit_code.hpp"

#include <gtest/gtest.h>

#include <new>
#include <system_error>

namespace lockstep {
namespace {

ExitCode code_of_system(std::errc error) {
  return exit_code_of(std::system_error(std::make_error_code(error)));
}

TEST(ExitCodeOf, AnyException) {
  EXPECT_EQ(exit_code_of(Error(ExitCode::kBadData, "")), ExitCode::kBadData);
  EXPECT_EQ(exit_code_of(std::bad_alloc()), ExitCode::kInputOutput);
  EXPECT_EQ(exit_code_of(std::runtime_error("")), ExitCode::kNumerical);
  EXPECT_EQ(code_of_system(std::errc::permission_denied), ExitCode::kPermission);
  EXPECT_EQ(code_of_system(std::errc::operation_not_permitted), ExitCode::kPermission);
  EXPECT_EQ(code_of_system(std::errc::no_such_file_or_directory), ExitCode::kMissingInput);
  EXPECT_EQ(code_of_system(std::errc::no_space_on_device), ExitCode::kInputOutput);
}

}  // namespace
}  // namespace lockstep
