#include "billing/admin/admin_server.h"

#include <event2/listener.h>
#include <pthread.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <thread>
#include <unordered_map>

#include "billing/admin/access.h"
#include "billing/admin/connection_limits.h"
#include "billing/admin/exchange.h"
#include "billing/admin/problem.h"
#include "billing/admin/routes.h"
#include "billing/admin/unix_listener.h"
#include "billing/payments/secrets.h"
#include "billing/payments/simulated_provider.h"
#include "plugin/base/event.h"

namespace payg::billing {
namespace {

/// One request that waits for the ledger thread.
using RequestId = Id<struct AdminRequestTag>;

/// Keeps calls on ledger threads from touching a server that has stopped: they run inside, or not at all.
class Gate {
 public:
  template <class Function>
  void pass(Function function) {
    const std::shared_lock lock(mutex_);
    if (state_ == State::open) function();
  }
  /// Waits for those who are inside. From its beginning nobody gets in: two threads that take turns inside
  /// would never leave it empty.
  void close() {
    state_ = State::closed;
    const std::unique_lock lock(mutex_);
  }

 private:
  enum class State { open, closed };
  std::shared_mutex mutex_;
  std::atomic<State> state_ = State::open;
};

Settings settings_of(const config::BillingConfig& config) {
  Settings settings;
  if (!config.admin.operator_token.empty()) settings.operator_token = hash_token(config.admin.operator_token);
  settings.anonymous_user = config.admin.anonymous_user;
  if (const auto address = SocketAddress::parse(config.admin.address)) settings.own_address = address->ip();
  if (config.simulated_payments) settings.providers.push_back(std::make_shared<SimulatedProvider>());
  settings.widest_networks = {.v4 = static_cast<int>(config.widest_client_network_v4),
                              .v6 = static_cast<int>(config.widest_client_network_v6)};
  return settings;
}

// Signals are the main thread's; and a client that has gone is an error of write(2), not a SIGPIPE.
void block_signals() {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, nullptr);
}

static_assert(AdminServer::max_waiting_calls + AdminServer::max_waiting_reports <=
                  ConnectionLimits::max_connections / 2,
              "a new client finds a connection that can be closed for it");

constexpr std::string_view no_route = "none";
constexpr std::chrono::milliseconds accept_pause{200};

}  // namespace

class AdminServer::Impl {
 public:
  explicit Impl(const AdminDependencies& dependencies)
      : metering_(dependencies.metering),
        host_(dependencies.host),
        address_(dependencies.config.admin.address),
        socket_path_(dependencies.config.admin.socket),
        settings_(std::make_shared<Settings>(settings_of(dependencies.config))),
        calls_{.thread = dependencies.ledger, .limit = max_waiting_calls},
        reports_{.thread = dependencies.reports, .limit = max_waiting_reports} {}

  Result<SocketAddress, Failure> start();
  void reload(const config::BillingConfig& config);
  void stop();

 private:
  /// Those who wait for one ledger thread. Counted here and not by the thread's queue, which is shorter by
  /// what has been worked on and is not yet sent.
  struct Line {
    LedgerThread& thread;
    const std::size_t limit;
    std::size_t waiting = 0;
  };

  /// A request that a ledger thread works on. evhttp keeps it until it is answered, also when its client
  /// has gone.
  struct Pending {
    evhttp_request* request;
    std::string_view route;
    Line* line;
  };

  /// What a ledger thread needs to answer one request.
  struct Work {
    Request asked;
    Destination destination;
    std::shared_ptr<const Settings> settings;
  };

  static void on_request(evhttp_request* request, void* self) noexcept {
    static_cast<Impl*>(self)->answer(request);
  }
  /// libevent passes the listener's own argument here, which is evhttp's: whose loop this is says who is
  /// meant.
  static void on_accept_error(evconnlistener* listener, void*) noexcept {
    running_here->pause_accepting(listener);
  }
  static void on_resume(evutil_socket_t, short, void* self) noexcept {
    static_cast<Impl*>(self)->resume_accepting();
  }

  std::optional<SocketAddress> bind(const SocketAddress& wanted);
  std::optional<Failure> bind_socket();
  void look_after(evhttp_bound_socket* bound);
  void run();
  void answer(evhttp_request* request);
  Line& line_for(const Work& work);
  void post(evhttp_request* request, Work work);
  Reply perform(const Work& work, Ledger& ledger);
  void finish(RequestId id, const Reply& reply);
  void send(evhttp_request* request, std::string_view route, const Reply& reply);
  void pause_accepting(evconnlistener* listener);
  void resume_accepting();
  void drop_pending();
  std::shared_ptr<const Settings> settings() const;

