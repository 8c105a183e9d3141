#pragma once

#include <gtest/gtest.h>

#include <future>

#include "billing/ledger_thread.h"

namespace payg::test {

/// Keeps a ledger thread busy, from the constructor on until go_on() is called or this ends.
class BlockedThread {
 public:
  explicit BlockedThread(billing::LedgerThread& thread) {
    auto entered = std::make_shared<std::promise<void>>();
    auto is_blocked = entered->get_future();
    EXPECT_TRUE(thread.post([entered, may_leave = leave_.get_future().share()](billing::Ledger&) {
      entered->set_value();
      may_leave.wait();
    }));
    is_blocked.wait();
  }
  ~BlockedThread() { go_on(); }
  BlockedThread(const BlockedThread&) = delete;
  BlockedThread& operator=(const BlockedThread&) = delete;

  void go_on() {
    if (state_ == State::blocked) leave_.set_value();
    state_ = State::going_on;
  }

 private:
  enum class State { blocked, going_on };
  std::promise<void> leave_;
  State state_ = State::blocked;
};

}  // namespace payg::test
