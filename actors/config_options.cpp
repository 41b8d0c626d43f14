#include "actors/config_options.hpp"

#include "actors/log.hpp"
#include "cluster/discovery.hpp"
#include "cluster/system_state.hpp"
#include "net/socket.hpp"
#include "persistence/keys.hpp"

#include <algorithm>
#include <array>
#include <filesystem>
#include <type_traits>

namespace xmpp {
namespace {

// -- the names of enumerations ---------------------------------------------------------------------------------------

template <class E>
struct names;

template <>
struct names<registration_policy> {
  static constexpr std::array<std::string_view, 3> all = {"closed", "loopback", "open"};
};
template <>
struct names<conflict_policy> {
  static constexpr std::array<std::string_view, 3> all = {"replace", "refuse", "rename"};
};
template <>
struct names<log_format> {
  static constexpr std::array<std::string_view, 4> all = {"auto", "text", "json", "journal"};
};
template <>
struct names<log_level> {
  static constexpr std::array<std::string_view, 5> all = {"debug", "info", "warning", "error", "off"};
};

template <class E>
std::string_view name_of(E x) noexcept {
  return names<E>::all[static_cast<std::size_t>(x)];
}

// -- one option ------------------------------------------------------------------------------------------------------

template <class T>
constexpr bool is_path_list = std::is_same_v<T, std::vector<std::filesystem::path>>;

template <class T>
option_value load(const T& field) {
  if constexpr (std::is_same_v<T, bool>)
    return field;
  else if constexpr (std::is_enum_v<T>)
    return std::string{name_of(field)};
  else if constexpr (std::is_integral_v<T>)
    return static_cast<std::int64_t>(field);
  else if constexpr (std::is_same_v<T, std::filesystem::path>)
    return field.string();
  else if constexpr (is_path_list<T>) {
    auto out = text_list{};
    for (auto& x : field)
      out.push_back(x.string());
    return out;
  } else
    return field;
}

template <class T>
void save(T& field, const option_value& x) {
  if constexpr (std::is_same_v<T, bool>)
    field = std::get<bool>(x);
  else if constexpr (std::is_enum_v<T>) {
    auto& all = names<T>::all;
    field = static_cast<T>(std::find(all.begin(), all.end(), std::get<std::string>(x)) - all.begin());
  } else if constexpr (std::is_integral_v<T>)
    field = static_cast<T>(std::get<std::int64_t>(x));
  else if constexpr (is_path_list<T>) {
    field.clear();
    for (auto& path : std::get<text_list>(x))
      field.emplace_back(path);
  } else
    field = std::get<std::conditional_t<std::is_same_v<T, text_list>, text_list, std::string>>(x);
}

enum class takes_effect : bool { at_restart, live };

template <class Owner, class Field>
option<Owner> row(std::string_view section, std::string_view name, takes_effect when, Field field,
                  std::string_view doc) {
  using type = std::remove_reference_t<decltype(field(std::declval<Owner&>()))>;
  auto out = option<Owner>{};
  out.section = section, out.name = name, out.doc = doc, out.is_live = when == takes_effect::live;
  out.get = [field](const Owner& from) { return load<type>(field(const_cast<Owner&>(from))); };
  out.set = [field](Owner& to, const option_value& x) { save<type>(field(to), x); };
  if constexpr (std::is_enum_v<type>)
    out.choices.assign(names<type>::all.begin(), names<type>::all.end());
  out.is_path = std::is_same_v<type, std::filesystem::path> || is_path_list<type>;
  return out;
}

// -- checks of texts -------------------------------------------------------------------------------------------------

std::string check_endpoint(std::string_view text) {
  return parse_endpoint(text)
             ? ""
             : "is no address with a port, such as \"*:5222\", \"192.0.2.1:5222\" or \"[2001:db8::1]:5222\"";
}

std::string check_reachable(std::string_view text) {
  auto where = parse_endpoint(text);
  return where && !is_wildcard(*where)
             ? ""
             : "is no IP address of this machine with a port, such as \"192.0.2.1:5292\" or \"[2001:db8::1]:5292\"";
}

std::string check_seed(std::string_view text) {
  return cluster::parse_host_and_port(text)
             ? ""
             : "is no host with a port, such as \"nodes.example.com:5292\" or \"192.0.2.1:5292\"";
}

std::string check_words(std::string_view text, std::size_t bytes_max) {
  if (text.size() > bytes_max)
    return "is longer than " + std::to_string(bytes_max) + " bytes";
  auto is_control = [](char c) { return static_cast<unsigned char>(c) < ' ' || c == 0x7f; };
  return std::any_of(text.begin(), text.end(), is_control) ? "has control characters" : "";
}

std::string check_client_address(std::string_view text) {
  return check_words(text, cluster::address_bytes_max);
}

std::string check_zone(std::string_view text) {
  return check_words(text, cluster::label_bytes_max);
}

std::string check_component_level(std::string_view text) {
  auto at = text.find('=');
  auto level = log_level{};
  if (at == std::string_view::npos || !from_string(text.substr(at + 1), level))
    return "is no component=level, such as \"session=debug\"";
  auto component = text.substr(0, at);
  auto known = std::vector<std::string_view>(log::components.begin(), log::components.end());
  if (std::find(known.begin(), known.end(), component) == known.end())
    return "names no component; the nearest is " + in_quotes(nearest(component, known));
  return {};
}

std::string check_uri(std::string_view text) {
  auto colon = text.find(':');
  return colon != std::string_view::npos && colon > 0 && colon + 1 < text.size()
             ? ""
             : "is no URI, such as \"mailto:abuse@example.com\" or \"xmpp:abuse@example.com\"";
}

constexpr std::int64_t kib = 1'024, mib = 1'024 * kib, gib = 1'024 * mib;

// -- the table -------------------------------------------------------------------------------------------------------

#define AT(member)                                                                                                     \
  [](config & x) -> auto& {                                                                                            \
    return x.member;                                                                                                   \
  }
#define HOST_AT(member)                                                                                                \
  [](host_config & x) -> auto& {                                                                                       \
    return x.member;                                                                                                   \
  }

} // namespace

const std::vector<std::pair<std::string_view, std::string_view>> section_docs = {
    {"server", "The process: where its files are, how it starts and stops."},
    {"listen", "Ports for clients, and what a stranger may take up before TLS."},
    {"tls", "Encryption of clients' streams. Certificates stand with their hosts."},
    {"c2s", "One client's stream."},
    {"sign_in", "SASL, registration, and the price of guessing."},
    {"accounts", "Accounts in memory."},
    {"storage", "Everything durable: a synced log and the state it leads to."},
    {"cluster", "This node among others. Nothing of it is used before `troupe cluster init` or `troupe cluster join`."},
    {"log", "Events with fields. No body, password or key is ever logged."},
    {"host_defaults", "What holds for every virtual host whose own section does not say otherwise."},
};

const std::vector<option<config>>& server_options() {
  using enum takes_effect;
  auto o = [](auto... xs) { return row<config>(xs...); };
  static const auto table = std::vector<option<config>>{
      // server
      o("server", "data_folder", at_restart, AT(server.data_folder),
        "Holds the store, the admin socket and what `troupe init` made. A relative path starts at this file's folder. "
        "A "
        "fast disk with an honest fsync decides how many durable changes a second are possible."),
      o("server", "admin_socket", at_restart, AT(server.admin_socket),
        "The Unix socket of `troupe shell` and `troupe user`; who may open this file may do everything. Empty: "
        "admin.socket in the data folder. At most 107 bytes with its folder."),
      o("server", "open_files_min", at_restart, AT(server.open_files_min),
        "The server raises its open-file limit to the hard limit at start and refuses to start below this. Each "
        "connection takes one file; 384 are kept for the store and the rest. More: a machine that is too small is "
        "noticed at the start, not by clients that are turned away; less: it starts anywhere.")
          .in("files", 512, 100'000'000),
      o("server", "shutdown_timeout_s", live, AT(server.shutdown_timeout_s),
        "How long clients may take to close their streams on a shutdown. More: slow clients part in order; less: a "
        "quicker restart.")
          .in("seconds", 0, 600),
      o("server", "drain_per_second", live, AT(server.drain_per_second),
        "Streams that `drain` ends each second. More: sooner empty; less: a gentler storm of clients where they go.")
          .in("streams per second", 1, 1'000'000),
      o("server", "drain_host", live, AT(server.drain_host),
        "Where `drain` sends clients (see-other-host), as host or host:port. Empty: in a cluster to the client_address "
        "of other nodes, in turn; else, and when none has one, they are only closed."),
      // listen
      o("listen", "c2s", at_restart, AT(listen.c2s),
        "Clients with STARTTLS. * is every address of this machine, IPv4 and IPv6.")
          .when(check_endpoint),
      o("listen", "c2s_tls", at_restart, AT(listen.c2s_tls), "Clients that start with TLS (XEP-0368).")
          .when(check_endpoint),
      o("listen", "backlog", at_restart, AT(listen.backlog),
        "Connections that wait for the server in the kernel. More: survives a storm of reconnecting clients; costs "
        "kernel "
        "memory only then. The kernel cuts it to net.core.somaxconn.")
          .in("connections", 16, 65'535),
      o("listen", "connections_max", live, AT(listen.connections_max),
        "All clients together; more are closed at once. 0: what the open-file limit leaves. More: more clients; "
        "less: they take less memory.")
          .in("connections", 0, 100'000'000),
      o("listen", "unauthenticated_max", live, AT(listen.unauthenticated_max),
        "Connections that have not signed in; beyond, the oldest of them ends. More: bigger storms; less: less memory "
        "for strangers, some 3 KiB each, and 50 KiB in the middle of a TLS handshake.")
          .in("connections", 16, 100'000'000),
      o("listen", "per_address_max", live, AT(listen.per_address_max),
        "Open connections of one address (of IPv6: of one /64); 0: any number. More: many users behind one NAT; less: "
        "one "
        "stranger takes less.")
          .in("connections", 0, 1'000'000),
      o("listen", "per_address_per_minute", live, AT(listen.per_address_per_minute),
        "New connections of one address (of IPv6: of one /64); 0: any number. More: many users behind one NAT "
        "reconnect sooner; less: one stranger costs less.")
          .in("connections per minute", 0, 1'000'000),
      o("listen", "per_address_burst", live, AT(listen.per_address_burst),
        "New connections of one address at once, before the above counts. More: many users behind one NAT reconnect "
        "at once; less: a stranger is slowed sooner.")
          .in("connections", 1, 1'000'000),
      o("listen", "loopback_is_exempt", live, AT(listen.loopback_is_exempt),
        "Whether this machine's own addresses are free of the limits per address, as for a proxy or a load test."),
      // tls
      o("tls", "required", live, AT(tls.required),
        "Whether a client on 5222 must start TLS before it signs in. false: passwords and messages may cross the "
        "network "
        "in the clear; for tests and closed networks."),
      // c2s
      o("c2s", "reactor_threads", at_restart, AT(c2s.reactor_threads),
        "Threads that wait for sockets, decrypt and parse; 0: one for every two cores. More: more encrypted traffic in "
        "parallel; each costs a parser, some 200 KiB.")
          .in("threads", 0, 256),
      o("c2s", "output_bytes_max", live, AT(c2s.output_bytes_max),
        "What may wait for one slow client before its stream ends with policy-violation. More: patience with slow "
        "links, bursts and long rosters; less: one stalled client holds less memory. Holds for new connections.")
          .in("bytes", 64 * kib, gib),
      o("c2s", "sign_in_timeout_s", live, AT(c2s.sign_in_timeout_s),
        "From accepting a connection to its sign-in, TLS included; no trickle of bytes extends it. More: slow links; "
        "less: strangers hold sockets for a shorter time.")
          .in("seconds", 1, 3'600),
      o("c2s", "write_timeout_s", at_restart, AT(c2s.write_timeout_s),
        "A client that takes none of its waiting bytes for so long is disconnected. More: patience with bad links; "
        "less: what a lost client holds is free sooner.")
          .in("seconds", 1, 3'600),
      o("c2s", "keepalive_s", at_restart, AT(c2s.keepalive_s),
        "Silence after which the kernel asks whether the client is still there (TCP keepalive); 0: it never asks. "
        "Less: "
        "lost clients are noticed sooner, but phones wake up.")
          .in("seconds", 0, 86'400),
      o("c2s", "conflict", live, AT(c2s.conflict),
        "When a client asks for a resource that another session has: the old one ends (\"replace\": right after a lost "
        "connection), the new one is refused (\"refuse\": conflict), or the new one gets another name (\"rename\")."),
      o("c2s", "stanza_bytes_max", at_restart, AT(c2s.limits.stanza_bytes_max),
        "One stanza. RFC 6120 asks for 10'000 or more; avatars in vCards need some 100 KiB. More: one client can make "
        "the "
        "server hold more.")
          .in("bytes", 10'000, mib),
      o("c2s", "unauthenticated_bytes_max", at_restart, AT(c2s.limits.unauthenticated_bytes_max),
        "One element before sign-in. RFC 6120 asks for 10'000 or more. More: room for unusual clients; less: a "
        "stranger gets less memory.")
          .in("bytes", 10'000, mib),
      o("c2s", "depth_max", at_restart, AT(c2s.limits.depth_max),
        "Elements inside each other; a stanza itself is 1. More: costs stack; less: unusual extensions end their "
        "client's stream.")
          .in("elements", 8, 512),
      o("c2s", "attributes_max", at_restart, AT(c2s.limits.attributes_max),
        "Attributes of one element. More: dearer elements; less: unusual extensions end their client's stream.")
          .in("attributes", 16, 1'024),
      o("c2s", "namespaces_max", at_restart, AT(c2s.limits.namespaces_max),
        "Namespace declarations of one element. More: dearer elements; less: unusual extensions end their client's "
        "stream.")
          .in("declarations", 8, 1'024),
      o("c2s", "children_max", at_restart, AT(c2s.limits.children_max),
        "Elements in one stanza, at all depths. More: bigger forms and lists, dearer stanzas.")
          .in("elements", 100, 1'000'000),
      // sign_in
      o("sign_in", "mechanisms", live, AT(sign_in.mechanisms),
        "What is offered where it is possible; the SCRAM ones also with channel binding (-PLUS). EXTERNAL and "
        "ANONYMOUS "
        "are switched by their hosts. PLAIN is offered under TLS only; without it some old clients stay out.")
          .of({"SCRAM-SHA-512", "SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN"}),
      o("sign_in", "scram_iterations", live, AT(sign_in.scram_iterations),
        "For passwords set from now on. More: stolen keys are dearer to guess; each sign-in costs the client, and each "
        "PLAIN sign-in and registration costs the server, in proportion: some 3 ms per 10'000 and hash.")
          .in("iterations", 4'096, 10'000'000),
      o("sign_in", "attempts_max", live, AT(sign_in.attempts_max),
        "Failed attempts on one stream before it ends. Real clients try several mechanisms in turn. More: they need "
        "no second connection; less: guessing needs more of them.")
          .in("attempts", 3, 5),
      o("sign_in", "backoff_after", live, AT(sign_in.backoff_after),
        "Failures of one account from one address, or of one address with any account, after which answers are "
        "delayed; the whole /64 is one address of IPv6. More: fewer who mistyped wait; less: guessing is slowed "
        "sooner.")
          .in("failures", 1, 1'000'000),
      o("sign_in", "backoff_ms", live, AT(sign_in.backoff_ms),
        "The first such delay; it doubles with every failure. More: guessing is slower; less: a user who mistyped "
        "waits less.")
          .in("milliseconds", 0, 60'000),
      o("sign_in", "backoff_ms_max", live, AT(sign_in.backoff_ms_max),
        "The longest such delay. More: guessing is slower; less: a user who mistyped waits less.")
          .in("milliseconds", 0, 600'000),
      o("sign_in", "backoff_memory_s", live, AT(sign_in.backoff_memory_s),
        "After so long without failure all is forgotten. More: patient guessing is slowed, too; less: who mistyped "
        "is forgiven sooner.")
          .in("seconds", 1, 86'400),
      o("sign_in", "hasher_threads", at_restart, AT(sign_in.hasher_threads),
        "Threads for PLAIN sign-ins, new passwords and nothing else. More: more of them in parallel; less: a flood of "
        "them leaves the cores to others.")
          .in("threads", 1, 64),
      o("sign_in", "registrations_per_address_per_hour", live, AT(sign_in.registrations_per_address_per_hour),
        "Accounts that one address (of IPv6: one /64) may register; 0: any number. See listen.loopback_is_exempt. "
        "More: many newcomers behind one NAT; less: a spammer gets fewer.")
          .in("accounts per hour", 0, 1'000'000),
      // accounts
      o("accounts", "idle_retire_s", live, AT(accounts.idle_retire_s),
        "An account with no session and no traffic for so long leaves the memory. More: warm accounts answer faster; "
        "less: less memory.")
          .in("seconds", 1, 86'400),
      // storage
      o("storage", "shards", at_restart, AT(storage.shards),
        "Slices of all accounts, each with its own log; fixed when the store is made. More: finer balance over many "
        "nodes later; less: less memory and fewer, larger batches.")
          .in("shards", 1, shard_count_max),
      o("storage", "cache_bytes_max", at_restart, AT(storage.cache_bytes_max),
        "Blocks of the store kept in memory. More: fewer reads from disk; less: memory for sessions.")
          .in("bytes", mib, 1'024 * gib),
      o("storage", "memtable_bytes_max", at_restart, AT(storage.memtable_bytes_max),
        "Written data of each database that waits in memory for a file; up to twice that under load. More: fewer and "
        "larger files; less: less memory.")
          .in("bytes", mib, 16 * gib),
      o("storage", "writer_queue_bytes_max", at_restart, AT(storage.writer_queue_bytes_max),
        "Changes that wait for the disk; beyond, they are refused with resource-constraint. More: longer bursts; less: "
        "overload is answered sooner.")
          .in("bytes", mib, 16 * gib),
      o("storage", "batch_bytes_max", at_restart, AT(storage.batch_bytes_max),
        "Of one synced batch. More: more changes per fsync; less: the first in it waits a shorter time.")
          .in("bytes", 64 * kib, gib),
      o("storage", "log_bytes_max", at_restart, AT(storage.log_bytes_max),
        "Log after which the state is flushed and the log trimmed. More: fewer flushes; less: a quicker start after a "
        "crash.")
          .in("bytes", mib, 64 * gib),
      o("storage", "reads_waiting_max", at_restart, AT(storage.reads_waiting_max),
        "Reads from disk that wait; beyond, they fail and the client is told to try later. More: bigger storms of "
        "sign-ins are served, if late; less: overload is told sooner.")
          .in("reads", 64, 10'000'000),
      o("storage", "free_bytes_min", live, AT(storage.free_bytes_min),
        "Below so much free space on the data folder's disk all durable work is refused with resource-constraint, "
        "until "
        "there is a sixteenth more. More: the rest of the machine keeps its room; less: the disk can be used up.")
          .in("bytes", 0, 1'024 * gib),
      // cluster
      o("cluster", "listen", at_restart, AT(cluster.listen),
        "Where other nodes' links come in, and nodes that want to join. Best kept from clients' networks: who has no "
        "certificate of the cluster gets nowhere, but handshakes cost time.")
          .when(check_endpoint),
      o("cluster", "addresses", at_restart, AT(cluster.addresses),
        "How the other nodes reach this one, the best first: IP addresses with the port. Empty: the address in "
        "cluster.listen, which then must not be every address.")
          .when(check_reachable),
      o("cluster", "seeds", at_restart, AT(cluster.seeds),
        "Where other nodes may be found as well, as host:port, when none answers where it was last, and for `troupe "
        "cluster join`. A name's records may give the addresses of several. Whoever is there has to show that it is a "
        "member.")
          .when(check_seed),
      o("cluster", "client_address", at_restart, AT(cluster.client_address),
        "Where clients reach this node when others drain or stop and send them here (see-other-host), as host or "
        "host:port. Empty: none are sent.")
          .when(check_client_address),
      o("cluster", "zone", at_restart, AT(cluster.zone),
        "What fails together with this node: a rack, a data centre. A shard's replicas are put into as many zones as "
        "there are. Empty: the node is a zone of its own.")
          .when(check_zone),
      // log
      o("log", "format", at_restart, AT(log.format),
        "\"text\": aligned, for people; \"json\": one object a line; \"journal\": text with systemd's priorities; "
        "\"auto\": text on a terminal, journal under systemd, else json."),
      o("log", "level", live, AT(log.level), "The least that is logged. \"debug\" says a line for many a stanza."),
      o("log", "levels", live, AT(log.levels),
        "Other levels for components, as component=level; the component is an event's name up to its first dot.")
          .when(check_component_level),
      o("log", "file", at_restart, AT(log.file),
        "Where to append; made with mode 0640. Empty: standard error. SIGHUP opens it anew, so that it can be "
        "rotated."),
      o("log", "queue_events_max", at_restart, AT(log.queue_events_max),
        "Events that wait for a slow terminal or disk; beyond, they are dropped and counted: no actor waits for the "
        "log. More: longer bursts are logged whole; less: they take less memory.")
          .in("events", 64, 10'000'000),
  };
  return table;
}

const std::vector<option<host_config>>& host_options() {
  using enum takes_effect;
  auto o = [](auto... xs) { return row<host_config>("host_defaults", xs...); };
  static const auto table = std::vector<option<host_config>>{
      o("certificate_files", live, HOST_AT(certificate_files),
        "PEM files, each a chain with the leaf first. Of several the one that is valid now serves, the one that lasts "
        "longest first. The host's name must stand in the subjectAltName; the common name is not looked at (RFC "
        "9525)."),
      o("key_files", live, HOST_AT(key_files),
        "PEM keys, in the order of the certificates. Empty: each key stands in its certificate's file."),
      o("client_ca_file", live, HOST_AT(client_ca_file),
        "PEM certificates that may sign clients' certificates: offers SASL EXTERNAL (XEP-0178). Empty: not offered."),
      o("registration", live, HOST_AT(registration),
        "Who may make an account from a client (XEP-0077): nobody (\"closed\"), clients on this machine "
        "(\"loopback\"), "
        "everybody (\"open\": expect to be found by spammers)."),
      o("anonymous", live, HOST_AT(anonymous),
        "Whether anybody may come in without an account (SASL ANONYMOUS, XEP-0175). Best on a host of its own."),
      o("tells_version", live, HOST_AT(tells_version),
        "Whether the host answers what software of which version it runs (XEP-0092). true: who helps knows what to "
        "look for; false: an attacker has to guess."),
      o("resources_max", live, HOST_AT(resources_max),
        "Sessions of one account at a time. More: more devices; less: a stolen password fans out less.")
          .in("sessions", 1, 1'000),
      o("roster_items_max", live, HOST_AT(roster_items_max),
        "Contacts of one account. More: each costs some 100 bytes while the account is in memory, and a probe at "
        "each sign-in; less: few have so many.")
          .in("contacts", 0, 100'000),
      o("offline_messages_max", live, HOST_AT(offline_messages_max),
        "Messages that wait for one account (XEP-0160); beyond, senders get service-unavailable. 0: none are kept. "
        "More: longer absences lose nothing; less: an account that nobody reads takes less disk.")
          .in("messages", 0, 1'000'000),
      o("offline_bytes_max", live, HOST_AT(offline_bytes_max), "Their size together. More and less: as above.")
          .in("bytes", 0, 16 * gib),
      o("offline_expiry_days", live, HOST_AT(offline_expiry_days),
        "Older ones are not delivered, and give way when the next one comes for the account; 0: never. More: longer "
        "absences lose nothing; less: nobody gets what has long been over, and the disk has more room.")
          .in("days", 0, 36'500),
      o("vcard_bytes_max", live, HOST_AT(vcard_bytes_max),
        "One vCard (XEP-0054), avatar included. More: bigger pictures; less: smaller answers to all who ask, and "
        "less disk.")
          .in("bytes", kib, mib),
      o("private_xml_bytes_max", live, HOST_AT(private_xml_bytes_max),
        "One element of private XML storage (XEP-0049). More: clients keep more settings and bookmarks here; less: "
        "less disk.")
          .in("bytes", kib, mib),
      o("private_xml_elements_max", live, HOST_AT(private_xml_elements_max),
        "Such elements of one account. More and less: as above.")
          .in("elements", 0, 100'000),
      o("blocklist_items_max", live, HOST_AT(blocklist_items_max),
        "Addresses that one account blocks (XEP-0191). More: longer lists; less: less memory for each account in it.")
          .in("addresses", 0, 100'000),
      o("abuse_addresses", live, HOST_AT(abuse_addresses), "Whom to tell about abuse, as URIs, shown by XEP-0157.")
          .when(check_uri),
      o("admin_addresses", live, HOST_AT(admin_addresses), "The same, for the administrators.").when(check_uri),
      o("feedback_addresses", live, HOST_AT(feedback_addresses), "The same, for feedback.").when(check_uri),
      o("sales_addresses", live, HOST_AT(sales_addresses), "The same, for sales.").when(check_uri),
      o("security_addresses", live, HOST_AT(security_addresses), "The same, for reports of weaknesses.")
          .when(check_uri),
      o("status_addresses", live, HOST_AT(status_addresses), "The same: where outages are told.").when(check_uri),
      o("support_addresses", live, HOST_AT(support_addresses), "The same, for help.").when(check_uri),
  };
  return table;
}

#undef AT
#undef HOST_AT

// -- texts -----------------------------------------------------------------------------------------------------------

std::string in_quotes(std::string_view text) {
  auto out = std::string{"\""};
  for (auto c : text) {
    if (c == '"' || c == '\\')
      out += '\\';
    out += c;
  }
  return out += '"';
}

std::string render(const option_value& x) {
  if (auto flag = std::get_if<bool>(&x))
    return *flag ? "true" : "false";
  if (auto number = std::get_if<std::int64_t>(&x))
    return std::to_string(*number);
  if (auto text = std::get_if<std::string>(&x))
    return in_quotes(*text);
  auto out = std::string{"["};
  for (auto& item : std::get<text_list>(x))
    out += (out.size() > 1 ? ", " : "") + in_quotes(item);
  return out += ']';
}

bool is_wildcard(const endpoint& x) {
  auto address = net::address::parse(x.address, x.port);
  return address && (address->is_any() || address->host_text() == "0.0.0.0");
}

std::string_view to_string(registration_policy x) noexcept {
  return name_of(x);
}
std::string_view to_string(conflict_policy x) noexcept {
  return name_of(x);
}

} // namespace xmpp
