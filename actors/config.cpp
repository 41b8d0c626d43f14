#include "actors/config.hpp"

#include "persistence/keys.hpp"
#include "protocol/jid.hpp"

#include <caf/actor_system_config.hpp>
#include <caf/atom.hpp>
#include <caf/config_option_set.hpp>
#include <caf/config_value.hpp>

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <charconv>
#include <fstream>
#include <functional>
#include <optional>
#include <sstream>
#include <type_traits>
#include <variant>

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

using text_list = std::vector<std::string>;
using option_value = std::variant<bool, std::int64_t, std::string, text_list>;
constexpr std::array<std::string_view, 4> type_names = {"true or false", "a whole number", "a text in quotes",
                                                        "a list of texts"};

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

std::string in_quotes(std::string_view text) {
  auto out = std::string{"\""};
  for (auto c : text) {
    if (c == '"' || c == '\\')
      out += '\\';
    out += c;
  }
  return out += '"';
}

/// As it would stand in the file.
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

/// One row of the table; `Owner` is `config` or `host_config`.
template <class Owner>
struct option {
  std::string_view section, name, unit, doc;
  bool is_live = false;
  std::int64_t min = 0, max = 0;
  std::vector<std::string_view> choices; ///< Of a text, or of a list's items.
  bool is_path = false;
  std::function<option_value(const Owner&)> get;
  std::function<void(Owner&, const option_value&)> set;
  std::function<std::string(std::string_view)> check; ///< Of a text or an item; says what is wrong, or nothing.

  option&& in(std::string_view its_unit, std::int64_t from, std::int64_t to) && {
    unit = its_unit, min = from, max = to;
    return std::move(*this);
  }
  option&& of(std::vector<std::string_view> words) && {
    choices = std::move(words);
    return std::move(*this);
  }
  option&& when(std::function<std::string(std::string_view)> test) && {
    check = std::move(test);
    return std::move(*this);
  }
};

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

