// Every option of the server, typed. One table (config_options.hpp) has their names, units, ranges, defaults and
// reasons; the parser, examples/troupe.conf and the comparison on a reload all read that table.
#pragma once

#include "actors/log.hpp"
#include "net/socket.hpp"
#include "protocol/error.hpp"
#include "protocol/limits.hpp"

#include <caf/settings.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace caf {
class actor_system_config;
}

namespace xmpp {

/// Who may make an account by XEP-0077.
enum class registration_policy : std::uint8_t { closed, loopback, open };

/// What happens when a client asks for a resource that is taken (RFC 6120, 7.7.2.2): the old session ends, the new one
/// is refused, or the new one gets another name.
enum class conflict_policy : std::uint8_t { replace, refuse, rename };

/// One virtual host: `[hosts.<label>]` over what `[host_defaults]` says.
struct host_config {
  std::string name;                                     ///< Prepared domain.
  std::vector<std::filesystem::path> certificate_files; ///< PEM chains, leaf first; several: the valid one is served.
  std::vector<std::filesystem::path> key_files;         ///< One for each of the above, or none: same file.
  std::filesystem::path client_ca_file;                 ///< Empty: no EXTERNAL.
  registration_policy registration = registration_policy::closed;
  bool anonymous = false;
  bool tells_version = true;
  std::uint32_t resources_max = 16;
  std::uint32_t roster_items_max = 2'000;
  std::uint32_t offline_messages_max = 1'000;
  std::size_t offline_bytes_max = 4 << 20;
  std::uint32_t offline_expiry_days = 30; ///< 0: never.
  std::size_t vcard_bytes_max = 131'072;
  std::size_t private_xml_bytes_max = 131'072;
  std::uint32_t private_xml_elements_max = 256;
  std::uint32_t blocklist_items_max = 1'000;
  std::vector<std::string> abuse_addresses, admin_addresses, feedback_addresses, sales_addresses, security_addresses,
      status_addresses, support_addresses; ///< URIs (XEP-0157).

  /// The non-empty ones, by the names of XEP-0157: `abuse-addresses` -> URIs.
  std::vector<std::pair<std::string, std::vector<std::string>>> contacts() const;
};

/// Relative paths have been made absolute, from the configuration file's folder.
struct config {
  struct {
    std::filesystem::path data_folder = ".";
    std::filesystem::path admin_socket; ///< Never empty after parsing.
    std::uint32_t open_files_min = 1'024;
    std::uint32_t shutdown_timeout_s = 10;
    std::uint32_t drain_per_second = 500;
    std::string drain_host; ///< `see-other-host` while draining; empty: none.
  } server;

  struct {
    std::vector<std::string> c2s = {"*:5222"};
    std::vector<std::string> c2s_tls = {"*:5223"};
    std::uint32_t backlog = 4'096;
    std::uint32_t connections_max = 0; ///< 0: what the open-file limit leaves.
    std::uint32_t unauthenticated_max = 16'384;
    std::uint32_t per_address_max = 256;
    std::uint32_t per_address_per_minute = 240;
    std::uint32_t per_address_burst = 60;
    bool loopback_is_exempt = true;
  } listen;

  struct {
    bool required = true;
  } tls;

  struct {
    std::uint32_t reactor_threads = 0; ///< 0: one for every two cores.
    std::uint32_t output_bytes_max = 1 << 20;
    std::uint32_t sign_in_timeout_s = 60;
    std::uint32_t write_timeout_s = 60;
    std::uint32_t keepalive_s = 300; ///< TCP's; 0: off.
    conflict_policy conflict = conflict_policy::replace;
    stream_limits limits;
  } c2s;

  struct {
    std::vector<std::string> mechanisms = {"SCRAM-SHA-512", "SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN"};
    std::uint32_t scram_iterations = 10'000;
    std::uint32_t attempts_max = 5;
    std::uint32_t backoff_after = 10;
    std::uint32_t backoff_ms = 500;
    std::uint32_t backoff_ms_max = 30'000;
    std::uint32_t backoff_memory_s = 900;
    std::uint32_t hasher_threads = 1;
    std::uint32_t registrations_per_address_per_hour = 5;
  } sign_in;

