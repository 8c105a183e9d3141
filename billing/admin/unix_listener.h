#pragma once

#include <sys/types.h>

#include <memory>
#include <string>

#include "plugin/base/result.h"
#include "plugin/base/unique_fd.h"

namespace payg::billing {

/// A listening Unix socket, for its owner and his group (mode 0660); its file is removed with it. Used while
/// starting and stopping.
class UnixListener {
 public:
  /// `path` may be relative to the working directory. A socket that nobody listens on any more, as a process
  /// that was killed leaves it, is replaced; a socket that is in use is an error, and so is any other file.
  static Result<std::unique_ptr<UnixListener>, std::string> open(const std::string& path);
  /// Removes the file, unless somebody has put another one in its place.
  ~UnixListener();
  UnixListener(const UnixListener&) = delete;
  UnixListener& operator=(const UnixListener&) = delete;

  /// Hands the descriptor over to whoever accepts on it and closes it. Called once.
  UniqueFd take_socket() noexcept { return std::move(socket_); }
  const std::string& path() const noexcept { return path_; }

 private:
  UnixListener(std::string path, UniqueFd socket) : path_(std::move(path)), socket_(std::move(socket)) {}
  bool remember_file();

  const std::string path_;
  UniqueFd socket_;
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

}  // namespace payg::billing
