#include "billing/payments/account_rules.h"

#include <algorithm>

namespace payg::billing {
namespace {

constexpr std::size_t max_email = 254, max_reason = 200;

bool is_control(char c) noexcept {
  return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
}

}  // namespace

bool is_email(std::string_view address) noexcept {
  if (address.empty()) return true;
  const auto at = address.find('@');
  return address.size() <= max_email && at != std::string_view::npos && at > 0 && at + 1 < address.size() &&
         std::none_of(address.begin(), address.end(), [](char c) { return is_control(c) || c == ' '; });
}

bool is_reason(std::string_view reason) noexcept {
  return reason.size() <= max_reason && reason.find_first_not_of(' ') != std::string_view::npos &&
         std::none_of(reason.begin(), reason.end(), is_control);
}

}  // namespace payg::billing
