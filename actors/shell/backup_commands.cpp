// A backup: for `troupe backup`, which asks for it and writes the file.
#include "actors/shell/command_set.hpp"
#include "persistence/backup.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

namespace xmpp::shell {

namespace {

using clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr auto catch_up_max = 5s;
constexpr auto shown_shards_max = std::size_t{12};

std::string counted(const std::vector<shard_id>& shards, std::uint32_t of) {
  auto out = std::to_string(shards.size()) + " of " + std::to_string(of) + " shards (";
  for (auto i = std::size_t{0}; i < std::min(shards.size(), shown_shards_max); ++i)
    out += (i == 0 ? "" : ", ") + std::to_string(shards[i]);
  return out + (shards.size() > shown_shards_max ? ", …)" : ")");
}

/// A replica that is behind is given time to catch up.
result<backup_source> find_source(context& with, bool takes_parts) {
  auto until = clock::now() + catch_up_max;
  auto out = with.server.source_of_backup();
  while (out && !out->behind().empty() && clock::now() < until && with.out.wait(200ms))
    out = with.server.source_of_backup();
  if (!out || takes_parts)
    return out;
  if (auto gone = out->missing(); !gone.empty())
    return fault("this node has no replica of " + counted(gone, out->head.shard_count) +
                 ". Ask a node that has all of them; or take backups with --partial at several nodes, and give "
                 "`troupe restore` all of them");
  if (auto late = out->behind(); !late.empty())
    return fault("this node may lack the latest of " + counted(late, out->head.shard_count) +
                 ": it does not hear who leads them, or is behind. Ask another node, or try again; --partial takes "
                 "them as they are");
  return out;
}

result<void> backup(context& with, const arguments& args) {
  auto rate = args.number("rate", 32, 1, 100'000);
  if (!rate)
    return rate.error();
  if (!with.out.write_bytes({}))
    return fault("this is what `troupe backup FILE` asks for; type that in a terminal");
  auto source = find_source(with, args.has("partial"));
  if (!source)
    return source.error();
  auto maker = backup_maker{*std::move(source)};
  auto begun = clock::now();
  auto given_bytes = std::int64_t{0};
  for (;;) {
    auto piece = maker.next();
    if (!piece)
      return piece.error();
    if (piece->empty())
      return {};
    given_bytes += std::int64_t(piece->size());
    auto due = begun + std::chrono::microseconds{given_bytes * 1'000'000 / (*rate << 20)};
    auto pause = std::chrono::ceil<std::chrono::milliseconds>(due - clock::now());
    if (!with.out.write_bytes(*piece) || !with.out.wait(std::max(pause, 1ms)))
      return fault("stopped");
  }
}

} // namespace

std::vector<command> backup_commands() {
  return {
      {.name = "backup",
       .help = "Sends a backup to `troupe backup FILE`, which asks for it.",
       .options = {{"partial", "", "also when shards are missing here, or behind"},
                   {"rate", "N", "MiB in a second, at most; 32"}},
       .run = backup},
  };
}

} // namespace xmpp::shell
