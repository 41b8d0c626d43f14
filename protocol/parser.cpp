// Xerces-C++ behind a small door. A parser keeps one progressive parse open: it has read a stream's start tag and is
// fed one element after another, which costs half of what a document for each would.
#include "protocol/parser.hpp"

#include "protocol/byte_scan.hpp"
#include "protocol/namespaces.hpp"
#include "protocol/xml_names.hpp"

#include <xercesc/framework/MemoryManager.hpp>
#include <xercesc/framework/XMLErrorCodes.hpp>
#include <xercesc/framework/XMLPScanToken.hpp>
#include <xercesc/parsers/SAX2XMLReaderImpl.hpp>
#include <xercesc/sax/InputSource.hpp>
#include <xercesc/sax/SAXException.hpp>
#include <xercesc/sax2/DefaultHandler.hpp>
#include <xercesc/util/BinInputStream.hpp>
#include <xercesc/util/OutOfMemoryException.hpp>
#include <xercesc/util/PlatformUtils.hpp>
#include <xercesc/util/XMLUni.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <new>
#include <optional>
#include <vector>

namespace xmpp {

namespace {

// Xerces keeps every element name, prefix and namespace it has seen for as long as a parse is open. So we watch what it
// holds, and begin anew past this: a stranger's made-up names neither fill memory nor lengthen its hash chains.
constexpr std::size_t growth_bytes_max = 256 * 1024;

// Prefixes in scope at one place are searched one after the other, for each prefixed name.
constexpr std::size_t prefixes_in_scope_max = 256;

class counting_memory final : public xercesc::MemoryManager {
public:
  std::size_t held_bytes() const noexcept { return held_bytes_; }

  xercesc::MemoryManager* getExceptionMemoryManager() override { return xercesc::XMLPlatformUtils::fgMemoryManager; }
  void* allocate(XMLSize_t size) override {
    auto block = static_cast<char*>(std::malloc(size + head_size));
    if (block == nullptr)
      throw xercesc::OutOfMemoryException{};
    std::memcpy(block, &size, sizeof(size));
    held_bytes_ += size;
    return block + head_size;
  }
  void deallocate(void* p) override {
    if (p == nullptr)
      return;
    auto block = static_cast<char*>(p) - head_size;
    auto size = XMLSize_t{};
    std::memcpy(&size, block, sizeof(size));
    held_bytes_ -= size;
    std::free(block);
  }

private:
  static constexpr std::size_t head_size = alignof(std::max_align_t);
  std::size_t held_bytes_ = 0;
};

// The bytes of one parse, piece by piece. Xerces asks for more only when it has used up what it has; so what it asked
// for tells how far it has read.
class feed {
public:
  void add(std::string_view piece) {
    if (!piece.empty())
      pieces_.at(end_++) = piece;
  }
  void clear() noexcept { next_ = end_ = 0; }
  bool is_used_up() const noexcept { return next_ == end_; }

