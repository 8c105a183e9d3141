#pragma once

#include <string>

#include "plugin/base/unique_fd.h"
#include "tests/bench/script.h"

namespace payg::bench {

/// One connection that goes through the steps of a script. Knows nothing of time and of other flows.
class Flow {
 public:
  enum class Progress { waiting, steps_done, failed };
  struct Drained {
    enum class Peer { there, gone };
    std::size_t bytes = 0;
    Peer peer = Peer::there;
  };

  /// Begins to connect; epoll tells when it goes on (edge-triggered, both directions). False: failed.
  bool open(const SocketAddress& entry, int epoll, std::uint32_t index);
  void close() { fd_.reset(); }
  bool is_open() const { return static_cast<bool>(fd_); }

  /// The steps to take from here on; they outlive the flow.
  void begin(const std::vector<Step>& steps);
  /// Goes on as far as it can without waiting. steps_done is reported once for each begin().
  Progress advance();
  /// Behind the last step: reads and forgets what has arrived.
  Drained drain();

 private:
  Progress connect_done();
  Progress send_rest(const Step& step);
  Progress read_reply(const Step& step);
  bool take(const Step& step, const char* bytes, std::size_t count);
  bool end_of_head(const Step& step);

  UniqueFd fd_;
  bool connected_ = false;
  const std::vector<Step>* steps_ = nullptr;
  std::size_t step_ = 0;
  std::size_t sent_ = 0;
  bool in_head_ = false;
  std::string head_;      // of an http reply, or the first bytes of any other
  std::size_t left_ = 0;  // bytes of the reply that are still to come
};

}  // namespace payg::bench
