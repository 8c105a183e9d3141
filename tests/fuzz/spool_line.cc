// Nobody sends a spool's lines, but a crash tears them and a disk damages them.

#include "billing/spool/spool_line.h"

#include <cstring>
#include <string>

#include "tests/fuzz/promise.h"
#include "tests/fuzz/targets.h"

namespace payg::fuzz {
namespace {

using billing::ChargeRequest;

std::uint64_t take_number(std::string_view& input) {
  std::uint64_t number = 0;
  const std::size_t size = std::min(input.size(), sizeof number);
  std::memcpy(&number, input.data(), size);
  input.remove_prefix(size);
  return number;
}

/// Two names of 16 characters at most, as session labels and exits have them.
std::string take_name(std::string_view& input) {
  std::string name(input.substr(0, 16));
  input.remove_prefix(name.size());
  for (char& c : name) c = static_cast<char>('a' + static_cast<unsigned char>(c) % 26);
  return name;
}

ChargeRequest charge_of(std::string_view input) {
  const auto take_signed = [&] { return static_cast<std::int64_t>(take_number(input)); };
  ChargeRequest charge;
  charge.user = {take_number(input)};
  charge.session = {take_number(input)};
  charge.number = static_cast<std::uint32_t>(take_number(input));
  charge.price = billing::Credits::from_units(take_signed());
  charge.increment = std::chrono::milliseconds(take_signed());
  charge.rate = billing::Rate::from_thousandths(1 + take_signed() % 1'000'000'000);
  charge.from = WallTime(std::chrono::milliseconds(take_signed()));
  charge.label = take_name(input);
  charge.exit = take_name(input);
  return charge;
}

bool same(const ChargeRequest& a, const ChargeRequest& b) {
  const bool first = a.number == 1;
  return a.user == b.user && a.session == b.session && a.number == b.number && a.price == b.price &&
         a.increment == b.increment && a.rate == b.rate && a.from == b.from &&
         (!first || (a.label == b.label && a.exit == b.exit));
}

void is_read_whole_or_not_at_all(std::string line, const ChargeRequest& charge) {
  must(line.ends_with('\n') && line.find('\n') + 1 == line.size(), "a charge is one line");
  line.pop_back();
  const auto read = billing::read_spool_line(line);
  must(read.has_value() && same(*read, charge), "a charge that is written is read again");
  must(!billing::read_spool_header(line), "a charge is no header");
  for (std::size_t size = 0; size < line.size(); ++size)
    must(!billing::read_spool_line(line.substr(0, size)), "a line that was torn is no charge");
  for (char& c : line) {
    c ^= 1;
    must(!billing::read_spool_line(line), "a line that was damaged is no charge");
    c ^= 1;
  }
}

}  // namespace

void spool_line(std::string_view input) {
  must(!billing::read_spool_line(input) || input.size() > 17, "a line has a checksum");
  static_cast<void>(billing::read_spool_header(input));
  ChargeRequest charge = charge_of(input);
  is_read_whole_or_not_at_all(billing::spool_line(charge), charge);
  charge.number = 1;
  is_read_whole_or_not_at_all(billing::spool_line(charge), charge);
}

}  // namespace payg::fuzz