  std::size_t read(XMLByte* to, std::size_t bytes_max) noexcept {
    if (next_ == end_)
      return 0;
    auto& piece = pieces_[next_];
    auto size = std::min(piece.size(), bytes_max);
    std::memcpy(to, piece.data(), size);
    piece.remove_prefix(size);
    if (piece.empty())
      ++next_;
    return size;
  }

private:
  std::array<std::string_view, 4> pieces_;
  std::size_t next_ = 0, end_ = 0;
};

class feed_stream final : public xercesc::BinInputStream {
public:
  explicit feed_stream(feed& from) : from_(from) {}
  XMLFilePos curPos() const override { return 0; }
  XMLSize_t readBytes(XMLByte* to, XMLSize_t bytes_max) override { return from_.read(to, bytes_max); }
  const XMLCh* getContentType() const override { return nullptr; }

private:
  feed& from_;
};

class feed_source final : public xercesc::InputSource {
public:
  feed_source(feed& from, xercesc::MemoryManager* memory) : InputSource(memory), from_(from) {
    setEncoding(xercesc::XMLUni::fgUTF8EncodingString);
  }
  // Xerces owns and deletes what it is given here.
  xercesc::BinInputStream* makeStream() const override { return new (getMemoryManager()) feed_stream(from_); }

private:
  feed& from_;
};

// UTF-16 becomes UTF-8 in memory that is kept from call to call.
class utf8_buffer {
public:
  /// Valid until the next call. `half` holds the first half of a pair whose second half comes with the next text.
  std::string_view convert(const XMLCh* text, std::size_t size, XMLCh& half) {
    auto needed = size * 3 + 1; // One more: the second half of a pair alone makes four bytes.
    if (capacity_ < needed || (capacity_ > kept_bytes_max && needed <= kept_bytes_max)) {
      capacity_ = std::max(needed, kept_bytes_max);
      bytes_ = std::make_unique_for_overwrite<char[]>(capacity_);
    }
    auto to = bytes_.get();
    auto end = text + size;
    while (text != end) {
      // GCC and Clang make vector code of this.
      for (auto any = 0; end - text >= 8; text += 8, to += 8) {
        for (auto i = 0; i < 8; ++i)
          any |= text[i];
        if (any >= 0x80)
          break;
        for (auto i = 0; i < 8; ++i)
          to[i] = static_cast<char>(text[i]);
      }
      while (text != end && *text < 0x80)
        *to++ = static_cast<char>(*text++);
      for (; text != end && *text >= 0x80; ++text)
        to = put(to, *text, half);
    }
    return {bytes_.get(), static_cast<std::size_t>(to - bytes_.get())};
  }
  std::string_view convert(const XMLCh* text) {
    auto half = XMLCh{0};
    return convert(text, xercesc::XMLString::stringLen(text), half);
  }

private:
  static constexpr std::size_t kept_bytes_max = 16 * 1024;

  static char* put(char* to, XMLCh unit, XMLCh& half) noexcept {
    auto add = [&](auto... bytes) { ((*to++ = static_cast<char>(bytes)), ...); };
    auto c = std::uint32_t{unit};
    if (c >= 0xD800 && c < 0xDC00) {
      half = unit;
    } else if (c >= 0xDC00 && c < 0xE000) {
      c = 0x10000 + ((std::uint32_t{half} & 0x3FF) << 10) + (c & 0x3FF);
      add(0xF0 | c >> 18, 0x80 | (c >> 12 & 0x3F), 0x80 | (c >> 6 & 0x3F), 0x80 | (c & 0x3F));
    } else if (c < 0x800) {
      add(0xC0 | c >> 6, 0x80 | (c & 0x3F));
    } else {
      add(0xE0 | c >> 12, 0x80 | (c >> 6 & 0x3F), 0x80 | (c & 0x3F));
    }
    return to;
  }

  std::unique_ptr<char[]> bytes_;
  std::size_t capacity_ = 0;
};

bool is(const XMLCh* text, std::string_view ascii) {
  for (auto c : ascii)
    if (*text++ != static_cast<unsigned char>(c))
      return false;
  return *text == 0;
}

bool is_default_declaration(const xercesc::XMLAttr& a) {
  return *a.getPrefix() == 0 && is(a.getName(), "xmlns");
}
bool is_prefix_declaration(const xercesc::XMLAttr& a) {
  return is(a.getPrefix(), "xmlns");
}

} // namespace

// -- one open parse --

namespace {

using attributes = xercesc::RefVectorOf<xercesc::XMLAttr>;

// The events of the scanner arrive here directly; SAX handlers would make lists of attributes and prefixes anew.
class open_parse final : private xercesc::SAX2XMLReaderImpl {
public:
  open_parse(std::string_view content_ns, const stream_limits& limits, counting_memory& memory)
      : SAX2XMLReaderImpl(&memory), content_ns_(content_ns), limits_(limits), source_(feed_, &memory) {
    using xercesc::XMLUni;
    setProperty(XMLUni::fgXercesScannerName, const_cast<XMLCh*>(XMLUni::fgWFXMLScanner));
    auto low_water_mark = XMLSize_t{0}; // Else it waits for more than the element it has.
    setProperty(XMLUni::fgXercesLowWaterMark, &low_water_mark);
    setFeature(XMLUni::fgSAX2CoreNameSpaces, true);
    setFeature(XMLUni::fgSAX2CoreValidation, false);
    setFeature(XMLUni::fgXercesSchema, false);
    setFeature(XMLUni::fgXercesLoadExternalDTD, false);
    setFeature(XMLUni::fgXercesDisableDefaultEntityResolution, true);
    setFeature(XMLUni::fgXercesSkipDTDValidation, true);
    setFeature(XMLUni::fgXercesCalculateSrcOfs, false);
    setExitOnFirstFatalError(true);
    // Only with some handler does the scanner call us at all; what these would do, we override.
    setContentHandler(&unused_);
    setErrorHandler(&unused_);

    root_ = "<stream:stream xmlns:stream='";
    xml::append_escaped(root_, ns::stream);
    root_.append("' xmlns='");
    xml::append_escaped(root_, content_ns);
    root_.append("'>");
    phase_ = phase::preamble;
    feed_.add(root_);
    if (parseFirst(source_, token_))
      run_until([this] { return phase_ == phase::ready; });
    if (phase_ != phase::ready)
      fail(errc::internal_server_error);
  }

