// A small load tool: what a server's CPU and memory cost for the work that clients give it, as one row for each kind.
//
//     troupe_bench --port N --pid N [--users N] [--seconds N] [--tls] PHASE...
//
// Phases: `register` (users u1@localhost ... by XEP-0077; once for a data folder), `login`, `chat`, `presence`,
// `offline`, `storm`; and `addresses`, which needs no server. CPU is user and system time of the process --pid between
// the moments that the counts are taken at, and moves far less than rates do on a busy machine. One thread and epoll;
// incoming XML is cut, not parsed: to judge whether the server is right is for the tests.
#include "protocol/jid.hpp"
#include "tests/bench/process.hpp"
#include "tests/fixtures/scram.hpp"

#include <openssl/ssl.h>

#include <algorithm>
#include <arpa/inet.h>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <functional>
#include <map>
#include <memory>
#include <netinet/tcp.h>
#include <string>
#include <string_view>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

namespace {

using xmpp::test::base64, xmpp::test::unbase64;
using clock_type = std::chrono::steady_clock;

struct {
  int port = 5222, pid = 0, users = 2'000, seconds = 5;
  bool tls = false;
} options;

double seconds_since(clock_type::time_point begin) {
  return std::chrono::duration<double>(clock_type::now() - begin).count();
}

[[noreturn]] void die(const std::string& why) {
  std::fprintf(stderr, "troupe_bench: %s\n", why.c_str());
  std::exit(1);
}

double server_cpu_s() {
  return xmpp::bench::process_cpu_s(options.pid);
}
double server_memory_kib() {
  return xmpp::bench::process_memory_kib(options.pid);
}

// -- one client -------------------------------------------------------------------------------------------------------

/// Takes the next whole top-level element (or a stream's tags) off the front of `in`; empty when none is whole. The
/// server's output is known to be tame: no comments, no CDATA, no `>` in attributes.
std::string_view next_element(std::string_view& in) {
  auto begin = in.find('<');
  auto depth = 0;
  for (auto at = begin; at != in.npos;) {
    auto end = in.find('>', at);
    if (end == in.npos)
      return {};
    auto tag = in.substr(at, end - at + 1);
    auto alone = tag[1] == '?' || tag.rfind("<stream:stream", 0) == 0 || tag.rfind("</stream:stream", 0) == 0;
    if (!alone && tag[1] == '/')
      --depth;
    else if (!alone && tag[tag.size() - 2] != '/')
      ++depth;
    if (depth == 0) {
      auto out = in.substr(begin, end + 1 - begin);
      in.remove_prefix(end + 1);
      return out;
    }
    at = in.find('<', end);
  }
  return {};
}

bool has(std::string_view text, std::string_view what) {
  return text.find(what) != text.npos;
}

struct client {
  enum class step { closed, connecting, header, handshake, features, registering, challenge, success, online };
  std::string name, input, output;
  std::unique_ptr<xmpp::test::scram_client> scram;
  int number = 0, fd = -1;
  SSL* ssl = nullptr;
  step at = step::closed;
  bool only_registers = false, signed_in = false, is_bound = false;
  clock_type::time_point sent_at{};
  std::function<void(client&, std::string_view)> on_stanza;

