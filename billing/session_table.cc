#include "billing/session_table.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "plugin/base/spread_bits.h"

namespace payg::billing {
namespace {

std::size_t hash_key(UserId user, std::string_view label) {
  return spread_bits(user.value ^ (std::hash<std::string_view>{}(label)*3));
}

std::size_t hash_id(SessionId id) {
  return spread_bits(id.value);
}

std::size_t hash_user(UserId user) {
  return spread_bits(user.value);
}

// So long a session that has begun is relayed before the biller has heard of it, which takes microseconds.
constexpr std::chrono::seconds time_until_metered{1};

// Places that are looked through under one lock: some microseconds.
constexpr std::size_t places_at_a_time = 256;

}  // namespace

/// A handle is generation (32 bits) · slot (26) · shard (6): found without a search, never the same twice.
struct SessionTable::Shard {
  static constexpr std::size_t slot_bits = 26;

  struct Place {
    std::unique_ptr<Session> session;
    std::uint32_t generation = 0;
    bool released = true;  // by the biller, or never its own
    // Of a metered one: the ring of its user's metered ones.
    Slot next_of_user = 0;
    Slot previous_of_user = 0;
  };

  static Slot slot_of(plugin::SessionHandle handle) {
    return static_cast<Slot>((handle.value >> shard_bits) & ((Slot{1} << slot_bits) - 1));
  }

  Place& place_of(const Session& session) { return places[slot_of(session.handle)]; }

  Session* get(plugin::SessionHandle handle) {
    const Slot slot = slot_of(handle);
    if (slot >= places.size() || !places[slot].session) return nullptr;
    return places[slot].session->handle == handle ? places[slot].session.get() : nullptr;
  }
  Session* get(UserId user, std::string_view label) {
    const auto slot = by_key.find(hash_key(user, label), [&](Slot candidate) {
      return at(candidate).user == user && at(candidate).label == label;
    });
    return slot ? &at(*slot) : nullptr;
  }
  Session* get(SessionId id) {
    const auto slot = by_id.find(hash_id(id), [&](Slot candidate) { return at(candidate).id == id; });
    return slot ? &at(*slot) : nullptr;
  }

  Session& at(Slot slot) { return *places[slot].session; }
  auto key_hash() {
    return [this](Slot slot) { return hash_key(at(slot).user, at(slot).label); };
  }
  auto id_hash() {
    return [this](Slot slot) { return hash_id(at(slot).id); };
  }
  auto user_hash() {
    return [this](Slot slot) { return hash_user(at(slot).user); };
  }
  /// One of the user's metered ones.
  std::optional<Slot> any_of(UserId user) const {
    return by_user.find(hash_user(user), [&](Slot slot) { return places[slot].session->user == user; });
  }

  /// Positive, and tells the shard; as good as never one that was drawn before, here or elsewhere: the
  /// sequence of splitmix64 (https://prng.di.unimi.it/splitmix64.c) from a random place.
  SessionId draw_id() {
    constexpr std::uint64_t positive = ~std::uint64_t{0} >> 1;
    SessionId id;
    while (id.value < shard_count) {
      last_drawn += 0x9e3779b97f4a7c15U;
      id.value = (spread_bits(last_drawn) & positive & ~std::uint64_t{shard_count - 1}) | number;
    }
    return id;
  }

  void remember_id(Session& session) {
    const Slot slot = slot_of(session.handle);
    by_id.insert(slot, id_hash());
    const auto other = any_of(session.user);
    if (!other) by_user.insert(slot, user_hash());
    const Slot previous = other.value_or(slot);
    const Slot next = other ? places[previous].next_of_user : slot;
    join(previous, slot);
    join(slot, next);
  }
  void forget_id(Session& session) {
    if (!session.id) return;
    const Slot slot = slot_of(session.handle);
    by_id.erase(slot, id_hash());
    session.id = SessionId{};
    const auto [previous, next] = std::pair(places[slot].previous_of_user, places[slot].next_of_user);
    if (any_of(session.user) == slot) {
      by_user.erase(slot, user_hash());
      if (next != slot) by_user.insert(next, user_hash());
    }
    join(previous, next);
  }
  void join(Slot previous, Slot next) {
    places[previous].next_of_user = next;
    places[next].previous_of_user = previous;
  }

