#include "tests/simulation/journal.h"

#include <array>
#include <cstdio>

#include "tests/simulation/scheduler.h"

namespace payg::simulation {
namespace {

std::string line_of(const Entry& entry) {
  std::string line = show_time(entry.at) + "  " + std::string(entry.what);
  if (!entry.detail.empty()) line += " (" + std::string(entry.detail) + ")";
  if (entry.node) line += ", " + name_of(*entry.node);
  if (entry.user) line += ", user " + std::to_string(entry.user.value);
  if (entry.session) line += ", session " + billing::to_string(entry.session);
  if (entry.number != 0) line += ", number " + std::to_string(entry.number);
  if (entry.amount != billing::Credits()) line += ", " + std::to_string(entry.amount.units()) + " units";
  if (entry.time.count() != 0) line += ", " + std::to_string(entry.time.count() / 1'000) + " us";
  return line + "\n";
}

}  // namespace

void Journal::note(const Entry& entry) {
  mix(static_cast<std::uint64_t>(entry.at.time_since_epoch().count()));
  for (const char c : entry.what) mix(static_cast<unsigned char>(c));
  mix(entry.node ? static_cast<std::uint64_t>(*entry.node) + 1 : 0);
  mix(entry.user.value);
  mix(entry.session.value);
  mix(entry.number);
  mix(static_cast<std::uint64_t>(entry.amount.units()));
  mix(static_cast<std::uint64_t>(entry.time.count()));
  if (keep_ == Keep::everything) entries_.push_back(entry);
}

std::string Journal::text(UserId user, std::size_t most) const {
  std::vector<const Entry*> chosen;
  for (const Entry& entry : entries_)
    if (!entry.user || entry.user == user) chosen.push_back(&entry);
  const std::size_t left_out = chosen.size() > most ? chosen.size() - most : 0;
  std::string text;
  if (left_out > 0) text = "… " + std::to_string(left_out) + " earlier ones\n";
  for (std::size_t i = left_out; i < chosen.size(); ++i) text += line_of(*chosen[i]);
  return text;
}

std::string show_time(MonotonicTime at) {
  using namespace std::chrono;
  const nanoseconds all = at - Scheduler::start;
  const auto seconds_in = duration_cast<seconds>(all);
  const auto part = [](auto value) { return static_cast<long long>(value.count()); };
  std::array<char, 64> text{};
  (void)std::snprintf(text.data(), text.size(), "%lldd %02lld:%02lld:%02lld.%09lld",
                      part(duration_cast<days>(all)), part(duration_cast<hours>(all) % 24),
                      part(duration_cast<minutes>(all) % 60), part(seconds_in % 60), part(all - seconds_in));
  return text.data();
}

}  // namespace payg::simulation
