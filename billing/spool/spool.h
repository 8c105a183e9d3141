#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "billing/ledger/ledger.h"
#include "plugin/base/result.h"
#include "plugin/base/unique_fd.h"

namespace payg::billing {

/// The charges that this node owes the ledger, in a local file: what was relayed while the ledger gave no
/// answer is paid also when the process does not live to see it back.
///
/// A line for each charge, with a checksum, behind a line that names the node. Lines are appended and synced.
/// What the ledger has answered gets a line that says so, which is not synced: a kill loses nothing of it,
/// and after a crash of the machine a charge is sent once more, which is safe. The file is emptied as soon as
/// nothing is left in it, and written anew when little is. One process at a time: a lock beside the file
/// keeps others out.
///
/// Blocks on the disk, so it has a thread of its own. Not thread-safe.
class Spool {
 public:
  /// Opens the file, or makes it with its folder, and reads what an earlier life of the node has left. The
  /// error names the file and what is wrong: it cannot be made or read, another process has it, it belongs to
  /// another node, or it is something else altogether.
  static Result<std::unique_ptr<Spool>, std::string> open(const std::string& path, std::string_view node);
  ~Spool();
  /// The file beside it that is locked for as long as a process has it.
  static std::string lock_of(const std::string& path) { return path + ".lock"; }

  /// What is in it, by users and sessions, in the order of the numbers.
  std::vector<ChargeRequest> charges() const;
  std::size_t size() const noexcept { return kept_.size(); }
  /// Lines that could not be read when it was opened: of a write that a crash has torn, or a broken disk.
  std::size_t unreadable_lines() const noexcept { return unreadable_; }
  /// The file as it was, with those lines: FILE.damaged. Empty: there were none, or it could not be kept.
  const std::string& damaged_file() const noexcept { return damaged_file_; }

  /// Safe on the disk when it returns ok. Else none of them is kept, and what was before is. A charge that is
  /// there already is replaced.
  Result<Done, std::string> add(std::span<const ChargeRequest> charges);
  /// Tries to have a file again after a write has failed; ok when none has.
  Result<Done, std::string> mend();
  /// These were answered; unknown ones are no error.
  void settle(std::span<const ChargeKey> keys);

 private:
  Spool(std::string path, std::string_view node);

  Result<Done, std::string> lock();
  Result<Done, std::string> read();
  void read_lines(std::string_view lines);
  void keep_damaged();
  bool append(std::string_view lines, std::size_t count);
  bool empty();
  Result<Done, std::string> write_anew();
  bool is_mostly_settled() const noexcept;
  std::string failure(std::string_view doing) const;

  const std::string path_;
  const std::string header_;
  UniqueFd lock_;
  UniqueFd file_;
  std::size_t length_ = 0;  // of the file
  std::size_t lines_ = 0;   // behind the header
  std::size_t unreadable_ = 0;
  std::string damaged_file_;
  std::map<ChargeKey, ChargeRequest> kept_;
};

}  // namespace payg::billing