  result<element> parse_element(std::string_view frame, std::string_view wrapper) {
    if (phase_ == phase::failed)
      return failure();
    feed_.clear();
    if (!wrapper.empty()) {
      phase_ = phase::preamble;
      feed_.add(wrapper);
      run_until([this] { return phase_ == phase::ready; });
    }
    feed_whole(frame);
    bytes_max_ = limits_.canonical_bytes_max(frame.size());
    if (phase_ == phase::ready)
      phase_ = phase::element_start;
    run_until([this] { return phase_ == phase::ended; });
    if (phase_ != phase::ended)
      return failure();
    if (!feed_.is_used_up())
      return errc::not_well_formed; // More than one element.
    auto tree = builder_->finish();
    builder_.reset();
    if (!wrapper.empty()) {
      feed_.add("</w>");
      run_until([this] { return phase_ == phase::ready; });
      if (phase_ != phase::ready)
        return failure();
    }
    phase_ = phase::ready;
    return tree;
  }

  result<stream_header> parse_header(std::string_view start_tag) {
    if (phase_ == phase::failed)
      return failure();
    feed_.clear();
    feed_whole(start_tag);
    header_ = {};
    phase_ = phase::header_start;
    run_until([this] { return phase_ == phase::ended; });
    if (phase_ != phase::ended)
      return failure();
    if (!feed_.is_used_up())
      return errc::not_well_formed;
    feed_.add(end_tag_);
    run_until([this] { return phase_ == phase::ready; });
    if (phase_ != phase::ready)
      return failure();
    return std::move(header_);
  }

private:
  enum class phase : std::uint8_t {
    preamble,      // Before the start tag of a root or wrapper of ours.
    ready,         // Between elements.
    element_start, // Before the start tag of an element.
    in_element,    //
    header_start,  // Before a stream's start tag.
    ended,         // The element, or the stream's start tag, is complete; a wrapper may be open.
    failed,
  };

  // The last byte alone: Xerces has read all before it when it asks for it, and can't have read more than it then.
  void feed_whole(std::string_view frame) {
    feed_.add(frame.substr(0, frame.size() - 1));
    feed_.add(frame.substr(frame.size() - 1));
  }

  template <class Done>
  void run_until(Done done) {
    while (!done() && phase_ != phase::failed)
      if (!parseNext(token_))
        fail(errc::not_well_formed);
  }

  void fail(errc code) noexcept {
    if (phase_ != phase::failed)
      failure_ = code;
    phase_ = phase::failed;
  }
  errc failure() const noexcept { return phase_ == phase::failed ? failure_ : errc::not_well_formed; }

  const std::string& uri(unsigned int id) {
    if (id >= uris_.size())
      uris_.resize(id + 1);
    if (!uris_[id])
      uris_[id].emplace(text_.convert(getURIText(id)));
    return *uris_[id];
  }

