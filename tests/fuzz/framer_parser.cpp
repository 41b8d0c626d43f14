// A whole stream through the framer and the parser: whatever it is cut into, the frames are the same; each frame that
// parses is one element, whose canonical bytes frame and parse to themselves.
//
// The first byte of the input chooses how the rest is cut.
#include "protocol/framer.hpp"
#include "protocol/namespaces.hpp"
#include "protocol/parser.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

using namespace xmpp;

namespace {

stream_limits limits() {
  auto out = stream_limits{};
  out.stanza_bytes_max = 10'000;
  out.depth_max = 16;
  return out;
}

parser& client() {
  static auto p = parser{ns::client, limits()};
  return p;
}

parser& server() {
  static auto p = parser{ns::server, limits()};
  return p;
}

void require(bool holds) {
  if (!holds)
    std::abort();
}

struct outcome {
  std::vector<std::string> frames; // With the kind before each.
  errc code = errc::none;
  friend bool operator==(const outcome&, const outcome&) = default;
};

outcome frame(std::string_view bytes, std::size_t piece_size) {
  auto out = outcome{};
  auto f = framer{limits()};
  for (; !bytes.empty(); bytes.remove_prefix(std::min(piece_size, bytes.size()))) {
    auto piece = std::string{bytes.substr(0, piece_size)};
    auto input = std::string_view{piece};
    while (true) {
      auto step = f.next(input);
      if (!step) {
        out.code = step.code();
        require(f.next(input).code() == out.code);
        require(f.buffered_bytes() == 0);
        return out;
      }
      if (!step->done)
        break;
      if (step->what != framer::kind::keepalive)
        out.frames.push_back(std::to_string(static_cast<int>(step->what)) + std::string{step->frame});
    }
    require(input.empty() && f.buffered_bytes() <= limits().stanza_bytes_max);
  }
  return out;
}

void walk(const element& e) {
  require(!e.name().empty() && e.bytes().substr(1).starts_with(e.name()));
  auto text = e.text();
  for (auto i = std::size_t{0}; i < e.attribute_count(); ++i) {
    auto a = e.attribute_at(i);
    require(e.attribute(a.name, a.ns) == a.value);
  }
  auto count = std::size_t{0};
  for (auto& child : e.children()) {
    walk(child);
    ++count;
  }
  require(count == e.child_count());
}

void check(std::string_view bytes, std::string_view declarations) {
  auto tree = client().parse(bytes, declarations);
  if (!tree)
    return;
  walk(*tree);
  // A root's own bytes leave its content namespace to the stream that they are written to.
  auto again = (tree->ns() == ns::server ? server() : client()).parse(tree->bytes());
  require(again && *again == *tree);
  auto framed = frame("<s>" + std::string{tree->bytes()}, 100'000);
  // Escapes may have made it longer than one may send.
  require(framed.code == errc::policy_violation ||
          (framed.frames.size() == 2 && framed.frames[1] == "1" + std::string{tree->bytes()}));
  auto copied = xml::builder{"parent", "urn:example:parent"}.child(*tree).finish().first_child();
  auto back = xml::builder{"parent", ns::client}.child(copied).finish();
  require(back == xml::builder{"parent", ns::client}.child(*tree).finish());
  walk(back);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0)
    return 0;
  auto bytes = std::string_view{reinterpret_cast<const char*>(data) + 1, size - 1};
  auto whole = frame(bytes, size);
  require(whole == frame(bytes, 1 + data[0] % 16));
  require(whole == frame(bytes, 1 + data[0]));
  auto declarations = std::string{};
  for (auto& framed : whole.frames) {
    auto kind = static_cast<framer::kind>(framed[0] - '0');
    auto content = std::string_view{framed}.substr(1);
    if (kind == framer::kind::stream_start) {
      if (auto header = client().parse_header(content))
        declarations = header->declarations;
    } else if (kind == framer::kind::element) {
      check(content, declarations);
      check(content, {});
    }
  }
  check(bytes, {}); // Unframed: whatever it takes, it takes whole.
  return 0;
}
