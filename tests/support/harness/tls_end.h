#pragma once

#include <openssl/types.h>
#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace payg::test {

/// What a client of TLS asks for; the default is whatever OpenSSL would.
struct TlsOffer {
  std::vector<std::string> protocols{};  ///< by ALPN
  int least_version = 0;                 ///< TLS1_2_VERSION and the like; 0: any
  int most_version = 0;
  std::string first{};      ///< goes out in front of everything, and not by TLS
  std::size_t segment = 0;  ///< what goes out is sent in segments of this many bytes; 0: as it comes
};

/// The client's side of TLS, in memory: what it has to say is sent over a descriptor by whoever holds both,
/// in pieces as small as a test likes. It trusts everybody. One thread may send while another receives.
class TlsEnd {
 public:
  explicit TlsEnd(const TlsOffer& offer = {});
  ~TlsEnd();
  TlsEnd(const TlsEnd&) = delete;
  TlsEnd& operator=(const TlsEnd&) = delete;

  /// Throws HarnessError with OpenSSL's reason when it is refused.
  void shake_hands(int fd);
  [[nodiscard]] bool send(int fd, std::string_view bytes);
  /// As recv(2): 0 is the end, -1 an error with errno set.
  ssize_t receive(int fd, char* into, std::size_t limit);
  /// True when receive() would not wait.
  bool readable_within(int fd, std::chrono::milliseconds limit);
  /// close_notify, and nothing else.
  void say_goodbye(int fd);
  /// Reads a little of what is there: session tickets that nobody has read would make a reset of a close.
  void take_tickets(int fd);
  /// The other side has sent its close_notify.
  bool was_told_goodbye() const;

  /// For what only OpenSSL can be asked for; flush() behind it.
  SSL* ssl() { return ssl_; }
  [[nodiscard]] bool flush(int fd);
  /// What flush() would send, not sent.
  std::string take_output();
  /// By ALPN; empty: none.
  std::string protocol() const;
  /// The serial number of the other side's certificate.
  long serial() const;

 private:
  enum class Input { more, over };
  Input take_in(int fd, int flags);

  /// The same as SSL_read_ex(3), and its SSL_get_error(3).
  struct Read {
    std::size_t count = 0;
    int reason = 0;
    bool has_output = false;
  };
  Read read(char* into, std::size_t limit);
  [[nodiscard]] bool transmit(int fd, std::string_view output);
  std::string output();  // REQUIRES: mutex_ is held

  SSL_CTX* context_;
  std::mutex sending_;  // what goes out goes in order; taken before mutex_
  std::mutex mutex_;    // guards ssl_, but for the handshake; never held while somebody waits
  SSL* ssl_;
  std::string first_;
  const std::size_t segment_;
  int ended_with_ = -1;  ///< errno of the descriptor's end, 0: orderly; -1: it has not ended
};

/// A self-signed certificate of localhost and its key, made for one test.
struct TestCertificate {
  std::string certificate, key;  ///< PEM

  struct Days {
    int from = -1;
    int until = 365;
  };
  static TestCertificate make(long serial, Days days);
  static TestCertificate make(long serial = 1) { return make(serial, Days{}); }
};

}  // namespace payg::test
