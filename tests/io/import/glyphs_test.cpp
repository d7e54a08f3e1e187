#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "io/import/import.hpp"
#include "tests/io/io_test_support.hpp"

namespace lockstep {
namespace {

constexpr std::size_t kPixels = 28 * 28;

std::span<const std::byte> image(const Glyphs& glyphs, std::size_t row) {
  return std::span(glyphs.x.bytes).subspan(row * kPixels, kPixels);
}

double pixel(const Glyphs& glyphs, std::size_t row, std::size_t k) {
  return std::to_integer<int>(glyphs.x.bytes[row * kPixels + k]);
}

std::size_t label(const Glyphs& glyphs, std::size_t row) {
  return std::to_integer<std::size_t>(glyphs.y.bytes[row]);
}

TEST(Glyphs, AreBytesOf28By28WithBalancedLabels) {
  const Glyphs glyphs = synthetic_glyphs(1003, 1);

  EXPECT_EQ(glyphs.x.type, ElementType::kUint8);
  EXPECT_EQ(glyphs.x.rows, 1003);
  EXPECT_EQ(glyphs.x.row_shape, (Shape{28, 28}));
  EXPECT_EQ(glyphs.x.bytes.size(), 1003 * kPixels);
  EXPECT_EQ(glyphs.y.row_shape, Shape{});
  std::array<int, 10> counts = {};
  for (std::size_t i = 0; i < 1003; ++i) ++counts.at(label(glyphs, i));
  for (const int count : counts) EXPECT_TRUE(count == 100 || count == 101) << count;
}

TEST(Glyphs, ArePureFunctionsOfSeedAndRow) {
  const Glyphs all = synthetic_glyphs(57, 7);
  const Glyphs tail = synthetic_glyphs(20, 7, 37);

  EXPECT_TRUE(std::ranges::equal(std::span(all.x.bytes).subspan(37 * kPixels), tail.x.bytes));
  EXPECT_TRUE(std::ranges::equal(std::span(all.y.bytes).subspan(37), tail.y.bytes));
}

TEST(Glyphs, DifferBetweenSeedsAndRows) {
  const Glyphs one = synthetic_glyphs(100, 1);
  const Glyphs two = synthetic_glyphs(100, 2);

  EXPECT_NE(one.y.bytes, two.y.bytes);
  for (std::size_t i = 0; i < 100; ++i) {
    EXPECT_FALSE(std::ranges::equal(image(one, i), image(two, i)));
    if (i == 0) continue;
    EXPECT_FALSE(std::ranges::equal(image(one, i), image(one, i - 1)));
  }
}

TEST(Glyphs, OrderTheirLabelsAtRandom) {
  const Glyphs glyphs = synthetic_glyphs(1000, 3);
  std::array<std::array<int, 10>, 10> first_after = {};
  int repeats = 0;
  for (std::size_t i = 1; i < 1000; ++i) {
    ++first_after.at(label(glyphs, i - 1)).at(label(glyphs, i));
    repeats += label(glyphs, i) == label(glyphs, i - 1) ? 1 : 0;
  }
  for (std::size_t a = 0; a < 10; ++a) {
    for (std::size_t b = 0; b < 10; ++b) {
      if (a == b) continue;
      EXPECT_GT(first_after[a][b], 0) << a << " is never followed by " << b;
    }
  }
  EXPECT_LT(repeats, 30);
}

TEST(Glyphs, HaveInkOnADarkGround) {
  const Glyphs glyphs = synthetic_glyphs(200, 5);
  for (std::size_t row = 0; row < 200; ++row) {
    int bright = 0;
    for (std::size_t k = 0; k < kPixels; ++k) bright += pixel(glyphs, row, k) >= 100 ? 1 : 0;
    EXPECT_GE(bright, 8) << "row " << row;
    EXPECT_LE(bright, 300) << "row " << row;
  }
}

TEST(Glyphs, HaveNoiseOfTheirOwn) {
  const Glyphs glyphs = synthetic_glyphs(20, 5);
  const auto dark_pixels = [&](std::size_t row) {  // which pixels of the top line got no noise
    std::vector<bool> dark;
    for (std::size_t k = 0; k < 28; ++k) dark.push_back(pixel(glyphs, row, k) == 0);
    return dark;
  };
  for (std::size_t row = 1; row < 20; ++row) EXPECT_NE(dark_pixels(row), dark_pixels(row - 1));
}

/// The nearest mean image of a class: far better than chance, and far from enough.
TEST(Glyphs, AreLearnableButNotTrivial) {
  constexpr std::size_t kTrain = 4000;
  constexpr std::size_t kTest = 1000;
  const Glyphs glyphs = synthetic_glyphs(kTrain + kTest, 11);
  std::vector<double> means(10 * kPixels, 0.0);
  for (std::size_t i = 0; i < kTrain; ++i) {
    for (std::size_t k = 0; k < kPixels; ++k) {
      means[label(glyphs, i) * kPixels + k] += pixel(glyphs, i, k) / (kTrain / 10);
    }
  }

  int correct = 0;
  for (std::size_t i = kTrain; i < kTrain + kTest; ++i) {
    std::size_t best = 0;
    double best_distance = std::numeric_limits<double>::max();
    for (std::size_t digit = 0; digit < 10; ++digit) {
      double distance = 0;
      for (std::size_t k = 0; k < kPixels; ++k) {
        const double d = pixel(glyphs, i, k) - means[digit * kPixels + k];
        distance += d * d;
      }
      if (distance < best_distance) {
        best_distance = distance;
        best = digit;
      }
    }
    correct += best == label(glyphs, i) ? 1 : 0;
  }

  EXPECT_GT(correct, kTest * 4 / 10);
  EXPECT_LT(correct, kTest * 9 / 10);
}

TEST(Glyphs, RefuseNoRows) {
  test::expect_error(ExitCode::kUsage, {"at least one row", "got 0"},
                     [] { synthetic_glyphs(0, 1); });
  test::expect_error(ExitCode::kUsage, {"-1"}, [] { synthetic_glyphs(1, 1, -1); });
}

}  // namespace
}  // namespace lockstep
