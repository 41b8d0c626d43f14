#include "protocol/framer.hpp"

#include "protocol/byte_scan.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <new>
#include <optional>

namespace xmpp {

static_assert(sizeof(framer) <= 64, "every connection has one");

namespace {

// Longer than any real one; RFC 6120 sets no bound.
constexpr std::uint32_t declaration_bytes_max = 256;

enum byte_class : std::uint8_t { starts_name = 1, continues_name = 2, space = 4 };

constexpr auto byte_classes = [] {
  auto classes = std::array<std::uint8_t, 256>{};
  auto add = [&](std::string_view bytes, int added) {
    for (auto c : bytes)
      classes[static_cast<unsigned char>(c)] |= static_cast<std::uint8_t>(added);
  };
  add(" \t\r\n", space);
  add("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_:", starts_name | continues_name);
  add("0123456789-.", continues_name);
  for (auto i = 0x80u; i < 0x100; ++i)
    classes[i] = starts_name | continues_name;
  return classes;
}();

bool is_in(char c, int classes) {
  return (byte_classes[static_cast<unsigned char>(c)] & classes) != 0;
}

const char* skip_spaces(const char* p, const char* end) {
  while (p != end && is_in(*p, space))
    ++p;
  return p;
}

bool equals_ignoring_case(std::string_view a, std::string_view lower) {
  auto lowered = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; };
  return std::equal(a.begin(), a.end(), lower.begin(), lower.end(), [&](char x, char y) { return lowered(x) == y; });
}

// Takes ` name = 'value'` from the front of `text`, if it is there.
std::optional<std::string_view> take_pseudo_attribute(std::string_view& text, std::string_view name) {
  auto end = text.data() + text.size();
  auto p = skip_spaces(text.data(), end);
  auto rest = std::string_view{p, static_cast<std::size_t>(end - p)};
  if (p == text.data() || !rest.starts_with(name))
    return std::nullopt;
  p = skip_spaces(p + name.size(), end);
  if (p == end || *p != '=')
    return std::nullopt;
  p = skip_spaces(p + 1, end);
  if (p == end || (*p != '\'' && *p != '"'))
    return std::nullopt;
  auto close = std::find(p + 1, end, *p);
  if (close == end)
    return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(close + 1 - text.data()));
  return std::string_view{p + 1, static_cast<std::size_t>(close - p - 1)};
}

// `declaration` is all from `<?xml` to `?>`.
errc judge_declaration(std::string_view declaration) {
  auto text = declaration.substr(5, declaration.size() - 7);
  auto version = take_pseudo_attribute(text, "version");
  if (!version || version != "1.0")
    return errc::not_well_formed;
  auto encoding = take_pseudo_attribute(text, "encoding");
  if (encoding && !equals_ignoring_case(*encoding, "utf-8"))
    return errc::unsupported_encoding; // RFC 6120, 11.6
  auto standalone = take_pseudo_attribute(text, "standalone");
  if (standalone && standalone != "yes" && standalone != "no")
    return errc::not_well_formed;
  return skip_spaces(text.data(), text.data() + text.size()) == text.data() + text.size() ? errc::none
                                                                                          : errc::not_well_formed;
}

std::uint32_t clamp(std::size_t n) {
  return static_cast<std::uint32_t>(std::min<std::size_t>(n, std::numeric_limits<std::int32_t>::max()));
}

} // namespace

framer::framer(const stream_limits& limits) noexcept
    : stanza_bytes_max_(clamp(limits.stanza_bytes_max)), depth_max_(clamp(limits.depth_max)),
      attributes_max_(clamp(limits.attributes_max + limits.namespaces_max)) {}

