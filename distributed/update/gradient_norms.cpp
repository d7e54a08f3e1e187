#include "distributed/update/gradient_norms.hpp"

#include <algorithm>

namespace lockstep {

GradientNorms::GradientNorms(const Network& model, const Objective& objective)
    : objective_(objective), of_each_(objective.optimizer().common().clipnorm > 0) {
  if (!objective.optimizer().common().clips_norms()) return;
  for (const Parameter* parameter : model.arena().parameters())
    if (objective.aim().trains(*parameter)) parameters_.push_back(parameter);
  std::ranges::sort(parameters_, {}, &Parameter::offset);
  sums_.resize(of_each_ ? parameters_.size() : 1);
  words_.resize(sums_.size() * ExactSum::kWords);
  scales_.resize(sums_.size());
}

void GradientNorms::begin_step() {
  std::ranges::fill(sums_, ExactSum());
}

void GradientNorms::add(const UpdateSpan& span, Range floats) {
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const Range elements = parameters_[i]->elements_within(floats);
    if (elements.count() == 0) continue;
    const std::int64_t first = parameters_[i]->offset + elements.first - floats.first;
    objective_.optimizer().add_squares(
        span.part(static_cast<std::size_t>(first), static_cast<std::size_t>(elements.count())),
        sums_[of_each_ ? i : 0]);
  }
}

void GradientNorms::exchange(const Communicator& communicator) {
  for (std::size_t i = 0; i < sums_.size(); ++i) {
    sums_[i].normalize();
    std::ranges::copy(sums_[i].words(), words_.data() + i * ExactSum::kWords);
  }
  communicator.all_sum(std::span(words_));
  for (std::size_t i = 0; i < sums_.size(); ++i) {
    std::copy_n(words_.data() + i * ExactSum::kWords, ExactSum::kWords, sums_[i].words().begin());
    scales_[i] = objective_.optimizer().scale_of(sums_[i].value());
  }
}

void GradientNorms::update(const UpdateSpan& span, Range floats) const {
  const Optimizer& optimizer = objective_.optimizer();
  if (!wanted()) return optimizer.update(span);
  UpdateSpan scaled = span;
  if (!of_each_) {
    scaled.scale = scales_.front();
    return optimizer.update(scaled);
  }
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const Range elements = parameters_[i]->elements_within(floats);
    if (elements.count() == 0) continue;
    const std::int64_t first = parameters_[i]->offset + elements.first - floats.first;
    UpdateSpan piece =
        span.part(static_cast<std::size_t>(first), static_cast<std::size_t>(elements.count()));
    piece.scale = scales_[i];
    optimizer.update(piece);
  }
}

}  // namespace lockstep
