#pragma once

// The contract between the proxy and a plugin. This header and what it includes is all that a plugin is
// written against; plugin/README.md is the tutorial, plugin/examples/ the smallest module that works.
//
// The proxy has connections; the plugin has sessions. The proxy asks two questions (authenticate, admit) and
// tells two facts (established, closed); the plugin may at any time end a session, which closes all its
// connections.
//
// clang-format off
//   call            | when                                     | how often
//   ----------------+------------------------------------------+--------------------------------------------
//   authenticate    | credentials were read, or there are none | SOCKS5: once a connection; HTTP: each request
//   admit           | that identity names a target             | once for each accepted authenticate, at most
//   on_established  | the target of an admission answered      | at most once for each attachment
//   on_closed       | an attachment is over                    | exactly once for each attachment, always last
// clang-format on
//
// An *attachment* binds one connection to one session. It begins when admit answers with a session other than
// the one the connection is attached to already (AdmissionRequest::attached), and ends when the connection
// closes, is admitted into another session, or its dial fails. While it lasts, further requests on the same
// connection that are admitted into the same session add nothing to it.
//
// Threads: authenticate, admit, on_established and on_closed are called on the worker thread that owns the
// connection, many workers at once. They never block and never throw. Everything else says so itself.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "plugin/api/location.h"
#include "plugin/base/clock.h"
#include "plugin/base/id.h"

struct sockaddr;

namespace payg::plugin {

/// Raised whenever anything in this header changes; a module built against another version is refused at
/// load.
inline constexpr std::uint32_t api_version = 3;

/// One client TCP connection, from accept to close. Unique in the life of the process.
using ConnectionId = Id<struct ConnectionTag>;

/// The plugin's name for one live session; opaque to the proxy. Never used again for another session in the
/// life of the process.
using SessionHandle = Id<struct SessionTag>;

/// Why somebody is refused, or why his connections are closed. The table in DESIGN.md, "Names on the wire",
/// gives each its HTTP status and SOCKS5 reply.
enum class Reason {
  bad_credentials,   ///< none, or wrong: HTTP 407
  payment_required,  ///< HTTP 402
  forbidden,         ///< HTTP 403
  bad_request,       ///< e.g. user-name grammar: HTTP 400
  too_many,          ///< HTTP 429
  unavailable,       ///< ask again later: HTTP 503
};

/// The stable name of a reason, e.g. "payment_required", as logs and metrics show it.
std::string_view name_of(Reason reason) noexcept;

struct Denial {
  Reason reason = Reason::unavailable;
  /// One sentence for the person refused. Never a secret.
  std::string detail;
  /// Where to mend it (the shop, for payment_required); empty: nowhere.
  std::string url;
  /// Retry-After; zero: not said.
  std::chrono::seconds retry_after{0};
};

/// Who a connection speaks for. A plugin derives its own and gets it back with admit. Owned by the proxy from
/// the answer on, destroyed on the worker thread.
class Identity {
 public:
  virtual ~Identity() = default;
  /// The user this is, for limits that are counted by user; 0: nobody in particular, not counted.
  std::uint64_t user = 0;
  /// What he is called in the access log; empty: nothing.
  std::string display_name;
};

/// What the proxy and a plugin share of one session while its bytes flow: the proxy counts, the plugin
/// permits. Owned by the plugin. In one cache line, because the path of every byte touches all of it.
struct alignas(32) SessionTraffic {
  /// Bytes relayed, counted by the proxy. Relaxed: a reader sees each count a little late, never wrong.
  std::atomic<std::uint64_t> up_bytes{0};    ///< from the client to the target
  std::atomic<std::uint64_t> down_bytes{0};  ///< from the target to the client

  /// The last moment, on Host::clock(), at which the proxy moves bytes of this session: behind it, none in
  /// either direction, on any protocol. max(): no bound. The plugin stores it at any time from any thread,
  /// further on or back; the proxy loads it before each piece that it moves. Both relaxed: nothing else hangs
  /// on it, and what was stored before an admission was answered is seen by what that admission lets through.
  ///
  /// Behind it the proxy *holds* the session's connections, it does not close them: it takes nothing of
  /// either side and gives nothing to the other, what it has taken already stays where it is, and it looks
  /// again every few milliseconds. Stored further on, the bytes flow on, none lost; end_session closes a
  /// held connection as any other, and so does idle_timeout, for which a held connection is idle. Questions
  /// go on as ever: a request that is admitted while its session is held waits like the rest.
  ///
  /// A bound in the path of the bytes, for when nobody could call end_session in time (the process was
  /// stopped, a thread was late). It does not reach what the kernel was handed before.
  std::atomic<MonotonicTime> relay_until{MonotonicTime::max()};

