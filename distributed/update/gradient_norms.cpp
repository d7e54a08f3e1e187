#include "distributed/update/gradient_norms.hpp"

#include <algorithm>

namespace lockstep {

GradientNorms::GradientNorms(const Network& model, const Objective& objective)
    : objective_(objective), of_each_(objective.optimizer().common().clipnorm > 0) {
  const Optimizer& optimizer = objective.optimizer();
  const bool clips = optimizer.common().clips_norms();
  if (!clips && !optimizer.has_ratios()) return;
  for (const Parameter* parameter : model.arena().parameters())
    if (objective.aim().trains(*parameter)) parameters_.push_back(parameter);
  std::ranges::sort(parameters_, {}, &Parameter::offset);
  if (clips) sums_.resize(of_each_ ? parameters_.size() : 1);
  scales_.resize(sums_.size());
  if (optimizer.has_ratios()) trust_.resize(parameters_.size());
  ratios_.resize(trust_.size());
  words_.resize(std::max(sums_.size(), 2 * trust_.size()) * ExactSum::kWords);
}

void GradientNorms::begin_step() {
  std::ranges::fill(sums_, ExactSum());
  std::ranges::fill(trust_, Optimizer::TrustSums());
}

/// piece(parameter, its part of the span).
template <class Piece>
void GradientNorms::for_parameters(const UpdateSpan& span, Range floats, const Piece& piece) const {
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const Range elements = parameters_[i]->elements_within(floats);
    if (elements.count() == 0) continue;
    const std::int64_t first = parameters_[i]->offset + elements.first - floats.first;
    piece(i,
          span.part(static_cast<std::size_t>(first), static_cast<std::size_t>(elements.count())));
  }
}

float GradientNorms::scale_of(std::size_t parameter) const {
  if (!clips()) return 1;
  return scales_[of_each_ ? parameter : 0];
}

void GradientNorms::add(const UpdateSpan& span, Range floats) {
  if (!clips()) return;
  for_parameters(span, floats, [&](std::size_t i, const UpdateSpan& piece) {
    objective_.optimizer().add_squares(piece, sums_[of_each_ ? i : 0]);
  });
}

namespace {

/// Adds up each sum over the ranks.
void exchange_sums(const Communicator& communicator, std::span<ExactSum* const> sums,
                   std::span<std::int64_t> words) {
  std::size_t at = 0;
  for (ExactSum* sum : sums) {
    sum->normalize();
    std::ranges::copy(sum->words(), words.begin() + static_cast<std::ptrdiff_t>(at));
    at += ExactSum::kWords;
  }
  communicator.all_sum(words.first(at));
  at = 0;
  for (ExactSum* sum : sums) {
    std::ranges::copy(words.subspan(at, ExactSum::kWords), sum->words().begin());
    at += ExactSum::kWords;
  }
}

}  // namespace

void GradientNorms::exchange(const Communicator& communicator) {
  if (!clips()) return;
  exchanged_.clear();
  for (ExactSum& sum : sums_) exchanged_.push_back(&sum);
  exchange_sums(communicator, exchanged_, words_);
  for (std::size_t i = 0; i < sums_.size(); ++i)
    scales_[i] = objective_.optimizer().scale_of(sums_[i].value());
}

void GradientNorms::begin_update(const UpdateSpan& span, Range floats) {
  for_parameters(span, floats, [&](std::size_t i, UpdateSpan piece) {
    piece.scale = scale_of(i);
    objective_.optimizer().begin_update(piece, trust_[i]);
  });
}

void GradientNorms::exchange_ratios(const Communicator& communicator) {
  exchanged_.clear();
  for (Optimizer::TrustSums& sums : trust_) {
    exchanged_.push_back(&sums.weights);
    exchanged_.push_back(&sums.moves);
  }
  exchange_sums(communicator, exchanged_, words_);
  take_ratios();
}

void GradientNorms::take_ratios() {
  for (std::size_t i = 0; i < trust_.size(); ++i)
    ratios_[i] =
        objective_.optimizer().ratio_of(trust_[i].weights.value(), trust_[i].moves.value());
}

void GradientNorms::update(const UpdateSpan& span, Range floats) const {
  const Optimizer& optimizer = objective_.optimizer();
  if (!wanted()) return optimizer.update(span);
  if (!of_each_ && !wants_ratios()) {
    UpdateSpan scaled = span;
    scaled.scale = scales_.front();
    return optimizer.update(scaled);
  }
  for_parameters(span, floats, [&](std::size_t i, UpdateSpan piece) {
    piece.scale = scale_of(i);
    if (wants_ratios()) piece.ratio = ratios_[i];
    optimizer.update(piece);
  });
}

}  // namespace lockstep
