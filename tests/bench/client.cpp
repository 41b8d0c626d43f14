#include "tests/bench/client.hpp"

#include "tests/bench/process.hpp"

#include <openssl/ssl.h>

#include <algorithm>
#include <arpa/inet.h>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

namespace xmpp::bench {

using test::base64, test::unbase64;

namespace {

struct {
  int epoll = -1;
  SSL_CTX* tls = nullptr;
} tools;

/// What servers that rest may use: a cluster's are never quite still.
constexpr auto rest = 0.1;

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

} // namespace

// -- what is measured -------------------------------------------------------------------------------------------------

double seconds_since(clock_type::time_point begin) {
  return std::chrono::duration<double>(clock_type::now() - begin).count();
}

void die(const std::string& why) {
  std::fprintf(stderr, "troupe_bench: %s\n", why.c_str());
  std::exit(1);
}

bool has(std::string_view text, std::string_view what) {
  return text.find(what) != text.npos;
}

double server_cpu_s() {
  auto out = 0.0;
  for (auto pid : options.pids)
    out += process_cpu_s(pid);
  return out;
}

double server_memory_kib() {
  auto out = 0.0;
  for (auto pid : options.pids)
    out += process_memory_kib(pid);
  return out;
}

// -- one client -------------------------------------------------------------------------------------------------------

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

static void flushes(client& x) {
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
  auto server = sockaddr_in{};
  server.sin_family = AF_INET;
  server.sin_port = htons(static_cast<std::uint16_t>(options.ports[static_cast<std::size_t>(x.node)]));
  server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  auto on = 1;
  setsockopt(x.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (connect(x.fd, reinterpret_cast<sockaddr*>(&server), sizeof server) != 0 && errno != EINPROGRESS)
    die(std::string{"cannot connect: "} + std::strerror(errno));
  auto wanted = epoll_event{EPOLLIN | EPOLLOUT | EPOLLET, {.ptr = &x}};
  epoll_ctl(tools.epoll, EPOLL_CTL_ADD, x.fd, &wanted);
  x.at = client::step::connecting;
}

static void opens(client& x) {
  x.at = client::step::header;
  sends(x, "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0' "
           "to='localhost'>");
}

static constexpr auto password = "secret";
static constexpr auto sasl = "xmlns='urn:ietf:params:xml:ns:xmpp-sasl'";

static void negotiates(client& x, std::string_view element) {
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
      x.scram = std::make_unique<test::scram_client>("SHA-1", x.name, password);
      sends(x, std::string{"<auth "} + sasl + " mechanism='SCRAM-SHA-1'>" + base64(x.scram->first()) + "</auth>");
    } else {
      x.at = client::step::success;
      sends(x, "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>b</resource></bind></iq>"
               "<iq type='get' id='q'><query xmlns='jabber:iq:roster'/></iq><presence/>");
    }
  } else if (has(element.substr(0, 8), "<proceed")) {
    x.ssl = SSL_new(tools.tls);
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

static void reads(client& x) {
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

void runs_until(const std::function<bool()>& done, double limit_s) {
  auto begin = clock_type::now();
  epoll_event events[512];
  while (!done()) {
    auto n = epoll_wait(tools.epoll, events, 512, 20);
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

void runs_for(double seconds) {
  auto begin = clock_type::now();
  runs_until([&] { return seconds_since(begin) > seconds; }, seconds + 60);
}

void prepare() {
  auto files = rlimit{};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  tools.epoll = epoll_create1(EPOLL_CLOEXEC);
  tools.tls = SSL_CTX_new(TLS_client_method());
  SSL_CTX_set_mode(tools.tls,
                   SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_session_cache_mode(tools.tls, SSL_SESS_CACHE_OFF);
  for (auto i = 0; i < options.users; ++i) {
    auto x = std::make_unique<client>();
    x->number = i;
    x->node = i % static_cast<int>(options.ports.size());
    x->name = "u" + std::to_string(i + 1);
    here.clients.push_back(std::move(x));
  }
}

client& user(int n) {
  return *here.clients[static_cast<std::size_t>(n)];
}

void go_online(const std::vector<client*>& who, int at_once) {
  auto todo = std::vector<client*>{};
  for (auto x : who)
    if (x->at == client::step::closed)
      todo.push_back(x);
  auto before = here.online;
  auto n = static_cast<int>(todo.size());
  auto online = [&] { return here.online - before; };
  for (auto next = 0; next < n;) {
    while (next < n && next - online() < at_once)
      connects(*todo[static_cast<std::size_t>(next++)]);
    runs_until([&] { return online() >= next - at_once / 2 || online() >= n; });
  }
  runs_until([&] { return online() >= n; });
}

void go_online(int n, int at_once) {
  auto who = std::vector<client*>{};
  for (auto i = 0; i < n; ++i)
    who.push_back(&user(i));
  go_online(who, at_once);
}

void go_offline() {
  for (auto& x : here.clients) {
    if (x->fd >= 0)
      sends(*x, "</stream:stream>");
    closes(*x);
  }
}

void let_it_rest() {
  auto allowed = options.pids.size() > 1 ? rest : 0.0;
  for (auto before = -1.0; before + allowed * 0.3 < server_cpu_s();) {
    before = server_cpu_s();
    runs_for(0.3);
  }
}

} // namespace xmpp::bench