  /// The number by which the plugin shows this session to people (16 hexadecimal digits), for the access log;
  /// 0: none yet. Relaxed, like the rest.
  std::atomic<std::uint64_t> shown_as{0};
};

/// socks5_udp: a UDP association. It is admitted once as a whole, with no target (an empty host and port 0),
/// when it begins; then once for each target that its client sends to.
enum class Protocol { http_connect, http_forward, socks5, socks5_udp };

struct AuthenticationRequest {
  ConnectionId connection;
  Protocol protocol;
  const sockaddr* client;  ///< the client's address
  /// False: the client sent none. True with an empty name and password: what it sent cannot be read.
  bool has_credentials = false;
  std::string_view name;
  std::string_view password;
};

struct AdmissionRequest {
  ConnectionId connection;
  Protocol protocol;
  const Identity& identity;
  /// The target as the client named it: a host name in lower case, or an address literal without brackets.
  /// Empty: a UDP association as a whole.
  std::string_view target_host;
  std::uint16_t target_port;
  /// The session that this connection is attached to by this plugin already; 0: none.
  SessionHandle attached;
};

struct Authentication {
  std::unique_ptr<Identity> identity;
};

struct Admission {
  /// 0: no session; nothing is attached, and an attachment that there was is over.
  SessionHandle session;
  Location location;
  /// Where the proxy counts this session's bytes, and until when it moves them; nullptr: uncounted and
  /// unbounded. Must live until on_closed for the attachment has returned. A connection with several
  /// attachments (a chain of plugins) is counted in each and moves while all permit it.
  SessionTraffic* traffic = nullptr;
  /// Connections with the same number leave by the same exit as long as it is in order, on every node that
  /// has the same exits; 0: each connection for itself. A hash of who and what keeps together.
  std::uint64_t affinity = 0;
};

/// One fact about one attachment.
struct Attachment {
  ConnectionId connection;
  SessionHandle session;
  /// The exit that the connection leaves by; empty until it is established, so that on_closed with an empty
  /// one ends an attachment that never was. Valid during the call.
  std::string_view exit;
};

/// Where an answer goes; implemented by the proxy.
template <class Verdict>
class AnswerSink {
 public:
  virtual void accept(std::uint64_t ticket, Verdict verdict) noexcept = 0;
  virtual void deny(std::uint64_t ticket, Denial denial) noexcept = 0;

 protected:
  ~AnswerSink() = default;
};

/// The right to answer one question, exactly once, from any thread, at once or later. Move-only. One that is
/// destroyed unanswered denies as unavailable, so a question is never lost. Answering within the call that
/// asked costs no hop; from another thread the answer is posted to the worker that asked.
template <class Verdict>
class Answer {
 public:
  Answer(AnswerSink<Verdict>* sink, std::uint64_t ticket) noexcept : sink_(sink), ticket_(ticket) {}
  Answer(Answer&& other) noexcept : sink_(std::exchange(other.sink_, nullptr)), ticket_(other.ticket_) {}
  Answer& operator=(Answer&& other) noexcept {
    if (this != &other) {
      abandon();
      sink_ = std::exchange(other.sink_, nullptr);
      ticket_ = other.ticket_;
    }
    return *this;
  }
  ~Answer() { abandon(); }

  void accept(Verdict verdict) noexcept {
    if (auto* sink = std::exchange(sink_, nullptr)) sink->accept(ticket_, std::move(verdict));
  }
  void deny(Denial denial) noexcept {
    if (auto* sink = std::exchange(sink_, nullptr)) sink->deny(ticket_, std::move(denial));
  }

 private:
  void abandon() noexcept {
    if (sink_) deny(Denial{.reason = Reason::unavailable, .detail = "no answer was given", .url = {}});
  }