const std::vector<std::pair<std::string_view, std::string_view>> section_docs = {
    {"server", "The process: where its files are, how it starts and stops."},
    {"listen", "Ports for clients, and what a stranger may take up before TLS."},
    {"tls", "Encryption of clients' streams. Certificates stand with their hosts."},
    {"c2s", "One client's stream."},
    {"sign_in", "SASL, registration, and the price of guessing."},
    {"accounts", "Accounts in memory."},
    {"storage", "Everything durable: a synced log and the state it leads to."},
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
        "connection takes one file; 384 are kept for the store and the rest.")
          .in("files", 512, 100'000'000),
      o("server", "shutdown_timeout_s", live, AT(server.shutdown_timeout_s),
        "How long clients may take to close their streams on a shutdown. More: slow clients part in order; less: a "
        "quicker restart.")
          .in("seconds", 0, 600),
      o("server", "drain_per_second", live, AT(server.drain_per_second),
        "Streams that `drain` ends each second. More: sooner empty; less: a gentler storm of clients where they go.")
          .in("streams per second", 1, 1'000'000),
      o("server", "drain_host", live, AT(server.drain_host),
        "Where `drain` sends clients (see-other-host), as host or host:port. Empty: they are only closed."),
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
        "All clients together; more are closed at once. 0: what the open-file limit leaves.")
          .in("connections", 0, 100'000'000),
      o("listen", "unauthenticated_max", live, AT(listen.unauthenticated_max),
        "Connections that have not signed in; beyond, the oldest of them ends. More: bigger storms; less: less memory "
        "for "
        "strangers, some 30 KiB each under TLS.")
          .in("connections", 16, 100'000'000),
      o("listen", "per_address_max", live, AT(listen.per_address_max),
        "Open connections of one address (of IPv6: of one /64); 0: any number. More: many users behind one NAT; less: "
        "one "
        "stranger takes less.")
          .in("connections", 0, 1'000'000),
      o("listen", "per_address_per_minute", live, AT(listen.per_address_per_minute),
        "New connections of one address (of IPv6: of one /64); 0: any number. As above.")
          .in("connections per minute", 0, 1'000'000),
      o("listen", "per_address_burst", live, AT(listen.per_address_burst),
        "New connections of one address at once, before the above counts.")
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
        "links, "
        "bursts and long rosters; less: one stalled client holds less memory.")
          .in("bytes", 64 * kib, gib),
      o("c2s", "sign_in_timeout_s", live, AT(c2s.sign_in_timeout_s),
        "From accepting a connection to its sign-in, TLS included; no trickle of bytes extends it. More: slow links; "
        "less: strangers hold sockets for a shorter time.")
          .in("seconds", 1, 3'600),
      o("c2s", "write_timeout_s", at_restart, AT(c2s.write_timeout_s),
        "A client that takes none of its waiting bytes for so long is disconnected.")
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
          .in("bytes", 10'000, 64 * mib),
      o("c2s", "unauthenticated_bytes_max", at_restart, AT(c2s.limits.unauthenticated_bytes_max),
        "One element before sign-in: a stranger gets less memory.")
          .in("bytes", 4 * kib, mib),
      o("c2s", "depth_max", at_restart, AT(c2s.limits.depth_max),
        "Elements inside each other; a stanza itself is 1. More costs stack.")
          .in("elements", 8, 512),
      o("c2s", "attributes_max", at_restart, AT(c2s.limits.attributes_max), "Attributes of one element.")
          .in("attributes", 16, 1'024),
      o("c2s", "namespaces_max", at_restart, AT(c2s.limits.namespaces_max), "Namespace declarations of one element.")
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
        "Failed attempts on one stream before it ends. Real clients try several mechanisms in turn.")
          .in("attempts", 3, 5),
      o("sign_in", "backoff_after", live, AT(sign_in.backoff_after),
        "Failures of one account from one address, or of one address with any account, after which answers are "
        "delayed.")
          .in("failures", 1, 1'000'000),
      o("sign_in", "backoff_ms", live, AT(sign_in.backoff_ms), "The first such delay; it doubles with every failure.")
          .in("milliseconds", 0, 60'000),
      o("sign_in", "backoff_ms_max", live, AT(sign_in.backoff_ms_max),
        "The longest such delay. More: guessing is slower; less: a user who mistyped waits less.")
          .in("milliseconds", 0, 600'000),
      o("sign_in", "backoff_memory_s", live, AT(sign_in.backoff_memory_s),
        "After so long without failure all is forgotten.")
          .in("seconds", 1, 86'400),
      o("sign_in", "hasher_threads", at_restart, AT(sign_in.hasher_threads),
        "Threads for PLAIN sign-ins, new passwords and nothing else. More: more of them in parallel; less: a flood of "
        "them leaves the cores to others.")
          .in("threads", 1, 64),
      o("sign_in", "registrations_per_address_per_hour", live, AT(sign_in.registrations_per_address_per_hour),
        "Accounts that one address (of IPv6: one /64) may register; 0: any number. See listen.loopback_is_exempt.")
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
        "larger files.")
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
        "Reads from disk that wait; beyond, they fail and the client is told to try later.")
          .in("reads", 64, 10'000'000),
      o("storage", "free_bytes_min", live, AT(storage.free_bytes_min),
        "Below so much free space on the data folder's disk all durable work is refused with resource-constraint, "
        "until "
        "there is a sixteenth more. More: the rest of the machine keeps its room; less: the disk can be used up.")
          .in("bytes", 0, 1'024 * gib),
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
        "log.")
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
        "Whether the host answers what software of which version it runs (XEP-0092)."),
      o("resources_max", live, HOST_AT(resources_max),
        "Sessions of one account at a time. More: more devices; less: a stolen password fans out less.")
          .in("sessions", 1, 1'000),
      o("roster_items_max", live, HOST_AT(roster_items_max),
        "Contacts of one account. Each costs some 100 bytes while the account is in memory, and a probe at each "
        "sign-in.")
          .in("contacts", 0, 100'000),
      o("offline_messages_max", live, HOST_AT(offline_messages_max),
        "Messages that wait for one account (XEP-0160); beyond, senders get service-unavailable. 0: none are kept.")
          .in("messages", 0, 1'000'000),
      o("offline_bytes_max", live, HOST_AT(offline_bytes_max), "Their size together.").in("bytes", 0, 16 * gib),
      o("offline_expiry_days", live, HOST_AT(offline_expiry_days),
        "Older ones are thrown away; 0: never. Less: a forgotten account takes less disk.")
          .in("days", 0, 36'500),
      o("vcard_bytes_max", live, HOST_AT(vcard_bytes_max), "One vCard (XEP-0054), avatar included.")
          .in("bytes", kib, 16 * mib),
      o("private_xml_bytes_max", live, HOST_AT(private_xml_bytes_max), "One element of private XML storage (XEP-0049).")
          .in("bytes", kib, 16 * mib),
      o("private_xml_elements_max", live, HOST_AT(private_xml_elements_max), "Such elements of one account.")
          .in("elements", 0, 100'000),
      o("blocklist_items_max", live, HOST_AT(blocklist_items_max), "Addresses that one account blocks (XEP-0191).")
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

// -- reading ---------------------------------------------------------------------------------------------------------

/// CAF's own options, which it keeps to itself.
struct caf_knowledge : caf::actor_system_config {
  const caf::config_option_set& options() const { return custom_options_; }
};

const caf_knowledge& caf_known() {
  static const caf_knowledge instance;
  return instance;
}

constexpr std::array<std::string_view, 6> caf_sections = {"scheduler", "work-stealing", "stream",
                                                          "logger",    "middleman",     "openssl"};

bool is_caf_section(std::string_view name) {
  return std::find(caf_sections.begin(), caf_sections.end(), name) != caf_sections.end();
}

std::string_view view(caf::string_view x) {
  return {x.data(), x.size()};
}

class reader {
public:
  reader(std::string_view text, const std::filesystem::path& folder) : text_(text), folder_(folder) {}

  result<config> read() {
    auto in = std::istringstream{std::string{text_}};
    auto parsed = caf::actor_system_config::parse_config(in);
    if (!parsed)
      return error{errc::bad_request, syntax_error(parsed.error())};
    auto hosts = static_cast<const caf::settings*>(nullptr);
    for (auto& [section, content] : *parsed) {
      auto fields = caf::get_if<caf::settings>(&content);
      if (!fields) {
        complain("", section, in_quotes(section) + " stands before any [section]");
      } else if (section == "hosts") {
        hosts = fields;
      } else if (section == "host_defaults") {
        read_fields(section, *fields, host_options(), out_.host_defaults);
      } else if (is_caf_section(section)) {
        read_caf(section, *fields);
      } else if (knows_section(section)) {
        read_fields(section, *fields, server_options(), out_);
      } else {
        auto known = std::vector<std::string_view>{"hosts"};
        for (auto& x : section_docs)
          known.push_back(x.first);
        known.insert(known.end(), caf_sections.begin(), caf_sections.end());
        complain(section, "",
                 "unknown section [" + section + "]; the nearest known one is [" +
                     std::string{nearest(section, known)} + "]");
      }
    }
    read_hosts(hosts);
    finish();
    if (!problems_.empty()) {
      std::stable_sort(problems_.begin(), problems_.end(), [](auto& a, auto& b) { return a.first < b.first; });
      auto text = std::string{};
      for (auto& [line, problem] : problems_)
        text += (text.empty() ? "" : "\n") + (line ? "line " + std::to_string(line) + ": " : std::string{}) + problem;
      return error{errc::bad_request, std::move(text)};
    }
    return std::move(out_);
  }

private:
  static bool knows_section(std::string_view name) {
    return std::any_of(server_options().begin(), server_options().end(), [&](auto& x) { return x.section == name; });
  }

  template <class Owner>
  void read_fields(const std::string& section, const caf::settings& fields, const std::vector<option<Owner>>& table,
                   Owner& to) {
    auto is_host = std::is_same_v<Owner, host_config>;
    for (auto& [name, content] : fields) {
      if (section.starts_with("hosts.") && name == "name")
        continue;
      auto row =
          std::find_if(table.begin(), table.end(), [&, &name = name](auto& x) { // clang before 16 captures no bindings
            return x.name == name && (is_host || x.section == section);
          });
      if (row == table.end()) {
        complain(section, name,
                 "unknown option " + section + "." + name + "; the nearest known one is " +
                     nearest_option(section, name));
        continue;
      }
      auto value = convert(section, content, *row);
      if (value)
        row->set(to, *value);
    }
  }

  /// The value when it has the option's type and lies in its range.
  template <class Owner>
  std::optional<option_value> convert(const std::string& section, const caf::config_value& content,
                                      const option<Owner>& row) {
    auto current = row.get(Owner{});
    auto value = std::optional<option_value>{};
    switch (current.index()) {
    case 0:
      if (auto x = caf::get_if<bool>(&content))
        value = *x;
      break;
    case 1:
      if (auto x = caf::get_if<std::int64_t>(&content))
        value = *x;
      break;
    case 2:
      if (auto x = text_of(content))
        value = *x;
      break;
    default:
      if (auto list = caf::get_if<caf::config_value::list>(&content)) {
        auto items = text_list{};
        for (auto& item : *list)
          if (auto x = text_of(item))
            items.push_back(*x);
        if (items.size() == list->size())
          value = std::move(items);
      }
    }
    auto what = section + "." + std::string{row.name} + " = ";
    if (!value) {
      complain(section, row.name,
               what + caf::deep_to_string(content) + ": it takes " + std::string{type_names[current.index()]} +
                   (row.unit.empty() ? "" : ", in " + std::string{row.unit}));
      return std::nullopt;
    }
    auto wrong = std::string{};
    if (auto number = std::get_if<std::int64_t>(&*value)) {
      if (*number < row.min || *number > row.max)
        wrong = std::to_string(*number) + " is not between " + std::to_string(row.min) + " and " +
                std::to_string(row.max) + " " + std::string{row.unit};
    } else if (auto text = std::get_if<std::string>(&*value)) {
      wrong = wrong_text(*text, row);
    } else if (auto list = std::get_if<text_list>(&*value)) {
      for (auto& item : *list)
        if (wrong.empty())
          wrong = wrong_text(item, row);
    }
    if (wrong.empty())
      return value;
    complain(section, row.name, what + wrong);
    return std::nullopt;
  }

  template <class Owner>
  static std::string wrong_text(const std::string& text, const option<Owner>& row) {
    if (text.find('\0') != std::string::npos)
      return "has a zero byte";
    if (!row.choices.empty() && std::find(row.choices.begin(), row.choices.end(), text) == row.choices.end()) {
      auto out = in_quotes(text) + " is not one of";
      for (auto& word : row.choices)
        out += (&word == &row.choices.front() ? " " : ", ") + in_quotes(word);
      return out + "; the nearest is " + in_quotes(nearest(text, row.choices));
    }
    if (row.check)
      if (auto wrong = row.check(text); !wrong.empty())
        return in_quotes(text) + " " + wrong;
    return {};
  }

  /// A text, in double or single quotes.
  static std::optional<std::string> text_of(const caf::config_value& x) {
    if (auto text = caf::get_if<std::string>(&x))
      return *text;
    if (auto atom = caf::get_if<caf::atom_value>(&x))
      return caf::to_string(*atom);
    return std::nullopt;
  }

  std::string nearest_option(const std::string& section, const std::string& name) const {
    auto full = std::vector<std::string>{};
    auto shown = section.starts_with("hosts.") ? section : std::string{"host_defaults"};
    for (auto& x : server_options())
      full.push_back(std::string{x.section} + "." + std::string{x.name});
    for (auto& x : host_options())
      full.push_back(shown + "." + std::string{x.name});
    auto known = std::vector<std::string_view>{};
    for (auto& x : full)
      known.push_back(x);
    // In the same section a likeness counts for more than the right section's name does.
    auto here = std::vector<std::string_view>{};
    for (auto x : known)
      if (x.starts_with(section + "."))
        here.push_back(x.substr(section.size() + 1));
    auto near = nearest(name, here);
    auto everywhere = std::vector<std::string_view>{};
    for (auto x : known)
      everywhere.push_back(x.substr(x.rfind('.') + 1));
    auto far = nearest(name, everywhere);
    if (far == name)
      return std::string{
          known[static_cast<std::size_t>(std::find(everywhere.begin(), everywhere.end(), far) - everywhere.begin())]};
    return near.empty() ? std::string{far} : section + "." + std::string{near};
  }

  void read_caf(const std::string& section, const caf::settings& fields) {
    auto& known = caf_known().options();
    for (auto& [name, content] : fields) {
      auto option = std::find_if(known.begin(), known.end(), [&, n = std::string_view{name}](auto& x) {
        return view(x.category()) == section && view(x.long_name()) == n;
      });
      if (option == known.end()) {
        auto names = std::vector<std::string_view>{};
        for (auto& x : known)
          if (view(x.category()) == section)
            names.push_back(view(x.long_name()));
        complain(section, name,
                 "unknown option " + section + "." + name + "; the nearest known one is " + section + "." +
                     std::string{nearest(name, names)});
        continue;
      }
      auto value = content;
      if (auto text = caf::get_if<std::string>(&content); text && view(option->type_name()) == "atom")
        value = caf::atom_from_string(*text);
      if (option->check(value))
        complain(section, name,
                 section + "." + name + " = " + caf::deep_to_string(content) + ": it takes " +
                     std::string{view(option->type_name())});
      else if (auto wrong = wrong_for_caf(section + "." + name, value); !wrong.empty())
        complain(section, name, section + "." + name + " = " + caf::deep_to_string(content) + " " + wrong);
      else
        out_.caf_options[section].as_dictionary()[name] = value;
    }
  }

  /// What CAF takes without a word and then ignores or cannot run with.
  static std::string wrong_for_caf(std::string_view name, const caf::config_value& value) {
    auto number = caf::get_if<std::int64_t>(&value);
    auto is_in = [&](std::int64_t min, std::int64_t max) { return !number || (min <= *number && *number <= max); };
    if (name == "scheduler.policy") {
      auto policy = text_of(value);
      if (policy != "sharing" && policy != "stealing")
        return "is not one of \"sharing\", \"stealing\"";
    } else if (name == "scheduler.max-threads" && !is_in(1, 1'024)) {
      return "is not between 1 and 1024 threads";
    } else if (name == "scheduler.max-throughput" && !is_in(1, 1'000'000'000)) {
      return "is not between 1 and 1000000000 messages";
    }
    return {};
  }

  void read_hosts(const caf::settings* hosts) {
    if (!hosts || hosts->empty()) {
      problems_.emplace_back(0, "no host: add a section such as [hosts.main] with name = \"example.com\"");
      return;
    }
    for (auto& [label, content] : *hosts) {
      auto section = "hosts." + label;
      auto fields = caf::get_if<caf::settings>(&content);
      if (!fields) {
        complain("hosts", label, "hosts." + label + " is no section: write [hosts." + label + "]");
        continue;
      }
      auto host = out_.host_defaults;
      read_fields(section, *fields, host_options(), host);
      auto name = fields->find("name");
      auto text = name == fields->end() ? std::nullopt : text_of(name->second);
      auto domain = text ? jid::parse(*text) : result<jid>{errc::jid_malformed};
      if (!text)
        complain(section, "", section + " needs a name, such as name = \"example.com\"");
      else if (!domain || domain->has_local() || domain->is_full())
        complain(section, "name", section + ".name = " + in_quotes(*text) + " is no domain");
      else if (out_.host(domain->text()))
        complain(section, "name", section + ".name = " + in_quotes(*text) + " is another host's name already");
      else {
        host.name = domain->text();
        if (!host.key_files.empty() && host.key_files.size() != host.certificate_files.size())
          complain(section, "key_files",
                   section + ".key_files has " + std::to_string(host.key_files.size()) + " files for " +
                       std::to_string(host.certificate_files.size()) + " certificate_files");
        out_.hosts.push_back(std::move(host));
        out_.host_labels.push_back(label);
      }
    }
  }

  /// What depends on more than one option.
  void finish() {
    auto absolute = [&](std::filesystem::path& path) {
      if (!path.empty())
        path = (folder_ / path).lexically_normal();
      if (!path.has_filename()) // "/data/."
        path = path.parent_path();
    };
    absolute(out_.server.data_folder);
    if (out_.server.admin_socket.empty())
      out_.server.admin_socket = out_.server.data_folder / "admin.socket";
    absolute(out_.server.admin_socket);
    absolute(out_.log.file);
    auto of_host = [&](host_config& host) {
      std::for_each(host.certificate_files.begin(), host.certificate_files.end(), absolute);
      std::for_each(host.key_files.begin(), host.key_files.end(), absolute);
      absolute(host.client_ca_file);
    };
    of_host(out_.host_defaults);
    std::for_each(out_.hosts.begin(), out_.hosts.end(), of_host);
    if (out_.server.admin_socket.string().size() > 107)
      complain("server", "admin_socket",
               "server.admin_socket = " + in_quotes(out_.server.admin_socket.string()) +
                   " is longer than the 107 bytes that a Unix socket's name may have");
    if (out_.listen.c2s.empty() && out_.listen.c2s_tls.empty())
      complain("listen", "c2s", "listen.c2s and listen.c2s_tls are both empty: nobody could connect");
    if (out_.sign_in.mechanisms.empty())
      for (auto& host : out_.hosts)
        if (!host.anonymous && host.client_ca_file.empty()) {
          complain("sign_in", "mechanisms",
                   "sign_in.mechanisms = []: nobody could sign in at " + host.name +
                       "; name at least one of \"SCRAM-SHA-512\", \"SCRAM-SHA-256\", \"SCRAM-SHA-1\", \"PLAIN\"");
          break;
        }
    if (out_.sign_in.backoff_ms > out_.sign_in.backoff_ms_max)
      complain("sign_in", "backoff_ms", "sign_in.backoff_ms is more than sign_in.backoff_ms_max");
    if (out_.c2s.output_bytes_max < out_.c2s.limits.stanza_bytes_max)
      complain("c2s", "output_bytes_max",
               "c2s.output_bytes_max is less than c2s.stanza_bytes_max: no client could receive the largest stanza");
  }

  void complain(std::string_view section, std::string_view name, std::string text) {
    problems_.emplace_back(line_of(section, name), std::move(text));
  }

  /// CAF does not keep lines, so the text is searched; 0 when it is not found, as in a value over several lines.
  std::size_t line_of(std::string_view section, std::string_view name) const {
    auto in = section.empty();
    auto number = std::size_t{0};
    for (auto rest = text_; !rest.empty();) {
      ++number;
      auto end = rest.find('\n');
      auto line = rest.substr(0, end);
      rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
      auto start = line.find_first_not_of(" \t");
      if (start == std::string_view::npos)
        continue;
      line.remove_prefix(start);
      if (line.front() == '[') {
        auto header = line.substr(1, line.find(']') - 1);
        in = header == section;
        if (in && name.empty())
          return number;
      } else if (in && line.starts_with(name)) {
        auto after = line.substr(name.size()).find_first_not_of(" \t");
        if (after != std::string_view::npos && (line[name.size() + after] == '=' || line[name.size() + after] == '{'))
          return number;
      }
    }
    return 0;
  }

  static std::string syntax_error(const caf::error& what) {
    // The position is in the context, as {"column" = 1, "line" = 3}; an unexpected end of line is told on the next one.
    auto text = caf::actor_system_config::render(what);
    auto line = std::size_t{0};
    if (auto at = text.find("\"line\" = "); at != std::string::npos)
      line = std::strtoul(text.c_str() + at + 9, nullptr, 10);
    auto code = text.substr(text.find('(') + 1);
    code = code.substr(0, code.find_first_of(",)"));
    if (code == "unexpected_newline" && line > 1)
      --line;
    std::replace(code.begin(), code.end(), '_', ' ');
    return (line ? "line " + std::to_string(line) + ": " : std::string{}) + "syntax error: " + code +
           " (texts stand in quotes, comments start with a semicolon, numbers have no unit)";
  }

  std::string_view text_;
  std::filesystem::path folder_;
  config out_;
  std::vector<std::pair<std::size_t, std::string>> problems_; ///< With their lines.
};

/// Breaks a text into comment lines of at most 120 columns.
void comment(std::string& out, std::string_view text) {
  auto column = std::size_t{0};
  for (auto rest = text; !rest.empty();) {
    auto end = std::min(rest.find(' '), rest.size());
    if (column == 0 || column + 1 + end > 120) {
      out += column ? "\n;" : ";";
      column = 1;
    }
    out += ' ';
    out += rest.substr(0, end);
    column += 1 + end;
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  out += '\n';
}

template <class Owner>
void document(std::string& out, const option<Owner>& row) {
  comment(out, row.doc);
  auto value = row.get(Owner{});
  auto facts = std::string{};
  if (value.index() == 1)
    facts = std::to_string(row.min) + " to " + std::to_string(row.max) + " " + std::string{row.unit} + "; ";
  else if (!row.choices.empty()) {
    for (auto& word : row.choices)
      facts += (facts.empty() ? "" : ", ") + in_quotes(word);
    facts += "; ";
  } else
    facts = std::string{type_names[value.index()]} + "; ";
  comment(out, facts + (row.is_live ? "live" : "needs a restart"));
  out += ";" + std::string{row.name} + " = " + render(value) + "\n\n";
}

void section_head(std::string& out, std::string_view name) {
  for (auto& [section, doc] : section_docs)
    if (section == name)
      comment(out, doc);
  out += "[" + std::string{name} + "]\n\n";
}

template <class Owner>
void list(std::vector<std::pair<std::string, std::string>>& out, std::string_view section, const Owner& from,
          const std::vector<option<Owner>>& table) {
  for (auto& row : table)
    out.emplace_back(std::string{section.empty() ? row.section : section} + "." + std::string{row.name},
                     render(row.get(from)));
}

bool is_live(std::string_view name) {
  auto short_name = name.substr(name.rfind('.') + 1);
  if (name.starts_with("hosts.") || name.starts_with("host_defaults."))
    return short_name != "name";
  for (auto& row : server_options())
    if (name.substr(0, name.find('.')) == row.section && short_name == row.name)
      return row.is_live;
  return false;
}

} // namespace

std::vector<std::pair<std::string, std::vector<std::string>>> host_config::contacts() const {
  auto out = std::vector<std::pair<std::string, std::vector<std::string>>>{
      {"abuse-addresses", abuse_addresses},       {"admin-addresses", admin_addresses},
      {"feedback-addresses", feedback_addresses}, {"sales-addresses", sales_addresses},
      {"security-addresses", security_addresses}, {"status-addresses", status_addresses},
      {"support-addresses", support_addresses}};
  std::erase_if(out, [](auto& x) { return x.second.empty(); });
  return out;
}

const host_config* config::host(std::string_view name) const noexcept {
  auto i = std::find_if(hosts.begin(), hosts.end(), [&](auto& x) { return x.name == name; });
  return i == hosts.end() ? nullptr : &*i;
}

result<endpoint> parse_endpoint(std::string_view text) {
  auto colon = text.rfind(':');
  if (colon == std::string_view::npos)
    return errc::bad_request;
  auto address = text.substr(0, colon);
  auto digits = text.substr(colon + 1);
  auto out = endpoint{};
  auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), out.port);
  if (failure != std::errc{} || end != digits.data() + digits.size() || out.port == 0)
    return errc::bad_request;
  out.address = address;
  if (address == "*")
    return out;
  auto family = AF_INET;
  if (address.size() > 2 && address.front() == '[' && address.back() == ']') {
    address = address.substr(1, address.size() - 2);
    family = AF_INET6;
  }
  out.address = address;
  unsigned char bytes[16];
  if (inet_pton(family, out.address.c_str(), bytes) != 1)
    return errc::bad_request;
  return out;
}

result<config> parse_config(std::string_view text, const std::filesystem::path& folder) {
  return reader{text, folder}.read();
}

result<config> load_config(const std::filesystem::path& file) {
  auto in = std::ifstream{file, std::ios::binary};
  if (!in)
    return error{errc::item_not_found, "cannot read " + file.string()};
  auto text = std::string{std::istreambuf_iterator<char>{in}, {}};
  auto absolute = std::filesystem::absolute(file);
  auto out = parse_config(text, absolute.parent_path());
  if (out)
    out->file = absolute;
  return out;
}

std::string example_config() {
  auto out = std::string{};
  comment(out,
          "Every option of Troupe, with its range and its default. A line that starts with a semicolon is a comment: "
          "take it away from an option to change it.");
  out += ";\n";
  comment(out,
          "The syntax is CAF's: [sections], name = value, texts in double quotes, lists in brackets. Live options are "
          "taken over by `troupe shell -c reload` or SIGHUP; the others need a restart, and the reload says so.");
  comment(out, "`troupe check` reads the file and says what is wrong. This file is made from the table in "
               "actors/config.cpp.");
  out += '\n';
  auto section = std::string_view{};
  for (auto& row : server_options()) {
    if (row.section != section)
      section_head(out, section = row.section);
    document(out, row);
  }
  section_head(out, "host_defaults");
  for (auto& row : host_options())
    document(out, row);
  comment(out, "One such section for each virtual host, with a label of your choice. It takes every option of "
               "[host_defaults], and its name.");
  out += "[hosts.main]\n\n";
  comment(out, "The domain, as in addresses: name@example.com.");
  comment(out, "a text in quotes; needs a restart");
  out += "name = \"localhost\"\n\n";
  comment(out, "CAF's own options stand in their own sections; these are the useful ones.");
  out += "[scheduler]\n\n";
  comment(out, "How actors share threads. 'sharing' idles at no cost; 'stealing' scales better on many cores and "
               "spins when idle.");
  comment(out, "'sharing', 'stealing'; needs a restart");
  out += ";policy = 'sharing'\n\n";
  comment(out, "Threads that run actors. The default is one for each core.");
  comment(out, "1 to 1'024; needs a restart");
  out += ";max-threads = 4\n";
  return out;
}

std::vector<std::pair<std::string, std::string>> list_options(const config& from) {
  auto out = std::vector<std::pair<std::string, std::string>>{};
  list(out, "", from, server_options());
  for (auto& [section, content] : from.caf_options)
    if (auto fields = caf::get_if<caf::settings>(&content))
      for (auto& [name, value] : *fields)
        out.emplace_back(section + "." + name, caf::deep_to_string(value));
  list(out, "host_defaults", from.host_defaults, host_options());
  for (auto i = std::size_t{0}; i < from.hosts.size(); ++i) {
    auto section = "hosts." + from.host_labels[i];
    out.emplace_back(section + ".name", in_quotes(from.hosts[i].name));
    list(out, section, from.hosts[i], host_options());
  }
  return out;
}

std::vector<config_change> diff(const config& before, const config& after) {
  auto out = std::vector<config_change>{};
  auto has = [](const config& x, const std::string& label) {
    return std::find(x.host_labels.begin(), x.host_labels.end(), label) != x.host_labels.end();
  };
  auto label_of = [](const std::string& name) {
    return name.starts_with("hosts.") ? name.substr(6, name.find('.', 6) - 6) : std::string{};
  };
  auto old_values = list_options(before);
  auto new_values = list_options(after);
  auto find = [](auto& values, auto& name) {
    return std::find_if(values.begin(), values.end(), [&](auto& x) { return x.first == name; });
  };
  for (auto& [name, value] : old_values) {
    // Defaults matter only through the hosts that take them over.
    if (name.starts_with("host_defaults."))
      continue;
    auto label = label_of(name);
    if (!label.empty() && !has(after, label))
      continue;
    auto now = find(new_values, name);
    auto text = now == new_values.end() ? std::string{} : now->second;
    if (text != value)
      out.push_back({name, value, text, is_live(name)});
  }
  for (auto& [name, value] : new_values)
    if (label_of(name).empty() && find(old_values, name) == old_values.end())
      out.push_back({name, "", value, false});
  for (auto i = std::size_t{0}; i < before.hosts.size(); ++i)
    if (!has(after, before.host_labels[i]))
      out.push_back({"hosts." + before.host_labels[i], in_quotes(before.hosts[i].name), "", false});
  for (auto i = std::size_t{0}; i < after.hosts.size(); ++i)
    if (!has(before, after.host_labels[i]))
      out.push_back({"hosts." + after.host_labels[i], "", in_quotes(after.hosts[i].name), false});
  return out;
}

config in_force(const config& running, config next) {
  for (auto& row : server_options())
    if (!row.is_live)
      row.set(next, row.get(running));
  auto hosts = running.hosts;
  for (auto i = std::size_t{0}; i < hosts.size(); ++i) {
    auto label = std::find(next.host_labels.begin(), next.host_labels.end(), running.host_labels[i]);
    if (label == next.host_labels.end())
      continue;
    hosts[i] = next.hosts[std::size_t(label - next.host_labels.begin())];
    hosts[i].name = running.hosts[i].name;
    for (auto& row : host_options())
      if (!row.is_live)
        row.set(hosts[i], row.get(running.hosts[i]));
  }
  next.hosts = std::move(hosts);
  next.host_labels = running.host_labels;
  next.caf_options = running.caf_options;
  return next;
}

void apply(const config& from, caf::actor_system_config& to) {
  to.set("scheduler.policy", caf::atom("sharing"));
  for (auto& [section, content] : from.caf_options)
    if (auto fields = caf::get_if<caf::settings>(&content))
      for (auto& [name, value] : *fields)
        to.set(section + "." + name, value);
}

std::string_view nearest(std::string_view word, const std::vector<std::string_view>& known) {
  auto best = std::string_view{};
  auto best_distance = std::size_t{0};
  for (auto candidate : known) {
    // One row of the edit-distance matrix at a time.
    auto row = std::vector<std::size_t>(candidate.size() + 1);
    for (auto i = std::size_t{0}; i < row.size(); ++i)
      row[i] = i;
    for (auto i = std::size_t{0}; i < word.size(); ++i) {
      auto diagonal = row[0];
      row[0] = i + 1;
      for (auto k = std::size_t{1}; k < row.size(); ++k) {
        auto above = row[k];
        row[k] = std::min({above + 1, row[k - 1] + 1, diagonal + (word[i] == candidate[k - 1] ? 0 : 1)});
        diagonal = above;
      }
    }
    if (best.empty() || row.back() < best_distance) {
      best = candidate;
      best_distance = row.back();
    }
  }
  return best;
}

std::string_view to_string(registration_policy x) noexcept {
  return name_of(x);
}
std::string_view to_string(conflict_policy x) noexcept {
  return name_of(x);
}

} // namespace xmpp