result<framer::step> framer::next(std::string_view& input) {
  if (failure_ != errc::none)
    return failure_;
  if (delivered_)
    release();
  while (true) {
    if (state_ == state::between) {
      auto end = input.data() + input.size();
      auto p = skip_spaces(input.data(), end);
      auto spaces = static_cast<std::size_t>(p - input.data());
      input.remove_prefix(spaces);
      if (spaces != 0 && phase_ == phase::first_byte)
        phase_ = phase::prolog;
      if (p == end)
        return step{spaces != 0 && phase_ == phase::content, kind::keepalive, {}};
      if (*p != '<' || phase_ == phase::ended)
        return fail_between(static_cast<unsigned char>(*p));
    }
    auto room = std::max(stanza_bytes_max_, size_) - size_;
    auto usable = input.substr(0, room);
    auto end = scan(usable.data(), usable.data() + usable.size());
    if (failure_ != errc::none)
      return failure_;
    auto scanned = input.substr(0, static_cast<std::size_t>(end - usable.data()));
    if (state_ != state::complete) {
      if (usable.size() < input.size()) {
        fail(errc::policy_violation);
        return failure_;
      }
      keep(scanned);
      input.remove_prefix(scanned.size());
      return step{};
    }
    auto frame = scanned;
    if (size_ != 0) {
      keep(scanned);
      frame = {memory_.get(), size_};
    }
    input.remove_prefix(scanned.size());
    state_ = state::between;
    if (phase_ != phase::first_byte) {
      delivered_ = size_ != 0;
      return step{true, kind_, frame};
    }
    phase_ = phase::prolog;
    if (auto code = judge_declaration(frame); code != errc::none) {
      fail(code);
      return code;
    }
    release();
  }
}

void framer::restart() noexcept {
  release();
  depth_ = 0;
  continuations_ = 0;
  quote_ = 0;
  phase_ = phase::first_byte;
  state_ = state::between;
}

void framer::set_stanza_bytes_max(std::size_t bytes) noexcept {
  stanza_bytes_max_ = clamp(bytes);
}

std::size_t framer::buffered_bytes() const noexcept {
  return delivered_ ? 0 : size_;
}

// -- one step of the scanner each: from where it is in `state_` to where that changes or the bytes end --

const char* framer::scan(const char* p, const char* end) noexcept {
  if (continuations_ != 0)
    p = scan_multibyte(p, end);
  while (p != end && state_ != state::complete) {
    switch (state_) {
    case state::between:
      ++p;
      state_ = state::markup;
      break;
    case state::markup:
      p = scan_markup(p);
      break;
    case state::name:
      p = scan_name(p, end);
      break;
    case state::start_tag:
      p = scan_start_tag(p, end);
      break;
    case state::empty_tag:
      p = scan_empty_tag(p);
      break;
    case state::value:
      p = scan_value(p, end);
      break;
    case state::text:
      p = scan_text(p, end);
      break;
    case state::reference:
      p = scan_reference(p);
      break;
    case state::bang:
      p = scan_bang(p);
      break;
    case state::cdata:
      p = scan_cdata(p, end);
      break;
    case state::end_tag:
      p = scan_end_tag(p, end);
      break;
    case state::declaration:
      p = scan_declaration(p, end);
      break;
    case state::complete:
      break;
    }
  }
  return p;
}

const char* framer::scan_markup(const char* p) noexcept {
  auto in_stream = phase_ == phase::content;
  if (is_in(*p, starts_name)) {
    if (in_stream && depth_ == depth_max_)
      fail(errc::policy_violation);
    else
      state_ = in_stream && depth_ == 0 ? state::name : state::start_tag;
    attributes_ = 0;
    matched_ = 0;
    return p; // It may begin a UTF-8 sequence.
  }
  if (*p == '/' && in_stream) {
    state_ = state::end_tag;
  } else if (*p == '!' && depth_ > 0) {
    state_ = state::bang;
    matched_ = 0;
  } else if (*p == '?' && phase_ == phase::first_byte) {
    state_ = state::declaration;
    matched_ = 0;
    attributes_ = 0;
  } else if (*p == '!' || *p == '?') {
    fail(errc::restricted_xml);
  } else if (*p == '\0' && phase_ == phase::first_byte) {
    fail(errc::unsupported_encoding); // UTF-16
  } else {
    fail(errc::not_well_formed);
  }
  return p + 1;
}

// `matched_` counts the letters of `stream`, whatever the prefix.
const char* framer::scan_name(const char* p, const char* end) noexcept {
  constexpr auto header = std::string_view{"stream"};
  constexpr auto other = static_cast<std::uint8_t>(header.size() + 1);
  for (; p != end && is_in(*p, continues_name); ++p) {
    if (static_cast<unsigned char>(*p) >= 0x80) {
      matched_ = other;
      return scan_multibyte(p, end);
    }
    if (*p == ':')
      matched_ = 0;
    else if (matched_ < header.size() && *p == header[matched_])
      ++matched_;
    else
      matched_ = other;
  }
  if (p != end && matched_ == header.size())
    fail(errc::unsupported_stanza_type);
  else if (p != end)
    state_ = state::start_tag;
  return p;
}

