// What an extension is: metadata, and the hooks where it takes part. One XEP, one file in extensions/.
//
// Rules stay pure: a hook sees a stanza and a context, and says what should happen; the actor that called it does it.
#pragma once

#include "protocol/stanza.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace xmpp {

class blocklist;
struct roster;

/// What all extensions may know of a virtual host; immutable, swapped whole on a reload.
struct host_info {
  jid domain;
  std::string software_name = "Troupe";
  std::string software_version;
  bool tells_version = true;                                              ///< XEP-0092
  std::vector<std::pair<std::string, std::vector<std::string>>> contacts; ///< XEP-0157: `abuse-addresses` -> URIs
  std::int64_t started_ms = 0;                                            ///< Since the epoch; for XEP-0012.
  std::size_t vcard_bytes_max = 131'072;
  std::size_t private_xml_bytes_max = 131'072; ///< Of one element.
  std::size_t private_xml_elements_max = 256;
  std::size_t blocklist_items_max = 1'000;
};

/// One session of the account, as far as rules see it.
struct session_view {
  jid full;
  bool available = false;
  std::int8_t priority = 0;
  bool interested = false;   ///< Asked for the roster (RFC 6121, 2.1.6).
  bool wants_blocks = false; ///< Asked for the block list (XEP-0191, 3.2).
  std::uint32_t came_s = 0;  ///< When `presence` came, since the epoch. 0: not known.
  element presence;          ///< Its last broadcast presence; none when unavailable.
};

/// What a hook may look at, and ask for. At the host itself `account` is empty and there are no records.
class context {
public:
  virtual ~context() = default;

  virtual const host_info& host() const = 0;
  virtual const jid& account() const = 0; ///< Bare.
  virtual bool account_exists() const = 0;
  virtual bool account_is_anonymous() const = 0; ///< Ends with its session (XEP-0175).
  virtual std::int64_t now_ms() const = 0;       ///< Since the epoch.

  /// The stanza comes from the account's own sessions.
  virtual bool is_own(const stanza&) const = 0;
  /// The sender may see the account's presence (subscription `from` or `both`, or own).
  virtual bool may_see_presence(const jid& who) const = 0;
  virtual const std::vector<session_view>& sessions() const = 0;
  /// When the last session ended or said that it is unavailable, ms since the epoch, and the status text it left; none:
  /// never or unknown.
  virtual std::optional<std::pair<std::int64_t, std::string>> last_activity() const = 0;

  /// Features and identities of all extensions in use, sorted: what disco shows.
  virtual const std::vector<std::string>& host_features() const = 0;
  virtual const std::vector<std::string>& account_features() const = 0;

  /// The record that `iq_rule::record` named, as stored; none when there is none.
  virtual const std::optional<std::string>& record() const = 0;
  /// Changes that are committed before the answer is sent; if the commit fails, the sender gets an error instead.
  virtual void put_record(std::string_view name, std::string value) = 0;
  virtual void erase_record(std::string_view name) = 0;
  /// The tree of an element that `put_record` was given as its canonical bytes. Fails with `corrupt_record`.
  virtual result<element> parse_record(std::string_view bytes) const = 0;

  virtual const blocklist& blocks() const = 0;
  /// Replaces the block list, commits it, then tells sessions and contacts what follows from it (XEP-0191, 3).
  virtual void set_blocks(blocklist next, const element& push) = 0;

  // XEP-0077, 3.3 and 3.2; never at the host. As changes above: done before the answer is sent, an error in its stead
  // when it fails.
  virtual void change_password(std::string prepared) = 0;
  /// All there is of the account, subscriptions included; after the answer its streams end with `not-authorized`.
  virtual void remove_account() = 0;
};

/// A record as stored; none when there is none.
using found_record = result<std::optional<std::string>>;
using record_finder = std::function<found_record(std::string_view name)>;

/// How one request is answered.
struct iq_rule {
  enum place : std::uint8_t { at_host = 1, at_account = 2, at_both = 3 };
  place where = at_both;
  bool own_only = false; ///< Others get `others_get`.
  /// What strangers get; all get it from an account that does not exist, so that nobody learns which of them is there.
  errc others_get = errc::service_unavailable;
  bool guards_resources = false; ///< The same holds for a request to a full JID: an `on_received` hook sees to it.
  /// Names the account's record that the answer reads, e.g. `vcard`; unset: none. Names are [a-z]+ or [a-z]+:anything.
  std::function<std::string(const stanza&)> record = {};
  /// Finds another one when that is not there; runs on the thread that reads, so it sees nothing but these two.
  std::function<found_record(const stanza&, const record_finder&)> otherwise = {};
  /// The one reply: result or error.
  std::function<stanza(const stanza& request, context&)> answer;
};

/// What a hook decides about a stanza.
struct verdict {
  enum action : std::uint8_t { pass, drop, reject } what = pass;
  errc code = errc::none;             ///< Of a rejection; not sent when no error is due (RFC 6120, 8.3.1).
  element application_condition = {}; ///< Beside it, or none.
  std::optional<stanza> instead = {}; ///< With `pass`: the stanza as changed.
};

struct extension {
  std::string_view number;     ///< `XEP-0199`
  std::string_view version;    ///< Of the XEP text that was followed.
  std::string_view name;       ///< Its title.
  std::string_view note = {};  ///< For the README's table: what is not done, if anything.
  std::string_view where = {}; ///< The file that does it, when it is not one of extensions/.

  std::vector<std::string_view> host_features = {};
  std::vector<std::string_view> account_features = {};
  std::map<std::string_view, iq_rule> on_iq_get = {}; ///< By the payload's namespace.
  std::map<std::string_view, iq_rule> on_iq_set = {};
  /// A client of this server sends; runs in its session.
  std::function<verdict(const stanza&, context&)> on_sent = {};
  /// Something arrives for an account; runs at its user, before delivery.
  std::function<verdict(const stanza&, context&)> on_received = {};
};

/// All of them; their order is the order of hooks: what may stop a stanza stands before what stores or copies it.
const std::vector<extension>& all_extensions();

} // namespace xmpp
