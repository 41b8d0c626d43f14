#include "actors/server.hpp"

#include "actors/check.hpp"
#include "actors/cluster_node.hpp"
#include "actors/coordinator.hpp"
#include "actors/fake_keys.hpp"
#include "actors/hasher.hpp"
#include "actors/listener.hpp"
#include "actors/log.hpp"
#include "actors/server_backend.hpp"
#include "actors/shard.hpp"
#include "actors/shell/listener.hpp"
#include "actors/shell/remote_runs.hpp"
#include "actors/store_accounts.hpp"
#include "actors/version.hpp"
#include "cluster/identity.hpp"
#include "net/certificate.hpp"
#include "persistence/accounts.hpp"
#include "protocol/caps.hpp"
#include "protocol/disco.hpp"
#include "protocol/idna.hpp"
#include "protocol/parser.hpp"
#include "protocol/sasl.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <fstream>
#include <future>
#include <thread>
#include <unordered_set>
#include <utility>

namespace xmpp {

namespace {

constexpr std::uint32_t close_grace_ms = 5'000;
constexpr auto hand_over_max = std::chrono::seconds{5};

template <class Listen>
net::accept_limits accept_limits_of(const Listen& listen) {
  auto files = net::get_open_files_limit().soft;
  auto limits = net::accept_limits{};
  limits.at_once_max = listen.per_address_max;
  limits.per_minute_max = listen.per_address_per_minute;
  limits.burst_max = listen.per_address_burst;
  limits.total_max = listen.connections_max;
  if (limits.total_max == 0 && files > reserved_files)
    limits.total_max = std::uint32_t(std::min<std::uint64_t>(files - reserved_files, UINT32_MAX));
  limits.loopback_is_exempt = listen.loopback_is_exempt;
  return limits;
}

/// Files of those that clients refuse by now.
std::vector<std::string> expired_certificates(const config& options) {
  auto result = std::vector<std::string>{};
  for (auto& one : options.hosts)
    for (auto i = std::size_t{0}; i < one.certificate_files.size(); ++i) {
      auto& file = one.certificate_files[i];
      auto report =
          net::inspect_certificate(file.string(), (i < one.key_files.size() ? one.key_files[i] : file).string());
      if (report && report->not_after_s <= now_ms() / 1000)
        result.push_back(file.string());
    }
  return result;
}

} // namespace

server_context::server_context(std::uint32_t shard_count, std::uint32_t hasher_count, bool is_in_cluster)
    : route(shard_count), sessions(shard_count), idle(shard_count), hashers(hasher_count), is_in_cluster(is_in_cluster),
      requests(is_in_cluster ? std::make_unique<request_watch>() : nullptr), process(cluster::make_id()) {}

msg::end_stream server_context::sent_away() {
  auto where = live()->options.server.drain_host;
  if (where.empty())
    where = elsewhere.next();
  return {where.empty() ? errc::system_shutdown : errc::see_other_host, {}, where};
}

const host* live_settings::find_host(std::string_view domain) const {
  // Few hosts: a scan beats making a key.
  for (auto& [name, one] : hosts)
    if (name == domain)
      return one.get();
  return nullptr;
}

std::chrono::milliseconds drain_delay(std::size_t index, std::uint32_t per_second) noexcept {
  return std::chrono::milliseconds{index * 1'000 / std::max(1u, per_second)};
}

result<std::unique_ptr<server>> server::start(const config& options) {
  for (auto& one : {judge_open_files(options, net::raise_open_files_limit().soft), judge_backlog(options)}) {
    if (one.what == finding::grade::wrong)
      return error{errc::bad_request, one.subject + ": " + one.text + "\n-> " + one.remedy};
    if (one.what == finding::grade::warning)
      log::warning("server.limited", {{"by", one.subject}, {"why", one.text}, {"remedy", one.remedy}});
  }
  initialize_xml();
  auto self = std::unique_ptr<server>{new server};
  self->file_ = options.file;
  self->started_ms_ = now_ms();
  self->ticket_keys_ = net::make_ticket_keys();
  self->system_config_ = std::make_unique<caf::actor_system_config>();
  apply(options, *self->system_config_);
  self->system_ = std::make_unique<caf::actor_system>(*self->system_config_);
  auto identity = cluster::load(options.server.data_folder);
  if (!identity)
    return error{errc::corrupt_record, identity.why()};
  auto is_in_cluster = *identity && (*identity)->is_member();
  self->context_ =
      std::make_unique<server_context>(options.storage.shards, options.sign_in.hasher_threads, is_in_cluster);
  auto& context = *self->context_;
  context.limits = options.c2s.limits;
  for (auto& one : options.hosts)
    context.domains.push_back(one.name);
  if (auto opened = self->open_store(options, is_in_cluster ? **identity : cluster::identity{}); !opened)
    return opened.error();
  if (auto usable = check_admin_socket(options); !usable)
    return error{usable.code() == errc::conflict ? errc::conflict : errc::bad_request, usable.error().text};
  auto live = self->make_live(options);
  if (!live)
    return live.error();
  context.swap_live(*std::move(live));
  // From a backup: most likely with these. In a cluster accounts may get keys at other nodes, which are not seen here.
  if (is_in_cluster || (context.iterations.all().empty() && !self->first_account().empty()))
    if (auto added = context.iterations.add(options.sign_in.scram_iterations); !added)
      return added.error();
  context.limiter = std::make_unique<net::accept_limiter>(accept_limits_of(options.listen));
  if (auto started = self->start_actors(options); !started)
    return started.error();
  return self;
}

result<std::shared_ptr<const live_settings>> server::make_live(const config& options,
                                                               std::vector<config_change> waiting) const {
  auto live = std::make_shared<live_settings>();
  live->options = options;
  live->waiting = std::move(waiting);
  auto tls = net::tls_options{};
  tls.tickets = ticket_keys_;
  auto streams = std::make_shared<stream_policy>();
  streams->tls_required = options.tls.required;
  streams->attempts_max = std::uint8_t(options.sign_in.attempts_max);
  streams->limits = options.c2s.limits;
  streams->server_secret = context_->secret;
  streams->scram_iterations = [context = context_.get()] {
    auto all = context->iterations.all();
    if (all.empty())
      all.push_back(context->live()->options.sign_in.scram_iterations);
    return all;
  };
  for (auto& one : options.hosts) {
    auto made = std::make_shared<host>();
    made->options = one;
    auto& info = made->info;
    info.domain = jid::from_prepared(one.name);
    info.software_version = version_text;
    info.tells_version = one.tells_version;
    info.contacts = one.contacts();
    info.started_ms = started_ms_;
    info.vcard_bytes_max = one.vcard_bytes_max;
    info.private_xml_bytes_max = one.private_xml_bytes_max;
    info.private_xml_elements_max = one.private_xml_elements_max;
    info.blocklist_items_max = one.blocklist_items_max;
    auto stream = stream_host{};
    stream.name = one.name;
    stream.offers_tls = !one.certificate_files.empty();
    stream.mechanisms.clear();
    for (auto& name : options.sign_in.mechanisms)
      if (auto known = sasl::find_mechanism(name))
        stream.mechanisms.push_back(*known);
    if (!one.client_ca_file.empty())
      stream.mechanisms.push_back(sasl::mechanism::external);
    if (one.anonymous)
      stream.mechanisms.push_back(sasl::mechanism::anonymous);
    stream.registers = one.registration == registration_policy::open;
    stream.registers_from_loopback = one.registration != registration_policy::closed;
    stream.extra_features_bound = caps_element(caps_node, host_info_element(info, all_host_features())).bytes();
    streams->hosts.push_back(std::move(stream));
    live->hosts.emplace(one.name, std::move(made));
    auto names = std::vector<std::string>{one.name}; // as streams are addressed, and as TLS names servers
    if (auto ascii = to_a_labels(one.name); ascii != one.name)
      names.push_back(ascii);
    for (auto i = std::size_t{0}; i < one.certificate_files.size(); ++i)
      tls.certificates.push_back(
          {names, one.certificate_files[i].string(),
           i < one.key_files.size() ? one.key_files[i].string() : one.certificate_files[i].string(),
           one.client_ca_file.empty() ? net::client_certificates::ignore : net::client_certificates::request,
           one.client_ca_file.string()});
  }
  if (!tls.certificates.empty()) {
    auto made = net::tls_context::make(tls);
    if (!made)
      return error{errc::bad_request, made.why()};
    live->tls = *std::move(made);
  } else if (options.tls.required) {
    return error{errc::bad_request, "tls.required is on, but no host has a certificate"};
  }
  live->streams = std::move(streams);
  return std::shared_ptr<const live_settings>{std::move(live)};
}

result<void> server::open_store(const config& options, const cluster::identity& identity) {
  auto& storage = options.storage;
  auto where = options_of_store(options);
  where.is_in_cluster = identity.is_member();
  auto opened = store::open(where);
  if (!opened)
    return opened.error();
  auto groups = (*opened)->groups();
  auto how = writer_options{};
  how.writer_queue_bytes_max = storage.writer_queue_bytes_max;
  how.batch_bytes_max = storage.batch_bytes_max;
  how.log_bytes_max = storage.log_bytes_max;
  how.reads_waiting_max = storage.reads_waiting_max;
  how.free_bytes_min = storage.free_bytes_min;
  context_->storage = std::make_unique<writer>(*std::move(opened), how, [](const storage_health& x) {
    if (x.failed)
      log::error("storage.failed", {{"reason", x.reason}});
    else
      log::info("storage.recovered", {});
  });
  if (identity.is_member())
    context_->node = std::make_shared<cluster_node>(*context_, identity, std::move(groups));
  for (auto i = 0u; i < storage.shards && !identity.is_member(); ++i)
    context_->replicas.push_back(std::make_unique<lone_replica>(shard_id(i), *context_->storage));
  auto secret = load_fake_keys_secret(options.server.data_folder);
  if (!secret)
    return secret.error();
  context_->secret = *std::move(secret);
  context_->iterations.open(options.server.data_folder);
  return {};
}

result<void> server::start_actors(const config& options) {
  auto& context = *context_;
  auto count = options.c2s.reactor_threads;
  if (count == 0)
    count = std::max(1u, std::thread::hardware_concurrency() / 2);
  for (auto i = 0u; i < count; ++i)
    reactors_.push_back(std::make_unique<reactor_unit>(*system_));

  struct socket {
    listening what;
    std::shared_ptr<net::unique_fd> fd;
  };
  auto sockets = std::vector<socket>{};
  auto bind = [&](const std::vector<std::string>& addresses, bool direct_tls) -> result<void> {
    for (auto& text : addresses) {
      auto where = parse_address(text);
      if (!where)
        return where.error();
      auto fd = net::listen(*where, {int(options.listen.backlog), false});
      if (!fd)
        return error{errc::conflict, fd.why() + "\n-> " + std::string{port_remedy}};
      auto what = listening{};
      auto actual = net::local_address(fd->get());
      what.where = actual ? *actual : *where;
      if (where->is_any() && !what.where.is_v6())
        log::warning("listener.without_ipv6", {{"address", what.where.text()}});
      what.name = std::string{direct_tls ? "c2s_tls " : "c2s "} + what.where.text();
      what.direct_tls = direct_tls;
      what.backlog = int(options.listen.backlog);
      // Each socket is accepted from by another reactor; connections go round.
      for (auto i = std::size_t{0}; i < reactors_.size(); ++i)
        what.reactors.push_back(reactors_[(i + sockets.size()) % reactors_.size()].get());
      listening_on_.push_back(what.name);
      sockets.push_back({std::move(what), std::make_shared<net::unique_fd>(*std::move(fd))});
    }
    return {};
  };
  if (auto bound = bind(options.listen.c2s, false); !bound)
    return bound;
  if (context.live()->tls)
    if (auto bound = bind(options.listen.c2s_tls, true); !bound)
      return bound;

  if (context.node)
    if (auto started = context.node->start(*system_, options, *reactors_.front()); !started)
      return started;
  for (auto i = std::size_t{0}; i < reactors_.size(); ++i)
    reactors_[i]->start("reactor");

  using child = supervisor::child;
  auto shards = std::vector<child>{};
  for (auto i = 0u; i < context.route.shard_count(); ++i)
    shards.push_back({"shard " + std::to_string(i), [&context, i](supervisor& s) {
                        auto made = s.system().spawn<shard>(s.self_ptr(), std::ref(context), shard_id(i));
                        context.route.set(shard_id(i), made);
                        return caf::actor_cast<caf::strong_actor_ptr>(made);
                      }});
  auto sessions = std::make_shared<caf::strong_actor_ptr>();
  auto listeners = std::vector<child>{};
  for (auto& one : sockets)
    listeners.push_back({one.what.name, [this, &context, one, sessions](supervisor& s) {
                           auto what = one.what;
                           what.sessions = *sessions;
                           auto made = caf::actor_cast<caf::strong_actor_ptr>(
                               s.system().spawn<listener>(s.self_ptr(), std::ref(context), what, one.fd));
                           listeners_.push_back(made);
                           return made;
                         }});
  auto below = [](std::string name, std::vector<child> children, restart_options how) {
    return child{name, [name, children = std::move(children), how](supervisor& s) {
                   return caf::actor_cast<caf::strong_actor_ptr>(
                       s.system().spawn<supervisor>(s.self_ptr(), actor_kind::supervisor, name, children, how));
                 }};
  };
  auto top = std::vector<child>{};
  for (auto i = 0u; i < options.sign_in.hasher_threads; ++i)
    top.push_back({"hasher " + std::to_string(i), [&context, i](supervisor& s) {
                     auto made = s.system().spawn<hasher, caf::detached>(s.self_ptr(), std::ref(context), i);
                     context.hashers.set(i, made);
                     return caf::actor_cast<caf::strong_actor_ptr>(made);
                   }});
  // A client that is let in before its account has a shard would be turned away.
  top.push_back(below("shards", std::move(shards), {}));
  top.back().comes_first = true;
  if (context.node) {
    top.push_back({"coordinator", [&context](supervisor& s) {
                     auto made = caf::actor_cast<caf::strong_actor_ptr>(
                         s.system().spawn<coordinator>(s.self_ptr(), std::ref(context), std::ref(*context.node)));
                     context.node->set_coordinator(made);
                     return made;
                   }});
  }
  top.push_back({"sessions", [sessions](supervisor& s) {
                   *sessions = caf::actor_cast<caf::strong_actor_ptr>(s.system().spawn<supervisor>(
                       s.self_ptr(), actor_kind::supervisor, "sessions", std::vector<child>{}));
                   return *sessions;
                 }});
  top.push_back(below("listeners", std::move(listeners), {}));
  backend_ = std::make_unique<server_backend>(*this);
  auto shell = shell::service_options{};
  shell.path = options.server.admin_socket;
  shell.greeting = "Troupe " + std::string{version_text} + ": `help` lists what can be asked.";
  shell.on_command = [](std::uint32_t uid, std::string_view line, int status) {
    log::info("shell.command", {{"uid", uid}, {"command", line}, {"status", status}});
  };
  if (context.node) {
    auto how = shell::remote_run_options{};
    how.on_command = [](std::uint64_t node, std::string_view line, int status) {
      log::info("shell.command", {{"node", cluster::id_text(node)}, {"command", line}, {"status", status}});
    };
    remote_runs_ = std::make_unique<shell::remote_runs>(std::move(how), *backend_, *system_);
    context.node->questions().set_answerer([runs = remote_runs_.get()](cluster::node_id from, std::string_view bytes) {
      return runs->answer(from, bytes);
    });
  }
  top.push_back({"shell", [this, shell](supervisor& s) {
                   return caf::actor_cast<caf::strong_actor_ptr>(
                       s.system().spawn<shell_listener, caf::detached>(s.self_ptr(), shell, *backend_));
                 }});
  root_ = system_->spawn<supervisor>(caf::strong_actor_ptr{}, actor_kind::server, "server", std::move(top),
                                     restart_options{strategy::one_for_one, 5, std::chrono::seconds{10}});
  caf::actor_cast<caf::abstract_actor*>(root_)->attach_functor([this](const caf::error& reason) {
    auto guard = std::lock_guard{mutex_};
    if (!stopped_)
      root_failed_ = reason != caf::exit_reason::user_shutdown;
    changed_.notify_all();
  });
  return {};
}

std::string server::first_account() const {
  constexpr auto hosts_max = std::size_t{100};
  auto answer = std::promise<std::string>{};
  auto find = [&](const reader& from) -> std::string {
    auto live = context_->live();
    auto& hosts = live->options.hosts;
    auto end = hosts.begin() + std::ptrdiff_t(std::min(hosts.size(), hosts_max));
    for (auto i = hosts.begin(); i != end; ++i)
      if (auto admin = jid::make("admin", i->name))
        if (auto known = accounts::exists(from, {context_->route.shard_of(*admin), *admin}); known && *known)
          return std::string{admin->text()};
    for (auto i = hosts.begin(); i != end; ++i)
      for (auto shard = 0u; shard < context_->route.shard_count(); ++shard)
        if (auto names = accounts::list(from, shard_id(shard), i->name, {}, 1); names && !names->empty())
          return names->front() + "@" + i->name;
    return {};
  };
  auto accepted = context_->storage->read([&](const reader& from) { answer.set_value(find(from)); });
  return accepted ? answer.get_future().get() : std::string{};
}

bool server::wait() {
  auto guard = std::unique_lock{mutex_};
  changed_.wait(guard, [this] { return stop_requested_ || root_failed_; });
  return !root_failed_;
}

void server::request_stop() {
  auto guard = std::lock_guard{mutex_};
  stop_requested_ = true;
  changed_.notify_all();
}

result<std::vector<std::string>> server::reload() {
  auto before = context_->live();
  auto next = file_.empty() ? result<config>{before->options} : load_config(file_);
  if (!next)
    return next.error();
  // What needs a restart stays as it is; the rest of the new file counts from now on.
  auto lines = std::vector<std::string>{};
  auto waiting = diff(before->options, *next);
  for (auto& change : waiting)
    lines.push_back(change.name + ": " + change.before + " -> " + change.after +
                    (change.is_live ? "" : " (needs a restart)"));
  std::erase_if(waiting, [](auto& change) { return change.is_live; });
  auto live = make_live(in_force(before->options, *next), std::move(waiting));
  if (!live)
    return live.error();
  if (before->tls && !(*live)->tls) // Streams that were offered it may still ask, and `c2s_tls` would speak in clear.
    return error{errc::bad_request, "the last certificate goes by a restart only: without one, streams that were "
                                    "offered TLS and clients of listen.c2s_tls would have none"};
  auto is_direct = [](const std::string& name) { return name.starts_with("c2s_tls "); };
  if ((*live)->tls && !before->options.listen.c2s_tls.empty() &&
      std::none_of(listening_on_.begin(), listening_on_.end(), is_direct))
    lines.push_back("listen.c2s_tls: is not open, for there was no certificate at the start (needs a restart)");
  if (context_->is_in_cluster) // As at the start.
    if (auto added = context_->iterations.add((*live)->options.sign_in.scram_iterations); !added)
      return added.error();
  context_->swap_live(*std::move(live));
  context_->storage->set_free_bytes_min(next->storage.free_bytes_min);
  log::set_levels(next->log.level, next->log.levels);
  context_->limiter->set_limits(accept_limits_of(next->listen));
  lines.push_back("certificates read again");
  for (auto& line : lines)
    log::info("server.reloaded", {{"what", line}});
  for (auto& file : expired_certificates(*next)) {
    log::warning("server.certificate_expired", {{"file", file}});
    lines.push_back(file + " has expired: clients refuse it");
  }
  return lines;
}

void server::drain() {
  context_->draining = true; // First: who is in neither list below will see it.
  for (auto& one : listeners_)
    caf::anon_send(caf::actor_cast<listener_actor>(one), msg::stop_accepting{});
  auto all = context_->unauthenticated.all(); // Those who have not spoken yet are nowhere else.
  auto seen = std::unordered_set<caf::actor_id>{};
  for (auto& one : all)
    seen.insert(one->id());
  registry::instance().for_each(actor_kind::session, [&](const registry::entry& x) {
    if (seen.insert(x.id).second)
      all.push_back(caf::actor_cast<session_actor>(x.actor));
    return true;
  });
  // The sending away is bounded in rate, so that whoever takes the clients is not overrun.
  auto rate = context_->live()->options.server.drain_per_second;
  auto how = context_->sent_away();
  auto sent = std::size_t{0};
  for (auto& one : all)
    caf::delayed_anon_send(one, drain_delay(sent++, rate), how);
}

void server::stop() {
  {
    auto guard = std::lock_guard{mutex_};
    if (std::exchange(stopped_, true))
      return;
  }
  if (!context_ || !root_)
    return;
  if (auto& node = context_->node) {
    auto until = std::chrono::steady_clock::now() + hand_over_max;
    node->hands_over = true;
    while (node->shards_led.load() != 0 && std::chrono::steady_clock::now() < until)
      std::this_thread::sleep_for(std::chrono::milliseconds{10});
  }
  for (auto& one : listeners_)
    caf::anon_send(caf::actor_cast<listener_actor>(one), msg::stop_accepting{});
  // Every session, bound or not, says goodbye and lets its peer close. The registry knows nobody who is still silent.
  // In a cluster they go to other nodes: not all at once, as far as there is time.
  auto patience_s = context_->live()->options.server.shutdown_timeout_s;
  auto is_paced = context_->elsewhere.size() != 0 && patience_s != 0;
  auto rate = std::max<std::size_t>(context_->live()->options.server.drain_per_second,
                                    is_paced ? context_->sessions.size() * 2 / patience_s : 0);
  auto end_all = [this, rate](bool is_paced) {
    auto told = std::size_t{0};
    auto how = [&] { return is_paced ? context_->sent_away() : msg::end_stream{errc::system_shutdown}; };
    registry::instance().for_each(actor_kind::session, [&](const registry::entry& x) {
      auto session = caf::actor_cast<session_actor>(x.actor);
      if (is_paced)
        caf::delayed_anon_send(session, drain_delay(told++, std::uint32_t(rate)), how());
      else
        caf::anon_send(session, how());
      return true;
    });
    for (auto& one : context_->unauthenticated.all())
      caf::anon_send(one, how());
  };
  end_all(is_paced);
  auto until = std::chrono::steady_clock::now() + std::chrono::seconds{patience_s};
  while (metrics::instance().connections_open.load() != 0 && std::chrono::steady_clock::now() < until)
    std::this_thread::sleep_for(std::chrono::milliseconds{10});
  end_all(false); // who came in while the listeners closed
  listeners_.clear();
  caf::anon_send_exit(root_, caf::exit_reason::user_shutdown);
  if (remote_runs_)
    remote_runs_->stop();
  if (context_->node)
    context_->node->stop();
  context_->storage->stop();
  for (auto& one : reactors_)
    one->stop();
}

server::~server() {
  stop();
  if (system_)
    system_->await_all_actors_done(); // Until then shells may ask for anything below.
  if (context_ && context_->node)
    context_->node->end();
  remote_runs_ = nullptr;
  backend_ = nullptr;
  root_ = nullptr;
  if (context_)
    context_->route.clear();
  if (context_)
    context_->hashers.clear();
  system_ = nullptr;
  reactors_.clear();
  context_ = nullptr;
}

} // namespace xmpp
