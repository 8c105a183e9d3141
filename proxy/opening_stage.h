#pragma once

#include "proxy/buffer.h"
#include "proxy/connection.h"
#include "proxy/entrance.h"
#include "proxy/stage.h"

namespace payg::proxy {

/// A client that has not shown yet what it speaks. In this order, each where its listener has it: the PROXY
/// header, which says who the client is; TLS; the first byte, which tells HTTP from SOCKS. All of it within
/// handshake_timeout.
class OpeningStage final : public Stage {
 public:
  /// `entrance` outlives the connection.
  OpeningStage(Connection& connection, const Entrance& entrance)
      : connection_(connection), entrance_(entrance) {}

  void start() noexcept override;
  void on_client_ready() noexcept override { advance(); }
  void on_timeout() noexcept override;
  void on_drain() noexcept override;
  void close() noexcept override;
  CutManner on_cut(const plugin::Denial&) noexcept override { return CutManner::abort; }

 private:
  enum class Step : std::uint8_t {
    proxy_header,
    transport,   ///< is it TLS, where it should be?
    first_byte,  ///< behind the handshake
    answered,    ///< refused; what the client still sends is thrown away
  };
  enum class Standing : std::uint8_t { welcome, one_too_many };

  void advance();
  bool read_proxy_header();
  bool begin_transport();
  bool read_first_byte();
  void note_handshake() noexcept;
  /// The client's address is known: is there room for one more from there?
  void take_place();
  /// False: nobody speaks that here.
  bool speak(Buffer received);
  void refuse(char first_byte);
  void answer(std::string_view bytes);

  Connection& connection_;
  const Entrance& entrance_;
  Buffer header_;
  Step step_ = Step::transport;
  Standing standing_ = Standing::welcome;
  enum class Handshake : std::uint8_t { none, running, over } handshake_ = Handshake::none;
};

}  // namespace payg::proxy
