#pragma once

#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "plugin/api/plugin.h"
#include "plugin/host/gate.h"
#include "plugin/host/gate_keeper.h"

namespace payg::plugin {

inline AuthenticationRequest without_credentials() {
  return {.connection = {},
          .protocol = Protocol::http_forward,
          .client = nullptr,
          .has_credentials = false,
          .name = {},
          .password = {}};
}

/// What happened, in order, as short sentences ("first admit example.com:80", "first closed 7").
using Diary = std::vector<std::string>;

/// An answer that a plugin owes.
struct Owed {
  std::optional<AuthenticationAnswer> authentication;
  std::optional<AdmissionAnswer> admission;
  ConnectionId connection;
  SessionHandle attached;
};

/// Answers as it is told to, and writes down what it is asked and told. One thread at a time.
class FakePlugin final : public Plugin {
 public:
  enum class Answers { at_once, later };

  FakePlugin(std::string name, Diary& diary) : name_(std::move(name)), diary_(diary) {}

  // What it answers.
  Answers authenticates = Answers::at_once;
  Answers admits = Answers::at_once;
  std::optional<Denial> denial;  ///< of either question
  std::uint64_t user = 0;        ///< 0: accepts without an identity
  Admission admission;

  // What it was asked, the last time.
  std::string seen_name, seen_password;
  std::uint64_t seen_user = 0;
  std::deque<Owed> owed;

  ConfigurationErrors start(const ConfigurationSource&) override { return {}; }
  ConfigurationErrors reload(const ConfigurationSource&) override { return {}; }
  void interrupt() noexcept override {}
  void stop() noexcept override {}

  void authenticate(const AuthenticationRequest& request, AuthenticationAnswer answer) noexcept override {
    write("authenticate");
    seen_name = request.name;
    seen_password = request.password;
    Owed debt{std::move(answer), std::nullopt, request.connection, {}};
    if (authenticates == Answers::later) return owed.push_back(std::move(debt));
    pay(std::move(debt));
  }

  void admit(const AdmissionRequest& request, AdmissionAnswer answer) noexcept override {
    write("admit " + std::string(request.target_host) + ":" + std::to_string(request.target_port) +
          (request.attached ? " attached to " + std::to_string(request.attached.value) : ""));
    seen_user = request.identity.user;
    Owed debt{std::nullopt, std::move(answer), request.connection, request.attached};
    if (admits == Answers::later) return owed.push_back(std::move(debt));
    pay(std::move(debt));
  }

  void on_established(const Attachment& attachment) noexcept override {
    write("established " + std::to_string(attachment.session.value) + " through " +
          std::string(attachment.exit));
  }

  void on_closed(const Attachment& attachment) noexcept override {
    write("closed " + std::to_string(attachment.session.value) +
          (attachment.exit.empty() ? "" : " through " + std::string(attachment.exit)));
  }

  /// Answers the oldest question that is owed an answer.
  void pay_oldest() {
    Owed debt = std::move(owed.front());
    owed.pop_front();
    pay(std::move(debt));
  }

 private:
  void write(const std::string& what) { diary_.push_back(name_ + " " + what); }

  void pay(Owed debt) {
    if (debt.admission) return denial ? debt.admission->deny(*denial) : debt.admission->accept(admission);
    if (denial) return debt.authentication->deny(*denial);
    Authentication verdict;
    if (user != 0) {
      verdict.identity = std::make_unique<Identity>();
      verdict.identity->user = user;
    }
    debt.authentication->accept(std::move(verdict));
  }

  std::string name_;
  Diary& diary_;
};

/// The owner of a gate; closes it when a session is ended, as the contract asks.
class FakeConnection final : public GateListener {
 public:
  FakeConnection(GateKeeper& keeper, std::uint64_t id, Diary& diary)
      : gate(std::in_place, keeper, ConnectionId{id}, *this), diary_(diary) {}

  void on_authenticated() noexcept override { write("authenticated"); }
  void on_admitted(const Location& location) noexcept override {
    write("admitted" + (location.country.empty() ? "" : " to " + location.country));
  }
  void on_denied(const Denial& denial) noexcept override {
    write("denied " + std::string(name_of(denial.reason)));
    if (destroy_when_denied) gate.reset();
  }
  void on_session_ended(const Denial& why) noexcept override {
    write("ended " + std::string(name_of(why.reason)));
    gate->close();
  }

  std::optional<Gate> gate;
  bool destroy_when_denied = false;

 private:
  void write(const std::string& what) { diary_.push_back("connection " + what); }
  Diary& diary_;
};

/// A worker's queue of tasks, run when the test says so.
class ManualLoop {
 public:
  Poster poster() {
    return [this](std::function<void()> task) {
      const std::lock_guard lock(mutex_);
      tasks_.push_back(std::move(task));
    };
  }
  void run() {
    for (;;) {
      std::vector<std::function<void()>> tasks;
      {
        const std::lock_guard lock(mutex_);
        tasks.swap(tasks_);
      }
      if (tasks.empty()) return;
      for (auto& task : tasks) task();
    }
  }

 private:
  std::mutex mutex_;
  std::vector<std::function<void()>> tasks_;  // guarded by mutex_
};

}  // namespace payg::plugin
