#include "actors/backup_commands.hpp"

#include "actors/shell/view.hpp"
#include "actors/store_accounts.hpp"
#include "actors/version.hpp"
#include "cluster/founding.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <ctime>
#include <utility>

namespace xmpp {
namespace {

namespace fs = std::filesystem;

constexpr auto shown_shards_max = std::size_t{12};

std::string utc(std::int64_t ms, const char* form) {
  auto seconds = std::time_t(ms / 1'000);
  auto parts = std::tm{};
  auto text = std::array<char, 64>{};
  if (gmtime_r(&seconds, &parts) == nullptr)
    return "?";
  return {text.data(), std::strftime(text.data(), text.size(), form, &parts)};
}

std::int64_t now_ms() {
  using namespace std::chrono;
  return duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
}

std::string hexadecimal(std::string_view bytes) {
  constexpr auto digits = std::string_view{"0123456789abcdef"};
  auto out = std::string{};
  for (auto c : bytes) {
    out += digits[static_cast<unsigned char>(c) >> 4];
    out += digits[static_cast<unsigned char>(c) & 15];
  }
  return out;
}

std::string count(std::uint64_t x) {
  return shell::format(shell::value{x}, shell::unit::count);
}

std::string list(const std::vector<shard_id>& shards) {
  auto out = std::string{};
  for (auto i = std::size_t{0}; i < std::min(shards.size(), shown_shards_max); ++i)
    out += (i == 0 ? "" : ", ") + std::to_string(shards[i]);
  return out + (shards.size() > shown_shards_max ? ", …" : "");
}

std::string describe(const backup_summary& x) {
  auto out = std::string{"\n"};
  auto add = [&](std::string title, const std::string& text) {
    title.resize(10, ' ');
    out += "    " + title + text + "\n";
  };
  add("accounts", count(x.accounts()));
  add("records", count(x.records()));
  add("shards", std::to_string(x.shards.size()) + " of " + std::to_string(x.head.shard_count));
  if (auto gone = x.missing(); !gone.empty())
    add("missing", list(gone));
  if (auto late = x.behind(); !late.empty())
    add("behind?", list(late) + ": they may lack the latest");
  if (!x.head.cluster.empty())
    add("cluster", x.head.cluster + ", taken at node " + x.head.node);
  add("made", utc(x.head.made_ms, "%Y-%m-%d %H:%M:%S UTC") + " by Troupe " + x.head.release);
  add("size", shell::format(shell::value{x.bytes}, shell::unit::bytes));
  add("SHA-256", hexadecimal(x.digest) + " (of all but its last 32 bytes)");
  return out;
}

bool is_incomplete(const backup_summary& x) {
  return !x.missing().empty() || !x.behind().empty();
}

/// Ctrl-C and its like wait until the draft is gone.
class held_signals {
public:
  held_signals() {
    sigemptyset(&held_);
    for (auto one : {SIGINT, SIGTERM, SIGHUP, SIGQUIT})
      sigaddset(&held_, one);
    pthread_sigmask(SIG_BLOCK, &held_, &before_);
  }
  ~held_signals() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  held_signals(const held_signals&) = delete;

  bool has_come() const {
    auto waiting = sigset_t{};
    sigpending(&waiting);
    for (auto one : {SIGINT, SIGTERM, SIGHUP, SIGQUIT})
      if (sigismember(&waiting, one) == 1)
        return true;
    return false;
  }

private:
  sigset_t held_, before_;
};

} // namespace

result<std::string> back_up(const config& options, const fs::path& path, const backup_wishes& how,
                            const cli_actions& actions, const as_typed& typed) {
  auto failure = std::error_code{};
  auto file = path;
  if (fs::is_directory(path, failure))
    file /= utc(now_ms(), "troupe-%Y%m%d-%H%M%S.backup");
  auto signals = held_signals{};
  auto to = backup_writer::create(file);
  if (!to)
    return to.error();
  auto take = [&](std::string_view bytes) {
    return signals.has_come() ? result<void>{error{errc::timeout, "stopped"}} : (*to)->write(bytes);
  };
  auto sent = actions.backup_of_server ? actions.backup_of_server(options, how, take)
                                       : result<void>{error{errc::item_not_found, "no server runs"}};
  if (sent.code() == errc::item_not_found)
    sent = backup_of_store(options, take);
  if (!sent)
    return sent.error();
  auto summary = (*to)->finish();
  if (!summary)
    return summary.error();
  auto out = "Wrote " + file.string() + "\n" + describe(*summary) +
             "\nIt has accounts and all that belongs to them, their SCRAM keys too: keep it as safe as passwords. It "
             "does not\nhave the configuration, certificates and their keys, nor the cluster's identity.\n";
  if (is_incomplete(*summary))
    out += "It is partial: `troupe restore` takes it together with those of other nodes.\n";
  return out + "To read it all again and check it:  " + typed("backup --verify " + file.string()) + "\n";
}

result<std::string> verify_backup(const fs::path& path) {
  auto file = backup_file::open(path);
  if (!file)
    return file.error();
  auto summary = (*file)->read();
  if (!summary)
    return summary.error();
  return path.string() + (is_incomplete(*summary) ? " is sound, but partial\n" : " is sound\n") + describe(*summary);
}

result<backup_files> open_backups(const std::vector<std::string>& paths) {
  auto out = backup_files{};
  for (auto& path : paths) {
    auto file = backup_file::open(path);
    if (!file)
      return file.error();
    out.push_back(*std::move(file));
  }
  return out;
}

result<void> check_may_restore(const config& options) {
  auto& folder = options.server.data_folder;
  auto failure = std::error_code{};
  auto store = folder / "store";
  if (fs::symlink_status(store, failure).type() != fs::file_type::not_found)
    return error{errc::conflict, "there is a store already, and a backup overwrites none. To restore nevertheless, "
                                 "move it away first: mv " +
                                     store.string() + " " + store.string() + ".before"};
  auto in_cluster = cluster::is_member(folder);
  if (!in_cluster)
    return in_cluster.error();
  if (*in_cluster)
    return error{errc::conflict,
                 "this folder is a cluster node's, and a backup becomes a server on its own. To restore nevertheless, "
                 "move its identity away first: mv " +
                     (folder / "cluster").string() + " " + (folder / "cluster.before").string()};
  return {};
}

result<std::string> restore_backups(const config& options, const backup_files& from, bool is_partial,
                                    const as_typed& typed) {
  if (auto may = check_may_restore(options); !may)
    return may.error();
  auto chosen = choose(from);
  if (!chosen)
    return chosen.error();
  auto& all = chosen->all;
  auto gone = all.missing();
  if (!gone.empty() && !is_partial)
    return error{errc::not_acceptable, "no backup has the shards " + list(gone) + " (" + std::to_string(gone.size()) +
                                           " of " + std::to_string(all.head.shard_count) +
                                           "): name the other nodes' backups, too, or restore without them, by "
                                           "--partial: their accounts will not exist"};
  if (auto done = restore(options_of_store(options), from, *chosen); !done)
    return done.error();
  auto accounts = all.accounts();
  auto out = "Restored " + count(accounts) + (accounts == 1 ? " account, " : " accounts, ") + count(all.records()) +
             " records, as of " + utc(all.head.made_ms, "%Y-%m-%d %H:%M:%S UTC") + ".\n";
  if (!gone.empty())
    out += "Nothing was restored of the shards " + list(gone) + ".\n";
  if (auto late = all.behind(); !late.empty())
    out += "The shards " + list(late) + " may lack the latest.\n";
  return out + "\nStart it (where it is a service: systemctl start troupe):\n\n    " + typed("serve") +
         "\n\nor make it the first node of a new cluster before that:\n\n    " + typed("cluster init") + "\n";
}

result<void> backup_of_store(const config& options, const backup_taker& take) {
  auto in_cluster = cluster::is_member(options.server.data_folder);
  if (!in_cluster)
    return in_cluster.error();
  if (*in_cluster)
    return error{errc::not_allowed, "this node is in a cluster and does not run: start it, or ask at another node"};
  auto failure = std::error_code{};
  if (!fs::exists(options.server.data_folder / "store", failure))
    return error{errc::item_not_found,
                 "no server runs, and there is no store in " + options.server.data_folder.string()};
  auto opened = store::open(options_of_store(options));
  if (!opened)
    return opened.error();
  auto what = backup_source{};
  what.from = opened->get();
  what.head = {now_ms(), std::string{version_text}, {}, {}, options.storage.shards};
  for (auto shard = 0u; shard < options.storage.shards; ++shard)
    what.parts.push_back({shard_id(shard), false});
  auto maker = backup_maker{std::move(what)};
  for (;;) {
    auto piece = maker.next();
    if (!piece)
      return piece.error();
    if (piece->empty())
      return {};
    if (auto taken = take(*piece); !taken)
      return taken;
  }
}

} // namespace xmpp
