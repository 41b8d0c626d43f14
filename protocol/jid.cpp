#include "protocol/jid.hpp"

#include "protocol/limits.hpp"

#include <unicode/locid.h>
#include <unicode/normalizer2.h>
#include <unicode/uchar.h>
#include <unicode/uidna.h>
#include <unicode/unistr.h>
#include <unicode/uscript.h>
#include <unicode/usprep.h>
#include <unicode/ustring.h>

#include <arpa/inet.h>
#include <array>
#include <cstring>
#include <new>
#include <optional>

namespace xmpp {

namespace {

// -- the fast path: ASCII that is prepared already --

enum : std::uint8_t { in_local = 1, in_domain = 2, in_resource = 4 };

/// Where an ASCII byte may stand and be its own prepared form.
constexpr auto places = [] {
  auto table = std::array<std::uint8_t, 256>{};
  for (int c = 0x20; c <= 0x7e; ++c)
    table[c] = in_resource;
  for (int c = 0x21; c <= 0x7e; ++c)
    if (!(c >= 'A' && c <= 'Z'))
      table[c] |= in_local;
  for (char c : {'"', '&', '\'', '/', ':', '<', '>', '@'}) // RFC 7622, 3.3.1
    table[static_cast<unsigned char>(c)] &= static_cast<std::uint8_t>(~in_local);
  for (int c = 'a'; c <= 'z'; ++c)
    table[c] |= in_domain;
  for (int c = '0'; c <= '9'; ++c)
    table[c] |= in_domain;
  table['-'] |= in_domain;
  table['.'] |= in_domain;
  return table;
}();

bool all_in(std::string_view text, std::uint8_t place) noexcept {
  auto common = place;
  for (unsigned char c : text)
    common &= places[c];
  return common != 0;
}

bool fits(std::string_view part) noexcept {
  return !part.empty() && part.size() <= jid_part_bytes_max;
}

bool is_prepared_local(std::string_view text) noexcept {
  return fits(text) && all_in(text, in_local);
}

bool is_prepared_resource(std::string_view text) noexcept {
  return fits(text) && all_in(text, in_resource);
}

/// Labels of letters, digits and inner hyphens, none of which could be an A-label (RFC 5890, 2.3.1).
bool is_prepared_domain(std::string_view text) noexcept {
  if (!fits(text) || !all_in(text, in_domain))
    return false;
  for (auto rest = text;;) {
    const auto dot = rest.find('.');
    const auto label = rest.substr(0, dot);
    if (label.empty() || label.size() > 63 || label.front() == '-' || label.back() == '-' ||
        (label.size() > 3 && label[2] == '-' && label[3] == '-'))
      return false;
    if (dot == std::string_view::npos)
      return true;
    rest.remove_prefix(dot + 1);
  }
}

std::string in_lower_case(std::string_view text) {
  auto lower = std::string{text};
  for (auto& c : lower)
    if (c >= 'A' && c <= 'Z')
      c = static_cast<char>(c - 'A' + 'a');
  return lower;
}

// -- PRECIS (RFC 8264) --

using text16 = icu::UnicodeString;

/// Longer input can't shrink to a legal part (the densest composition is eight bytes to three): refused unread.
constexpr auto unprepared_bytes_max = 4 * jid_part_bytes_max;

std::optional<text16> from_utf8(std::string_view text) {
  auto wide = text16{};
  auto failure = U_ZERO_ERROR;
  auto used = std::int32_t{0};
  const auto capacity = static_cast<std::int32_t>(text.size()) + 1;
  auto* buffer = wide.getBuffer(capacity);
  if (!buffer)
    return std::nullopt;
  u_strFromUTF8(buffer, capacity, &used, text.data(), static_cast<std::int32_t>(text.size()), &failure);
  wide.releaseBuffer(U_SUCCESS(failure) ? used : 0);
  if (U_FAILURE(failure))
    return std::nullopt;
  return wide;
}

std::string to_utf8(const text16& text) {
  auto narrow = std::string{};
  text.toUTF8String(narrow);
  return narrow;
}

bool is_arabic_indic(UChar32 c) noexcept {
  return c >= 0x0660 && c <= 0x0669;
}
bool is_extended_arabic_indic(UChar32 c) noexcept {
  return c >= 0x06f0 && c <= 0x06f9;
}

enum class property : std::uint8_t { valid, context, free_only, disallowed };

/// RFC 8264, 9.6; the list is that of RFC 5892, 2.6.
std::optional<property> exception(UChar32 c) noexcept {
  switch (c) {
  case 0x00df:
  case 0x03c2:
  case 0x06fd:
  case 0x06fe:
  case 0x0f0b:
  case 0x3007:
    return property::valid;
  case 0x00b7:
  case 0x0375:
  case 0x05f3:
  case 0x05f4:
  case 0x30fb:
    return property::context;
  case 0x0640:
  case 0x07fa:
  case 0x302e:
  case 0x302f:
  case 0x303b:
  case 0x3031:
  case 0x3032:
  case 0x3033:
  case 0x3034:
  case 0x3035:
    return property::disallowed;
  default:
    if (is_arabic_indic(c) || is_extended_arabic_indic(c))
      return property::context;
    return std::nullopt;
  }
}

bool is_letter_digit(UChar32 c) noexcept { // RFC 8264, 9.1
  return (U_GET_GC_MASK(c) & (U_GC_LL_MASK | U_GC_LU_MASK | U_GC_LO_MASK | U_GC_ND_MASK | U_GC_LM_MASK | U_GC_MN_MASK |
                              U_GC_MC_MASK)) != 0;
}

bool is_old_hangul_jamo(UChar32 c) noexcept { // RFC 8264, 9.9
  const auto kind = u_getIntPropertyValue(c, UCHAR_HANGUL_SYLLABLE_TYPE);
  return kind == U_HST_LEADING_JAMO || kind == U_HST_VOWEL_JAMO || kind == U_HST_TRAILING_JAMO;
}

bool is_noncharacter(UChar32 c) noexcept {
  return u_hasBinaryProperty(c, UCHAR_NONCHARACTER_CODE_POINT);
}

bool is_unassigned(UChar32 c) noexcept {
  return u_charType(c) == U_UNASSIGNED && !is_noncharacter(c);
}

/// RFC 8264, 8: the order of the questions is the algorithm. BackwardCompatible is empty so far (9.7), and an
/// unassigned code point is refused like a disallowed one.
property derive(UChar32 c) noexcept {
  if (auto listed = exception(c))
    return *listed;
  if (is_unassigned(c))
    return property::disallowed;
  if (c >= 0x21 && c <= 0x7e)
    return property::valid;
  if (u_hasBinaryProperty(c, UCHAR_JOIN_CONTROL))
    return property::context;
  if (is_old_hangul_jamo(c) || u_hasBinaryProperty(c, UCHAR_DEFAULT_IGNORABLE_CODE_POINT) || is_noncharacter(c) ||
      u_charType(c) == U_CONTROL_CHAR)
    return property::disallowed;
  // Of one code point alone the quick check is exact: "no" means that NFKC changes it.
  if (u_getIntPropertyValue(c, UCHAR_NFKC_QUICK_CHECK) == UNORM_NO)
    return property::free_only;
  if (is_letter_digit(c))
    return property::valid;
  constexpr auto free_categories =
      U_GC_LT_MASK | U_GC_NL_MASK | U_GC_NO_MASK | U_GC_ME_MASK | U_GC_ZS_MASK | U_GC_S_MASK | U_GC_P_MASK;
  return (U_GET_GC_MASK(c) & free_categories) != 0 ? property::free_only : property::disallowed;
}

UChar32 before(const text16& text, std::int32_t at) {
  return at > 0 ? text.char32At(text.moveIndex32(at, -1)) : U_SENTINEL;
}

UChar32 after(const text16& text, std::int32_t at) {
  const auto next = text.moveIndex32(at, 1);
  return next < text.length() ? text.char32At(next) : U_SENTINEL;
}

template <class Predicate>
bool any_of(const text16& text, Predicate is) {
  for (std::int32_t i = 0; i < text.length(); i = text.moveIndex32(i, 1))
    if (is(text.char32At(i)))
      return true;
  return false;
}

bool is_script(UChar32 c, UScriptCode wanted) {
  auto failure = U_ZERO_ERROR;
  return c != U_SENTINEL && uscript_getScript(c, &failure) == wanted && U_SUCCESS(failure);
}

/// A letter that joins towards the non-joiner stands on both sides of it (RFC 5892, A.1).
bool stands_between_joining(const text16& text, std::int32_t at) {
  const auto joining = [&](std::int32_t i) { return u_getIntPropertyValue(text.char32At(i), UCHAR_JOINING_TYPE); };
  auto i = at;
  auto kind = std::int32_t{U_JT_NON_JOINING};
  while (i > 0) {
    i = text.moveIndex32(i, -1);
    if (kind = joining(i); kind != U_JT_TRANSPARENT)
      break;
  }
  if (kind != U_JT_LEFT_JOINING && kind != U_JT_DUAL_JOINING)
    return false;
  kind = U_JT_NON_JOINING;
  for (i = text.moveIndex32(at, 1); i < text.length(); i = text.moveIndex32(i, 1))
    if (kind = joining(i); kind != U_JT_TRANSPARENT)
      break;
  return kind == U_JT_RIGHT_JOINING || kind == U_JT_DUAL_JOINING;
}

/// RFC 5892, appendix A.
bool context_allows(const text16& text, std::int32_t at) {
  constexpr auto virama = 9;
  const auto c = text.char32At(at);
  const auto follows_virama = [&] {
    const auto previous = before(text, at);
    return previous != U_SENTINEL && u_getCombiningClass(previous) == virama;
  };
  switch (c) {
  case 0x200c: // A.1
    return follows_virama() || stands_between_joining(text, at);
  case 0x200d: // A.2
    return follows_virama();
  case 0x00b7: // A.3
    return before(text, at) == 'l' && after(text, at) == 'l';
  case 0x0375: // A.4
    return is_script(after(text, at), USCRIPT_GREEK);
  case 0x05f3:
  case 0x05f4: // A.5, A.6
    return is_script(before(text, at), USCRIPT_HEBREW);
  case 0x30fb: // A.7
    return any_of(text, [](UChar32 x) {
      return is_script(x, USCRIPT_HIRAGANA) || is_script(x, USCRIPT_KATAKANA) || is_script(x, USCRIPT_HAN);
    });
  default: // A.8, A.9
    return is_arabic_indic(c) ? !any_of(text, is_extended_arabic_indic) : !any_of(text, is_arabic_indic);
  }
}

enum class string_class : std::uint8_t { identifier, freeform };

bool conforms(const text16& text, string_class to) {
  for (std::int32_t i = 0; i < text.length(); i = text.moveIndex32(i, 1))
    switch (derive(text.char32At(i))) {
    case property::valid:
      break;
    case property::context:
      if (!context_allows(text, i))
        return false;
      break;
    case property::free_only:
      if (to == string_class::identifier)
        return false;
      break;
    case property::disallowed:
      return false;
    }
  return true;
}

/// The Bidi Rule (RFC 5893, 2), asked only of text that holds a right-to-left code point (RFC 8265, 3.3.2).
bool satisfies_bidi_rule(const text16& text) {
  const auto mask = [](UChar32 c) { return U_MASK(u_charDirection(c)); };
  constexpr auto r_or_al = U_MASK(U_RIGHT_TO_LEFT) | U_MASK(U_RIGHT_TO_LEFT_ARABIC);
  constexpr auto an = U_MASK(U_ARABIC_NUMBER);
  constexpr auto en = U_MASK(U_EUROPEAN_NUMBER);
  constexpr auto nsm = U_MASK(U_DIR_NON_SPACING_MARK);
  constexpr auto neutral = U_MASK(U_EUROPEAN_NUMBER_SEPARATOR) | U_MASK(U_COMMON_NUMBER_SEPARATOR) |
                           U_MASK(U_EUROPEAN_NUMBER_TERMINATOR) | U_MASK(U_OTHER_NEUTRAL) | U_MASK(U_BOUNDARY_NEUTRAL);
  auto seen = std::uint32_t{0};
  auto last = std::uint32_t{0}; // of those that are no mark
  for (std::int32_t i = 0; i < text.length(); i = text.moveIndex32(i, 1)) {
    const auto kind = mask(text.char32At(i));
    seen |= kind;
    if (kind != nsm)
      last = kind;
  }
  if ((seen & (r_or_al | an)) == 0)
    return true;
  // A left-to-right beginning may hold none of them, so what is left is the right-to-left text (conditions 1 to 4).
  return (mask(text.char32At(0)) & r_or_al) != 0 && (seen & ~(r_or_al | an | en | nsm | neutral)) == 0 &&
         (last & (r_or_al | an | en)) != 0 && !((seen & en) != 0 && (seen & an) != 0);
}

bool normalize(text16& text) {
  auto failure = U_ZERO_ERROR;
  const auto* nfc = icu::Normalizer2::getNFCInstance(failure);
  if (U_FAILURE(failure))
    return false;
  auto normal = nfc->normalize(text, failure);
  text = std::move(normal);
  return U_SUCCESS(failure);
}

/// Fullwidth and halfwidth code points become what they stand for (RFC 8265, 3.3.1).
bool map_width(text16& text) {
  auto failure = U_ZERO_ERROR;
  const auto* nfkc = icu::Normalizer2::getNFKCInstance(failure);
  if (U_FAILURE(failure))
    return false;
  auto mapped = text16{};
  for (std::int32_t i = 0; i < text.length(); i = text.moveIndex32(i, 1)) {
    const auto c = text.char32At(i);
    const auto width = u_getIntPropertyValue(c, UCHAR_DECOMPOSITION_TYPE);
    auto wide = text16{};
    if ((width == U_DT_WIDE || width == U_DT_NARROW) && nfkc->getRawDecomposition(c, wide))
      mapped.append(wide);
    else
      mapped.append(c);
  }
  text = std::move(mapped);
  return true;
}

bool username_case_mapped(text16& text) { // RFC 8265, 3.3
  if (!map_width(text) || !conforms(text, string_class::identifier))
    return false;
  text.toLower(icu::Locale::getRoot());
  return normalize(text) && conforms(text, string_class::identifier) && satisfies_bidi_rule(text);
}

bool opaque_string(text16& text) { // RFC 8265, 4.2
  if (!conforms(text, string_class::freeform))
    return false;
  for (std::int32_t i = 0; i < text.length(); ++i) // all of Zs is in the first plane
    if (u_charType(text.charAt(i)) == U_SPACE_SEPARATOR)
      text.setCharAt(i, u' ');
  return normalize(text) && conforms(text, string_class::freeform);
}

const UStringPrepProfile* saslprep_profile() {
  static const auto* const profile = [] {
    auto failure = U_ZERO_ERROR;
    return usprep_openByType(USPREP_RFC4013_SASLPREP, &failure);
  }(); // never freed, as `idna()`
  return profile;
}

bool saslprep(text16& text) { // RFC 4013
  if (!saslprep_profile())
    return false;
  auto failure = U_ZERO_ERROR;
  auto prepared = text16{};
  constexpr auto capacity = static_cast<std::int32_t>(jid_part_bytes_max); // what is longer does not fit
  auto* buffer = prepared.getBuffer(capacity);
  if (!buffer)
    return false;
  const auto used = usprep_prepare(saslprep_profile(), text.getBuffer(), text.length(), buffer, capacity,
                                   USPREP_ALLOW_UNASSIGNED, nullptr, &failure);
  prepared.releaseBuffer(U_SUCCESS(failure) ? used : 0);
  text = std::move(prepared);
  return U_SUCCESS(failure);
}

/// Applies `rules` until they change nothing (RFC 8264, 7: at most three times more), so that what comes out is its own
/// prepared form.
template <class Rules>
std::optional<std::string> prepare(std::string_view raw, Rules rules) {
  if (raw.empty() || raw.size() > unprepared_bytes_max)
    return std::nullopt;
  auto text = from_utf8(raw);
  if (!text)
    return std::nullopt;
  for (int round = 0; round < 4; ++round) {
    const auto earlier = *text;
    if (!rules(*text))
      return std::nullopt;
    if (*text == earlier) {
      auto prepared = to_utf8(*text);
      if (!fits(prepared))
        return std::nullopt;
      return prepared;
    }
  }
  return std::nullopt;
}

// -- domains --

/// RFC 5895, 2: of what a user may write, letter case, width, composition and the ideographic full stop count for
/// nothing. ICU would map much more, as UTS 46 does.
bool map_as_written(text16& text) {
  if (!map_width(text))
    return false;
  auto mapped = text16{};
  for (std::int32_t i = 0; i < text.length(); i = text.moveIndex32(i, 1)) {
    auto one = text16{text.char32At(i)}; // alone: a sigma at the end of a word is no exception
    if (u_hasBinaryProperty(one.char32At(0), UCHAR_CHANGES_WHEN_NFKC_CASEFOLDED)) // else valid in capitals (Cherokee)
      one.toLower(icu::Locale::getRoot());
    mapped.append(one);
  }
  mapped.findAndReplace(u"\u3002", u".");
  text = std::move(mapped);
  return normalize(text);
}

/// RFC 5892, 3, for code points that are mapped already; `-` and the digits and small letters of ASCII are LDH.
bool is_valid_in_label(const text16& label, std::int32_t at) {
  const auto c = label.char32At(at);
  if (auto listed = exception(c))
    return *listed == property::valid || (*listed == property::context && context_allows(label, at));
  if (c < 0x80)
    return (places[static_cast<std::size_t>(c)] & in_domain) != 0;
  if (is_unassigned(c))
    return false;
  if (u_hasBinaryProperty(c, UCHAR_JOIN_CONTROL))
    return context_allows(label, at);
  const auto in_ignorable_block = (c >= 0x20d0 && c <= 0x20ff) || (c >= 0x1d100 && c <= 0x1d24f); // 2.4
  return !u_hasBinaryProperty(c, UCHAR_CHANGES_WHEN_NFKC_CASEFOLDED) && !is_old_hangul_jamo(c) && !in_ignorable_block &&
         is_letter_digit(c);
}

const UIDNA* idna() {
  static const auto* const instance = [] {
    auto failure = U_ZERO_ERROR;
    return uidna_openUTS46(UIDNA_USE_STD3_RULES | UIDNA_CHECK_BIDI | UIDNA_CHECK_CONTEXTJ | UIDNA_CHECK_CONTEXTO |
                               UIDNA_NONTRANSITIONAL_TO_ASCII | UIDNA_NONTRANSITIONAL_TO_UNICODE,
                           &failure);
  }(); // never freed: used until the process ends, and safe to share between threads
  return instance;
}

/// Runs one of ICU's conversions of a whole name.
template <class Convert>
bool convert_name(Convert convert, const text16& from, text16& to) {
  auto failure = U_ZERO_ERROR;
  UIDNAInfo info = UIDNA_INFO_INITIALIZER;
  constexpr auto capacity = static_cast<std::int32_t>(4 * unprepared_bytes_max);
  auto* buffer = to.getBuffer(capacity);
  if (!buffer)
    return false;
  const auto used = convert(idna(), from.getBuffer(), from.length(), buffer, capacity, &info, &failure);
  to.releaseBuffer(U_SUCCESS(failure) ? used : 0);
  // JIDs have a limit of their own for whole names (RFC 7622, 3.2).
  return U_SUCCESS(failure) && (info.errors & ~UIDNA_ERROR_DOMAIN_NAME_TOO_LONG) == 0;
}

bool are_valid_labels(const text16& name) {
  for (std::int32_t from = 0; from < name.length();) {
    auto to = name.indexOf(u'.', from);
    if (to < 0)
      to = name.length();
    const auto label = name.tempSubStringBetween(from, to);
    for (std::int32_t i = 0; i < label.length(); i = label.moveIndex32(i, 1))
      if (!is_valid_in_label(label, i))
        return false;
    from = to + 1;
  }
  return true;
}

bool domain_name(text16& text) {
  auto unicode = text16{};
  if (!map_as_written(text) || !are_valid_labels(text) || !idna() || !convert_name(uidna_nameToUnicode, text, unicode))
    return false;
  if (unicode.endsWith(u".")) // RFC 7622, 3.2: one label separator at the end is dropped
    unicode.truncate(unicode.length() - 1);
  auto ascii = text16{}; // only here does ICU check the length of labels, and that none is empty
  if (unicode.isEmpty() || unicode.endsWith(u".") || !convert_name(uidna_nameToASCII, unicode, ascii))
    return false;
  if (!are_valid_labels(unicode)) // what A-labels stand for
    return false;
  text = std::move(unicode);
  return true;
}

std::optional<std::string> ipv6_literal(std::string_view text) {
  auto address = in6_addr{};
  auto canonical = std::array<char, INET6_ADDRSTRLEN>{};
  const auto inner = std::string{text.substr(1, text.size() - 2)}; // ends in a zero, as inet_pton wants
  if (inner.size() != std::strlen(inner.c_str()) || inet_pton(AF_INET6, inner.c_str(), &address) != 1 ||
      !inet_ntop(AF_INET6, &address, canonical.data(), canonical.size()))
    return std::nullopt;
  return '[' + std::string{canonical.data()} + ']';
}

template <class Prepared>
result<std::string> or_malformed(Prepared prepared) {
  if (!prepared)
    return errc::jid_malformed;
  return *std::move(prepared);
}

} // namespace

// -- the parts --

result<std::string> prepare_local(std::string_view text) {
  if (is_prepared_local(text))
    return std::string{text};
  if (auto lower = in_lower_case(text); is_prepared_local(lower))
    return lower;
  auto prepared = prepare(text, username_case_mapped);
  if (prepared && prepared->find_first_of("\"&'/:<>@") != std::string::npos) // RFC 7622, 3.3.1
    return errc::jid_malformed;
  return or_malformed(std::move(prepared));
}

result<std::string> prepare_resource(std::string_view text) {
  if (is_prepared_resource(text))
    return std::string{text};
  return or_malformed(prepare(text, opaque_string));
}

result<std::string> prepare_domain(std::string_view text) {
  if (is_prepared_domain(text))
    return std::string{text};
  if (text.size() > 2 && text.size() < 64 && text.front() == '[' && text.back() == ']')
    return or_malformed(ipv6_literal(text));
  auto lower = in_lower_case(text);
  if (!lower.empty() && lower.back() == '.')
    lower.pop_back();
  if (is_prepared_domain(lower))
    return lower;
  return or_malformed(prepare(text, domain_name));
}

result<std::string> prepare_password(std::string_view text) {
  if (is_prepared_resource(text)) // ASCII without controls
    return std::string{text};
  auto prepared = prepare(text, saslprep);
  if (!prepared)
    return errc::not_acceptable;
  return *std::move(prepared);
}

// -- jid --

namespace {

struct parts {
  std::string_view local, domain, resource;
  bool at = false, slash = false;
};

parts split(std::string_view text) noexcept { // RFC 7622, 3.1
  auto found = parts{};
  if (const auto slash = text.find('/'); slash != std::string_view::npos) {
    found.slash = true;
    found.resource = text.substr(slash + 1);
    text = text.substr(0, slash);
  }
  if (const auto at = text.find('@'); at != std::string_view::npos) {
    found.at = true;
    found.local = text.substr(0, at);
    text.remove_prefix(at + 1);
  }
  found.domain = text;
  return found;
}

} // namespace

jid jid::join(std::string_view local, std::string_view domain, std::string_view resource) {
  const auto bytes = local.size() + !local.empty() + domain.size() + resource.size() + !resource.empty();
  auto* made = static_cast<block*>(::operator new(sizeof(block) + bytes));
  new (made) block{{1},
                   static_cast<std::uint16_t>(local.size()),
                   static_cast<std::uint16_t>(domain.size()),
                   static_cast<std::uint16_t>(resource.size())};
  auto* to = reinterpret_cast<char*>(made + 1);
  if (!local.empty()) {
    std::memcpy(to, local.data(), local.size());
    to += local.size();
    *to++ = '@';
  }
  std::memcpy(to, domain.data(), domain.size());
  to += domain.size();
  if (!resource.empty()) {
    *to++ = '/';
    std::memcpy(to, resource.data(), resource.size());
  }
  auto whole = jid{};
  whole.text_ = made;
  return whole;
}

void jid::destroy(block* text) noexcept {
  text->~block();
  ::operator delete(text);
}

result<jid> jid::parse(std::string_view text) {
  const auto found = split(text);
  if ((found.at && found.local.empty()) || (found.slash && found.resource.empty()))
    return errc::jid_malformed;
  return make(found.local, found.domain, found.resource);
}

result<jid> jid::make(std::string_view local, std::string_view domain, std::string_view resource) {
  if ((local.empty() || is_prepared_local(local)) && is_prepared_domain(domain) &&
      (resource.empty() || is_prepared_resource(resource)))
    return join(local, domain, resource);
  auto prepared_domain = prepare_domain(domain);
  if (!prepared_domain)
    return prepared_domain.error();
  auto prepared_local = local.empty() ? result<std::string>{std::string{}} : prepare_local(local);
  if (!prepared_local)
    return prepared_local.error();
  auto prepared_resource = resource.empty() ? result<std::string>{std::string{}} : prepare_resource(resource);
  if (!prepared_resource)
    return prepared_resource.error();
  return join(*prepared_local, *prepared_domain, *prepared_resource);
}

jid jid::from_prepared(std::string_view text) {
  const auto found = split(text);
  return found.domain.empty() ? jid{} : join(found.local, found.domain, found.resource);
}

jid jid::bare() const {
  return is_full() ? join(local(), domain(), {}) : *this;
}

jid jid::with_resource(std::string_view resource) const {
  return empty() ? jid{} : join(local(), domain(), resource);
}

} // namespace xmpp
