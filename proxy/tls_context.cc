#include "proxy/tls_context.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <optional>
#include <string_view>

namespace payg::proxy {
namespace {

using LoadError = TlsContext::LoadError;
using File = TlsContext::File;

// What one recv may bring: several records, so that bulk costs few system calls. It is given back when it is
// empty (SSL_MODE_RELEASE_BUFFERS).
constexpr std::size_t read_ahead_bytes = 32 * 1024;

// RFC 7301: a client that asks for other protocols only is told no_application_protocol. One that does not
// ask is served; it is not called then.
int select_protocol(SSL*, const unsigned char** out, unsigned char* out_length, const unsigned char* offered,
                    unsigned offered_length, void*) {
  constexpr std::string_view spoken = "http/1.1";
  for (unsigned at = 0; at < offered_length; at += 1U + offered[at]) {
    if (at + 1U + offered[at] > offered_length) break;
    const std::string_view name(reinterpret_cast<const char*>(offered) + at + 1, offered[at]);
    if (name != spoken) continue;
    *out = offered + at + 1;
    *out_length = offered[at];
    return SSL_TLSEXT_ERR_OK;
  }
  return SSL_TLSEXT_ERR_ALERT_FATAL;
}

// OpenSSL would ask on the terminal otherwise.
int no_passphrase(char*, int, int, void*) {
  return -1;
}

void set_rules(SSL_CTX* context) {
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  // A client that ends without close_notify has ended, not failed: many do, and their answer is to arrive.
  SSL_CTX_set_options(context,
                      SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_IGNORE_UNEXPECTED_EOF);
  // Without AUTO_RETRY a read gives the worker back between messages that carry no data.
  SSL_CTX_clear_mode(context, SSL_MODE_AUTO_RETRY);
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_read_ahead(context, 1);
  SSL_CTX_set_default_read_buffer_len(context, read_ahead_bytes);
  SSL_CTX_set_alpn_select_cb(context, select_protocol, nullptr);
  SSL_CTX_set_default_passwd_cb(context, no_passphrase);
}

std::string quoted(const std::string& path) {
  return '"' + path + '"';
}

/// What OpenSSL complained about first, in its own words; empties its queue.
std::string complaint() {
  const auto code = ERR_get_error();
  ERR_clear_error();
  const char* const reason = ERR_reason_error_string(code);
  return reason != nullptr ? reason : "no reason was given";
}

std::optional<LoadError> unreadable(File file, const std::string& path) {
  if (access(path.c_str(), R_OK) == 0) return {};
  return LoadError{file, "cannot read the file " + quoted(path) + ": " + std::strerror(errno)};
}

std::optional<LoadError> use_files(SSL_CTX* context, const std::string& certificate, const std::string& key) {
  if (auto error = unreadable(File::certificate, certificate)) return error;
  if (auto error = unreadable(File::key, key)) return error;
  ERR_clear_error();
  if (SSL_CTX_use_certificate_chain_file(context, certificate.c_str()) != 1) {
    return LoadError{File::certificate, "the file " + quoted(certificate) + " cannot be used (" +
                                            complaint() + "), expected a certificate chain in PEM"};
  }
  if (SSL_CTX_use_PrivateKey_file(context, key.c_str(), SSL_FILETYPE_PEM) == 1) return {};
  const int reason = ERR_GET_REASON(ERR_peek_error());
  const bool is_anothers = reason == X509_R_KEY_VALUES_MISMATCH || reason == X509_R_KEY_TYPE_MISMATCH;
  const std::string why = complaint();
  if (is_anothers) {
    return LoadError{File::key, "the key in " + quoted(key) + " does not belong to the certificate in " +
                                    quoted(certificate)};
  }
  return LoadError{File::key, "the file " + quoted(key) + " cannot be used (" + why +
                                  "), expected a private key in PEM without a passphrase"};
}

WallTime wall_time(const ASN1_TIME* time) {
  std::tm parts{};
  if (time == nullptr || ASN1_TIME_to_tm(time, &parts) != 1) return WallTime::max();
  using namespace std::chrono;
  const auto day = year(parts.tm_year + 1900) / (parts.tm_mon + 1) / parts.tm_mday;
  return sys_days(day) + hours(parts.tm_hour) + minutes(parts.tm_min) + seconds(parts.tm_sec);
}

}  // namespace

Result<TlsContext, LoadError> TlsContext::load(const std::string& certificate, const std::string& key) {
  TlsContext loaded(std::shared_ptr<SSL_CTX>(SSL_CTX_new(TLS_server_method()), SSL_CTX_free));
  if (!loaded.context_) return LoadError{File::certificate, "OpenSSL has no memory for it"};
  set_rules(loaded.get());
  if (auto error = use_files(loaded.get(), certificate, key)) return std::move(*error);
  const X509* const own = SSL_CTX_get0_certificate(loaded.get());
  loaded.valid_from_ = wall_time(X509_get0_notBefore(own));
  loaded.valid_until_ = wall_time(X509_get0_notAfter(own));
  return loaded;
}

}  // namespace payg::proxy
