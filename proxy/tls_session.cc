#include "proxy/tls_session.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <cerrno>

namespace payg::proxy {
namespace {

// Messages without data (key updates, warnings) that one read takes before others have their turn; each may
// stand for a whole buffer of them.
constexpr int most_silent_messages = 4;

TlsSession& owner_of(BIO* bio) {
  return *static_cast<TlsSession*>(BIO_get_data(bio));
}

}  // namespace

// OpenSSL's own socket BIO would raise SIGPIPE, and not say whether the socket was found drained.
BIO_METHOD* TlsSession::descriptor_method() {
  static BIO_METHOD* const method = [] {
    BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "descriptor");
    if (made == nullptr) return made;
    BIO_meth_set_read(made, on_receive);
    BIO_meth_set_write(made, on_send);
    BIO_meth_set_ctrl(made, on_control);
    return made;
  }();
  return method;
}

int TlsSession::on_receive(BIO* bio, char* into, int size) noexcept {
  TlsSession& session = owner_of(bio);
  BIO_clear_retry_flags(bio);
  ssize_t count;
  do {
    count = recv(session.fd_, into, static_cast<std::size_t>(size), 0);
  } while (count < 0 && errno == EINTR);
  if (count == 0) session.at_end_ = true;
  if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
    session.drained_ = true;
    BIO_set_retry_read(bio);
  }
  return static_cast<int>(count);
}

int TlsSession::on_send(BIO* bio, const char* bytes, int size) noexcept {
  BIO_clear_retry_flags(bio);
  ssize_t count;
  do {
    count = send(owner_of(bio).fd_, bytes, static_cast<std::size_t>(size), MSG_NOSIGNAL);
  } while (count < 0 && errno == EINTR);
  if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) BIO_set_retry_write(bio);
  return static_cast<int>(count);
}

long TlsSession::on_control(BIO* bio, int command, long, void*) noexcept {
  if (command == BIO_CTRL_FLUSH) return 1;
  if (command == BIO_CTRL_EOF) return owner_of(bio).at_end_ ? 1 : 0;
  return 0;
}

std::unique_ptr<TlsSession> TlsSession::accept(const TlsContext& context, int fd) {
  std::unique_ptr<TlsSession> session(new TlsSession);
  session->fd_ = fd;
  ERR_clear_error();
  session->ssl_ = SSL_new(context.get());
  BIO* const bio = descriptor_method() != nullptr ? BIO_new(descriptor_method()) : nullptr;
  if (session->ssl_ == nullptr || bio == nullptr) {
    BIO_free(bio);
    return nullptr;
  }
  BIO_set_data(bio, session.get());
  BIO_set_init(bio, 1);
  SSL_set_bio(session->ssl_, bio, bio);
  SSL_set_accept_state(session->ssl_);
  return session;
}

TlsSession::~TlsSession() {
  SSL_free(ssl_);
}

TlsSession::Stop TlsSession::reason_of(int result) noexcept {
  switch (SSL_get_error(ssl_, result)) {
    case SSL_ERROR_WANT_READ: return Stop::wants_input;
    case SSL_ERROR_WANT_WRITE: return Stop::wants_output;
    case SSL_ERROR_ZERO_RETURN:
      // A FIN in the midst of a record was not the peer's own doing.
      return at_end_ && has_unread_input() ? Stop::failed : Stop::ended;
    default: failed_ = true; return Stop::failed;
  }
}

TlsSession::Transfer TlsSession::read(std::span<char> into) noexcept {
  Transfer transfer{failed_ ? Stop::failed : Stop::complete};
  int silent_messages = 0;
  while (!failed_ && transfer.count < into.size()) {
    ERR_clear_error();
    drained_ = false;
    std::size_t got = 0;
    const auto room = into.subspan(transfer.count);
    if (SSL_read_ex(ssl_, room.data(), room.size(), &got) == 1) {
      transfer.count += got;
      continue;
    }
    transfer.stop = reason_of(0);
    if (transfer.stop != Stop::wants_input || drained_) break;
    if (++silent_messages == most_silent_messages) {
      transfer.stop = Stop::has_more;
      break;
    }
    transfer.stop = Stop::complete;
  }
  return transfer;
}

TlsSession::Transfer TlsSession::write(std::string_view bytes) noexcept {
  Transfer transfer{failed_ ? Stop::failed : Stop::complete};
  // Each call writes one record at most.
  while (!failed_ && transfer.count < bytes.size()) {
    ERR_clear_error();
    std::size_t put = 0;
    const auto left = bytes.substr(transfer.count);
    if (SSL_write_ex(ssl_, left.data(), left.size(), &put) != 1) {
      transfer.stop = reason_of(0);
      break;
    }
    transfer.count += put;
  }
  return transfer;
}

TlsSession::Stop TlsSession::say_goodbye() noexcept {
  if (failed_ || !is_established()) return Stop::failed;
  ERR_clear_error();
  const int result = SSL_shutdown(ssl_);
  return result >= 0 ? Stop::complete : reason_of(result);
}

bool TlsSession::is_established() const noexcept {
  return SSL_is_init_finished(ssl_) == 1;
}

bool TlsSession::has_unread_input() const noexcept {
  return SSL_has_pending(ssl_) == 1;
}

}  // namespace payg::proxy