  struct {
    std::uint32_t idle_retire_s = 300;
  } accounts;

  struct {
    std::uint32_t shards = 64;
    std::size_t cache_bytes_max = 64 << 20;
    std::size_t memtable_bytes_max = 16 << 20;
    std::size_t writer_queue_bytes_max = 32 << 20;
    std::size_t batch_bytes_max = 4 << 20;
    std::size_t log_bytes_max = 32 << 20;
    std::uint32_t reads_waiting_max = 65'536;
    std::uint64_t free_bytes_min = 256 << 20;
  } storage;

  struct {
    std::string listen = "*:5292";
    std::vector<std::string> addresses; ///< Empty: `listen`, which then is one.
    std::vector<std::string> seeds;     ///< `host:port`
    std::string client_address;         ///< Empty: clients are sent to other nodes only.
    std::string zone;
  } cluster;

  struct {
    log_format format = log_format::automatic;
    log_level level = log_level::info;
    std::vector<std::string> levels; ///< `component=level`
    std::filesystem::path file;      ///< Empty: standard error.
    std::uint32_t queue_events_max = 16'384;
  } log;

  host_config host_defaults;
  std::vector<host_config> hosts; ///< Sorted by label; at least one.
  std::vector<std::string> host_labels;
  caf::settings caf_options; ///< CAF's own sections: scheduler, middleman, …

  std::filesystem::path file; ///< Where it was read from; empty: from text.

  /// By domain; null when this server does not serve it.
  const host_config* host(std::string_view name) const noexcept;
};

/// `*:5222`, `192.0.2.1:5222` or `[2001:db8::1]:5222`.
struct endpoint {
  std::string address; ///< `*`: every address, IPv4 and IPv6.
  std::uint16_t port = 0;
};

/// Fails with `bad_request`: no address, no port, or not numbers.
result<endpoint> parse_endpoint(std::string_view text);

/// Every address of this machine: `*`, `0.0.0.0`, `[::]`.
bool is_wildcard(const endpoint& x);

/// Reads CAF's configuration syntax. Fails with `bad_request` and one line of text for each thing that is wrong, with
/// the line's number: a syntax error, a value of another type or out of its range, an unknown option and the nearest
/// known one, two hosts of one name, no host.
result<config> parse_config(std::string_view text, const std::filesystem::path& folder);

/// The same from a file. Fails also with `item_not_found`.
result<config> load_config(const std::filesystem::path& file);

/// The documented text of all options with their defaults: examples/troupe.conf.
std::string example_config();

/// One option that has changed.
struct config_change {
  std::string name; ///< `c2s.output_bytes_max`, `hosts.main.registration`
  std::string before, after;
  bool is_live = false; ///< Can be taken over without a restart.
};

/// What a reload would change, in the table's order; hosts that came or went stand with their whole section's name.
std::vector<config_change> diff(const config& before, const config& after);

/// What holds after a reload of `next`: its live options, and of `running` the others, hosts that came or went
/// included.
config in_force(const config& running, config next);

/// All options as `name`, `value`, in the table's order, hosts last.
std::vector<std::pair<std::string, std::string>> list_options(const config& from);

/// Hands CAF its own sections; a scheduler policy that the file does not set becomes `sharing`.
void apply(const config& from, caf::actor_system_config& to);

/// The known word nearest to `word` by edits; the first of equals; empty when `known` is empty.
std::string_view nearest(std::string_view word, const std::vector<std::string_view>& known);

std::string_view to_string(registration_policy x) noexcept;
std::string_view to_string(conflict_policy x) noexcept;

/// `192.0.2.1:5222`, `[::]:5222`, `*:5222`. Fails with `bad_request`.
result<net::address> parse_address(const std::string& text);

} // namespace xmpp
