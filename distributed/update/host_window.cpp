#include "distributed/update/host_window.hpp"

#include <algorithm>

namespace lockstep {
namespace {

std::size_t whole_pages(std::size_t bytes) {
  constexpr std::size_t kPage = 4096;
  return (bytes + kPage - 1) / kPage * kPage;
}

std::size_t float_bytes(std::int64_t floats) {
  return static_cast<std::size_t>(floats) * sizeof(float);
}

}  // namespace

HostWindow::HostWindow(const Communicator& host, const Sizes& sizes) : sizes_(sizes) {
  sums_at_ = whole_pages(sizes.flag_bytes);
  const std::size_t sums = sizes.loss_sums + sizes.requests + sizes.batch_sums;
  parameters_at_ = sums_at_ + whole_pages(sums * sizeof(double));
  partials_at_ = parameters_at_ + whole_pages(float_bytes(sizes.parameters));
  workspace_at_ = partials_at_ + whole_pages(float_bytes(sizes.partials));
  const std::size_t bytes = workspace_at_ + whole_pages(float_bytes(sizes.workspace));
  if (host.size() == 1) {
    alone_ = FloatBuffer(static_cast<std::int64_t>(bytes / sizeof(float)));
    memory_ = std::as_writable_bytes(alone_.span());
  } else {
    window_ = std::make_unique<HostMemory>(host, bytes);
    memory_ = window_->bytes();
  }
}

void HostWindow::set_up(const Communicator& host, std::span<const float> parameters) {
  if (host.is_root()) {
    std::ranges::fill(memory_.first(parameters_at_), std::byte{0});
    std::ranges::copy(parameters, this->parameters().begin());
  }
  synchronize();
}

std::span<double> HostWindow::doubles(std::size_t first, std::size_t count) const {
  return std::span(reinterpret_cast<double*>(memory_.data() + sums_at_), first + count)
      .subspan(first);
}

std::span<float> HostWindow::floats(std::size_t at, std::int64_t count) const {
  return {reinterpret_cast<float*>(memory_.data() + at), static_cast<std::size_t>(count)};
}

}  // namespace lockstep
