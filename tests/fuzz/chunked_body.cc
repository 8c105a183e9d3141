#include <array>
#include <string>

#include "proxy/http/chunked_decoder.h"
#include "proxy/http/framing.h"
#include "tests/fuzz/pieces.h"
#include "tests/fuzz/plain_http.h"
#include "tests/fuzz/promise.h"
#include "tests/fuzz/targets.h"

namespace payg::fuzz {
namespace {

using Decoder = http::ChunkedDecoder;
using Event = Decoder::Event;

struct Decoded {
  Event last = Event::need_more;
  std::string content;
  std::size_t consumed = 0;
  std::string_view error;
  bool over = false;
};

void decode_piece(Decoder& decoder, std::string_view piece, Decoded& out) {
  while (!out.over && !piece.empty()) {
    const auto step = decoder.decode(piece);
    must(step.consumed <= piece.size(), "no more is consumed than there was");
    must(step.event != Event::data || !step.data.empty(), "data is never nothing");
    must(step.data.empty() || step.data.data() + step.data.size() == piece.data() + step.consumed,
         "data is what was consumed last");
    must((step.event == Event::error) != step.error.empty(), "an error says why");
    out.content += step.data;
    out.consumed += step.consumed;
    out.last = step.event;
    out.error = step.error;
    out.over = step.event == Event::end || step.event == Event::error;
    piece.remove_prefix(step.consumed);
    if (step.event == Event::need_more) must(piece.empty(), "more is asked for when nothing is left only");
  }
}

Decoded decode(std::string_view input, const Arrival& arrival) {
  Decoder decoder;
  Decoded out;
  in_pieces(input, arrival, [&](std::string_view piece) { decode_piece(decoder, piece, out); });
  if (out.last == Event::error)
    must(decoder.decode("0\r\n\r\n").event == Event::error, "what was malformed stays so");
  if (out.last == Event::data) out.last = Event::need_more;  // the input ended with its data
  return out;
}

/// The limits, which a reader written from the RFC does not have: so long are the extensions, and the
/// trailer section, of a body that is well-formed otherwise.
bool is_within_limits(std::string_view body) {
  std::size_t extensions = 0;
  for (;;) {
    const std::string_view line = body.substr(0, body.find("\r\n"));
    const auto digits = std::min(line.find_first_of("; \t"), line.size());
    const std::size_t extension = line.size() - digits;
    extensions += extension;
    if (extension > Decoder::max_extension_bytes || extensions > Decoder::max_extension_bytes_in_all)
      return false;
    const auto size = std::stoull(std::string(line.substr(0, digits)), nullptr, 16);
    body.remove_prefix(line.size() + 2);
    if (size == 0) return body.size() <= Decoder::max_trailer_bytes;
    body.remove_prefix(size + 2);
  }
}

void survives_writing(const std::string& content) {
  std::string body;
  std::array<char, 18> line;
  constexpr std::size_t piece_bytes = 7;
  for (std::size_t at = 0; at < content.size(); at += piece_bytes) {
    const std::string piece = content.substr(at, piece_bytes);
    body.append(http::chunk_head(piece.size(), line)).append(piece).append(http::chunk_end);
  }
  body += http::last_chunk;
  const Decoded again = decode(body, {body.size()});
  must(again.last == Event::end && again.content == content && again.consumed == body.size(),
       "what is written in chunks is read again");
}

}  // namespace

void chunked_body(std::string_view input) {
  const Decoded whole = decode(input, {input.size()});
  const auto expected = read_plain_body(input, PlainFraming::chunked, 0);
  const bool acceptable = expected && is_within_limits(input.substr(0, expected->bytes));
  must((whole.last == Event::end) == acceptable,
       "a body is whole when a strict reader finds it whole, and only then");
  if (acceptable) {
    must(whole.content == expected->content, "the content is what a strict reader sees");
    must(whole.consumed == expected->bytes, "the end is where a strict reader sees it");
  }
  for (const Arrival& arrival : arrivals_of(input)) {
    const Decoded cut = decode(input, arrival);
    must(cut.last == whole.last && cut.error == whole.error, "the cut of the bytes makes no difference");
    must(cut.content == whole.content && cut.consumed == whole.consumed,
         "the cut of the bytes changes nothing in the content");
  }
  survives_writing(whole.content);
}

}  // namespace payg::fuzz