  std::string bare() const { return name + "@localhost"; }
};

struct {
  int epoll = -1;
  SSL_CTX* tls = nullptr;
  sockaddr_in server{};
  std::vector<std::unique_ptr<client>> clients;
  int online = 0, registered = 0;
} here;

void closes(client& x) {
  if (x.ssl)
    SSL_free(x.ssl);
  if (x.fd >= 0)
    close(x.fd);
  if (x.at == client::step::online)
    --here.online;
  x.ssl = nullptr;
  x.fd = -1;
  x.at = client::step::closed;
  x.input.clear(), x.output.clear();
  x.signed_in = x.is_bound = false;
}

void flushes(client& x) {
  while (!x.output.empty() && x.fd >= 0) {
    auto n = x.ssl ? SSL_write(x.ssl, x.output.data(), static_cast<int>(x.output.size()))
                   : static_cast<int>(send(x.fd, x.output.data(), x.output.size(), MSG_NOSIGNAL));
    if (n <= 0)
      return; // goes on when the socket is writable: edge-triggered
    x.output.erase(0, static_cast<std::size_t>(n));
  }
}

void sends(client& x, std::string_view bytes) {
  x.output += bytes;
  flushes(x);
}

void connects(client& x) {
  x.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (x.fd < 0)
    die("no more sockets: raise the open-file limit (ulimit -n)");
  auto on = 1;
  setsockopt(x.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (connect(x.fd, reinterpret_cast<sockaddr*>(&here.server), sizeof here.server) != 0 && errno != EINPROGRESS)
    die(std::string{"cannot connect: "} + std::strerror(errno));
  auto wanted = epoll_event{EPOLLIN | EPOLLOUT | EPOLLET, {.ptr = &x}};
  epoll_ctl(here.epoll, EPOLL_CTL_ADD, x.fd, &wanted);
  x.at = client::step::connecting;
}

void opens(client& x) {
  x.at = client::step::header;
  sends(x, "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0' "
           "to='localhost'>");
}

constexpr auto password = "secret";
constexpr auto sasl = "xmlns='urn:ietf:params:xml:ns:xmpp-sasl'";

void negotiates(client& x, std::string_view element) {
  auto text = [&] {
    auto begin = element.find('>') + 1;
    return std::string{element.substr(begin, element.rfind('<') - begin)};
  };
  if (has(element.substr(0, 16), "<stream:error") || has(element.substr(0, 8), "<failure"))
    die(x.name + " was refused: " + std::string{element});
  if (has(element.substr(0, 16), "<stream:features")) {
    if (options.tls && !x.ssl) {
      x.at = client::step::handshake;
      sends(x, "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
    } else if (x.only_registers) {
      x.at = client::step::registering;
      sends(x, "<iq type='set' id='r'><query xmlns='jabber:iq:register'><username>" + x.name + "</username><password>" +
                   password + "</password></query></iq>");
    } else if (!x.signed_in) {
      x.at = client::step::challenge;
      x.scram = std::make_unique<xmpp::test::scram_client>("SHA-1", x.name, password);
      sends(x, std::string{"<auth "} + sasl + " mechanism='SCRAM-SHA-1'>" + base64(x.scram->first()) + "</auth>");
    } else {
      x.at = client::step::success;
      sends(x, "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>b</resource></bind></iq>"
               "<iq type='get' id='q'><query xmlns='jabber:iq:roster'/></iq><presence/>");
    }
  } else if (has(element.substr(0, 8), "<proceed")) {
    x.ssl = SSL_new(here.tls);
    SSL_set_fd(x.ssl, x.fd);
    SSL_set_tlsext_host_name(x.ssl, "localhost");
    SSL_set_connect_state(x.ssl);
    x.input.clear();
    opens(x); // the handshake goes on as this is written
  } else if (has(element.substr(0, 10), "<challenge")) {
    sends(x, std::string{"<response "} + sasl + ">" + base64(x.scram->final(unbase64(text()))) + "</response>");
  } else if (has(element.substr(0, 8), "<success")) {
    x.signed_in = true;
    x.scram = nullptr;
    opens(x);
  } else if (x.at == client::step::registering && has(element.substr(0, 3), "<iq")) {
    ++here.registered;
    closes(x);
  } else if (x.at == client::step::success && has(element.substr(0, 9), "<presence") && has(element, x.bare() + "/b")) {
    x.at = client::step::online; // our own presence has come back: all before it is done
    ++here.online;
  }
}

void reads(client& x) {
  char buffer[16'384];
  while (x.fd >= 0) {
    auto n = x.ssl ? SSL_read(x.ssl, buffer, sizeof buffer) : static_cast<int>(recv(x.fd, buffer, sizeof buffer, 0));
    if (n <= 0) {
      auto waits =
          x.ssl ? SSL_get_error(x.ssl, n) <= SSL_ERROR_WANT_WRITE && SSL_get_error(x.ssl, n) >= SSL_ERROR_WANT_READ
                : n < 0 && errno == EAGAIN;
      if (!waits)
        die(x.name + ": the server closed the connection");
      break;
    }
    x.input.append(buffer, static_cast<std::size_t>(n));
    auto left = std::string_view{x.input};
    for (auto one = next_element(left); !one.empty(); one = next_element(left)) {
      if (x.at != client::step::online)
        negotiates(x, one);
      else if (x.on_stanza)
        x.on_stanza(x, one);
      if (x.input.empty()) // closed, or TLS begins
        break;
    }
    if (!x.input.empty())
      x.input.erase(0, x.input.size() - left.size());
  }
  flushes(x);
}

/// Serves all sockets until `done`. Fails after a minute without it.
void runs_until(const std::function<bool()>& done, double limit_s = 120) {
  auto begin = clock_type::now();
  epoll_event events[512];
  while (!done()) {
    auto n = epoll_wait(here.epoll, events, 512, 20);
    for (auto i = 0; i < n; ++i) {
      auto& x = *static_cast<client*>(events[i].data.ptr);
      if (x.at == client::step::connecting)
        opens(x);
      reads(x);
    }
    if (seconds_since(begin) > limit_s)
      die("nothing moves any more");
  }
}

client& user(int n) {
  return *here.clients[static_cast<std::size_t>(n)];
}

/// Brings [0, n) online, a hundred at a time.
void go_online(int n, int at_once = 100) {
  for (auto next = 0; next < n;) {
    while (next < n && next - here.online < at_once) {
      if (user(next).at == client::step::closed)
        connects(user(next));
      ++next;
    }
    runs_until([&] { return here.online >= next - at_once / 2 || here.online >= n; });
  }
  runs_until([&] { return here.online >= n; });
}

void go_offline() {
  for (auto& x : here.clients) {
    if (x->fd >= 0)
      sends(*x, "</stream:stream>");
    closes(*x);
  }
}

/// Until the server has nothing left to do: its CPU time stands still.
void let_it_rest() {
  for (auto before = -1.0; before < server_cpu_s();) {
    before = server_cpu_s();
    auto begin = clock_type::now();
    runs_until([&] { return seconds_since(begin) > 0.3; });
  }
}

// -- phases -----------------------------------------------------------------------------------------------------------

void row(const char* what, const char* form, auto... xs) {
  std::printf("| %s%s | ", what, options.tls ? ", TLS" : "");
  std::printf(form, xs...);
  std::printf(" |\n");
  std::fflush(stdout);
}

void registers() {
  auto begin = clock_type::now();
  here.registered = 0;
  for (auto next = 0; next < options.users;) {
    for (; next < options.users && next - here.registered < 50; ++next) {
      user(next).only_registers = true;
      connects(user(next));
    }
    runs_until([&] { return next - here.registered < 50 || here.registered == options.users; });
  }
  runs_until([&] { return here.registered == options.users; }, 600);
  for (auto& x : here.clients)
    x->only_registers = false;
  row("registrations", "%.0f per second", options.users / seconds_since(begin));
}

/// In a server that has had no sessions yet: memory that is used again tells nothing.
void logins() {
  let_it_rest();
  auto memory = server_memory_kib();
  go_online(options.users);
  let_it_rest();
  row("memory of an online session", "%.1f KiB (%d sessions)", (server_memory_kib() - memory) / options.users,
      options.users);
  go_offline(); // by now the tool knows the salts, so it does not stand in its own way
  let_it_rest();
  auto cpu = server_cpu_s();
  auto begin = clock_type::now();
  go_online(options.users);
  row("login", "%.0f µs CPU, %.0f per second", (server_cpu_s() - cpu) / options.users * 1e6,
      options.users / seconds_since(begin));
  let_it_rest();
  cpu = server_cpu_s();
  begin = clock_type::now();
  runs_until([&] { return seconds_since(begin) > 5; });
  row("idle sessions", "%.2f %% of a core", (server_cpu_s() - cpu) / seconds_since(begin) * 100);
}

void chats() {
  auto pairs = options.users / 2;
  go_online(2 * pairs);
  auto delivered = 0L;
  auto latencies = std::vector<float>{};
  auto body = std::string(64, 'x');
  auto stop = false;
  auto speaks = [&](client& x) {
    x.sent_at = clock_type::now();
    sends(x, "<message type='chat' to='" + user(x.number ^ 1).bare() + "'><body>" + body + "</body></message>");
  };
  for (auto i = 0; i < 2 * pairs; ++i)
    user(i).on_stanza = [&](client& x, std::string_view stanza) {
      if (!has(stanza.substr(0, 8), "<message"))
        return;
      ++delivered;
      latencies.push_back(
          std::chrono::duration<float, std::milli>(clock_type::now() - user(x.number ^ 1).sent_at).count());
      if (!stop)
        speaks(x);
    };
  for (auto i = 0; i < 2 * pairs; i += 2)
    speaks(user(i));
  auto runs_for = [](double s) {
    auto begin = clock_type::now();
    runs_until([&] { return seconds_since(begin) > s; });
  };
  runs_for(1);
  delivered = 0;
  latencies.clear();
  auto cpu = server_cpu_s();
  auto begin = clock_type::now();
  runs_for(options.seconds);
  auto rate = static_cast<double>(delivered) / seconds_since(begin);
  auto cost = (server_cpu_s() - cpu) / static_cast<double>(delivered) * 1e6;
  std::sort(latencies.begin(), latencies.end());
  auto percentile = [&](double p) {
    return static_cast<double>(latencies[static_cast<std::size_t>(p * static_cast<double>(latencies.size() - 1))]);
  };
  row("chat, closed loop", "%.1f µs CPU per delivered message, %.0f per second, p50 %.1f ms, p99 %.1f ms (%d pairs)",
      cost, rate, percentile(0.5), percentile(0.99), pairs);
  stop = true;
  runs_for(1);
  // Half of that rate, in turns of 10 ms.
  delivered = 0;
  latencies.clear();
  cpu = server_cpu_s();
  begin = clock_type::now();
  auto sent = 0L;
  runs_until([&] {
    for (auto due = static_cast<long>(seconds_since(begin) * rate / 2); sent < due; ++sent)
      speaks(user(static_cast<int>(sent % (2 * pairs))));
    return seconds_since(begin) > options.seconds;
  });
  runs_until([&] { return delivered >= sent; });
  row("chat, half of that rate", "%.1f µs CPU per delivered message, %.0f per second",
      (server_cpu_s() - cpu) / static_cast<double>(delivered) * 1e6,
      static_cast<double>(delivered) / seconds_since(begin));
  for (auto& x : here.clients)
    x->on_stanza = nullptr;
}

void presences() {
  constexpr auto circle = 21; // each has 20 contacts
  auto people = std::min(options.users, 420) / circle * circle;
  go_online(people);
  auto pushes = 0L;
  for (auto i = 0; i < people; ++i)
    user(i).on_stanza = [&](client&, std::string_view x) {
      pushes += has(x.substr(0, 3), "<iq") && has(x, "subscription='both'");
    };
  // Approve each other in advance, then ask: granted at once (RFC 6121, 3.4). Friends of an earlier run are known by
  // the roster that says so.
  for (auto type : {"subscribed", "subscribe"}) {
    for (auto i = 0; i < people; ++i)
      for (auto n = i / circle * circle; n < (i / circle + 1) * circle; ++n)
        if (n != i)
          sends(user(i), "<presence type='" + std::string{type} + "' to='" + user(n).bare() + "'/>");
    let_it_rest();
  }
  auto delivered = 0L;
  for (auto i = 0; i < people; ++i)
    user(i).on_stanza = [&](client&, std::string_view x) {
      delivered += has(x.substr(0, 9), "<presence") && has(x, "<status>");
    };
  auto cpu = server_cpu_s();
  auto begin = clock_type::now();
  auto rounds = 0L;
  while (seconds_since(begin) < options.seconds) {
    ++rounds;
    for (auto i = 0; i < people; ++i)
      sends(user(i), "<presence><status>" + std::to_string(rounds) + "</status></presence>");
    runs_until([&] { return delivered >= rounds * people * circle; });
  }
  row("presence, 20 contacts", "%.1f µs CPU per delivery, %.0f per second",
      (server_cpu_s() - cpu) / static_cast<double>(delivered) * 1e6,
      static_cast<double>(delivered) / seconds_since(begin));
  for (auto& x : here.clients)
    x->on_stanza = nullptr;
}

void offlines() {
  go_offline();
  let_it_rest();
  auto senders = std::min(options.users / 2, 100);
  auto receivers = std::min(options.users / 2, 1'000);
  go_online(senders);
  auto each = 20, answered = 0;
  for (auto i = 0; i < senders; ++i)
    user(i).on_stanza = [&](client&, std::string_view x) { answered += has(x.substr(0, 3), "<iq"); };
  auto cpu = server_cpu_s();
  auto begin = clock_type::now();
  for (auto i = 0; i < receivers; ++i) {
    auto& to = user(options.users - 1 - i);
    auto& from = user(i % senders);
    auto all = std::string{};
    for (auto n = 0; n < each; ++n)
      all += "<message type='chat' to='" + to.bare() + "'><body>" + std::to_string(n) + "</body></message>";
    sends(from, all + "<iq type='get' id='p' to='" + to.bare() + "'><ping xmlns='urn:xmpp:ping'/></iq>");
  }
  runs_until([&] { return answered >= receivers; });
  let_it_rest();
  auto stored = receivers * each;
  row("offline", "%.0f stored per second, %.1f µs CPU each", stored / seconds_since(begin),
      (server_cpu_s() - cpu) / stored * 1e6);
  for (auto& x : here.clients)
    x->on_stanza = nullptr;
  auto got = 0;
  for (auto i = 0; i < receivers; ++i) {
    auto& to = user(options.users - 1 - i);
    to.on_stanza = [&](client&, std::string_view x) {
      got += has(x.substr(0, 8), "<message") && has(x, "urn:xmpp:delay");
    };
    connects(to);
    runs_until([&] { return to.at == client::step::online; });
  }
  let_it_rest();
  row("offline messages lost", "%d of %d", stored - got, stored);
  for (auto& x : here.clients)
    x->on_stanza = nullptr;
}

void storms() {
  go_online(options.users);
  let_it_rest();
  auto memory = server_memory_kib();
  for (auto& x : here.clients)
    closes(*x);
  auto begin = clock_type::now();
  go_online(options.users, options.users);
  auto took = seconds_since(begin);
  let_it_rest();
  row("reconnect storm", "%d sessions back in %.1f s, memory %.2f times that before", options.users, took,
      server_memory_kib() / memory);
}

/// What every stanza pays for its addresses: those that clients send are nearly always prepared already.
void addresses() {
  constexpr auto rounds = 1'000'000;
  for (auto text : {"juliet@capulet.example/balcony", "juliet@capulet.example", "capulet.example"}) {
    auto begin = clock_type::now();
    auto bytes = std::size_t{0};
    for (auto i = 0; i < rounds; ++i)
      bytes += xmpp::jid::parse(text)->text().size();
    auto each_ns = seconds_since(begin) / rounds * 1e9;
    if (bytes != rounds * std::strlen(text))
      die("a prepared address was changed: " + std::string{text});
    row("parsing an address", "%.0f ns: %s", each_ns, text);
  }
}

} // namespace

int main(int argc, char** argv) {
  const std::map<std::string, void (*)()> phases = {{"register", registers}, {"login", logins},     {"chat", chats},
                                                    {"presence", presences}, {"offline", offlines}, {"storm", storms},
                                                    {"addresses", addresses}};
  auto todo = std::vector<void (*)()>{};
  for (auto i = 1; i < argc; ++i) {
    auto word = std::string{argv[i]};
    auto number = [&] { return i + 1 < argc ? std::atoi(argv[++i]) : 0; };
    if (word == "--port")
      options.port = number();
    else if (word == "--pid")
      options.pid = number();
    else if (word == "--users")
      options.users = number();
    else if (word == "--seconds")
      options.seconds = number();
    else if (word == "--tls")
      options.tls = true;
    else if (auto phase = phases.find(word); phase != phases.end())
      todo.push_back(phase->second);
    else
      die("unknown: " + word +
          "\nusage: troupe_bench --port N --pid N [--users N] [--seconds N] [--tls] "
          "register|login|chat|presence|offline|storm|addresses ...");
  }
  auto files = rlimit{};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  here.epoll = epoll_create1(EPOLL_CLOEXEC);
  here.tls = SSL_CTX_new(TLS_client_method());
  SSL_CTX_set_mode(here.tls,
                   SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_session_cache_mode(here.tls, SSL_SESS_CACHE_OFF);
  here.server.sin_family = AF_INET;
  here.server.sin_port = htons(static_cast<std::uint16_t>(options.port));
  here.server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  for (auto i = 0; i < options.users; ++i) {
    auto x = std::make_unique<client>();
    x->number = i;
    x->name = "u" + std::to_string(i + 1);
    here.clients.push_back(std::move(x));
  }
  for (auto phase : todo)
    phase();
}
