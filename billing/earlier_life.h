#pragma once

#include <span>
#include <string>
#include <vector>

#include "billing/ledger/ledger.h"
#include "billing/spool/spool_replay.h"
#include "plugin/api/plugin.h"

namespace payg::billing {

/// Says in the log what the end of a dead node's sessions has brought to their users' histories.
void log_ended(plugin::Host& host, std::int64_t sessions, std::string_view node, Credits posted);

/// What an earlier life of this node has left: charges in its spool, and sessions that were never ended. The
/// charges go to the ledger first, each session's in order, and then the sessions are ended. Whoever is
/// locked is left for the next time, and holds up nobody. One thread.
class EarlierLife {
 public:
  /// `spooled`: by sessions, in the order of their numbers.
  EarlierLife(plugin::Host& host, std::vector<ChargeRequest> spooled)
      : host_(host), replay_(std::move(spooled)) {}

  /// Who settles it, and what the ledger said was open when that life began, in place of what it said before.
  void begin(NodeRef node, std::vector<LeftOpen> left_open) {
    node_ = std::move(node);
    left_open_ = std::move(left_open);
  }

  /// REQUIRES: begin() was called. In portions, so that nobody's charges wait for long.
  LedgerResult<Done> settle(Ledger& ledger);
  /// Of those who were locked one, in his turn: a user may be locked whenever he is looked at.
  LedgerResult<Done> settle_one_in_line(Ledger& ledger);

  /// Charges that need not be kept in the spool any longer, since this was last asked.
  std::vector<ChargeKey> take_settled_charges() { return replay_.take_settled(); }

 private:
  LedgerResult<Done> send_charges(Ledger& ledger);
  LedgerResult<Done> send(std::span<const ChargeRequest> charges, Ledger& ledger);
  LedgerResult<Done> end_sessions(Ledger& ledger);
  LedgerResult<Done> end(std::span<const LeftOpen> portion, Turn turn, Ledger& ledger);
  void add_left_open(const LeftOpen& session);

  plugin::Host& host_;
  NodeRef node_;
  SpoolReplay replay_;
  std::vector<LeftOpen> left_open_;
};

}  // namespace payg::billing
