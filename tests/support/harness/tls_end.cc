#include "tests/support/harness/tls_end.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <utility>

#include "tests/support/harness/patience.h"

namespace payg::test {
namespace {

[[noreturn]] void fail(const std::string& what) {
  const char* const reason = ERR_reason_error_string(ERR_peek_error());
  throw HarnessError(what + ": " + (reason != nullptr ? reason : "the other side closed"));
}

std::string wire_form(const std::vector<std::string>& protocols) {
  std::string wire;
  for (const auto& name : protocols) wire += static_cast<char>(name.size()) + name;
  return wire;
}

}  // namespace

TlsEnd::TlsEnd(const TlsOffer& offer)
    : context_(SSL_CTX_new(TLS_client_method())),
      ssl_(SSL_new(context_)),
      first_(offer.first),
      segment_(offer.segment) {
  SSL_set_min_proto_version(ssl_, offer.least_version);
  SSL_set_max_proto_version(ssl_, offer.most_version);
  // So that old versions can be offered at all.
  if (offer.most_version != 0 && offer.most_version < TLS1_2_VERSION) SSL_set_security_level(ssl_, 0);
  const std::string protocols = wire_form(offer.protocols);
  if (!protocols.empty()) {
    SSL_set_alpn_protos(ssl_, reinterpret_cast<const unsigned char*>(protocols.data()),
                        static_cast<unsigned>(protocols.size()));
  }
  BIO* const in = BIO_new(BIO_s_mem());
  BIO* const out = BIO_new(BIO_s_mem());
  BIO_set_mem_eof_return(in, -1);
  BIO_set_mem_eof_return(out, -1);
  SSL_set_bio(ssl_, in, out);
  SSL_set_connect_state(ssl_);
}

TlsEnd::~TlsEnd() {
  SSL_free(ssl_);
  SSL_CTX_free(context_);
}

std::string TlsEnd::output() {
  char* bytes = nullptr;
  BIO* const out = SSL_get_wbio(ssl_);
  const long length = BIO_get_mem_data(out, &bytes);
  std::string taken(bytes, static_cast<std::size_t>(std::max(length, 0L)));
  BIO_reset(out);
  return std::exchange(first_, {}) + taken;
}

std::string TlsEnd::take_output() {
  const std::lock_guard lock(mutex_);
  return output();
}

bool TlsEnd::flush(int fd) {
  const std::lock_guard order(sending_);
  return transmit(fd, take_output());
}

bool TlsEnd::transmit(int fd, std::string_view output) {
  while (!output.empty()) {
    const std::size_t piece = segment_ == 0 ? output.size() : std::min(segment_, output.size());
    const ssize_t count = ::send(fd, output.data(), piece, MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    output.remove_prefix(static_cast<std::size_t>(count));
  }
  return true;
}

TlsEnd::Input TlsEnd::take_in(int fd, int flags) {
  char piece[16 * 1024];
  ssize_t count;
  do {
    count = ::recv(fd, piece, sizeof piece, flags);
  } while (count < 0 && errno == EINTR);
  if (count > 0) {
    const std::lock_guard lock(mutex_);
    BIO_write(SSL_get_rbio(ssl_), piece, static_cast<int>(count));
    return Input::more;
  }
  if (count == 0) {
    ended_with_ = 0;
  } else if (errno != EAGAIN && errno != EWOULDBLOCK) {
    ended_with_ = errno;
  }
  return Input::over;
}

void TlsEnd::shake_hands(int fd) {
  for (;;) {
    ERR_clear_error();
    const int result = SSL_do_handshake(ssl_);
    const int reason = SSL_get_error(ssl_, result);
    const bool sent = flush(fd);
    if (result == 1) return;
    if (reason != SSL_ERROR_WANT_READ || (!sent && ended_with_ >= 0)) fail("no TLS handshake");
    if (take_in(fd, 0) == Input::over) fail("no TLS handshake");
  }
}

bool TlsEnd::send(int fd, std::string_view bytes) {
  if (bytes.empty()) return true;
  const std::lock_guard order(sending_);
  std::string records;
  {
    const std::lock_guard lock(mutex_);
    ERR_clear_error();
    std::size_t written = 0;
    if (SSL_write_ex(ssl_, bytes.data(), bytes.size(), &written) != 1) return false;
    records = output();
  }
  return transmit(fd, records);
}

TlsEnd::Read TlsEnd::read(char* into, std::size_t limit) {
  const std::lock_guard lock(mutex_);
  ERR_clear_error();
  Read result;
  if (SSL_read_ex(ssl_, into, limit, &result.count) != 1) result.reason = SSL_get_error(ssl_, 0);
  result.has_output = BIO_pending(SSL_get_wbio(ssl_)) != 0;
  return result;
}

ssize_t TlsEnd::receive(int fd, char* into, std::size_t limit) {
  for (;;) {
    const Read got = read(into, limit);
    if (got.has_output) static_cast<void>(flush(fd));
    if (got.count != 0) return static_cast<ssize_t>(got.count);
    if (got.reason == SSL_ERROR_ZERO_RETURN) return 0;
    if (got.reason != SSL_ERROR_WANT_READ) {
      errno = EPROTO;
      return -1;
    }
    if (ended_with_ < 0 && take_in(fd, 0) == Input::more) continue;
    if (ended_with_ == 0) return 0;
    if (ended_with_ > 0) errno = ended_with_;
    return -1;
  }
}

bool TlsEnd::readable_within(int fd, std::chrono::milliseconds limit) {
  const auto until = std::chrono::steady_clock::now() + limit;
  for (;;) {
    ERR_clear_error();
    char byte;
    const int result = SSL_peek(ssl_, &byte, 1);
    if (result > 0 || SSL_get_error(ssl_, result) != SSL_ERROR_WANT_READ || ended_with_ >= 0) return true;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
    pollfd wanted{.fd = fd, .events = POLLIN, .revents = 0};
    if (left.count() < 0 || ::poll(&wanted, 1, static_cast<int>(left.count())) <= 0) return false;
    take_in(fd, MSG_DONTWAIT);
  }
}

void TlsEnd::say_goodbye(int fd) {
  {
    const std::lock_guard lock(mutex_);
    ERR_clear_error();
    SSL_shutdown(ssl_);
  }
  static_cast<void>(flush(fd));
}

void TlsEnd::take_tickets(int fd) {
  take_in(fd, MSG_DONTWAIT);
}

bool TlsEnd::was_told_goodbye() const {
  return (SSL_get_shutdown(ssl_) & SSL_RECEIVED_SHUTDOWN) != 0;
}

std::string TlsEnd::protocol() const {
  const unsigned char* name = nullptr;
  unsigned length = 0;
  SSL_get0_alpn_selected(ssl_, &name, &length);
  return {reinterpret_cast<const char*>(name), length};
}

long TlsEnd::serial() const {
  const std::unique_ptr<X509, void (*)(X509*)> shown(SSL_get1_peer_certificate(ssl_), X509_free);
  return shown ? ASN1_INTEGER_get(X509_get0_serialNumber(shown.get())) : 0;
}

namespace {

std::string content_of(BIO* bio) {
  char* bytes = nullptr;
  const long length = BIO_get_mem_data(bio, &bytes);
  std::string text(bytes, static_cast<std::size_t>(length));
  BIO_free(bio);
  return text;
}

void add_names(X509* certificate) {
  X509_NAME* const name = X509_get_subject_name(certificate);
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("localhost"),
                             -1, -1, 0);
  X509_set_issuer_name(certificate, name);
  X509_EXTENSION* const names =
      X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1,IP:::1");
  X509_add_ext(certificate, names, -1);
  X509_EXTENSION_free(names);
}

}  // namespace

TestCertificate TestCertificate::make(long serial, Days days) {
  constexpr long seconds_in_a_day = 86'400;
  const std::unique_ptr<EVP_PKEY, void (*)(EVP_PKEY*)> key(EVP_EC_gen("P-256"), EVP_PKEY_free);
  const std::unique_ptr<X509, void (*)(X509*)> made(X509_new(), X509_free);
  X509_set_version(made.get(), X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(made.get()), serial);
  X509_gmtime_adj(X509_getm_notBefore(made.get()), days.from * seconds_in_a_day);
  X509_gmtime_adj(X509_getm_notAfter(made.get()), days.until * seconds_in_a_day);
  X509_set_pubkey(made.get(), key.get());
  add_names(made.get());
  if (X509_sign(made.get(), key.get(), EVP_sha256()) == 0) fail("no certificate");

  BIO* const certificate = BIO_new(BIO_s_mem());
  BIO* const private_key = BIO_new(BIO_s_mem());
  PEM_write_bio_X509(certificate, made.get());
  PEM_write_bio_PrivateKey(private_key, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
  return {content_of(certificate), content_of(private_key)};
}

}  // namespace payg::test
