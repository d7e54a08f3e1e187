#pragma once

#include <cstddef>
#include <iterator>
#include <vector>

#include "src/parameters/parameter.hpp"

namespace lockstep {

/// The parameters of a layer, wherever they lie: those of layers within it stay in these.
class ParameterList {
 public:
  class Iterator {
   public:
    using iterator_category = std::forward_iterator_tag;
    using value_type = Parameter;
    using difference_type = std::ptrdiff_t;
    using pointer = Parameter*;
    using reference = Parameter&;

    Iterator() = default;
    explicit Iterator(Parameter* const* at) : at_(at) {}
    Parameter& operator*() const { return **at_; }
    Parameter* operator->() const { return *at_; }
    Iterator& operator++() {
      ++at_;
      return *this;
    }
    Iterator operator++(int) { return Iterator(at_++); }
    bool operator==(const Iterator&) const = default;

   private:
    Parameter* const* at_ = nullptr;
  };

  ParameterList() = default;
  ParameterList(std::vector<Parameter>& all) {
    for (Parameter& parameter : all) pointers_.push_back(&parameter);
  }
  void add(const ParameterList& more) {
    pointers_.insert(pointers_.end(), more.pointers_.begin(), more.pointers_.end());
  }

  Iterator begin() const { return Iterator(pointers_.data()); }
  Iterator end() const { return Iterator(pointers_.data() + pointers_.size()); }
  std::size_t size() const { return pointers_.size(); }
  bool empty() const { return pointers_.empty(); }
  Parameter& operator[](std::size_t i) const { return *pointers_[i]; }
  Parameter& front() const { return *pointers_.front(); }
  Parameter& back() const { return *pointers_.back(); }

 private:
  std::vector<Parameter*> pointers_;
};

}  // namespace lockstep