  static thread_local Impl* running_here;

  Metering& metering_;
  plugin::Host& host_;
  const std::string address_;
  const std::string socket_path_;  // empty: none
  const std::shared_ptr<Gate> gate_ = std::make_shared<Gate>();

  mutable std::mutex mutex_;
  std::shared_ptr<const Settings> settings_;  // guarded by mutex_

  EventLoop loop_;
  std::thread thread_;

  // From here on: the loop's thread, or any while it does not run.
  std::unique_ptr<UnixListener> socket_;
  EvhttpHandle http_;
  std::vector<evconnlistener*> listeners_;  // evhttp's
  std::optional<ConnectionLimits> limits_;
  Event resume_;
  Line calls_, reports_;
  std::unordered_map<RequestId, Pending> pending_;
  RequestCounts counts_;
  std::uint64_t last_id_ = 0;
};

std::optional<SocketAddress> AdminServer::Impl::bind(const SocketAddress& wanted) {
  http_ = make_evhttp(loop_.base());
  if (!http_) return std::nullopt;
  evhttp_set_gencb(http_.get(), on_request, this);
  evhttp_bound_socket* bound =
      evhttp_bind_socket_with_handle(http_.get(), wanted.ip().to_string().c_str(), wanted.port());
  if (!bound) return std::nullopt;
  look_after(bound);
  resume_.assign(loop_.base(), -1, 0, on_resume, this);
  limits_.emplace(loop_, host_.clock(), http_.get());
  return local_address(evhttp_bound_socket_get_fd(bound));
}

/// Beside the port, and under the same limits: they know of no addresses.
std::optional<AdminServer::Failure> AdminServer::Impl::bind_socket() {
  if (socket_path_.empty()) return std::nullopt;
  auto opened = UnixListener::open(socket_path_);
  if (!opened.ok()) return Failure{"socket", opened.error()};
  socket_ = std::move(*opened);
  UniqueFd descriptor = socket_->take_socket();
  evhttp_bound_socket* bound = evhttp_accept_socket_with_handle(http_.get(), descriptor.get());
  if (!bound) return Failure{"socket", socket_path_ + ": cannot accept connections"};
  descriptor.release();
  look_after(bound);
  return std::nullopt;
}

void AdminServer::Impl::look_after(evhttp_bound_socket* bound) {
  listeners_.push_back(evhttp_bound_socket_get_listener(bound));
  evconnlistener_set_error_cb(listeners_.back(), on_accept_error);
}

Result<SocketAddress, AdminServer::Failure> AdminServer::Impl::start() {
  const auto wanted = SocketAddress::parse(address_);
  if (!wanted) return Failure{"address", "admin address " + address_ + " is not an IP address and a port"};
  const auto bound = bind(*wanted);
  if (!bound)
    return Failure{"address",
                   "cannot listen on " + address_ + " for the admin port: " + std::strerror(errno)};
  if (auto failure = bind_socket()) return *std::move(failure);
  sockaddr_storage storage{};
  bound->to(storage);
  host_.protect_address(reinterpret_cast<const sockaddr*>(&storage));
  thread_ = std::thread([this] { run(); });
  host_.log(plugin::LogLevel::info, "admin", "admin listening on " + bound->to_string());
  if (socket_) host_.log(plugin::LogLevel::info, "admin", "admin listening on " + socket_->path());
  return *bound;
}

thread_local AdminServer::Impl* AdminServer::Impl::running_here = nullptr;

void AdminServer::Impl::run() {
  pthread_setname_np(pthread_self(), "payg-admin");
  block_signals();
  running_here = this;
  loop_.run();
}

void AdminServer::Impl::reload(const config::BillingConfig& config) {
  auto fresh = settings_of(config);
  if (config.admin.address != address_ || config.admin.socket != socket_path_)
    host_.log(plugin::LogLevel::warning, "admin", "the address changes with the next start, not now");
  const std::lock_guard lock(mutex_);
  settings_ = std::make_shared<const Settings>(std::move(fresh));
}

std::shared_ptr<const Settings> AdminServer::Impl::settings() const {
  const std::lock_guard lock(mutex_);
  return settings_;
}

void AdminServer::Impl::stop() {
  gate_->close();
  loop_.stop();
  if (thread_.joinable()) thread_.join();
  drop_pending();
  resume_.reset();
  if (limits_) limits_->stop();
  http_.reset();
  socket_.reset();
  limits_.reset();
}

