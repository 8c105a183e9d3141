#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "billing/core/meter.h"
#include "billing/core/presence.h"
#include "billing/exit_names.h"
#include "billing/ledger/ledger.h"
#include "billing/metering.h"
#include "billing/slot_index.h"
#include "plugin/api/plugin.h"

namespace payg::billing {

/// One stay of one (user, label): what a SessionHandle names. It begins when an admission is answered and
/// ends when nobody is attached to it any more and nothing is owed for it.
///
/// A stay is metered from its first established connection on. When the metered session ends because nobody
/// is connected, while another connection is still being made, the stay waits for that one and is then
/// metered as a new session: one handle, two sessions after each other. A stay that was cut takes nobody in
/// again; whoever comes next gets a new one.
struct Session {
  enum class Phase : std::uint8_t {
    waiting,  ///< no connection was established yet; costs nothing
    live,     ///< metered; further connections join on the spot
    over,     ///< cut; its connections are being closed
  };

  Session(UserId user_id, std::string_view session_label, plugin::SessionHandle session_handle)
      : user(user_id), handle(session_handle), label(session_label) {}

  const UserId user;
  const plugin::SessionHandle handle;
  const std::string label;
  plugin::SessionTraffic traffic;

  // Guarded by the table.
  Presence presence;
  SessionId id;  ///< 0: not metered
  ExitNames::Index exit = 0;
  Phase phase = Phase::waiting;

  // The biller's alone.
  std::optional<Meter> meter;
  /// The one entry of the biller's deadline queue that counts.
  MonotonicTime queued_for = MonotonicTime::max();
  /// Of what it owes, the charges up to this number are in the node's spool; 0: none.
  std::uint32_t recorded = 0;
};

/// A place in a session, as the proxy gets it.
struct Seat {
  plugin::SessionHandle session;
  plugin::SessionTraffic* traffic = nullptr;
};

/// Every stay on this node, by (user, label), by handle and by session id. Workers admit into live sessions
/// and count connections here directly, with nothing but the lock of one of many shards; only the first
/// established connection of a stay concerns the biller. All of a user's stays are in one shard.
///
/// Thread-safe. Where it says "biller", one thread only.
class SessionTable {
 public:
  /// `seed`: 64 random bits, from which the ids of sessions are made; another one in each process that shares
  /// a ledger.
  SessionTable(std::size_t max_sessions, std::uint64_t seed);
  ~SessionTable();

  // -- workers

  /// A place in the live session of (user, label); nullopt: it is not live. `attached` is the session that
  /// the connection is attached to already: being given the same again adds nothing.
  std::optional<Seat> join_live(UserId user, std::string_view label, plugin::SessionHandle attached);
  /// A place in the stay of (user, label), begun if need be; nullopt: max_sessions stays are there.
  std::optional<Seat> join(UserId user, std::string_view label, plugin::SessionHandle attached);

  enum class Opened {
    first,     ///< the session starts at this moment: tell the biller
    another,   ///< it was going on
    too_late,  ///< it was cut in the meantime: close the connection
  };
  Opened opened(plugin::SessionHandle session, std::string_view exit, MonotonicTime at);
  /// An attachment is over that had been opened.
  void closed(plugin::SessionHandle session, MonotonicTime at);
  /// An attachment is over that never was.
  void abandoned(plugin::SessionHandle session);

  /// True from the moment at which a session of the user ended until the ledger knows.
  bool has_end_under_way(UserId user) const;

  /// Another number each time that a session of the user ends, or one of somebody else's perhaps.
  std::uint64_t ends_of(UserId user) const;

  // -- anybody

  std::optional<LiveSession> find(SessionId id) const;
  bool is_live(SessionId id) const;
  /// Stays, waiting ones included.
  std::size_t size() const noexcept { return size_.load(std::memory_order_relaxed); }
  void set_max_sessions(std::size_t max_sessions) noexcept { max_sessions_ = max_sessions; }

  // -- biller

  /// nullptr: gone, or not the biller's (any more): from opened() saying `first` until release(), or an
  /// end_idle() that does not say `came_back`, it stays where it is.
  Session* find(plugin::SessionHandle session);
  Session* find_metered(SessionId id);
  /// Of one user: a step for each. Of all: in portions, so that no worker waits for long.
  std::vector<Session*> metered_sessions(std::optional<UserId> user);

  /// Gives a session its id, the one that opened() or end_idle() has reserved. REQUIRES: it has none.
  void meter(Session& session, MonotonicTime deadline);
  void watch(Session& session, MonotonicTime deadline);
  AtDeadline at_watched(const Session& session) const;
  /// The exit that its connections leave by.
  std::string exit_of(const Session& session) const;

  /// What is left of a stay whose metered session ended because nobody was connected.
  struct AfterIdle {
    enum class Next { released, waits, came_back };
    Next next = Next::released;
    MonotonicTime came_back_at{};
  };
  AfterIdle end_idle(Session& session);
  /// Takes a session out of reach: nobody joins it any more.
  void close(Session& session);
  /// The biller is done with a closed session: it goes when its last attachment does.
  void release(Session& session);

  void end_is_under_way(UserId user);
  void end_is_known(UserId user);

 private:
  static constexpr std::size_t shard_bits = 6;
  static constexpr std::size_t shard_count = std::size_t{1} << shard_bits;

  struct Shard;
  using Slot = SlotIndex::Slot;

  static std::size_t shard_number(UserId user);
  Shard& shard_of(UserId user) const;
  Shard& shard_of(plugin::SessionHandle session) const;
  Shard& shard_of(SessionId id) const;
  static Seat seat_in(Session& session, plugin::SessionHandle attached);
  bool take_place() noexcept;
  Session& create(Shard& shard, UserId user, std::string_view label);
  void erase(Shard& shard, Session& session);
  void erase_if_left(Shard& shard, Session& session);
  void collect_metered(Shard& shard, std::vector<Session*>& found);

  std::unique_ptr<std::array<Shard, shard_count>> shards_;
  ExitNames exits_;
  std::atomic<std::size_t> size_{0};
  std::atomic<std::size_t> max_sessions_;
};

}  // namespace payg::billing