  void check_size() noexcept {
    if (builder_->bytes_count() > bytes_max_)
      fail(errc::policy_violation);
  }

  // Of an element, attribute or prefix.
  std::string_view local_name(const XMLCh* text) {
    auto name = name_.convert(text);
    auto size = xercesc::XMLString::stringLen(text);
    if (name.size() != size && !xml::is_common_name({text, size}))
      fail(errc::not_well_formed);
    return name;
  }

  bool accepts_declarations(const attributes& list, std::size_t count);
  void start_header(const xercesc::XMLElementDecl& declared, const XMLCh* prefix, const attributes& list,
                    std::size_t count);

  // -- what the scanner calls --

  void startElement(const xercesc::XMLElementDecl& declared, const unsigned int uri_id, const XMLCh* const prefix,
                    const attributes& list, const XMLSize_t count, const bool is_empty, const bool) override;
  void endElement(const xercesc::XMLElementDecl&, const unsigned int, const bool, const XMLCh* const) override {
    end_element();
  }
  void docCharacters(const XMLCh* const text, const XMLSize_t size, const bool) override {
    if (phase_ != phase::in_element)
      return fail(errc::not_well_formed);
    builder_->text(text_.convert(text, size, half_));
    check_size();
  }
  void ignorableWhitespace(const XMLCh* const text, const XMLSize_t size, const bool) override {
    docCharacters(text, size, false);
  }
  void docComment(const XMLCh* const) override { fail(errc::restricted_xml); }
  void docPI(const XMLCh* const, const XMLCh* const) override { fail(errc::restricted_xml); }
  void startEntityReference(const xercesc::XMLEntityDecl&) override { fail(errc::restricted_xml); }
  void doctypeDecl(const xercesc::DTDElementDecl&, const XMLCh* const, const XMLCh* const, const bool,
                   const bool) override {
    fail(errc::restricted_xml);
  }
  void error(const unsigned int code, const XMLCh* const domain, const xercesc::XMLErrorReporter::ErrTypes type,
             const XMLCh* const, const XMLCh* const, const XMLCh* const, const XMLFileLoc, const XMLFileLoc) override {
    if (type == ErrType_Warning)
      return;
    auto is_ours = domain == xercesc::XMLUni::fgXMLErrDomain;
    if (is_ours && code == xercesc::XMLErrs::UnknownPrefix)
      fail(errc::bad_namespace_prefix);
    else if (is_ours && code == xercesc::XMLErrs::EntityNotFound)
      fail(errc::restricted_xml);
    else
      fail(errc::not_well_formed);
  }

  void end_element() {
    if (phase_ == phase::in_element) {
      prefixes_in_scope_ -= scopes_.back();
      scopes_.pop_back();
      builder_->close();
      if (builder_->depth() == 0)
        phase_ = phase::ended;
    } else if (phase_ == phase::ended) {
      phase_ = phase::ready; // A wrapper, or what closes a stream's start tag.
    } else {
      fail(errc::not_well_formed); // `</stream:stream>` or the like inside a frame
    }
  }

  const std::string_view content_ns_;
  const stream_limits& limits_;
  xercesc::DefaultHandler unused_;
  feed feed_;
  feed_source source_;
  xercesc::XMLPScanToken token_;
  phase phase_ = phase::preamble;
  errc failure_ = errc::none;

  std::optional<xml::builder> builder_;
  std::size_t bytes_max_ = 0; // Of what it builds.
  XMLCh half_ = 0;
  std::vector<std::uint32_t> scopes_; // Of each open element: the prefixes it declares.
  std::size_t prefixes_in_scope_ = 0;

