// What the extensions' hooks may know where there is no account: at a host, and in a client's session.
#pragma once

#include "actors/context.hpp"
#include "protocol/blocklist.hpp"
#include "protocol/extension.hpp"

#include <optional>
#include <string>
#include <vector>

namespace xmpp {

/// The host itself: it has features and a clock, and nothing that could change.
class host_context : public context {
public:
  explicit host_context(const host_info& at) : at_(at) {}

  const host_info& host() const override { return at_; }
  const jid& account() const override { return no_account_; }
  bool account_exists() const override { return false; }
  bool account_is_anonymous() const override { return false; }
  std::int64_t now_ms() const override { return xmpp::now_ms(); }
  bool is_own(const stanza&) const override { return false; }
  bool may_see_presence(const jid&) const override { return false; }
  const std::vector<session_view>& sessions() const override { return no_sessions_; }
  std::optional<std::pair<std::int64_t, std::string>> last_activity() const override { return std::nullopt; }
  const std::vector<std::string>& host_features() const override;
  const std::vector<std::string>& account_features() const override;
  const std::optional<std::string>& record() const override { return no_record_; }
  void put_record(std::string_view, std::string) override {}
  void erase_record(std::string_view) override {}
  result<element> parse_record(std::string_view bytes) const override;
  const blocklist& blocks() const override { return no_blocks_; }
  void set_blocks(blocklist, const element&) override {}
  void change_password(std::string) override {}
  void remove_account() override {}

protected:
  static const jid no_account_;
  static const std::vector<session_view> no_sessions_;
  static const std::optional<std::string> no_record_;
  static const blocklist no_blocks_;

private:
  const host_info& at_;
};

} // namespace xmpp