// A request whose connection is still there is freed with it, by evhttp.
void AdminServer::Impl::drop_pending() {
  for (const auto& [id, pending] : pending_)
    if (!evhttp_request_get_connection(pending.request)) evhttp_request_free(pending.request);
  pending_.clear();
}

void AdminServer::Impl::answer(evhttp_request* request) {
  limits_->on_request(request);
  auto asked = read_request(request);
  if (!asked)
    return send(request, no_route, problem(Problem::malformed_request, "The target cannot be read."));
  if (asked->body.size() > max_body_bytes)
    return send(request, no_route, problem(Problem::too_large, "A body has at most 64 KiB."));
  auto in_force = settings();
  if (const auto refused = refuse_foreign_page(*asked, *in_force)) return send(request, no_route, *refused);
  auto destination = find_route(*asked);
  if (!destination.ok()) return send(request, no_route, destination.error());

  const Route& route = *destination->route;
  if (const auto* at_once = std::get_if<Route::AtOnce>(&route.answer)) {
    const LocalCall call{.metering = metering_, .host = host_, .requests = counts_};
    return send(request, route.pattern, (*at_once)(call));
  }
  post(request, {std::move(*asked), std::move(*destination), std::move(in_force)});
}

// Whoever asks for a report without the right to it is told so where everybody waits, and takes no place from
// the operator; and so is a user told what is his own of it.
AdminServer::Impl::Line& AdminServer::Impl::line_for(const Work& work) {
  const bool reads_all = work.destination.route->reads == Reads::whole_ledger;
  return reads_all && speaks_for_operator(work.asked, *work.settings) ? reports_ : calls_;
}

void AdminServer::Impl::post(evhttp_request* request, Work work) {
  const RequestId id{++last_id_};
  const std::string_view pattern = work.destination.route->pattern;
  Line& line = line_for(work);
  auto shared = std::make_shared<const Work>(std::move(work));
  const bool accepted =
      line.waiting < line.limit && line.thread.post([this, gate = gate_, id, shared](Ledger& ledger) {
        gate->pass([&] { loop_.post([this, id, reply = perform(*shared, ledger)] { finish(id, reply); }); });
      });
  if (!accepted) return send(request, pattern, problem(Problem::busy, "Ask again in a moment."));
  ++line.waiting;
  pending_.emplace(id, Pending{.request = request, .route = pattern, .line = &line});
}

// On a ledger thread.
Reply AdminServer::Impl::perform(const Work& work, Ledger& ledger) {
  const Route& route = *work.destination.route;
  auto caller = identify(work.asked, route.who, *work.settings, ledger);
  if (!caller.ok()) return caller.error();
  return std::get<Route::OnLedger>(route.answer)({.request = work.asked,
                                                  .parameter = work.destination.parameter,
                                                  .caller = std::move(*caller),
                                                  .settings = *work.settings,
                                                  .metering = metering_,
                                                  .host = host_,
                                                  .ledger = ledger});
}

void AdminServer::Impl::finish(RequestId id, const Reply& reply) {
  const auto found = pending_.find(id);
  if (found == pending_.end()) return;
  const Pending pending = found->second;
  pending_.erase(found);
  --pending.line->waiting;
  send(pending.request, pending.route, reply);
}

void AdminServer::Impl::send(evhttp_request* request, std::string_view route, const Reply& reply) {
  if (!reply.log_line.empty())
    host_.log(plugin::LogLevel::warning, "admin", std::string(route) + ": " + reply.log_line);
  ++counts_[AnsweredBy{.route = route, .status = reply.status}];
  limits_->on_answered(request);
  send_reply(request, reply);
}

// Out of file descriptors, most likely. Trying again at once would spin.
void AdminServer::Impl::pause_accepting(evconnlistener* listener) {
  evconnlistener_disable(listener);
  if (!resume_.add_for(accept_pause)) evconnlistener_enable(listener);
}

void AdminServer::Impl::resume_accepting() {
  for (evconnlistener* listener : listeners_) evconnlistener_enable(listener);
}

AdminServer::AdminServer(AdminDependencies dependencies) : impl_(std::make_unique<Impl>(dependencies)) {}

AdminServer::~AdminServer() {
  stop();
}

Result<SocketAddress, AdminServer::Failure> AdminServer::start() {
  return impl_->start();
}

void AdminServer::reload(const config::BillingConfig& config) {
  impl_->reload(config);
}

void AdminServer::stop() {
  impl_->stop();
}

}  // namespace payg::billing