  stream_header header_;
  std::string root_, end_tag_;
  utf8_buffer text_, name_;
  std::vector<std::optional<std::string>> uris_; // As UTF-8, by Xerces' number.
};

// What Namespaces in XML 1.0, 3 reserves and Xerces lets pass; and our limits.
bool open_parse::accepts_declarations(const attributes& list, std::size_t count) {
  auto declarations = std::size_t{0};
  auto prefixes = std::uint32_t{0};
  for (auto i = std::size_t{0}; i < count; ++i) {
    auto& a = *list.elementAt(i);
    if (is_prefix_declaration(a)) {
      ++prefixes;
      ++declarations;
      local_name(a.getName());
      if (is(a.getValue(), ns::xml) ? !is(a.getName(), "xml") : is(a.getValue(), "http://www.w3.org/2000/xmlns/")) {
        fail(errc::not_well_formed);
        return false;
      }
    } else if (is_default_declaration(a)) {
      ++declarations;
    }
  }
  if (phase_ == phase::failed)
    return false;
  prefixes_in_scope_ += prefixes;
  scopes_.push_back(prefixes);
  if (declarations > limits_.namespaces_max || count - declarations > limits_.attributes_max ||
      prefixes_in_scope_ > prefixes_in_scope_max) {
    fail(errc::policy_violation);
    return false;
  }
  return true;
}

void open_parse::startElement(const xercesc::XMLElementDecl& declared, const unsigned int uri_id,
                              const XMLCh* const prefix, const attributes& list, const XMLSize_t count,
                              const bool is_empty, const bool) {
  switch (phase_) {
  case phase::preamble:
    phase_ = phase::ready;
    return;
  case phase::header_start:
    if (is_empty)
      return fail(errc::bad_format);
    return start_header(declared, prefix, list, count);
  case phase::element_start:
    scopes_.clear();
    prefixes_in_scope_ = 0;
    half_ = 0;
    break;
  case phase::in_element:
    if (builder_->depth() >= limits_.depth_max || builder_->element_count() > limits_.children_max)
      return fail(errc::policy_violation);
    break;
  default:
    return fail(errc::not_well_formed);
  }
  if (!accepts_declarations(list, count))
    return;
  if (is(prefix, "xml"))
    return fail(errc::bad_namespace_prefix); // Well-formed, means nothing, and has no other form.
  auto name = local_name(declared.getBaseName());
  if (phase_ == phase::failed)
    return;
  if (phase_ == phase::in_element)
    builder_->open(name, uri(uri_id));
  else
    builder_.emplace(name, uri(uri_id));
  phase_ = phase::in_element;
  for (auto i = std::size_t{0}; i < count; ++i) {
    auto& a = *list.elementAt(i);
    if (is_prefix_declaration(a) || is_default_declaration(a))
      continue;
    auto ns = *a.getPrefix() == 0 ? std::string_view{} : uri(a.getURIId());
    builder_->attribute(local_name(a.getName()), ns, text_.convert(a.getValue()));
    check_size();
    if (phase_ == phase::failed)
      return;
  }
  check_size();
  if (is_empty)
    end_element();
}

// The root of ours declares prefixes that a peer's start tag must declare itself: its own prefixes are looked up here.
void open_parse::start_header(const xercesc::XMLElementDecl& declared, const XMLCh* prefix, const attributes& list,
                              std::size_t count) {
  scopes_.clear();
  prefixes_in_scope_ = 0;
  if (!accepts_declarations(list, count))
    return;
  auto declares = [&](const XMLCh* wanted) {
    for (auto i = std::size_t{0}; i < count; ++i)
      if (is_prefix_declaration(*list.elementAt(i)) && xercesc::XMLString::equals(list.elementAt(i)->getName(), wanted))
        return true;
    return is(wanted, "xml");
  };
  auto has_prefix = *prefix != 0;
  if (has_prefix && !declares(prefix))
    return fail(errc::bad_namespace_prefix);
  for (auto i = std::size_t{0}; i < count; ++i) {
    auto& a = *list.elementAt(i);
    auto value = text_.convert(a.getValue());
    if (is_default_declaration(a)) {
      header_.content_ns = value;
      if (!has_prefix)
        header_.ns = value;
    } else if (is_prefix_declaration(a)) {
      if (has_prefix && xercesc::XMLString::equals(a.getName(), prefix))
        header_.ns = value;
      auto name = local_name(a.getName());
      if (name == "xml" || (name == "stream" && value == ns::stream))
        continue;
      header_.declarations.append(" xmlns:").append(name).append("='");
      xml::append_escaped(header_.declarations, value);
      header_.declarations.append("'");
    } else if (*a.getPrefix() != 0) {
      if (!declares(a.getPrefix()))
        return fail(errc::bad_namespace_prefix);
      if (is(a.getPrefix(), "xml") && is(a.getName(), "lang"))
        header_.lang = value;
    } else {
      auto name = local_name(a.getName());
      if (name == "to")
        header_.to = value;
      else if (name == "from")
        header_.from = value;
      else if (name == "id")
        header_.id = value;
      else if (name == "version")
        header_.version = value;
    }
  }
  if (header_.content_ns != content_ns_) {
    header_.declarations.append(" xmlns='");
    xml::append_escaped(header_.declarations, header_.content_ns);
    header_.declarations.append("'");
  }
  header_.name = local_name(declared.getBaseName());
  end_tag_.assign("</").append(name_.convert(declared.getFullName())).append(">");
  if (phase_ != phase::failed)
    phase_ = phase::ended;
}

} // namespace

// -- parser --

struct parser::impl {
  std::string content_ns;
  stream_limits limits;
  counting_memory memory;
  std::optional<open_parse> open;
  std::size_t held_bytes_at_start = 0;
  std::string wrapper;

