#pragma once

#include <openssl/types.h>

#include <memory>
#include <string>

#include "plugin/base/clock.h"
#include "plugin/base/result.h"

namespace payg::proxy {

/// The server's side of TLS for one listener: its certificate and key, and what is spoken (1.2 and 1.3,
/// "http/1.1" where a client asks by ALPN). Sessions are resumed by tickets, so that nothing is kept for a
/// client who may come back. A handle: copies stand for the same. Immutable; any thread. Sessions that began
/// with it outlive it.
class TlsContext {
 public:
  enum class File { certificate, key };
  /// What is wrong with one of the two files, and what was expected.
  struct LoadError {
    File file;
    std::string what;
  };

  /// Reads PEM files: the certificate with those that lead from it to its root behind it, and its key,
  /// without a passphrase. Blocks on the disk. A certificate that has expired is loaded all the same.
  static Result<TlsContext, LoadError> load(const std::string& certificate, const std::string& key);

  SSL_CTX* get() const noexcept { return context_.get(); }
  /// The certificate's own days: valid from, and until.
  WallTime valid_from() const noexcept { return valid_from_; }
  WallTime valid_until() const noexcept { return valid_until_; }

 private:
  explicit TlsContext(std::shared_ptr<SSL_CTX> context) noexcept : context_(std::move(context)) {}

  std::shared_ptr<SSL_CTX> context_;
  WallTime valid_from_{};
  WallTime valid_until_{};
};

}  // namespace payg::proxy
