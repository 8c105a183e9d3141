#include "plugin/host/gate_keeper.h"

#include <netinet/in.h>

#include <cstring>
#include <utility>

namespace payg::plugin {
namespace {

std::optional<sockaddr_storage> copy_of(const sockaddr* address) {
  if (address == nullptr) return std::nullopt;
  sockaddr_storage copy{};
  std::memcpy(&copy, address, address->sa_family == AF_INET6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in));
  return copy;
}

}  // namespace

constinit thread_local GateKeeper::Asking* GateKeeper::asking_ = nullptr;

GateKeeper::GateKeeper(const PluginChain& chain, Poster post) : chain_(chain), post_(std::move(post)) {}

GateKeeper::~GateKeeper() = default;

// ---- asking

std::optional<GateKeeper::Content> GateKeeper::ask(Gate& gate, std::size_t plugin,
                                                   const AuthenticationRequest& request) {
  const Ticket ticket = open_question(gate, plugin);
  auto answer = call<Authentication>(
      ticket, [&](AuthenticationAnswer to) { chain_[plugin].authenticate(request, std::move(to)); });
  if (answer || plugin + 1 == chain_.size()) return answer;
  Question& question = questions_[ticket];
  question.protocol = request.protocol;
  question.client = copy_of(request.client);
  question.has_credentials = request.has_credentials;
  question.name = request.name;
  question.password = request.password;
  return std::nullopt;
}

std::optional<GateKeeper::Content> GateKeeper::ask(Gate& gate, std::size_t plugin, const Target& target,
                                                   Location& location) {
  static const Identity nobody;
  const Gate::Seat& seat = gate.seats_[plugin];
  const Ticket ticket = open_question(gate, plugin);
  const AdmissionRequest request{.connection = gate.connection_,
                                 .protocol = target.protocol,
                                 .identity = seat.identity ? *seat.identity : nobody,
                                 .target_host = target.host,
                                 .target_port = target.port,
                                 .attached = seat.session};
  auto answer =
      call<Admission>(ticket, [&](AdmissionAnswer to) { chain_[plugin].admit(request, std::move(to)); });
  if (answer) return answer;
  Question& question = questions_[ticket];
  question.location = std::move(location);
  if (plugin + 1 == chain_.size()) return std::nullopt;
  question.protocol = target.protocol;
  question.host = target.host;
  question.port = target.port;
  return std::nullopt;
}

template <class Verdict, class Call>
std::optional<GateKeeper::Content> GateKeeper::call(Ticket ticket, const Call& call) {
  Asking asking{this, ticket, std::nullopt};
  asking_ = &asking;
  call(Answer<Verdict>(this, ticket));
  asking_ = nullptr;
  if (asking.answer) free_question(ticket);
  return std::move(asking.answer);
}

GateKeeper::Ticket GateKeeper::open_question(Gate& gate, std::size_t plugin) {
  if (free_questions_.empty()) {
    free_questions_.push_back(questions_.size());
    questions_.emplace_back();
  }
  const Ticket ticket = free_questions_.back();
  free_questions_.pop_back();
  ++under_way_;
  Question& question = questions_[ticket];
  question.gate = &gate;
  question.plugin = plugin;
  question.connection = gate.connection_;
  question.attached = gate.seats_[plugin].session;
  gate.ticket_ = ticket;
  return ticket;
}

GateKeeper::Question GateKeeper::take_question(Ticket ticket) {
  free_question(ticket);
  return std::exchange(questions_[ticket], Question{});
}

void GateKeeper::free_question(Ticket ticket) {
  free_questions_.push_back(ticket);
  --under_way_;
}

// ---- answers

void GateKeeper::accept(Ticket ticket, Authentication verdict) noexcept {
  arrive(ticket, std::move(verdict));
}

void GateKeeper::accept(Ticket ticket, Admission verdict) noexcept {
  arrive(ticket, std::move(verdict));
}

void GateKeeper::deny(Ticket ticket, Denial denial) noexcept {
  arrive(ticket, std::move(denial));
}

void GateKeeper::arrive(Ticket ticket, Content content) noexcept {
  if (asking_ != nullptr && asking_->keeper == this && asking_->ticket == ticket) {
    asking_->answer.emplace(std::move(content));
    return;
  }
  bool first = false;
  {
    const std::lock_guard lock(mutex_);
    first = inbox_.empty();
    inbox_.push_back({ticket, std::move(content)});
  }
  if (first) post_([this] { drain(); });
}

void GateKeeper::drain() noexcept {
  std::vector<Letter> letters;
  {
    const std::lock_guard lock(mutex_);
    letters.swap(inbox_);
  }
  for (auto& letter : letters) deliver(std::move(letter));
}

void GateKeeper::deliver(Letter letter) noexcept {
  Question question = take_question(letter.ticket);
  auto* admission = std::get_if<Admission>(&letter.content);
  if (question.gate == nullptr) {
    // Nobody is there any more. What the plugin counted when it admitted, it must be able to count down.
    if (admission != nullptr && admission->session && admission->session != question.attached)
      chain_[question.plugin].on_closed({question.connection, admission->session, {}});
    return;
  }
  if (const auto* denial = std::get_if<Denial>(&letter.content)) return question.gate->refuse(*denial);
  if (admission != nullptr) {
    const Target target{question.protocol, question.host, question.port};
    return question.gate->resume(question.plugin, target, question.location, std::move(*admission));
  }
  const AuthenticationRequest request{
      .connection = question.connection,
      .protocol = question.protocol,
      .client = question.client ? reinterpret_cast<const sockaddr*>(&*question.client) : nullptr,
      .has_credentials = question.has_credentials,
      .name = question.name,
      .password = question.password};
  question.gate->resume(question.plugin, request, std::get<Authentication>(std::move(letter.content)));
}

// ---- connections by session

void GateKeeper::link(std::size_t plugin, SessionHandle session, Gate::SessionLink& link) {
  Gate::SessionLink& head = sessions_[plugin][session];
  if (!head.linked()) head.previous = head.next = &head;
  link.previous = head.previous;
  link.next = &head;
  link.previous->next = &link;
  head.previous = &link;
}

void GateKeeper::unlink(std::size_t plugin, SessionHandle session, Gate::SessionLink& link) noexcept {
  if (!link.linked()) return;
  link.previous->next = link.next;
  link.next->previous = link.previous;
  link.previous = link.next = nullptr;
  const auto head = sessions_[plugin].find(session);
  if (head != sessions_[plugin].end() && head->second.next == &head->second) sessions_[plugin].erase(head);
}

void GateKeeper::end_session(std::size_t plugin, SessionHandle session, const Denial& why) noexcept {
  const auto found = sessions_[plugin].find(session);
  if (found == sessions_[plugin].end()) return;
  // The listeners may close any gate, this one's or another's, which takes its link out of the ring. The ring
  // moves out of the map first, so that each gate is told once even if it stays open.
  auto ring = sessions_[plugin].extract(found);
  Gate::SessionLink& head = ring.mapped();
  while (head.next != &head) {
    Gate::SessionLink& link = *head.next;
    unlink(plugin, session, link);
    link.gate->listener_.on_session_ended(why);
  }
}

}  // namespace payg::plugin
