#include "proxy/server.h"

#include <ifaddrs.h>
#include <pthread.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/signalfd.h>

#include <algorithm>
#include <csignal>
#include <stdexcept>

#include "plugin/base/text.h"
#include "proxy/log.h"

namespace payg::proxy {
namespace {

using plugin::LogLevel;

sigset_t handled_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&set, signal);
  return set;
}

std::string make_pseudonym() {
  std::array<unsigned char, 6> random{};
  if (getrandom(random.data(), random.size(), 0) != static_cast<ssize_t>(random.size())) {
    throw std::runtime_error("the kernel gives no random bytes");
  }
  return "payg-" + to_hex(random.data(), random.size());
}

Settings make_settings(const config::ProxyConfig& config) {
  return {.idle_timeout = config.idle_timeout,
          .handshake_timeout = config.handshake_timeout,
          .connect_timeout = config.connect_timeout,
          .pseudonym = make_pseudonym()};
}

UserLimits::Settings limits_of(const config::ProxyConfig& config) {
  return {.most_connections = config.max_connections_per_user,
          .bytes_per_second = config.max_bytes_per_second_per_user};
}

std::vector<Cidr> blocks_of(const std::vector<std::string>& texts) {
  std::vector<Cidr> blocks;
  for (const auto& text : texts) {
    if (const auto block = Cidr::parse(text)) blocks.push_back(*block);
  }
  return blocks;
}

Guard make_guard(const config::ProxyConfig& config) {
  return Guard(blocks_of(config.allow_targets));
}

/// As many descriptors as the system lets this process have; returns that number.
std::uint64_t raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 1024;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  getrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_cur;
}

unsigned worker_count(const config::ProxyConfig& config) {
  return config.workers != 0 ? config.workers : std::max(1u, std::thread::hardware_concurrency());
}

/// As many as can be served: each client needs a descriptor for itself and one for its target, a bulk
/// transfer borrows a pipe, which is two, and the process and its plugins have some of their own. So those
/// who were let in find descriptors, and those beyond wait in the kernel's queue.
DescriptorShares share_descriptors(const config::ProxyConfig& config) {
  constexpr std::uint64_t least = 8;
  constexpr std::uint64_t of_a_worker = 4;  // its loop, its wake-up, its questions to name servers
  const std::uint64_t descriptors = raise_descriptor_limit();
  // Also where no exit is probed yet: the next configuration may have some.
  const std::uint64_t probes = std::clamp<std::uint64_t>(descriptors / 128, 2, 256);
  const std::uint64_t own = probes + std::clamp<std::uint64_t>(descriptors / 16, 32, 512) +
                            worker_count(config) * (config.listeners.size() + of_a_worker);
  const std::uint64_t free = std::max(3 * least, descriptors - std::min(own, descriptors));
  const std::uint64_t wanted = config.max_connections != 0 ? config.max_connections : free * 3 / 8;
  const std::uint64_t connections = std::min({wanted, free / 2, std::uint64_t{1} << 30});
  return {.descriptors = descriptors,
          .connections = static_cast<unsigned>(connections),
          .pipes = std::min(free / 8, free / 2 - connections),
          .probes = static_cast<unsigned>(probes)};
}

std::vector<IpAddress> local_addresses() {
  std::vector<IpAddress> addresses;
  ifaddrs* list = nullptr;
  if (getifaddrs(&list) != 0)
    throw std::runtime_error("cannot list this machine's addresses, which are to be guarded");
  for (const ifaddrs* entry = list; entry != nullptr; entry = entry->ifa_next) {
    if (entry->ifa_addr == nullptr) continue;
    if (const auto address = SocketAddress::from(entry->ifa_addr)) addresses.push_back(address->ip());
  }
  freeifaddrs(list);
  return addresses;
}

constexpr std::string_view not_reloaded =
    "the configuration was not reloaded: what was in force stays in force";

constexpr std::string_view reloadable_keys =
    "max_connections_per_user, max_connections_per_client_address, max_bytes_per_second_per_user, log_level, "
    "access_log, the exits, certificates";

/// What stands behind reloadable_keys, but for the certificates.
void take_over_reloadable(config::ProxyConfig& in_force, const config::ProxyConfig& fresh) {
  in_force.max_connections_per_user = fresh.max_connections_per_user;
  in_force.max_bytes_per_second_per_user = fresh.max_bytes_per_second_per_user;
  in_force.max_connections_per_client_address = fresh.max_connections_per_client_address;
  in_force.log_level = fresh.log_level;
  in_force.access_log = fresh.access_log;
  in_force.exits = fresh.exits;
  in_force.exit_health = fresh.exit_health;
}

constexpr std::chrono::hours time_between_remarks{24};

