#include "billing/admin/unix_listener.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <optional>

namespace payg::billing {
namespace {

constexpr mode_t owner_and_group = 0660;
constexpr int backlog = 128;

std::string said(const std::string& path, const std::string& what) {
  return path + ": " + what;
}

std::string failed(const std::string& path, const std::string& doing) {
  return said(path, doing + ": " + std::strerror(errno));
}

UniqueFd new_socket() {
  return UniqueFd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
}

const sockaddr* pointer_to(const sockaddr_un& address) {
  return reinterpret_cast<const sockaddr*>(&address);
}

std::optional<sockaddr_un> address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) return std::nullopt;
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

/// Makes way for a new socket; says what stands in it, or nothing.
std::string remove_stale(const std::string& path, const sockaddr_un& address) {
  struct stat file {};
  if (::lstat(path.c_str(), &file) != 0) return errno == ENOENT ? "" : failed(path, "cannot be looked at");
  if (!S_ISSOCK(file.st_mode))
    return said(path, "there is a file that is no socket; remove it, or name another");
  const UniqueFd probe = new_socket();
  // A socket that is in use but has no room for another connection says EAGAIN.
  if (::connect(probe.get(), pointer_to(address), sizeof address) == 0 || errno == EAGAIN)
    return said(path, "another process listens there");
  if (errno != ECONNREFUSED) return failed(path, "cannot tell whether another process listens there");
  return ::unlink(path.c_str()) == 0 || errno == ENOENT ? "" : failed(path, "cannot be replaced");
}

}  // namespace

Result<std::unique_ptr<UnixListener>, std::string> UnixListener::open(const std::string& path) {
  const auto address = address_of(path);
  if (!address) return said(path, "is too long for a socket's name");
  if (auto mistake = remove_stale(path, *address); !mistake.empty()) return mistake;
  UniqueFd socket = new_socket();
  if (socket.get() < 0) return failed(path, "no socket can be made");
  // Before bind(2) makes the file, which takes the mode from here, less what the umask takes off: at no
  // moment can anybody else connect.
  ::fchmod(socket.get(), owner_and_group);
  if (::bind(socket.get(), pointer_to(*address), sizeof *address) != 0)
    return failed(path, "the socket cannot be made");
  std::unique_ptr<UnixListener> listener(new UnixListener(path, std::move(socket)));
  if (!listener->remember_file() || ::chmod(path.c_str(), owner_and_group) != 0 ||
      ::listen(listener->socket_.get(), backlog) != 0)
    return failed(path, "cannot listen");
  return listener;
}

bool UnixListener::remember_file() {
  struct stat file {};
  if (::lstat(path_.c_str(), &file) != 0) return false;
  device_ = file.st_dev;
  inode_ = file.st_ino;
  return true;
}

UnixListener::~UnixListener() {
  struct stat file {};
  const bool is_ours = ::lstat(path_.c_str(), &file) == 0 && file.st_dev == device_ && file.st_ino == inode_;
  if (is_ours) ::unlink(path_.c_str());
}

}  // namespace payg::billing