const char* framer::scan_start_tag(const char* p, const char* end) noexcept {
  p = find_stop<0, '>', '/', '\'', '"', '<', '&'>(p, end);
  if (p == end)
    return p;
  switch (*p) {
  case '>':
    if (phase_ == phase::content) {
      ++depth_;
      state_ = state::text;
    } else {
      phase_ = phase::content;
      complete(kind::stream_start);
    }
    return p + 1;
  case '/':
    state_ = state::empty_tag;
    return p + 1;
  case '\'':
  case '"':
    if (attributes_++ == attributes_max_)
      fail(errc::policy_violation);
    quote_ = *p;
    state_ = failure_ == errc::none ? state::value : state::complete;
    return p + 1;
  case '<':
  case '&':
    fail(errc::not_well_formed);
    return p;
  default:
    return scan_multibyte(p, end);
  }
}

const char* framer::scan_empty_tag(const char* p) noexcept {
  if (*p != '>') {
    fail(errc::not_well_formed);
  } else if (phase_ != phase::content) {
    fail(errc::bad_format);
  } else {
    ++depth_;
    end_element();
  }
  return p + 1;
}

const char* framer::scan_value(const char* p, const char* end) noexcept {
  p = find_stop<0, '<', '&', '\'', '"'>(p, end);
  if (p == end)
    return p;
  if (*p == quote_) {
    quote_ = 0;
    state_ = state::start_tag;
    return p + 1;
  }
  if (*p == '&') {
    state_ = state::reference;
    matched_ = 0;
    return p + 1;
  }
  if (*p == '<') {
    fail(errc::not_well_formed);
    return p;
  }
  return *p == '\'' || *p == '"' ? p + 1 : scan_multibyte(p, end);
}

const char* framer::scan_text(const char* p, const char* end) noexcept {
  p = find_stop<0, '<', '&'>(p, end);
  if (p == end)
    return p;
  if (*p == '<') {
    state_ = state::markup;
    return p + 1;
  }
  if (*p == '&') {
    state_ = state::reference;
    matched_ = 0;
    return p + 1;
  }
  return scan_multibyte(p, end);
}

