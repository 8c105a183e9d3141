#pragma once

#include <cstdlib>
#include <utility>
#include <variant>

namespace payg {

/// The value of a call, or why there is none. After start-up errors are values: nothing here throws, and a
/// Result that nobody looks at is a warning.
///
/// REQUIRES: value() only when ok(), error() only when not; a breach is our own bug and ends the program.
template <class T, class E>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(E error) : state_(std::in_place_index<1>, std::move(error)) {}

  bool ok() const noexcept { return state_.index() == 0; }
  explicit operator bool() const noexcept { return ok(); }

  T& value() & { return checked<0>(state_); }
  const T& value() const& { return checked<0>(state_); }
  T&& value() && { return std::move(checked<0>(state_)); }
  const E& error() const& { return checked<1>(state_); }
  E&& error() && { return std::move(checked<1>(state_)); }

  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }

 private:
  template <std::size_t index, class State>
  static auto& checked(State& state) {
    if (state.index() != index) std::abort();
    return *std::get_if<index>(&state);
  }

  std::variant<T, E> state_;
};

/// What a Result carries when there is nothing to return but success.
struct Done {};

}  // namespace payg
