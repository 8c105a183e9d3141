#pragma once

#include "billing/admin/json_text.h"
#include "billing/ledger/ledger.h"

namespace payg::billing {

// What the ledger answers, as the HTTP port and paygctl both write it. Each function adds members to an
// object that was begun.

void write_balance(JsonWriter& json, Credits balance);
void write_user(JsonWriter& json, const UserOverview& row);
void write_network(JsonWriter& json, const ListedNetwork& row);
void write_session(JsonWriter& json, const SessionRow& row);
/// `row` adjusted the balance of `user`, who has `balance` since.
void write_adjustment(JsonWriter& json, const std::string& user, const Transaction& row, Credits balance);
void write_audit(JsonWriter& json, const AuditReport& report);

}  // namespace payg::billing
