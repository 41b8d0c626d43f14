// What the extensions' hooks may know of an account and ask of it. What they ask for is collected here; the user
// commits it before it answers.
#pragma once

#include "actors/host_context.hpp"
#include "actors/user.hpp"
#include "persistence/records.hpp"

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace xmpp {

class user_context final : public host_context {
public:
  user_context(user& of, const host_info& at, std::optional<std::string> record = std::nullopt)
      : host_context(at), of_(of), record_(std::move(record)) {}

  const jid& account() const override { return of_.account_; }
  bool account_exists() const override { return of_.exists_; }
  bool account_is_anonymous() const override { return of_.anonymous_; }
  bool is_own(const stanza& x) const override { return x.from.bare_text() == of_.account_.text(); }
  bool may_see_presence(const jid& who) const override {
    return who.bare_text() == of_.account_.text() || of_.roster_.is_subscriber(who.bare_text());
  }
  const std::vector<session_view>& sessions() const override { return of_.views_; }
  std::optional<std::pair<std::int64_t, std::string>> last_activity() const override {
    if (!of_.last_activity_)
      return std::nullopt;
    return std::pair{of_.last_activity_->ms, of_.last_activity_->status};
  }
  const std::optional<std::string>& record() const override { return record_; }
  void put_record(std::string_view name, std::string value) override {
    records::put(changes, of_.place(), name, value);
  }
  void erase_record(std::string_view name) override { records::erase(changes, of_.place(), name); }
  const blocklist& blocks() const override { return of_.blocks_ ? *of_.blocks_ : no_blocks_; }
  void set_blocks(blocklist next, const element& push) override { new_blocks = std::pair{std::move(next), push}; }
  void change_password(std::string prepared) override { new_password = std::move(prepared); }
  void remove_account() override { removes_account = true; }

  write_set changes;
  std::optional<std::pair<blocklist, element>> new_blocks;
  std::optional<std::string> new_password;
  bool removes_account = false;

private:
  user& of_;
  std::optional<std::string> record_;
};

} // namespace xmpp
