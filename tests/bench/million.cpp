// A million sessions in one process: do memory per session and CPU per message stay flat?
//
//     bench_million [--sessions N] [--messages N] [--folder DIR]
//
// What is real: the server object with its whole tree, the accounts (a record of SCRAM keys each, committed through the
// shards' log into a store on disk), and for every client its own session actor, its own stream_reader with framer, its
// own user actor, and the whole sign-in over the wire's bytes: header, SCRAM-SHA-1, bind, roster, presence. Messages go
// as bytes into the reader and come as bytes out of the session.
//
// What is not: sockets. Each client is a `net::transport` in memory that takes what it is sent, answers it, and drops
// it. All are served by one thread, as a server's reactor serves sockets. Nothing here makes system calls per message,
// so the figures are less than a client over TCP costs; they are to be compared with each other. The clients' half of
// the work is in them; how much that is, is printed.
//
// To keep it short, all accounts have the same password with the same salt and fewest iterations: the server does the
// same work as ever (it never runs the slow function), the clients less.
//
// CPU is user and system of the whole process. Memory is what has been added since before the first session: `in use`
// is what was asked of malloc (with its headers), `resident` what the kernel gave. The transport itself is not in it:
// a real one over TCP (net::connection) adds what the last line says.
//
// The CPU per message has two columns: between any two of all sessions, where memory is touched that no cache holds;
// and between 10,000 of them, where a difference would mean that something searches through all.

#include "actors/connection.hpp"
#include "actors/log.hpp"
#include "actors/server.hpp"
#include "actors/session.hpp"
#include "net/connection.hpp"
#include "persistence/accounts.hpp"
#include "protocol/sasl.hpp"
#include "tests/fixtures/scram.hpp"