std::string description_of(const Entrance& entrance) {
  std::string text;
  if (entrance.tls) text = "tls: ";
  if (entrance.protocols.http) text += "http";
  if (entrance.protocols.socks5) text += entrance.protocols.http ? ", socks5" : "socks5";
  if (!entrance.proxy_protocol_from.empty()) text += "; proxy protocol from listed addresses";
  return text;
}

}  // namespace

void Server::block_signals() {
  const sigset_t set = handled_signals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
}

Server::Server(Configuration configuration, const Clock& clock)
    : clock_(clock),
      configuration_(std::move(configuration)),
      settings_(make_settings(configuration_.proxy)),
      exits_(std::make_shared<const ExitTable>(configuration_.proxy.exits, configuration_.proxy.exit_health)),
      guard_(make_guard(configuration_.proxy)),
      user_limits_(limits_of(configuration_.proxy)),
      client_addresses_(configuration_.proxy.max_connections_per_client_address),
      shares_(share_descriptors(configuration_.proxy)),
      connection_limit_(shares_.connections),
      certificates_(configuration_.certificates) {}

Server::~Server() {
  stop();
}

std::vector<std::string> Server::start() {
  if (shares_.connections < configuration_.proxy.max_connections) {
    log(LogLevel::warning, "proxy",
        "max_connections is " + std::to_string(configuration_.proxy.max_connections) + ", but " +
            std::to_string(shares_.descriptors) + " file descriptors (ulimit -n) serve " +
            std::to_string(shares_.connections) +
            "; that is the limit in force, and it leaves none for splicing bulk transfers");
  }
  if (const auto error = access_log_.open(configuration_.proxy.access_log); !error.empty())
    return {configuration_.path + ": proxy.access_log: " + error};
  bind_listeners();
  if (auto errors = start_plugins(); !errors.empty()) return errors;
  if (auto errors = refuse_own_addresses(configuration_.proxy); !errors.empty()) return errors;
  start_workers();

  const sigset_t set = handled_signals();
  signals_.reset(signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
  if (!signals_) throw std::runtime_error("cannot watch for signals");
  signal_event_.assign(loop_.base(), signals_.get(), EV_READ | EV_PERSIST, on_signal, this);
  signal_event_.add();
  drain_timer_.assign(loop_.base(), -1, 0, on_drain_over, this);
  remark_timer_.assign(loop_.base(), -1, EV_PERSIST, on_remark_time, this);
  remark_timer_.add_for(time_between_remarks);
  remark_on_certificates();
  return {};
}

void Server::bind_listeners() {
  for (std::size_t number = 0; number < configuration_.proxy.listeners.size(); ++number) {
    const auto& listener = configuration_.proxy.listeners[number];
    SocketAddress address = SocketAddress::parse(listener.address).value();
    BoundListener bound{.address = {},
                        .entrance = {.protocols = {.http = listener.http, .socks5 = listener.socks5},
                                     .tls = configuration_.certificates[number],
                                     .proxy_protocol_from = blocks_of(listener.proxy_protocol_from),
                                     .udp_address = IpAddress::parse(listener.udp_address)},
                        .sockets = {}};
    ensure_unused(address);
    for (unsigned i = 0; i < worker_count(configuration_.proxy); ++i) {
      bound.sockets.push_back(listen_on(address));
      // Port 0: the kernel chose one for the first worker, the others take the same.
      address = local_address(bound.sockets.back().get()).value_or(address);
    }
    bound.address = address;
    protect_address(address);
    listeners_.push_back(std::move(bound));
  }
}

std::vector<std::string> Server::start_plugins() {
  for (std::size_t i = 0; i < configuration_.modules.size(); ++i) {
    hosts_.push_back(std::make_unique<PluginHost>(*this, i));
    auto plugin = configuration_.modules[i].create(*hosts_.back());
    if (!plugin.ok()) return {plugin.error()};
    plugins_.push_back(std::move(plugin).value());
    if (!chain_.add(*plugins_.back())) return {"too many plugins"};
  }
  for (std::size_t i = 0; i < plugins_.size(); ++i) {
    if (auto errors = plugins_[i]->start(configuration_.source_for(i)); !errors.empty()) return errors;
    plugins_started_ = i + 1;
    log(LogLevel::info, "plugin", configuration_.proxy.plugins[i].name + " started");
  }
  return {};
}

void Server::start_workers() {
  const Shared shared{.clock = clock_,
                      .settings = settings_,
                      .exits = exit_table(),
                      .guard = guard_,
                      .plugins = chain_,
                      .user_limits = user_limits_,
                      .client_addresses = client_addresses_,
                      .connection_limit = connection_limit_,
                      .access_log = access_log_,
                      .nameservers = configuration_.proxy.nameservers,
                      .most_pipes = shares_.pipes / worker_count(configuration_.proxy),
                      .workers = worker_count(configuration_.proxy),
                      .most_probes = std::max(1u, shares_.probes / worker_count(configuration_.proxy))};
  for (unsigned i = 0; i < worker_count(configuration_.proxy); ++i) {
    workers_.push_back(std::make_unique<Worker>(shared, i));
    for (auto& listener : listeners_)
      workers_[i]->add_listener(std::move(listener.sockets[i]), listener.entrance);
  }
  {
    const std::lock_guard lock(guard_mutex_);
    workers_run_.store(true, std::memory_order_release);
  }
  for (auto& worker : workers_) worker->start();
  for (const auto& listener : listeners_) {
    log(LogLevel::info, "proxy",
        "listening on " + listener.address.to_string() + " (" + description_of(listener.entrance) + ")");
  }
}

void Server::run() {
  loop_.run();
}

void Server::stop() {
  if (phase_ == Phase::stopped) return;
  const bool was_drained = std::exchange(phase_, Phase::stopped) == Phase::draining;
  for (auto& worker : workers_) worker->stop();
  workers_run_.store(
      false, std::memory_order_release);  // sessions that the plugins end now have no connections left
  for (std::size_t i = 0; i < plugins_started_; ++i) {
    if (!was_drained) plugins_[i]->interrupt();
    plugins_[i]->stop();
  }
  for (auto& worker : workers_) worker->hear_late_answers();
  plugins_.clear();
}

void Server::end_session(std::size_t plugin, plugin::SessionHandle session,
                         const plugin::Denial& why) noexcept {
  if (!workers_run_.load(std::memory_order_acquire)) return;
  for (auto& worker : workers_) worker->end_session(plugin, session, why);
}

void Server::protect_address(const SocketAddress& address) {
  const std::lock_guard lock(guard_mutex_);
  if (workers_run_.load(std::memory_order_acquire)) {
    return log(LogLevel::error, "proxy", address.to_string() + " is told too late to be guarded");
  }
  if (address.ip().unmapped().is_unspecified()) {
    guard_.protect_wildcard(address.port(), local_addresses());
  } else {
    guard_.protect(address);
  }
}

std::vector<plugin::Metric> Server::metrics() const {
  std::vector<const Counters*> counters;
  if (workers_run_.load(std::memory_order_acquire)) {
    for (const auto& worker : workers_) counters.push_back(&std::as_const(*worker).counters());
  }
  auto metrics = to_metrics(counters);
  metrics.push_back({.name = "payg_proxy_access_log_dropped_total",
                     .help = "Lines of the access log that were dropped because the disk was behind.",
                     .kind = plugin::Metric::Kind::counter,
                     .labels = {},
                     .value = static_cast<double>(access_log_.dropped())});
  exit_table()->append_metrics(metrics);
  const std::lock_guard lock(certificates_mutex_);
  for (std::size_t i = 0; i < certificates_.size() && i < listeners_.size(); ++i) {
    if (!certificates_[i]) continue;
    const std::chrono::duration<double> left = certificates_[i]->valid_until() - clock_.wall_now();
    metrics.push_back({.name = "payg_proxy_certificate_expiry_seconds",
                       .help = "Time until the certificate of a listener expires; below zero: it has.",
                       .kind = plugin::Metric::Kind::gauge,
                       .labels = {{"listener", listeners_[i].address.to_string()}},
                       .value = left.count()});
  }
  return metrics;
}

std::vector<plugin::ExitReport> Server::exits() const {
  return exit_table()->reports();
}

std::shared_ptr<const ExitTable> Server::exit_table() const {
  const std::lock_guard lock(exits_mutex_);
  return exits_;
}

std::vector<std::string> Server::refuse_own_addresses(const config::ProxyConfig& config) const {
  std::vector<std::string> errors;
  const auto check = [&](const std::string& whose, const std::string& address) {
    const auto literal = SocketAddress::parse(address);
    if (literal && guard_.check(*literal) == Guard::Verdict::own_address)
      errors.push_back(configuration_.path + ": " + whose + " " + address +
                       " is this proxy itself, expected another address");
  };
  for (const auto& exit : config.exits) check("exit \"" + exit.name + "\": its parent", exit.address);
  check("exit_health: the probe target", config.exit_health.probe_target);
  return errors;
}

void Server::set_exits(const config::ProxyConfig& config) {
  const auto table = std::make_shared<const ExitTable>(config.exits, config.exit_health, exit_table().get());
  {
    const std::lock_guard lock(exits_mutex_);
    former_exits_ = std::exchange(exits_, table);
  }
  for (auto& worker : workers_) worker->set_exits(table);
}

void Server::on_signal(evutil_socket_t fd, short, void* self) noexcept {
  signalfd_siginfo info;
  while (read(fd, &info, sizeof info) == sizeof info) {
    static_cast<Server*>(self)->handle_signal(static_cast<int>(info.ssi_signo));
  }
}

void Server::on_drain_over(evutil_socket_t, short, void* self) noexcept {
  log(LogLevel::info, "proxy", "drain_timeout is over, closing what is left");
  static_cast<Server*>(self)->loop_.stop();
}

void Server::handle_signal(int signal) {
  if (signal == SIGHUP) return reload();
  if (phase_ == Phase::running) return begin_drain();
  log(LogLevel::info, "proxy", "second signal, closing what is left");
  loop_.stop();
}

void Server::begin_drain() {
  phase_ = Phase::draining;
  log(LogLevel::info, "proxy", "draining: no new connections");
  for (auto& plugin : plugins_) plugin->interrupt();
  workers_busy_ = workers_.size();
  for (auto& worker : workers_) {
    worker->drain([this] {
      loop_.post([this] {
        if (--workers_busy_ == 0) loop_.stop();
      });
    });
  }
  drain_timer_.add_for(configuration_.proxy.drain_timeout);
}

bool Server::reload_plugins(const Configuration& fresh) {
  bool reloaded = true;
  for (std::size_t i = 0; i < plugins_.size() && i < fresh.proxy.plugins.size(); ++i) {
    if (fresh.proxy.plugins[i] != configuration_.proxy.plugins[i]) continue;
    for (const auto& error : plugins_[i]->reload(fresh.source_for(i))) {
      log(LogLevel::error, "config", error);
      reloaded = false;
    }
  }
  if (!reloaded) log(LogLevel::error, "config", not_reloaded);
  return reloaded;
}

void Server::reload_certificates(Configuration fresh) {
  auto& listeners = configuration_.proxy.listeners;
  const std::lock_guard lock(certificates_mutex_);
  for (std::size_t i = 0; i < listeners.size() && i < fresh.proxy.listeners.size(); ++i) {
    auto& again = fresh.proxy.listeners[i];
    if (again.address != listeners[i].address || !again.tls || !listeners[i].tls) continue;
    for (auto& worker : workers_) worker->replace_certificate(i, *fresh.certificates[i]);
    certificates_[i] = std::move(fresh.certificates[i]);
    listeners[i].tls = std::move(again.tls);
  }
}

void Server::remark_on_certificates() {
  // Only this thread changes them.
  for (const auto& remark : certificate_remarks(configuration_.proxy, certificates_, clock_.wall_now()))
    log(LogLevel::warning, "config", remark);
}

void Server::on_remark_time(evutil_socket_t, short, void* self) noexcept {
  static_cast<Server*>(self)->remark_on_certificates();
}

void Server::reload() {
  auto again = read_configuration(configuration_.path);
  if (!again.ok()) {
    for (const auto& error : again.error()) log(LogLevel::error, "config", error);
    return log(LogLevel::error, "config", not_reloaded);
  }
  Configuration fresh = std::move(again).value();
  if (const auto errors = refuse_own_addresses(fresh.proxy); !errors.empty()) {
    for (const auto& error : errors) log(LogLevel::error, "config", error);
    return log(LogLevel::error, "config", not_reloaded);
  }
  if (const auto error = access_log_.open(fresh.proxy.access_log); !error.empty()) {
    log(LogLevel::error, "config", configuration_.path + ": proxy.access_log: " + error);
    return log(LogLevel::error, "config", not_reloaded);
  }
  if (!reload_plugins(fresh)) {
    static_cast<void>(access_log_.open(configuration_.proxy.access_log));
    return;
  }
  const bool exits_change = configuration_.proxy.exits != fresh.proxy.exits ||
                            configuration_.proxy.exit_health != fresh.proxy.exit_health;
  take_over_reloadable(configuration_.proxy, fresh.proxy);
  if (exits_change) set_exits(configuration_.proxy);
  user_limits_.set(limits_of(configuration_.proxy));
  client_addresses_.set_most(configuration_.proxy.max_connections_per_client_address);
  proxy::set_log_level(configuration_.proxy.log_level);
  const config::ProxyConfig wanted = fresh.proxy;
  reload_certificates(std::move(fresh));
  remark_on_certificates();
  if (configuration_.proxy != wanted) {
    log(LogLevel::warning, "config",
        "reloaded, but only " + std::string(reloadable_keys) +
            " and the plugins' own tables change without a restart");
  } else {
    log(LogLevel::info, "config", "reloaded " + configuration_.path);
  }
}

}  // namespace payg::proxy