  std::size_t number = 0;

  mutable std::mutex mutex;
  // All guarded by mutex.
  std::uint64_t last_drawn = 0;
  std::vector<Place> places;
  std::vector<Slot> free_slots;
  SlotIndex by_key;   // waiting and live ones
  SlotIndex by_id;    // metered ones
  SlotIndex by_user;  // one of each user's metered ones
  std::unordered_map<UserId, unsigned> ends_under_way;
  std::uint64_t ends = 0;  // of whichever users' sessions
};

SessionTable::SessionTable(std::size_t max_sessions, std::uint64_t seed)
    : shards_(std::make_unique<std::array<Shard, shard_count>>()), max_sessions_(max_sessions) {
  for (std::size_t number = 0; number < shard_count; ++number) {
    (*shards_)[number].number = number;
    (*shards_)[number].last_drawn = spread_bits(seed + number);
  }
}

SessionTable::~SessionTable() = default;

std::size_t SessionTable::shard_number(UserId user) {
  return spread_bits(user.value) >> (64 - shard_bits);
}

SessionTable::Shard& SessionTable::shard_of(UserId user) const {
  return (*shards_)[shard_number(user)];
}

SessionTable::Shard& SessionTable::shard_of(plugin::SessionHandle session) const {
  return (*shards_)[session.value % shard_count];
}

SessionTable::Shard& SessionTable::shard_of(SessionId id) const {
  return (*shards_)[id.value % shard_count];
}

// ---- workers

Seat SessionTable::seat_in(Session& session, plugin::SessionHandle attached) {
  if (session.handle != attached) session.presence.admitted();
  return {session.handle, &session.traffic};
}

std::optional<Seat> SessionTable::join_live(UserId user, std::string_view label,
                                            plugin::SessionHandle attached) {
  Shard& shard = shard_of(user);
  const std::lock_guard lock(shard.mutex);
  Session* session = shard.get(user, label);
  if (!session || session->phase != Session::Phase::live) return std::nullopt;
  return seat_in(*session, attached);
}

std::optional<Seat> SessionTable::join(UserId user, std::string_view label, plugin::SessionHandle attached) {
  Shard& shard = shard_of(user);
  const std::lock_guard lock(shard.mutex);
  Session* session = shard.get(user, label);
  if (!session) {
    if (!take_place()) return std::nullopt;
    session = &create(shard, user, label);
  }
  return seat_in(*session, attached);
}

bool SessionTable::take_place() noexcept {
  if (size_.fetch_add(1, std::memory_order_relaxed) < max_sessions_) return true;
  size_.fetch_sub(1, std::memory_order_relaxed);
  return false;
}

Session& SessionTable::create(Shard& shard, UserId user, std::string_view label) {
  if (shard.free_slots.empty()) {
    shard.free_slots.push_back(static_cast<Slot>(shard.places.size()));
    shard.places.emplace_back();
  }
  const Slot slot = shard.free_slots.back();
  shard.free_slots.pop_back();
  Shard::Place& place = shard.places[slot];
  ++place.generation;
  place.released = true;
  const plugin::SessionHandle handle{(std::uint64_t{place.generation} << (Shard::slot_bits + shard_bits)) |
                                     (std::uint64_t{slot} << shard_bits) | shard_number(user)};
  place.session = std::make_unique<Session>(user, label, handle);
  shard.by_key.insert(slot, shard.key_hash());
  return *place.session;
}

SessionTable::Opened SessionTable::opened(plugin::SessionHandle handle, std::string_view exit,
                                          MonotonicTime at) {
  const ExitNames::Index exit_index = exits_.index_of(exit);
  Shard& shard = shard_of(handle);
  const std::lock_guard lock(shard.mutex);
  Session* session = shard.get(handle);
  if (!session) return Opened::too_late;
  if (session->presence.open() == 0) session->exit = exit_index;
  session->presence.opened(at);
  switch (session->phase) {
    case Session::Phase::waiting:
      session->phase = Session::Phase::live;
      // Reserved here, so that also a connection that is over before the biller hears of it knows its
      // session.
      session->traffic.shown_as.store(shard.draw_id().value, std::memory_order_relaxed);
      session->traffic.relay_until.store(at + time_until_metered, std::memory_order_relaxed);
      shard.place_of(*session).released = false;
      return Opened::first;
    case Session::Phase::live: return Opened::another;
    case Session::Phase::over: break;
  }
  return Opened::too_late;
}

void SessionTable::closed(plugin::SessionHandle handle, MonotonicTime at) {
  Shard& shard = shard_of(handle);
  const std::lock_guard lock(shard.mutex);
  Session* session = shard.get(handle);
  if (!session) return;
  session->presence.closed(at);
  erase_if_left(shard, *session);
}

void SessionTable::abandoned(plugin::SessionHandle handle) {
  Shard& shard = shard_of(handle);
  const std::lock_guard lock(shard.mutex);
  Session* session = shard.get(handle);
  if (!session) return;
  session->presence.abandoned();
  erase_if_left(shard, *session);
}

void SessionTable::erase_if_left(Shard& shard, Session& session) {
  if (session.presence.empty() && shard.place_of(session).released) erase(shard, session);
}

void SessionTable::erase(Shard& shard, Session& session) {
  const Slot slot = Shard::slot_of(session.handle);
  shard.forget_id(session);
  if (session.phase != Session::Phase::over) shard.by_key.erase(slot, shard.key_hash());
  shard.places[slot].session.reset();
  shard.free_slots.push_back(slot);
  size_.fetch_sub(1, std::memory_order_relaxed);
}

bool SessionTable::has_end_under_way(UserId user) const {
  const Shard& shard = shard_of(user);
  const std::lock_guard lock(shard.mutex);
  return shard.ends_under_way.contains(user);
}

std::uint64_t SessionTable::ends_of(UserId user) const {
  const Shard& shard = shard_of(user);
  const std::lock_guard lock(shard.mutex);
  return shard.ends;
}

// ---- anybody

std::optional<LiveSession> SessionTable::find(SessionId id) const {
  Shard& shard = shard_of(id);
  const std::lock_guard lock(shard.mutex);
  const Session* session = shard.get(id);
  if (!session || session->phase != Session::Phase::live) return std::nullopt;
  return LiveSession{.id = id,
                     .connections = session->presence.open(),
                     .up_bytes = session->traffic.up_bytes.load(std::memory_order_relaxed),
                     .down_bytes = session->traffic.down_bytes.load(std::memory_order_relaxed)};
}

bool SessionTable::is_live(SessionId id) const {
  return find(id).has_value();
}

// ---- biller

Session* SessionTable::find(plugin::SessionHandle handle) {
  Shard& shard = shard_of(handle);
  const std::lock_guard lock(shard.mutex);
  Session* session = shard.get(handle);
  // One that the biller does not hold is freed by the worker that takes its last attachment away.
  return session && !shard.place_of(*session).released ? session : nullptr;
}

Session* SessionTable::find_metered(SessionId id) {
  Shard& shard = shard_of(id);
  const std::lock_guard lock(shard.mutex);
  return shard.get(id);
}

std::vector<Session*> SessionTable::metered_sessions(std::optional<UserId> user) {
  std::vector<Session*> found;
  if (!user) {
    for (Shard& shard : *shards_) collect_metered(shard, found);
    return found;
  }
  Shard& shard = shard_of(*user);
  const std::lock_guard lock(shard.mutex);
  const auto first = shard.any_of(*user);
  if (!first) return found;
  Slot slot = *first;
  do {
    found.push_back(&shard.at(slot));
    slot = shard.places[slot].next_of_user;
  } while (slot != *first);
  return found;
}

/// None is metered for the first time, or no more, while the biller is in here.
void SessionTable::collect_metered(Shard& shard, std::vector<Session*>& found) {
  std::size_t slot = 0;
  for (bool is_more = true; is_more;) {
    const std::lock_guard lock(shard.mutex);
    const std::size_t end = std::min(slot + places_at_a_time, shard.places.size());
    for (; slot < end; ++slot) {
      Session* const session = shard.places[slot].session.get();
      if (session && session->id) found.push_back(session);
    }
    is_more = slot < shard.places.size();
  }
}

void SessionTable::meter(Session& session, MonotonicTime deadline) {
  Shard& shard = shard_of(session.user);
  const std::lock_guard lock(shard.mutex);
  SessionId id{session.traffic.shown_as.load(std::memory_order_relaxed)};
  while (!id || shard.get(id)) id = shard.draw_id();
  session.id = id;
  shard.remember_id(session);
  session.presence.watch(deadline);
  session.traffic.shown_as.store(id.value, std::memory_order_relaxed);
}

void SessionTable::watch(Session& session, MonotonicTime deadline) {
  const std::lock_guard lock(shard_of(session.user).mutex);
  session.presence.watch(deadline);
}

AtDeadline SessionTable::at_watched(const Session& session) const {
  const std::lock_guard lock(shard_of(session.user).mutex);
  return session.presence.open_at_watched() ? AtDeadline::connected : AtDeadline::alone;
}

std::string SessionTable::exit_of(const Session& session) const {
  const std::lock_guard lock(shard_of(session.user).mutex);
  return exits_.name_of(session.exit);
}

SessionTable::AfterIdle SessionTable::end_idle(Session& session) {
  Shard& shard = shard_of(session.user);
  const std::lock_guard lock(shard.mutex);
  shard.forget_id(session);
  auto came_back_at = session.presence.opened_after_watched();
  // Opened before the deadline, told after it was judged.
  if (!came_back_at && session.presence.open() > 0) came_back_at = session.presence.watched();
  if (came_back_at) {
    session.traffic.shown_as.store(shard.draw_id().value, std::memory_order_relaxed);
    return {AfterIdle::Next::came_back, *came_back_at};
  }
  shard.place_of(session).released = true;
  session.phase = Session::Phase::waiting;
  session.traffic.shown_as.store(0, std::memory_order_relaxed);
  if (!session.presence.empty()) return {AfterIdle::Next::waits, {}};
  erase(shard, session);
  return {AfterIdle::Next::released, {}};
}

void SessionTable::close(Session& session) {
  Shard& shard = shard_of(session.user);
  const std::lock_guard lock(shard.mutex);
  if (session.phase == Session::Phase::over) return;
  shard.by_key.erase(Shard::slot_of(session.handle), shard.key_hash());
  session.phase = Session::Phase::over;
}

void SessionTable::release(Session& session) {
  Shard& shard = shard_of(session.user);
  const std::lock_guard lock(shard.mutex);
  shard.forget_id(session);
  shard.place_of(session).released = true;
  erase_if_left(shard, session);
}

void SessionTable::end_is_under_way(UserId user) {
  Shard& shard = shard_of(user);
  const std::lock_guard lock(shard.mutex);
  ++shard.ends_under_way[user];
  ++shard.ends;
}

void SessionTable::end_is_known(UserId user) {
  Shard& shard = shard_of(user);
  const std::lock_guard lock(shard.mutex);
  const auto found = shard.ends_under_way.find(user);
  if (found != shard.ends_under_way.end() && --found->second == 0) shard.ends_under_way.erase(found);
}

}  // namespace payg::billing