#include <algorithm>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>
#include <malloc.h>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <sys/resource.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace xmpp {
namespace {

constexpr auto resident_bytes_max = std::size_t{16} << 30;
constexpr auto few = std::uint32_t{10'000};
constexpr auto signing_in_at_once = 512u;
constexpr auto messages_at_once = 256u;
constexpr auto stalled_after = std::chrono::seconds{60};

[[noreturn]] void give_up(const std::string& why) {
  std::fprintf(stderr, "bench_million: %s\n", why.c_str());
  std::_Exit(1);
}

double cpu_us() {
  auto x = rusage{};
  ::getrusage(RUSAGE_SELF, &x);
  auto us = [](const timeval& t) { return double(t.tv_sec) * 1e6 + double(t.tv_usec); };
  return us(x.ru_utime) + us(x.ru_stime);
}

std::size_t resident_bytes() {
  auto pages = std::size_t{0};
  if (auto* file = std::fopen("/proc/self/statm", "r")) {
    if (std::fscanf(file, "%*u %zu", &pages) != 1)
      pages = 0;
    std::fclose(file);
  }
  return pages * std::size_t(::sysconf(_SC_PAGESIZE));
}

std::size_t bytes_in_use() {
  auto x = ::mallinfo2();
  return x.uordblks + x.hblkhd;
}

std::string local_of(std::uint32_t number) {
  return "user" + std::to_string(number);
}
constexpr auto password = "a password";
constexpr auto header = "<?xml version='1.0'?><stream:stream to='localhost' version='1.0' xmlns='jabber:client' "
                        "xmlns:stream='http://etherx.jabber.org/streams'>";

std::string message_to(std::uint32_t number) {
  auto text = std::to_string(number);
  return "<message to='user" + text + "@localhost' type='chat' id='m" + text + "'><body>for " + text +
         ": neither fair saint, if either thee dislike; the orchard walls are high and hard to climb</body></message>";
}

bool is_message_for(std::uint32_t number, std::string_view bytes) {
  auto at = bytes.find("<body>for ");
  return at != bytes.npos && bytes.substr(at + 10).starts_with(std::to_string(number) + ":");
}

// -- clients ----------------------------------------------------------------------------------------------------------

class driver;

/// One client, and what its session takes for a connection.
class client final : public net::transport {
public:
  void connect(driver& home, std::uint32_t number, server_context& server, const caf::strong_actor_ptr& sessions);
  /// The next step of the sign-in, on the driver's thread.
  void go_on();
  void say(std::string_view bytes) { reader_->on_bytes(*this, bytes); }
  void closed();

  net::send_status send(std::string_view bytes) override;
  net::send_status send_and_flush(std::string_view bytes) override { return send(bytes); }
  void flush() override {}
  std::size_t queued_bytes() const override { return 0; }
  void set_output_bytes_max(std::size_t) override {}
  void close(std::string_view last_bytes, std::uint32_t grace_ms) override;
  void abort() override { close({}, 0); }
  void pause_reading() override {}
  void resume_reading() override {}
  void set_deadline(std::uint32_t) override {}
  bool start_tls(std::shared_ptr<const net::tls_context>, std::string_view, std::string_view) override { return false; }
  bool is_secure() const override { return false; }
  std::optional<net::tls_facts> tls() const override { return std::nullopt; }
  std::string channel_binding(net::channel_binding_type) const override { return {}; }
  net::address peer() const override { return *net::address::parse("127.0.0.1", 1); }

private:
  enum class stage : std::uint8_t { features, challenge, success, new_features, bound, roster, presence };
  static constexpr std::string_view ends[] = {
      "</stream:features>", "</challenge>", "</success>", "</stream:features>", "</iq>", "</iq>", "<presence"};
  struct sign_in {
    explicit sign_in(std::uint32_t number) : scram("SHA-1", local_of(number), password) {}
    stage at = stage::features;
    std::string heard;
    test::scram_client scram;
  };

  driver* home_ = nullptr;
  std::unique_ptr<stream_reader> reader_;
  std::unique_ptr<sign_in> sign_in_; ///< Null once there.
  std::uint32_t number_ = 0;
};

/// Serves all clients on one thread, and keeps a number of them busy.
class driver {
public:
  enum class what : std::uint8_t { heard, done, closed };

  explicit driver(caf::actor_system& system) : unit_(system) { unit_.start("clients"); }

  /// Runs `begin` `total` times, at most `at_once` of them unfinished. From the main thread.
  void run(std::uint32_t total, std::uint32_t at_once, std::function<void(std::uint32_t)> begin) {
    auto guard = std::unique_lock{mutex_};
    begin_ = std::move(begin);
    total_ = total;
    begun_ = done_ = 0;
    at_once_ = at_once;
    post();
    for (auto seen = done_; done_ < total_; seen = done_)
      if (!finished_.wait_for(guard, stalled_after, [&] { return done_ >= total_; }) && seen == done_)
        give_up("nothing moves after " + std::to_string(done_) + " of " + std::to_string(total_));
  }

  /// From any thread.
  void note(std::uint32_t number, what x) {
    auto guard = std::lock_guard{mutex_};
    events_.push_back({number, x});
    post();
  }

  std::vector<client>* clients = nullptr;

private:
  struct event {
    std::uint32_t number;
    what kind;
  };

  void post() { // under the lock
    if (!std::exchange(posted_, true))
      unit_.loop().post([this] { turn(); });
  }

  void turn() {
    auto first = std::uint32_t{0}, last = std::uint32_t{0};
    {
      auto guard = std::lock_guard{mutex_};
      posted_ = false;
      now_.clear();
      now_.swap(events_);
      for (auto& one : now_)
        done_ += one.kind != what::heard;
      first = begun_;
      last = begun_ = std::min(total_, std::max(begun_, done_ + at_once_));
      if (done_ >= total_)
        finished_.notify_all();
    }
    for (auto& one : now_)
      if (one.kind == what::heard)
        (*clients)[one.number].go_on();
      else if (one.kind == what::closed)
        (*clients)[one.number].closed();
    for (; first < last; ++first)
      begin_(first);
  }

  reactor_unit unit_;
  std::mutex mutex_;
  std::condition_variable finished_;
  std::vector<event> events_, now_;
  std::function<void(std::uint32_t)> begin_;
  std::uint32_t total_ = 0, begun_ = 0, done_ = 0, at_once_ = 0;
  bool posted_ = false;
};

// As `start_client` does it for a socket.
void client::connect(driver& home, std::uint32_t number, server_context& server,
                     const caf::strong_actor_ptr& sessions) {
  home_ = &home;
  number_ = number;
  sign_in_ = std::make_unique<sign_in>(number);
  auto control = std::make_shared<stream_control>();
  auto actor = sessions->home_system->spawn<session, caf::lazy_init>(sessions, std::ref(server), control, peer());
  count(metrics::instance().connections_accepted);
  count(metrics::instance().connections_open);
  reader_ = std::make_unique<stream_reader>(server, actor, std::move(control));
  // All clients live to the end, so nobody needs to count references to one.
  static_cast<session&>(*caf::actor_cast<caf::abstract_actor*>(actor))
      .set_transport(net::transport_ptr{net::transport_ptr{}, this});
  say(header);
}

net::send_status client::send(std::string_view bytes) {
  thread_local auto wire = std::string{}; // a socket would take a copy
  wire.assign(bytes);
  if (!sign_in_) {
    if (is_message_for(number_, wire))
      home_->note(number_, driver::what::done);
    else if (wire.find("<message") != wire.npos)
      give_up("not for user" + std::to_string(number_) + ": " + wire);
    return net::send_status::ok;
  }
  auto& x = *sign_in_;
  x.heard += wire;
  if (x.heard.find(ends[std::size_t(x.at)]) != x.heard.npos) {
    auto last = x.at == stage::presence;
    if (last)
      sign_in_ = nullptr;
    home_->note(number_, last ? driver::what::done : driver::what::heard);
  } else if (x.heard.find("<failure") != x.heard.npos || x.heard.find("error") != x.heard.npos) {
    give_up("user" + std::to_string(number_) + " cannot sign in: " + x.heard);
  }
  return net::send_status::ok;
}

void client::go_on() {
  auto& x = *sign_in_;
  auto heard = std::exchange(x.heard, {});
  auto was = x.at;
  x.at = stage(std::uint8_t(was) + 1);
  switch (was) {
  case stage::features:
    return say("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='SCRAM-SHA-1'>" +
               test::base64(x.scram.first()) + "</auth>");
  case stage::challenge: {
    auto begin = heard.find('>', heard.find("<challenge")) + 1;
    auto challenge = test::unbase64(heard.substr(begin, heard.find('<', begin) - begin));
    return say("<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>" + test::base64(x.scram.final(challenge)) +
               "</response>");
  }
  case stage::success:
    return say(header);
  case stage::new_features:
    return say("<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>balcony</resource>"
               "</bind></iq>");
  case stage::bound:
    return say("<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>");
  case stage::roster:
    return say("<presence/>");
  case stage::presence:
    break;
  }
}

void client::close(std::string_view, std::uint32_t) {
  if (sign_in_)
    give_up("user" + std::to_string(number_) + " was sent away: " + sign_in_->heard);
  home_->note(number_, driver::what::closed);
}

void client::closed() {
  reader_->on_closed(*this, net::close_reason::closed_here, {});
  reader_ = nullptr;
}

// -- accounts ---------------------------------------------------------------------------------------------------------

void make_accounts(server_context& server, std::uint32_t count) {
  auto made = sasl::make_credentials(password, sasl::iterations_min);
  auto record = account_record{now_ms(), false, sasl::encode(*made)};
  auto changes = std::vector<write_set>(server.route.shard_count());
  auto mutex = std::mutex{};
  auto ended = std::condition_variable{};
  auto under_way = 0u;
  auto commit = [&](shard_id shard, std::uint64_t sequence) {
    auto guard = std::unique_lock{mutex};
    ended.wait(guard, [&] { return under_way < 64; });
    ++under_way;
    auto taken = server.replicas[shard]->submit({1, sequence, std::exchange(changes[shard], {})}, [&](auto done) {
      if (!done)
        give_up("the store refuses accounts");
      auto guard = std::lock_guard{mutex};
      --under_way;
      ended.notify_all();
    });
    if (!taken)
      give_up("the store refuses accounts");
  };
  for (auto i = 0u; i < count; ++i) {
    auto account = *jid::make(local_of(i), "localhost");
    auto shard = server.route.shard_of(account);
    accounts::put(changes[shard], {shard, account}, record);
    if (changes[shard].size_bytes() > 128 * 1024)
      commit(shard, i + 1);
  }
  for (auto shard = 0u; shard < changes.size(); ++shard)
    if (!changes[shard].empty())
      commit(shard_id(shard), count + 1);
  auto guard = std::unique_lock{mutex};
  ended.wait(guard, [&] { return under_way == 0; });
}

/// So that the store's caches are as full as they will be.
void read_accounts(server_context& server, std::uint32_t count) {
  auto mutex = std::mutex{};
  auto ended = std::condition_variable{};
  auto is_read = false;
  auto taken = server.storage->read([&](const reader& from) {
    auto random = std::minstd_rand{1};
    for (auto i = 0u; i < std::min(count, 200'000u); ++i) {
      auto account = *jid::make(local_of(std::uint32_t(random()) % count), "localhost");
      if (!load_user(from, {server.route.shard_of(account), account}))
        give_up("the store does not give accounts back");
    }
    auto guard = std::lock_guard{mutex};
    is_read = true;
    ended.notify_all();
  });
  auto guard = std::unique_lock{mutex};
  ended.wait(guard, [&] { return !taken || is_read; });
}

// -- the measurement --------------------------------------------------------------------------------------------------

/// CPU of what the clients do for one message.
double own_us_per_message(std::uint32_t sessions) {
  auto before = cpu_us();
  auto wire = std::string{};
  auto good = 0u;
  for (auto i = 0u; i < 200'000; ++i) {
    auto number = std::uint32_t(std::uint64_t(i) * 7'919 % sessions);
    wire.assign(message_to(number));
    good += is_message_for(number, wire);
  }
  if (good != 200'000)
    give_up("the check of messages does not work");
  return (cpu_us() - before) / 200'000;
}

/// CPU per message between random pairs of `among` sessions, spread over all.
double us_per_message(driver& home, std::uint32_t sessions, std::uint32_t among, std::uint32_t messages) {
  auto random = std::mt19937{sessions};
  auto one = [&, step = sessions / among] { return std::uint32_t(random() % among) * step; };
  auto chat = [&](std::uint32_t) { (*home.clients)[one()].say(message_to(one())); };
  home.run(std::max(messages / 10, std::min(among * 3, messages)), messages_at_once, chat);
  auto before = cpu_us();
  home.run(messages, messages_at_once, chat);
  return (cpu_us() - before) / messages;
}

caf::strong_actor_ptr sessions_supervisor() {
  auto found = caf::strong_actor_ptr{};
  registry::instance().for_each(actor_kind::supervisor, [&](const registry::entry& x) {
    if (x.name == "sessions")
      found = x.actor;
    return !found;
  });
  return found;
}

void measure(server& running, std::uint32_t sessions_max, std::uint32_t messages) {
  auto& context = running.context();
  auto began = cpu_us();
  make_accounts(context, sessions_max);
  std::printf("%u accounts made, %.0f us of CPU each\n", sessions_max, (cpu_us() - began) / sessions_max);
  read_accounts(context, sessions_max);
  if (auto trimmed = context.storage->trim(); !trimmed)
    give_up("the store cannot be trimmed");

  auto clients = std::vector<client>(sessions_max);
  auto home = std::make_unique<driver>(running.system());
  home->clients = &clients;
  auto sessions = caf::strong_actor_ptr{};
  while (!(sessions = sessions_supervisor()))
    std::this_thread::yield();
  ::malloc_trim(0);
  auto in_use = bytes_in_use(), resident = resident_bytes();

  std::printf("\n%10s %12s %16s %16s %16s %16s\n", "sessions", "sign-in us", "in use, bytes", "resident, bytes",
              "message us, all", "10,000 of them");
  auto there = std::uint32_t{0};
  for (auto level : {few, 100'000u, 1'000'000u, sessions_max}) {
    if (level > sessions_max || level <= there)
      continue;
    auto before = cpu_us();
    home->run(level - there, signing_in_at_once,
              [&, there](std::uint32_t i) { clients[there + i].connect(*home, there + i, context, sessions); });
    auto sign_in = (cpu_us() - before) / (level - there);
    there = level;
    auto in_use_now = bytes_in_use(), resident_now = resident_bytes();
    auto all = us_per_message(*home, level, level, messages);
    auto some = us_per_message(*home, level, std::min(level, few), messages);
    std::printf("%10u %12.1f %16.0f %16.0f %16.2f %16.2f\n", level, sign_in,
                (double(in_use_now) - double(in_use)) / level, (double(resident_now) - double(resident)) / level, all,
                some);
    std::fflush(stdout);
    if (resident_now > resident_bytes_max)
      give_up("more memory in use than this bench may take");
  }
  std::printf("\nof a message the clients' own: %.2f us\n", own_us_per_message(there));

  // The shards look for idle users every 15 s.
  auto before = cpu_us();
  std::this_thread::sleep_for(std::chrono::seconds{30});
  std::printf("%u idle sessions: %.2f %% of a core\n", there, (cpu_us() - before) / 30e6 * 100);

  before = cpu_us();
  home->run(there, signing_in_at_once, [&](std::uint32_t i) { clients[i].say("</stream:stream>"); });
  std::printf("sign-out: %.1f us\n", (cpu_us() - before) / there);
  auto until = std::chrono::steady_clock::now() + stalled_after;
  while (registry::instance().count(actor_kind::user) != 0 && std::chrono::steady_clock::now() < until)
    std::this_thread::sleep_for(std::chrono::milliseconds{100});
  std::printf("afterwards: %zu users, %zu sessions; left of each: %.0f bytes in use, %.0f resident\n",
              registry::instance().count(actor_kind::user), registry::instance().count(actor_kind::session),
              (double(bytes_in_use()) - double(in_use)) / there, (double(resident_bytes()) - double(resident)) / there);
  ::malloc_trim(0);
  std::printf("given back to the kernel when asked: all but %.0f bytes of each\n",
              (double(resident_bytes()) - double(resident)) / there);
  std::printf("not in the table: net::connection, %zu bytes of its own\n", sizeof(net::connection));
  home = nullptr;
}

int run(std::uint32_t sessions, std::uint32_t messages, std::filesystem::path folder) {
  auto name = (folder / "bench-million-XXXXXX").string();
  if (!::mkdtemp(name.data()))
    give_up("no temporary folder");
  auto options = parse_config("server { data_folder = \"data\" }\n"
                              "tls { required = false }\n"
                              "hosts { main { name = \"localhost\" } }\n",
                              name);
  if (!options)
    give_up(options.error().text);
  options->listen.c2s = {"127.0.0.1:0"}; // any port: nobody comes
  options->listen.c2s_tls.clear();
  options->accounts.idle_retire_s = 0;
  log::start({log_format::text, log_level::warning});
  std::filesystem::create_directories(options->server.data_folder);
  {
    auto started = server::start(*options);
    if (!started)
      give_up(started.error().text);
    measure(**started, sessions, messages);
    (*started)->stop();
  }
  log::stop();
  std::filesystem::remove_all(name);
  return 0;
}

} // namespace
} // namespace xmpp

int main(int argc, char** argv) {
  auto sessions = 1'000'000l, messages = 300'000l;
  auto folder = std::filesystem::temp_directory_path();
  for (auto i = 1; i + 1 < argc; i += 2) {
    if (std::strcmp(argv[i], "--sessions") == 0)
      sessions = std::strtol(argv[i + 1], nullptr, 10);
    else if (std::strcmp(argv[i], "--messages") == 0)
      messages = std::strtol(argv[i + 1], nullptr, 10);
    else if (std::strcmp(argv[i], "--folder") == 0)
      folder = argv[i + 1];
    else
      xmpp::give_up(std::string{"no such option: "} + argv[i]);
  }
  if (sessions < 1 || sessions > 2'000'000 || messages < 1 || messages > 100'000'000)
    xmpp::give_up("--sessions is 1 to 2,000,000, --messages 1 to 100,000,000");
  return xmpp::run(std::uint32_t(sessions), std::uint32_t(messages), folder);
}
