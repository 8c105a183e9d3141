#include "billing/spool/spool.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <thread>
#include <utility>

#include "billing/spool/spool_line.h"

namespace payg::billing {
namespace {

using Outcome = Result<Done, std::string>;

// Written anew when it has grown beyond this and a quarter of it is enough: so a charge that waits for long
// does not keep all that came after it, and no charge is written more than twice on average.
constexpr std::size_t least_length_to_shrink = 1024 * 1024;
constexpr std::size_t lines_for_each_kept = 4;

constexpr mode_t only_we = 0600;

// Another node that starts may look for a moment whether anybody has it: see left_spools().
constexpr int lock_attempts = 10;
constexpr std::chrono::milliseconds lock_pause{20};

/// False: errno says why. How much was written is unknown then.
bool write_all(int file, std::string_view bytes, std::size_t offset) {
  while (!bytes.empty()) {
    const ssize_t written = ::pwrite(file, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    offset += static_cast<std::size_t>(written);
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

/// Empty when it cannot be read; errno says why.
std::string read_all(int file, std::size_t size) {
  std::string text(size, '\0');
  std::size_t have = 0;
  while (have < size) {
    const ssize_t got = ::pread(file, text.data() + have, size - have, static_cast<off_t>(have));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return {};
    if (got == 0) break;
    have += static_cast<std::size_t>(got);
  }
  text.resize(have);
  return text;
}

/// A file that was made or renamed is there after a crash only when its folder was synced.
bool sync_folder_of(const std::string& path) {
  const auto parent = std::filesystem::path(path).parent_path();
  const UniqueFd folder(::open(parent.empty() ? "." : parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  return folder && ::fsync(folder.get()) == 0;
}

ChargeKey key_of(const ChargeRequest& charge) {
  return {charge.user, charge.session, charge.number};
}

}  // namespace

Spool::Spool(std::string path, std::string_view node) : path_(std::move(path)), header_(spool_header(node)) {}

Spool::~Spool() = default;

std::string Spool::failure(std::string_view doing) const {
  const int error = errno;
  return path_ + ": " + std::string(doing) + ": " + std::strerror(error);
}

// ---- opening

Result<std::unique_ptr<Spool>, std::string> Spool::open(const std::string& path, std::string_view node) {
  std::unique_ptr<Spool> spool(new Spool(path, node));
  // One that cannot be made shows when the file is opened.
  std::error_code ignored;
  const auto folder = std::filesystem::path(path).parent_path();
  if (!folder.empty()) std::filesystem::create_directories(folder, ignored);
  if (const auto locked = spool->lock(); !locked) return locked.error();
  if (const auto read = spool->read(); !read) return read.error();
  return spool;
}

/// Beside the file, because writing it anew puts another one in its place.
Outcome Spool::lock() {
  lock_.reset(::open(lock_of(path_).c_str(), O_RDWR | O_CREAT | O_CLOEXEC, only_we));
  if (!lock_) return failure("open its lock");
  for (int attempt = 1; ::flock(lock_.get(), LOCK_EX | LOCK_NB) != 0; ++attempt) {
    if (errno != EWOULDBLOCK) return failure("lock");
    if (attempt == lock_attempts) return path_ + ": another process of this node has it";
    std::this_thread::sleep_for(lock_pause);
  }
  return Done{};
}

Outcome Spool::read() {
  file_.reset(::open(path_.c_str(), O_RDWR | O_CLOEXEC));
  if (!file_ && errno == ENOENT) return write_anew();
  if (!file_) return failure("open");
  struct stat status {};
  if (::fstat(file_.get(), &status) != 0) return failure("look at");
  const std::string text = read_all(file_.get(), static_cast<std::size_t>(status.st_size));
  if (text.empty() && status.st_size != 0) return failure("read");

  const auto owner = read_spool_header(std::string_view(text).substr(0, text.find('\n')));
  if (!owner) return path_ + ": this is no spool of payg-proxy; move it away or name another file";
  if (text.substr(0, header_.size()) != header_) return path_ + ": belongs to node " + *owner;
  length_ = text.size();
  read_lines(std::string_view(text).substr(header_.size()));
  if (unreadable_ > 0) keep_damaged();
  // Nothing may be appended behind a line that is torn, be it only its line break that is missing. A disk
  // that has no room now may have some when it is needed: see add().
  if (unreadable_ > 0 || !text.ends_with('\n')) (void)write_anew();
  return Done{};
}

/// What cannot be read may still tell somebody something.
void Spool::keep_damaged() {
  const std::string next = path_ + ".next", damaged = path_ + ".damaged";
  ::unlink(next.c_str());
  if (::link(path_.c_str(), next.c_str()) == 0 && ::rename(next.c_str(), damaged.c_str()) == 0)
    damaged_file_ = damaged;
}

void Spool::read_lines(std::string_view lines) {
  for (; !lines.empty(); ++lines_) {
    const std::size_t end = std::min(lines.find('\n'), lines.size() - 1);
    // What a crash has torn has no line break.
    const std::string_view line = lines.substr(0, lines[end] == '\n' ? end : end + 1);
    if (const auto charge = read_spool_line(line)) {
      kept_.insert_or_assign(key_of(*charge), *charge);
    } else if (const auto settled = read_settled_line(line)) {
      kept_.erase(*settled);
    } else {
      ++unreadable_;
    }
    lines.remove_prefix(end + 1);
  }
}

// ---- writing

std::vector<ChargeRequest> Spool::charges() const {
  std::vector<ChargeRequest> charges;
  charges.reserve(kept_.size());
  for (const auto& [key, charge] : kept_) charges.push_back(charge);
  return charges;
}

Outcome Spool::add(std::span<const ChargeRequest> charges) {
  std::string lines;
  for (const ChargeRequest& charge : charges) lines += spool_line(charge);
  // After a failed write nobody knows what the file holds, nor what a further sync of it would mean.
  if (!file_) {
    if (const auto written = write_anew(); !written) return written;
  }
  if (!append(lines, charges.size()) || ::fdatasync(file_.get()) != 0) {
    auto why = failure("write");
    file_.reset();
    return why;
  }
  for (const ChargeRequest& charge : charges) kept_.insert_or_assign(key_of(charge), charge);
  return Done{};
}

/// False: errno says why, and what the file holds now is unknown.
bool Spool::append(std::string_view lines, std::size_t count) {
  if (!write_all(file_.get(), lines, length_)) return false;
  length_ += lines.size();
  lines_ += count;
  return true;
}

Outcome Spool::mend() {
  if (file_) return Done{};
  return write_anew();
}

void Spool::settle(std::span<const ChargeKey> keys) {
  std::string lines;
  std::size_t settled = 0;
  for (const ChargeKey& key : keys) {
    if (kept_.erase(key) == 0) continue;
    lines += settled_line(key);
    ++settled;
  }
  if (settled == 0) return;
  // Whatever of this fails is tried again with the next charge, and read again by the next start until then.
  if (!file_ || is_mostly_settled()) return (void)write_anew();
  if (kept_.empty() ? !empty() : !append(lines, settled)) file_.reset();
}

bool Spool::empty() {
  if (::ftruncate(file_.get(), static_cast<off_t>(header_.size())) != 0) return false;
  length_ = header_.size();
  lines_ = 0;
  return true;
}

bool Spool::is_mostly_settled() const noexcept {
  return length_ > least_length_to_shrink && lines_ > lines_for_each_kept * kept_.size();
}

/// Beside the old one, which stands until the new one is whole.
Outcome Spool::write_anew() {
  std::string text = header_;
  for (const auto& [key, charge] : kept_) text += spool_line(charge);
  const std::string next = path_ + ".next";
  file_.reset();
  UniqueFd file(::open(next.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, only_we));
  if (!file) return failure("make");
  if (!write_all(file.get(), text, 0) || ::fsync(file.get()) != 0) {
    auto why = failure("write");
    ::unlink(next.c_str());
    return why;
  }
  if (::rename(next.c_str(), path_.c_str()) != 0) return failure("replace");
  if (!sync_folder_of(path_)) return failure("sync the folder of");
  file_ = std::move(file);
  length_ = text.size();
  lines_ = kept_.size();
  return Done{};
}

}  // namespace payg::billing
