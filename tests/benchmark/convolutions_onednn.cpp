#include "tests/benchmark/convolutions_onednn.hpp"

#include <memory>
#include <oneapi/dnnl/dnnl.hpp>
#include <unordered_map>

namespace {

using namespace dnnl;
using Tag = memory::format_tag;
using Arguments = std::unordered_map<int, memory>;

struct OneDnn {
  engine cpu{engine::kind::cpu, 0};
  stream queue{cpu};

  memory filled(const memory::desc& description) {
    memory contents(description, cpu);
    auto* const floats = static_cast<float*>(contents.get_data_handle());
    for (std::size_t i = 0; i < description.get_size() / sizeof(float); ++i)
      floats[i] = static_cast<float>(i * 2654435761u % 1024) / 512 - 1;
    return contents;
  }
};

template <class Primitive, class... Descriptor>
typename Primitive::primitive_desc describe(const engine& cpu, const Descriptor&... descriptor) {
  using Description = typename Primitive::primitive_desc;
#if DNNL_VERSION_MAJOR >= 3
  return Description(cpu, descriptor...);
#else
  return Description(typename Primitive::desc(descriptor...), cpu);
#endif
}

#if DNNL_VERSION_MAJOR >= 3
template <class Primitive, class Forward, class... Descriptor>
typename Primitive::primitive_desc describe_gradient(const engine& cpu, const Forward& forward,
                                                     const Descriptor&... descriptor) {
  return typename Primitive::primitive_desc(cpu, descriptor..., forward);
}
#else
template <class Primitive, class Forward, class... Descriptor>
typename Primitive::primitive_desc describe_gradient(const engine& cpu, const Forward& forward,
                                                     const Descriptor&... descriptor) {
  return typename Primitive::primitive_desc(typename Primitive::desc(descriptor...), cpu, forward);
}
#endif

std::function<void()> call(const std::shared_ptr<OneDnn>& library, const primitive& p,
                           const Arguments& arguments) {
  return [=] {
    p.execute(library->queue, arguments);
    library->queue.wait();
  };
}

}  // namespace

OneDnnConvolution onednn_convolution(const lockstep::ConvolutionShape& s, std::int64_t samples,
                                     bool own_layouts) {
  const auto library = std::make_shared<OneDnn>();
  const Tag tag = own_layouts ? Tag::any : Tag::nhwc;
  const auto f32 = memory::data_type::f32;
  const memory::desc x({samples, s.input_channels, s.input[1], s.input[2]}, f32, tag);
  const memory::desc y({samples, s.output_channels, s.output[1], s.output[2]}, f32, tag);
  const memory::desc w =
      s.groups == 1 ? memory::desc({s.output_channels, s.input_channels, s.kernel[1], s.kernel[2]},
                                   f32, Tag::any)
                    : memory::desc({s.groups, s.output_channels / s.groups, s.channels_in_group(),
                                    s.kernel[1], s.kernel[2]},
                                   f32, Tag::any);
  const memory::desc bias({s.output_channels}, f32, Tag::a);
  const auto behind = [&](std::size_t i) {
    return (s.output[i] - 1) * s.stride[i] + (s.kernel[i] - 1) * s.dilation[i] + 1 - s.input[i] -
           s.before[i];
  };
  const memory::dims strides{s.stride[1], s.stride[2]}, before{s.before[1], s.before[2]},
      after{behind(1), behind(2)}, dilates{s.dilation[1] - 1, s.dilation[2] - 1};
  const auto direct = algorithm::convolution_direct;

  const auto forward =
      describe<convolution_forward>(library->cpu, prop_kind::forward_training, direct, x, w, bias,
                                    y, strides, dilates, before, after);
  const auto data = describe_gradient<convolution_backward_data>(
      library->cpu, forward, direct, x, w, y, strides, dilates, before, after);
  const auto weights = describe_gradient<convolution_backward_weights>(
      library->cpu, forward, direct, x, w, bias, y, strides, dilates, before, after);
  const auto filled = [&](const memory::desc& description) { return library->filled(description); };
  return {call(library, convolution_forward(forward),
               {{DNNL_ARG_SRC, filled(forward.src_desc())},
                {DNNL_ARG_WEIGHTS, filled(forward.weights_desc())},
                {DNNL_ARG_BIAS, filled(forward.bias_desc())},
                {DNNL_ARG_DST, filled(forward.dst_desc())}}),
          call(library, convolution_backward_data(data),
               {{DNNL_ARG_DIFF_SRC, filled(data.diff_src_desc())},
                {DNNL_ARG_WEIGHTS, filled(data.weights_desc())},
                {DNNL_ARG_DIFF_DST, filled(data.diff_dst_desc())}}),
          call(library, convolution_backward_weights(weights),
               {{DNNL_ARG_SRC, filled(weights.src_desc())},
                {DNNL_ARG_DIFF_WEIGHTS, filled(weights.diff_weights_desc())},
                {DNNL_ARG_DIFF_BIAS, filled(weights.diff_bias_desc())},
                {DNNL_ARG_DIFF_DST, filled(weights.diff_dst_desc())}})};
}