const char* framer::scan_reference(const char* p) noexcept {
  // Letters of a name matched so far: 0 to 4; or one of these.
  enum : std::uint8_t { number = 5, digits, hexadecimal, hexadecimal_digits };
  auto c = *p;
  auto ends = c == ';';
  auto is_digit = c >= '0' && c <= '9';
  if (matched_ >= number) {
    auto is_hexadecimal = matched_ >= hexadecimal;
    if (matched_ == number && c == 'x')
      matched_ = hexadecimal;
    else if (is_digit || (is_hexadecimal && ((c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'))))
      matched_ = is_hexadecimal ? hexadecimal_digits : digits;
    else if (ends && (matched_ == digits || matched_ == hexadecimal_digits))
      state_ = quote_ != 0 ? state::value : state::text;
    else
      fail(errc::not_well_formed);
    return p + 1;
  }
  if (matched_ == 0 && c == '#') {
    matched_ = number;
    return p + 1;
  }
  auto so_far = std::string_view{reference_, matched_};
  for (auto known : {"amp;", "lt;", "gt;", "apos;", "quot;"}) {
    auto name = std::string_view{known};
    if (!name.starts_with(so_far) || name[matched_] != c)
      continue;
    if (ends)
      state_ = quote_ != 0 ? state::value : state::text;
    else
      reference_[matched_++] = c;
    return p + 1;
  }
  auto is_name = is_in(c, matched_ == 0 ? starts_name : continues_name) || (ends && matched_ > 0);
  fail(is_name ? errc::restricted_xml : errc::not_well_formed);
  return p + 1;
}

const char* framer::scan_bang(const char* p) noexcept {
  constexpr auto expected = std::string_view{"[CDATA["};
  if (*p != expected[matched_]) {
    fail(errc::restricted_xml);
  } else if (++matched_ == expected.size()) {
    state_ = state::cdata;
    matched_ = 0;
  }
  return p + 1;
}

const char* framer::scan_cdata(const char* p, const char* end) noexcept {
  // `matched_` counts the `]` just seen, up to 2.
  if (matched_ == 2 && *p == '>') {
    state_ = state::text;
    return p + 1;
  }
  if (*p == ']') {
    matched_ = matched_ == 0 ? 1 : 2;
    return p + 1;
  }
  matched_ = 0;
  p = find_stop<0, ']'>(p, end);
  return p == end || *p == ']' ? p : scan_multibyte(p, end);
}

const char* framer::scan_end_tag(const char* p, const char* end) noexcept {
  p = find_stop<0, '>', '<'>(p, end);
  if (p == end)
    return p;
  if (*p == '>') {
    if (depth_ > 0) {
      end_element();
    } else {
      phase_ = phase::ended;
      complete(kind::stream_end);
    }
    return p + 1;
  }
  if (*p == '<') {
    fail(errc::not_well_formed);
    return p;
  }
  return scan_multibyte(p, end);
}

const char* framer::scan_declaration(const char* p, const char* end) noexcept {
  constexpr auto name = std::string_view{"xml"};
  constexpr auto after_name = name.size() + 1;
  for (; p != end; ++p) {
    if (attributes_++ == declaration_bytes_max) {
      fail(errc::policy_violation);
      return p;
    }
    auto ends = matched_ > after_name;
    if (matched_ < name.size() ? *p != name[matched_] : matched_ == name.size() && !is_in(*p, space)) {
      fail(errc::restricted_xml); // Some other processing instruction.
      return p;
    }
    if ((ends && *p != '>') || *p == '<' || static_cast<unsigned char>(*p) >= 0x80) {
      fail(errc::not_well_formed);
      return p;
    }
    if (ends) {
      state_ = state::complete;
      return p + 1;
    }
    if (matched_ < after_name || *p == '?')
      ++matched_;
  }
  return p;
}

// At a byte of 0x80 or more, or in the middle of the sequence that one began (RFC 3629, 4).
const char* framer::scan_multibyte(const char* p, const char* end) noexcept {
  if (continuations_ == 0) {
    auto lead = static_cast<unsigned char>(*p);
    if (lead < 0xC2 || lead > 0xF4) {
      fail(errc::not_well_formed);
      return p;
    }
    continuations_ = lead < 0xE0 ? 1 : lead < 0xF0 ? 2 : 3;
    low_ = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    high_ = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    ++p;
  }
  for (; continuations_ != 0 && p != end; ++p, --continuations_) {
    auto c = static_cast<unsigned char>(*p);
    if (c < low_ || c > high_) {
      fail(errc::not_well_formed);
      return p;
    }
    low_ = 0x80;
    high_ = 0xBF;
  }
  return p;
}

// -- transitions --

void framer::end_element() noexcept {
  if (--depth_ == 0)
    complete(kind::element);
  else
    state_ = state::text;
}

void framer::complete(kind what) noexcept {
  kind_ = what;
  state_ = state::complete;
}

void framer::fail(errc code) noexcept {
  failure_ = code;
  state_ = state::complete; // Stops the scan.
  release();
}

errc framer::fail_between(unsigned char byte) noexcept {
  auto is_utf_16 = byte == 0x00 || byte == 0xFE || byte == 0xFF;
  if (phase_ == phase::first_byte && is_utf_16)
    fail(errc::unsupported_encoding);
  else // below a space there is no character of XML but white space
    fail(phase_ == phase::content && byte >= 0x20 ? errc::bad_format : errc::not_well_formed);
  return failure_;
}

void framer::keep(std::string_view bytes) {
  if (bytes.empty())
    return;
  if (bytes.size() > capacity_ - size_) {
    // Doubling bounds the copying; a peer that drips bytes gets no more than twice what it sent.
    auto capacity = std::max<std::size_t>(size_ + bytes.size(), std::size_t{capacity_} * 2);
    auto grown = static_cast<char*>(std::realloc(memory_.get(), capacity));
    if (grown == nullptr)
      throw std::bad_alloc{};
    static_cast<void>(memory_.release());
    memory_.reset(grown);
    capacity_ = static_cast<std::uint32_t>(capacity);
  }
  std::memcpy(memory_.get() + size_, bytes.data(), bytes.size());
  size_ += static_cast<std::uint32_t>(bytes.size());
}

void framer::release() noexcept {
  memory_.reset();
  size_ = capacity_ = 0;
  delivered_ = false;
}

} // namespace xmpp
