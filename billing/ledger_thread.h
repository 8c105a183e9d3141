#pragma once

#include "billing/call_thread.h"
#include "billing/ledger/ledger.h"

namespace payg::billing {

/// The only kind of thread on which a ledger call may block. Different kinds of work (charges, standings, the
/// admin port) have a thread each, so that a slow report never delays a charge.
using LedgerThread = CallThread<Ledger>;

}  // namespace payg::billing
