#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <string>
#include <tuple>

#include "src/core/elementary.hpp"
#include "tests/src/kernels/kernel_checks.hpp"

// The loops of attention, against one query at a time.
namespace lockstep {
namespace {

class AttentionSizes
    : public ::testing::TestWithParam<std::tuple<std::int64_t, std::int64_t, bool>> {
 protected:
  void SetUp() override {
    std::tie(keys_, queries_, causal_) = GetParam();
    s_ = random_floats(keys_ * queries_, 1);
    for (float& x : s_) x *= 10;
    p_.assign(s_.size(), 0);
    for (std::int64_t query = 0; query < queries_; ++query) {
      const std::int64_t seen = causal_ ? std::min(query + 1, keys_) : keys_;
      float top = -std::numeric_limits<float>::infinity(), sum = 0;
      for (std::int64_t key = 0; key < seen; ++key) top = std::max(top, s_[at(key, query)]);
      for (std::int64_t key = 0; key < seen; ++key)
        sum += p_[at(key, query)] = elementary::exp(s_[at(key, query)] - top);
      for (std::int64_t key = 0; key < seen; ++key) p_[at(key, query)] /= sum;
      // What no query may look at is not read.
      for (std::int64_t key = seen; key < keys_; ++key)
        s_[at(key, query)] = std::numeric_limits<float>::infinity();
    }
  }
  std::size_t at(std::int64_t key, std::int64_t query) const {
    return static_cast<std::size_t>(key * queries_ + query);
  }

  std::int64_t keys_ = 0, queries_ = 0;
  bool causal_ = false;
  Floats s_, p_;
};

TEST_P(AttentionSizes, SoftmaxIsThatOfEachQueryInEveryVariant) {
  for (const Kernels* k : all_variants()) {
    Floats p = s_;
    k->attention_softmax(p.data(), keys_, queries_, causal_);
    expect_bits(p, p_, k->name);
  }
}

TEST_P(AttentionSizes, MaskedSoftmaxIsThatOverTheKeysThatCountInEveryVariant) {
  Floats key_mask(static_cast<std::size_t>(keys_)), query_mask(static_cast<std::size_t>(queries_));
  for (std::size_t i = 0; i < key_mask.size(); ++i) key_mask[i] = i % 3 == 1 ? 1.0f : 0.0f;
  for (std::size_t i = 0; i < query_mask.size(); ++i) query_mask[i] = i % 4 == 2 ? 0.0f : 1.0f;
  Floats expected(s_.size());
  for (std::int64_t query = 0; query < queries_; ++query) {
    const auto counts = [&](std::int64_t key) {
      return key_mask[static_cast<std::size_t>(key)] != 0 && (!causal_ || key <= query);
    };
    float top = -std::numeric_limits<float>::infinity(), sum = 0;
    for (std::int64_t key = 0; key < keys_; ++key)
      if (counts(key)) top = std::max(top, s_[at(key, query)]);
    for (std::int64_t key = 0; key < keys_; ++key)
      if (counts(key)) sum += expected[at(key, query)] = elementary::exp(s_[at(key, query)] - top);
    const bool none = sum == 0 || query_mask[static_cast<std::size_t>(query)] == 0;
    for (std::int64_t key = 0; key < keys_; ++key)
      expected[at(key, query)] = none ? 0.25f : expected[at(key, query)] / sum;
  }
  for (const Kernels* k : all_variants()) {
    Floats p = s_;
    k->attention_softmax_masked(p.data(), keys_, queries_, causal_,
                                {key_mask.data(), query_mask.data(), 0.25f});
    expect_bits(p, expected, k->name);
    p = s_;
    k->attention_softmax_masked(p.data(), keys_, queries_, causal_, {});
    expect_bits(p, p_, k->name);
  }
}

TEST_P(AttentionSizes, SoftmaxBackwardIsThatOfEachQueryInEveryVariant) {
  const Floats dp = random_floats(keys_ * queries_, 2);
  Floats expected(dp.size());
  for (std::int64_t query = 0; query < queries_; ++query) {
    float dot = 0;
    for (std::int64_t key = 0; key < keys_; ++key) dot += dp[at(key, query)] * p_[at(key, query)];
    for (std::int64_t key = 0; key < keys_; ++key)
      expected[at(key, query)] = p_[at(key, query)] * (dp[at(key, query)] - dot);
  }
  for (const Kernels* k : all_variants()) {
    Floats ds = dp;
    k->attention_softmax_backward(p_.data(), ds.data(), keys_, queries_);
    expect_bits(ds, expected, k->name);
  }
}

INSTANTIATE_TEST_SUITE_P(Sizes, AttentionSizes,
                         ::testing::Combine(::testing::Values(1, 2, 17, 130),
                                            ::testing::Values(1, 3, 16, 28, 67, 150),
                                            ::testing::Bool()));

}  // namespace
}  // namespace lockstep
