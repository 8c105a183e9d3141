#pragma once

#include <string>
#include <string_view>

namespace payg::config {

/// What TomlTable's readers take as a check: what is wrong with the text and what was expected; empty:
/// nothing is.

/// An address without a port.
std::string check_ip(std::string_view text);
/// One that a client can be told to send to.
std::string check_reachable_ip(std::string_view text);
/// A block of addresses.
std::string check_cidr(std::string_view text);

}  // namespace payg::config
