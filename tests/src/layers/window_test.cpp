#include "src/layers/window.hpp"

#include <nlohmann/json.hpp>

#include "tests/src/model/expect_error.hpp"

namespace lockstep {
namespace {

using nlohmann::ordered_json;
using testing::HasSubstr;
using Axes = ConvolutionShape::Axes;

struct Steps {
  std::int64_t input, size, stride, dilation;
  Padding padding;
  std::int64_t output, before;
};

TEST(Window, TakesStepsAsKerasDoes) {
  constexpr auto kValid = Padding::kValid, kSame = Padding::kSame, kCausal = Padding::kCausal;
  for (const Steps& steps : {
           Steps{28, 3, 1, 1, kValid, 26, 0}, Steps{7, 3, 2, 1, kValid, 3, 0},
           Steps{8, 3, 2, 1, kValid, 3, 0},   Steps{7, 3, 1, 2, kValid, 3, 0},
           Steps{3, 3, 1, 1, kValid, 1, 0},   Steps{2, 3, 1, 1, kValid, 0, 0},
           Steps{1, 9, 3, 1, kValid, 0, 0},   Steps{28, 3, 1, 1, kSame, 28, 1},
           Steps{8, 3, 2, 1, kSame, 4, 0},    Steps{7, 3, 2, 1, kSame, 4, 1},
           Steps{8, 4, 1, 1, kSame, 8, 1},    Steps{2, 5, 1, 1, kSame, 2, 2},
           Steps{1, 7, 3, 1, kSame, 1, 3},    Steps{9, 1, 3, 1, kSame, 3, 0},
           Steps{7, 3, 1, 3, kSame, 7, 3},    Steps{7, 3, 1, 1, kCausal, 7, 2},
           Steps{7, 3, 1, 2, kCausal, 7, 4},  Steps{8, 3, 2, 1, kCausal, 4, 2},
           Steps{1, 9, 1, 1, kCausal, 1, 8},
       }) {
    const auto [output, before] =
        window_steps(steps.input, steps.size, steps.stride, steps.dilation, steps.padding);
    EXPECT_EQ(output, steps.output) << steps.input << " " << steps.size << " " << steps.stride;
    EXPECT_EQ(before, steps.before) << steps.input << " " << steps.size << " " << steps.stride;
  }
}

TEST(Window, GoesOverAnInputOfFewerThanThreeAxes) {
  const auto window = Window::of("conv2d", {3, 2}, {2, 1}, {}, Padding::kSame);
  const ConvolutionShape shape = window_over("conv2d", window, {7, 5, 4});
  EXPECT_EQ(shape.input, (Axes{1, 7, 5}));
  EXPECT_EQ(shape.kernel, (Axes{1, 3, 2}));
  EXPECT_EQ(shape.stride, (Axes{1, 2, 1}));
  EXPECT_EQ(shape.dilation, (Axes{1, 1, 1}));
  EXPECT_EQ(shape.before, (Axes{0, 1, 0}));
  EXPECT_EQ(shape.output, (Axes{1, 4, 5}));
  EXPECT_EQ(shape.input_channels, 4);
  EXPECT_EQ(output_of(shape, 2, 6), (Shape{4, 5, 6}));
  const auto longer = Window::of("conv1d", {3}, {}, {2}, Padding::kCausal);
  EXPECT_EQ(window_over("conv1d", longer, {9, 2}).before, (Axes{0, 0, 4}));
}

TEST(Window, RefusesInputsOfOtherAxesAndSmallerOnes) {
  const auto refuses = [](const Window& window, const Shape& input, const std::string& message) {
    expect_error(
        ExitCode::kBadData, [&] { window_over("conv2d", window, input); }, message);
  };
  refuses(Window::of("", {3, 3}), {2, 5, 1},
          "[conv2d] expected an input of at least 3 x 3 positions, got 2 x 5");
  refuses(Window::of("", {1, 3}, {}, {1, 4}), {2, 8, 1},
          "[conv2d] expected an input of at least 1 x 9 positions, got 2 x 8");
  refuses(Window::of("", {3, 3}), {5, 5},
          "[conv2d] expected an input of 4 axes (batch, 2 of positions, channels), got (None, 5, "
          "5); Reshape((5, 5, 1)) in front of it makes that one channel");
}

TEST(Window, RefusesExtentsThatKerasRefuses) {
  const auto refuses = [](const auto& call, const std::string& message) {
    expect_error(ExitCode::kBadData, call, message);
  };
  refuses([] { Window::of("conv2d", {3, 0}); }, "[conv2d] expected 2 positive extents, got (3, 0)");
  refuses(
      [] {
        Window::of("conv2d", {3, 3}, {2});
      },
      "[conv2d] expected 2 positive extents, got (2)");
  refuses(
      [] {
        Window::of("conv2d", {3, 3}, {1, 2}, {3, 1});
      },
      "[conv2d] expected strides of 1 together with a dilation above 1, got (1, 2) with (3, "
      "1)");
}

/// What `read` makes of a config.
template <class Read>
auto read_config(const ordered_json& json, const Read& read) {
  KerasConfig config(json, [](const std::string& key) { return key; });
  const auto result = read(config);
  config.finish();
  return result;
}

Window read_kernel(const ordered_json& json, std::size_t axes) {
  return read_config(
      json, [&](KerasConfig& config) { return read_kernel_window(config, axes, axes == 1); });
}
Window read_pool(const ordered_json& json, std::size_t axes) {
  return read_config(json, [&](KerasConfig& config) { return read_pool_window(config, axes); });
}

TEST(Window, IsReadFromConfigs) {
  const Window plain = read_kernel({{"kernel_size", 3}}, 2);
  EXPECT_EQ(plain.size, (Shape{3, 3}));
  EXPECT_EQ(plain.strides, (Shape{1, 1}));
  EXPECT_EQ(plain.dilation, (Shape{1, 1}));
  EXPECT_EQ(plain.padding, Padding::kValid);

  const Window full = read_kernel(
      {{"kernel_size", {5, 3}}, {"strides", 2}, {"padding", "SAME"}, {"dilation_rate", {1, 1}}}, 2);
  EXPECT_EQ(full.size, (Shape{5, 3}));
  EXPECT_EQ(full.strides, (Shape{2, 2}));
  EXPECT_EQ(full.padding, Padding::kSame);

  const Window causal =
      read_kernel({{"kernel_size", {3}}, {"padding", "causal"}, {"dilation_rate", 4}}, 1);
  EXPECT_EQ(causal.dilation, Shape{4});
  EXPECT_EQ(causal.padding, Padding::kCausal);

  // A tuple, as Keras 3 writes it where JSON has only lists.
  const ordered_json tuple = {{"class_name", "__tuple__"}, {"items", {2, 1, 3}}};
  EXPECT_EQ(read_kernel({{"kernel_size", tuple}}, 3).size, (Shape{2, 1, 3}));
}

TEST(Window, OfAPoolingMovesByItsSizeUnlessTold) {
  EXPECT_EQ(read_pool(ordered_json::object(), 2).size, (Shape{2, 2}));
  EXPECT_EQ(read_pool({{"pool_size", {3, 2}}, {"strides", nullptr}}, 2).strides, (Shape{3, 2}));
  EXPECT_EQ(read_pool({{"pool_size", 3}, {"strides", 2}}, 1).strides, Shape{2});
}

TEST(Window, RefusesConfigsThatKerasRefuses) {
  const auto refuses = [](const ordered_json& json, std::size_t axes, const auto& matches) {
    expect_error(
        ExitCode::kBadData, [&] { read_kernel(json, axes); }, matches);
  };
  refuses(ordered_json::object(), 2,
          "kernel_size: expected an integer of at least 1, or a list of 2, one for each axis, got "
          "nothing");
  refuses({{"kernel_size", {3}}}, 2,
          HasSubstr("kernel_size: expected an integer of at least 1, or"));
  refuses({{"kernel_size", {3, 3}}}, 1,
          "kernel_size: expected an integer of at least 1, or a list of one, got [3, 3]");
  refuses({{"kernel_size", ordered_json::array()}}, 1, HasSubstr("got []"));
  refuses({{"kernel_size", {3, 0}}}, 2,
          "kernel_size: expected integers from 1 to 2147483647, got 0");
  refuses({{"kernel_size", 0}}, 2, HasSubstr("kernel_size: expected an integer from 1"));
  refuses({{"kernel_size", "3"}}, 2, HasSubstr("kernel_size: expected a list of integers"));
  refuses({{"kernel_size", 3}, {"padding", "causal"}}, 2,
          "padding: expected valid or same, got 'causal'");
  refuses({{"kernel_size", 3}, {"padding", "full"}}, 1,
          "padding: expected valid, same or causal, got 'full'");
  refuses({{"kernel_size", 3}, {"padding", {1, 1}}}, 2, HasSubstr("padding: expected"));
  refuses({{"kernel_size", 3}, {"strides", {1, 2}}, {"dilation_rate", 2}}, 2,
          "strides: expected 1 together with a dilation_rate above 1, got (1, 2) with (2, 2)");
  expect_error(
      ExitCode::kBadData,
      [] {
        read_pool({{"pool_size", 2}, {"padding", "causal"}}, 1);
      },
      HasSubstr("padding: expected valid or same"));
}

}  // namespace
}  // namespace lockstep
