#include "actors/store_accounts.hpp"

#include "actors/known_iterations.hpp"
#include "cluster/founding.hpp"
#include "persistence/accounts.hpp"
#include "persistence/rosters.hpp"
#include "persistence/store.hpp"
#include "persistence/subscriptions.hpp"
#include "persistence/writer.hpp"
#include "protocol/roster.hpp"
#include "protocol/sasl.hpp"

#include <algorithm>
#include <chrono>
#include <future>

namespace xmpp {
namespace {

class store_accounts final : public account_admin {
public:
  store_accounts(const config& options, std::unique_ptr<store> opened)
      : shards_(options.storage.shards), iterations_(options.sign_in.scram_iterations), writer_(std::move(opened)) {
    known_iterations_.open(options.server.data_folder);
    for (auto& one : options.hosts)
      hosts_.push_back(one.name);
  }

  result<void> add(const jid& account, const std::string& password) override { return set(account, password, true); }
  result<void> set_password(const jid& account, const std::string& password) override {
    return set(account, password, false);
  }

  result<void> remove(const jid& account) override {
    auto at = place(account);
    auto known = read<user_records>([&](const reader& from) { return load_user(from, at); });
    if (!known)
      return known.error();
    if (!known->account)
      return errc::item_not_found;
    // First what belongs to others: interrupted, it is done again. Contacts of other servers cannot be told.
    for (auto& item : known->roster.items) {
      auto ends = std::vector<stanza_type>{};
      if (has_to(item.subscription) || item.ask)
        ends.push_back(stanza_type::unsubscribe);
      if (has_from(item.subscription))
        ends.push_back(stanza_type::unsubscribed);
      if (auto done = part(item.contact, account, ends); !done)
        return done;
    }
    for (auto& request : known->roster.pending) // Else it would wait, and whoever takes the name could grant it.
      if (auto done = part(request.contact, account, {stanza_type::unsubscribed}); !done)
        return done;
    auto changes = write_set{};
    accounts::erase(changes, at);
    return commit(at, changes);
  }

  result<std::vector<std::string>> list(const std::string& host) override {
    constexpr auto page = std::size_t{1'000};
    auto out = std::vector<std::string>{};
    for (auto shard = shard_id{0}; shard < shards_; ++shard)
      for (auto after = std::string{};;) {
        auto names = read<std::vector<std::string>>(
            [&](const reader& from) { return accounts::list(from, shard, host, after, page); });
        if (!names)
          return names.error();
        for (auto& name : *names)
          out.push_back(name + "@" + host);
        if (names->size() < page)
          break;
        after = names->back();
      }
    std::sort(out.begin(), out.end());
    return out;
  }

private:
  /// A local contact's side of what a running server sends in the name of a removed account (RFC 6121, 2.5.2).
  result<void> part(const jid& from, const jid& removed, const std::vector<stanza_type>& ends) {
    if (std::find(hosts_.begin(), hosts_.end(), from.domain()) == hosts_.end() || !from.has_local())
      return {};
    auto at = place(from);
    auto contact = read<user_records>([&](const reader& from) { return load_user(from, at); });
    if (!contact)
      return contact.error();
    if (!contact->account)
      return {};
    auto& roster = contact->roster;
    auto before = roster.state_of(removed.bare_text());
    auto after = before;
    for (auto one : ends)
      after = step(after, direction::inbound, one).next;
    if (after == before)
      return {};
    auto changes = write_set{};
    if (roster.find(removed.bare_text())) {
      rosters::put(changes, at, item_in_state(roster, removed, after));
      rosters::put_version(changes, at, roster.version + 1);
    }
    if (before.pending_in && !after.pending_in)
      subscriptions::erase(changes, at, removed);
    return commit(at, changes);
  }

  account_place place(const jid& account) const { return {shard_of(account.bare_text(), shards_), account}; }

  /// On a thread that may wait for the disk.
  template <class T>
  result<T> read(std::function<result<T>(const reader&)> f) {
    auto answer = std::promise<result<T>>{};
    auto accepted = writer_.read([&](const reader& from) { answer.set_value(f(from)); });
    if (!accepted)
      return accepted.error();
    return answer.get_future().get();
  }

  result<void> set(const jid& account, const std::string& password, bool create) {
    auto at = place(account);
    auto known = read<std::optional<account_record>>([&](const reader& from) { return accounts::find(from, at); });
    if (!known)
      return known.error();
    if (create == known->has_value())
      return create ? errc::conflict : errc::item_not_found;
    auto keys = sasl::make_credentials(password, iterations_);
    if (!keys)
      return keys.error();
    if (auto added = known_iterations_.add(keys->keys.front().iterations); !added)
      return added;
    using namespace std::chrono;
    auto record = *known ? **known : account_record{};
    if (create)
      record.created_ms = duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
    record.credentials = sasl::encode(*keys);
    auto changes = write_set{};
    accounts::put(changes, at, record);
    if (create) // so that no client's cached version of a predecessor fits
      rosters::put_version(changes, at, static_cast<std::uint64_t>(record.created_ms));
    return commit(at, changes);
  }

  result<void> commit(const account_place& at, const write_set& changes) {
    auto done = std::promise<result<void>>{};
    auto order = command{};
    order.changes = changes;
    auto accepted = writer_.submit(at.shard, order.encode(), [&](result<std::uint64_t> index) {
      done.set_value(index ? result<void>{} : result<void>{index.error()});
    });
    if (!accepted)
      return accepted;
    return done.get_future().get();
  }

  std::uint32_t shards_;
  std::uint32_t iterations_;
  known_iterations known_iterations_;
  std::vector<std::string> hosts_;
  writer writer_;
};

} // namespace

store_options options_of_store(const config& options) {
  auto out = store_options{};
  out.folder = options.server.data_folder / "store";
  out.shard_count = options.storage.shards;
  out.cache_bytes_max = options.storage.cache_bytes_max;
  out.memtable_bytes_max = options.storage.memtable_bytes_max;
  return out;
}

result<std::unique_ptr<account_admin>> accounts_of_store(const config& options) {
  auto in_cluster = cluster::is_member(options.server.data_folder);
  if (!in_cluster)
    return in_cluster.error();
  if (*in_cluster)
    return error{errc::not_allowed, "this node is in a cluster, and its store can not be used alone: start the server, "
                                    "which `troupe user` then asks, or ask at another node"};
  auto opened = store::open(options_of_store(options));
  if (!opened)
    return opened.error();
  return std::unique_ptr<account_admin>{std::make_unique<store_accounts>(options, *std::move(opened))};
}

} // namespace xmpp