  open_parse& opened() {
    if (!open || memory.held_bytes() > held_bytes_at_start + growth_bytes_max) {
      open.reset();
      open.emplace(content_ns, limits, memory);
      held_bytes_at_start = memory.held_bytes();
    }
    return *open;
  }

  // After a failure Xerces is in the middle of something: it goes, and the next call makes a new one.
  template <class Call>
  auto attempt(Call call) -> decltype(call(*open)) {
    try {
      auto outcome = call(opened());
      if (!outcome)
        open.reset();
      return outcome;
    } catch (const xercesc::OutOfMemoryException&) {
      open.reset();
      throw std::bad_alloc{};
    } catch (const xercesc::XMLException&) {
      open.reset();
      return errc::not_well_formed;
    } catch (const xercesc::SAXException&) {
      open.reset();
      return errc::not_well_formed;
    } catch (...) {
      open.reset();
      throw;
    }
  }
};

parser::parser(std::string_view content_ns, const stream_limits& limits) : impl_(std::make_unique<impl>()) {
  initialize_xml();
  impl_->content_ns = content_ns;
  impl_->limits = limits;
}

parser::~parser() = default;

namespace {

bool looks_like_markup(std::string_view frame) {
  if (frame.size() < 3 || frame.front() != '<' || frame.back() != '>')
    return false;
  // Xerces drops what begins with F5 to F7 where it should refuse it.
  auto end = frame.data() + frame.size();
  return std::none_of(find_stop<0>(frame.data(), end), end,
                      [](char c) { return static_cast<unsigned char>(c) > 0xF4; });
}

} // namespace

result<stream_header> parser::parse_header(std::string_view start_tag) {
  if (!looks_like_markup(start_tag))
    return errc::not_well_formed;
  return impl_->attempt([&](open_parse& p) { return p.parse_header(start_tag); });
}

result<element> parser::parse(std::string_view frame, std::string_view declarations) {
  if (!looks_like_markup(frame))
    return errc::not_well_formed;
  if (!declarations.empty())
    impl_->wrapper.assign("<w").append(declarations).append(">");
  return impl_->attempt([&](open_parse& p) {
    return p.parse_element(frame, declarations.empty() ? std::string_view{} : std::string_view{impl_->wrapper});
  });
}

void initialize_xml() {
  static auto once = std::once_flag{};
  std::call_once(once, [] {
    // A document type never reaches Xerces, the framer and an element's place in the stream see to that; this is the
    // second lock on that door.
    ::setenv("XERCES_DISABLE_DTD", "1", 1);
    xercesc::XMLPlatformUtils::Initialize();
  });
}

} // namespace xmpp
