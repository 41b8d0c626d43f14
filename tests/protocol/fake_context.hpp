// An account and a host as extensions see them, of plain values.
#pragma once

#include "protocol/blocklist.hpp"
#include "protocol/disco.hpp"
#include "protocol/extension.hpp"
#include "protocol/namespaces.hpp"
#include "protocol/parser.hpp"

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace xmpp {

class fake_context : public context {
public:
  jid own = jid::from_prepared("juliet@capulet.lit/balcony");
  jid friend_of = jid::from_prepared("romeo@montague.lit/orchard"); ///< May see the account's presence.
  jid stranger = jid::from_prepared("paris@verona.lit/hall");

  host_info info;
  jid account_jid = own.bare();
  bool exists = true;
  bool anonymous = false;
  std::int64_t now = 1'000'000'000;
  std::vector<session_view> views;
  std::optional<std::pair<std::int64_t, std::string>> last;
  std::optional<std::string> held; ///< The record that the rule named.
  blocklist blocked;

  // What was asked for.
  std::map<std::string, std::string, std::less<>> put;
  std::vector<std::string> erased;
  std::optional<element> push;
  std::optional<std::string> password;
  bool removed = false;

  fake_context() { info.domain = jid::from_prepared("capulet.lit"); }

  void be_host() { account_jid = {}; }

  stanza get(const element& payload, const jid& from = jid::from_prepared("juliet@capulet.lit/balcony")) const {
    return request("get", payload, from);
  }
  stanza set(const element& payload, const jid& from = jid::from_prepared("juliet@capulet.lit/balcony")) const {
    return request("set", payload, from);
  }

  const host_info& host() const override { return info; }
  const jid& account() const override { return account_jid; }
  bool account_exists() const override { return exists; }
  bool account_is_anonymous() const override { return anonymous; }
  std::int64_t now_ms() const override { return now; }
  bool is_own(const stanza& x) const override { return x.from.bare_text() == own.bare_text(); }
  bool may_see_presence(const jid& who) const override {
    return who == friend_of || who.bare_text() == own.bare_text();
  }
  const std::vector<session_view>& sessions() const override { return views; }
  std::optional<std::pair<std::int64_t, std::string>> last_activity() const override { return last; }
  const std::vector<std::string>& host_features() const override { return all_host_features(); }
  const std::vector<std::string>& account_features() const override { return all_account_features(); }
  const std::optional<std::string>& record() const override { return held; }
  void put_record(std::string_view name, std::string value) override { put[std::string{name}] = std::move(value); }
  void erase_record(std::string_view name) override { erased.emplace_back(name); }
  result<element> parse_record(std::string_view bytes) const override {
    initialize_xml();
    auto tree = parser{ns::client, {}}.parse(bytes);
    return tree ? tree : result<element>{errc::corrupt_record};
  }
  const blocklist& blocks() const override { return blocked; }
  void set_blocks(blocklist next, const element& told) override {
    blocked = std::move(next);
    push = told;
  }
  void change_password(std::string prepared) override { password = std::move(prepared); }
  void remove_account() override { removed = true; }

private:
  stanza request(std::string_view type, const element& payload, const jid& from) const {
    auto tree = xml::builder{"iq", ns::client}.attribute("type", type).attribute("id", "q1").child(payload).finish();
    return {tree, from, account_jid.empty() ? info.domain : account_jid};
  }
};

} // namespace xmpp