  AnswerSink<Verdict>* sink_;
  std::uint64_t ticket_;
};

using AuthenticationAnswer = Answer<Authentication>;
using AdmissionAnswer = Answer<Admission>;

enum class LogLevel { debug, info, warning, error };

/// One sample of one metric, in the words of the Prometheus text format.
struct Metric {
  enum class Kind { counter, gauge };
  std::string name;
  std::string help;
  Kind kind = Kind::counter;
  std::vector<std::pair<std::string, std::string>> labels;
  double value = 0;
};

/// Whether connections may leave by an exit at the moment.
enum class ExitState {
  up,
  down,  ///< it failed, and is tried again from time to time
};

/// One way out to the internet, as it is at the moment.
struct ExitReport {
  std::string name;
  std::string kind;  ///< "direct", "http", "socks5"
  Location location;
  unsigned weight = 1;
  ExitState state = ExitState::up;
  std::string why_down;  ///< one line; empty when up
  bool carries_udp = false;
};

/// What the proxy offers a plugin. Outlives it. Every method is thread-safe and does not block.
class Host {
 public:
  /// Closes every connection of the session, on every worker, whatever it is doing; each gets its on_closed.
  /// A request that has had no answer yet is refused with `why`. A session the proxy does not know is no
  /// error.
  virtual void end_session(SessionHandle session, Denial why) noexcept = 0;

  /// An address that this process itself listens on: never a target of the proxy, whatever is configured.
  virtual void protect_address(const sockaddr* address) = 0;

  virtual const Clock& clock() const noexcept = 0;
  /// `area` is the part that speaks ("billing", "ledger"); `message` one line without secrets.
  virtual void log(LogLevel level, std::string_view area, std::string_view message) noexcept = 0;
  /// The proxy's own counters at this moment.
  virtual std::vector<Metric> metrics() const = 0;
  /// Every exit that is configured now, in the order of the configuration. SIGHUP may change them.
  virtual std::vector<ExitReport> exits() const = 0;

 protected:
  ~Host() = default;
};

/// The configuration file, as the plugin gets to see it: it reads its own table, named as the plugin is.
struct ConfigurationSource {
  std::string path;   ///< as given by the operator, for messages
  std::string text;   ///< the whole file as it was read, so that a check and a start see the same bytes
  std::string table;  ///< the plugin's table, e.g. "billing"
};

/// What is wrong with a configuration, one line each: "file:line:column: key: what was expected".
using ConfigurationErrors = std::vector<std::string>;

/// Calls come in this order, all on the main thread:
///   check_configuration · start · (reload)* · interrupt · stop
class Plugin {
 public:
  virtual ~Plugin() = default;

  /// Before the workers run. May block. Returns what is wrong; empty: it runs.
  virtual ConfigurationErrors start(const ConfigurationSource& source) = 0;

  /// The operator changed the file. All or nothing: with errors, what was in force stays in force.
  virtual ConfigurationErrors reload(const ConfigurationSource& source) = 0;

  /// The proxy is about to stop: nothing new is admitted from here on. Does not block.
  virtual void interrupt() noexcept = 0;

  /// After the last on_closed and after the workers have stopped. May block until everything owed is kept
  /// safe.
  virtual void stop() noexcept = 0;

  virtual void authenticate(const AuthenticationRequest& request, AuthenticationAnswer answer) noexcept = 0;
  virtual void admit(const AdmissionRequest& request, AdmissionAnswer answer) noexcept = 0;
  virtual void on_established(const Attachment& attachment) noexcept = 0;
  virtual void on_closed(const Attachment& attachment) noexcept = 0;
};

/// What a module exports, as `extern "C" const ModuleDescriptor* payg_plugin_module()`. The first two members
/// never change their place, so that any version can be told from any other.
struct ModuleDescriptor {
  std::uint32_t magic;        ///< module_magic
  std::uint32_t api_version;  ///< payg::plugin::api_version of the build
  const char* name;
  const char* version;
  /// Reads the configuration without starting anything.
  ConfigurationErrors (*check_configuration)(const ConfigurationSource& source);
  std::unique_ptr<Plugin> (*create)(Host& host);
};

inline constexpr std::uint32_t module_magic = 0x70617967;  // "payg"
inline constexpr const char* module_entry = "payg_plugin_module";
using ModuleEntry = const ModuleDescriptor* (*)();

}  // namespace payg::plugin

/// Put before the definition of payg_plugin_module.
#define PAYG_PLUGIN_EXPORT extern "C" __attribute__((visibility("default")))
