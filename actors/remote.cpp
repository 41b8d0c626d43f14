#include "actors/remote.hpp"

#include "actors/reactor_unit.hpp"

#include <caf/actor_proxy.hpp>
#include <caf/all.hpp>

#include <atomic>
#include <cassert>
#include <chrono>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <utility>
#include <vector>

namespace xmpp::remote {

namespace {

class stand_in;

/// A request of an actor here that another node has not answered yet.
struct pending {
  caf::strong_actor_ptr asker;
  caf::message_id mid;
  caf::strong_actor_ptr asked; ///< The stand-in.
  node_id node = 0;
  std::uint64_t answer = 0;              ///< Its number.
  std::shared_ptr<const void> turn = {}; ///< Of a `sent`, which nobody asked; it ends with this.
  std::int64_t due_ms = 0;
};

/// For a page of offline messages; after that it is sent again.
constexpr std::int64_t page_ms_max = 600'000;

caf::error link_is_down() {
  return make_error(caf::exit_reason::remote_link_unreachable);
}

caf::error ours(errc code) {
  return {std::uint8_t(code), caf::atom("xmpp")};
}

void answer(const caf::strong_actor_ptr& asker, caf::message_id mid, const caf::strong_actor_ptr& as,
            caf::message what) {
  if (asker)
    asker->enqueue(as, mid.response_id(), std::move(what), reactor_unit::current());
}

void answer(const pending& x, caf::message what) {
  answer(x.asker, x.mid, x.asked, std::move(what));
}

/// The stanza of a one-way message.
const stanza* stanza_of(const caf::type_erased_tuple& x) {
  if (x.match_elements<msg::deliver>())
    return &x.get_as<msg::deliver>(0).what;
  if (x.match_elements<msg::show>())
    return &x.get_as<msg::show>(0).what;
  if (x.match_elements<msg::sent>())
    return &x.get_as<msg::sent>(0).what;
  if (x.match_elements<msg::came_back>())
    return &x.get_as<msg::came_back>(0).what;
  return nullptr;
}

} // namespace

struct exchange::core {
  core(caf::actor_system& at, const exchange_options& with, exchange_callbacks calls)
      : home(at), options(with), callbacks(std::move(calls)) {}

  std::int64_t now_ms() const {
    if (callbacks.clock_ms)
      return callbacks.clock_ms();
    using namespace std::chrono;
    return duration_cast<milliseconds>(steady_clock::now().time_since_epoch()).count();
  }

  /// 0: too many wait.
  std::uint64_t add(pending x) {
    if (x.due_ms == 0)
      x.due_ms = now_ms() + options.timeout_ms;
    auto guard = std::lock_guard{mutex};
    if (closed || waiting.size() >= options.outstanding_max)
      return 0;
    waiting.emplace_hint(waiting.end(), ++last_request, std::move(x));
    return last_request;
  }
  std::optional<pending> take(std::uint64_t request) {
    auto guard = std::lock_guard{mutex};
    auto found = waiting.extract(request);
    return found ? std::optional{std::move(found.mapped())} : std::nullopt;
  }
  template <class Predicate>
  std::vector<pending> take_if(Predicate is_over) {
    auto out = std::vector<pending>{};
    auto guard = std::lock_guard{mutex};
    for (auto i = waiting.begin(); i != waiting.end();)
      if (is_over(i->second)) {
        out.push_back(std::move(i->second));
        i = waiting.erase(i);
      } else {
        ++i;
      }
    return out;
  }

  void lost(const stanza& what, errc why) const {
    if (callbacks.on_lost)
      callbacks.on_lost(what, why);
  }
  void lost(const caf::type_erased_tuple& content, errc why, const address& to, unreached::reason reason) const {
    if (auto what = to.what == address::kind::session ? nullptr : stanza_of(content))
      return lost(*what, why);
    if (!content.match_elements<msg::deliver>() || !callbacks.on_unreached)
      return;
    auto& x = content.get_as<msg::deliver>(0);
    callbacks.on_unreached({{x.what, to.number, x.copies}, reason});
  }
  void refused(node_id from, const envelope& to, std::uint64_t number, const error& why) const {
    if (callbacks.on_refused)
      callbacks.on_refused(from, summary(to, number), why);
  }

  caf::actor_system& home;
  const exchange_options options;
  const exchange_callbacks callbacks;

  mutable std::mutex mutex; // Nothing is called while it is held.
  std::atomic<bool> closed{false};
  std::uint64_t last_request = 0;
  std::map<std::uint64_t, pending> waiting;
  std::map<std::pair<node_id, shard_id>, shard_actor> shards;
  std::map<node_id, caf::strong_actor_ptr> askers; ///< Of linked nodes: who asks here.
  std::multimap<node_id, stand_in*> sessions;
};

namespace {

using core_ptr = std::shared_ptr<exchange::core>;

/// For a shard or a session of another node; or, as `request`, for whoever asks there.
class stand_in final : public caf::actor_proxy {
public:
  stand_in(caf::actor_config& cfg, core_ptr core, node_id node, remote::address where)
      : actor_proxy(cfg), core_(std::move(core)), node_(node), where_(where) {
    if (where_.what == remote::address::kind::session) {
      auto guard = std::lock_guard{core_->mutex};
      place_ = core_->sessions.emplace(node_, this);
    }
  }
  ~stand_in() override {
    if (where_.what == remote::address::kind::session) {
      auto guard = std::lock_guard{core_->mutex};
      core_->sessions.erase(place_);
    }
  }

  node_id there() const noexcept { return node_; }
  bool is_gone() const { return getf(is_cleaned_up_flag) || !core_->callbacks.is_up(node_); }

  using actor_proxy::enqueue;

  void enqueue(caf::mailbox_element_ptr what, caf::execution_unit*) override {
    if (what == nullptr || (core_->closed && !what->mid.is_request()))
      return;
    if (what->mid.is_response())
      return send_answer(*what);
    if (core_->closed || getf(is_cleaned_up_flag))
      return fail(*what, link_is_down(), errc::remote_server_timeout);
    auto to = envelope{where_};
    to.session_node = session_node(what->content());
    if (what->mid.is_request()) {
      auto expected = answer_to(number_of(what->content()));
      if (expected == 0)
        return fail(*what, make_error(caf::sec::unexpected_message), errc::unexpected_request);
      auto self = caf::strong_actor_ptr{ctrl()};
      // A page goes out as slowly as its client reads, and its session says when it ends.
      auto due_ms = what->content().match_elements<msg::deliver_stored>() ? core_->now_ms() + page_ms_max : 0;
      to.request = core_->add({what->sender, what->mid, self, node_, expected, {}, due_ms});
      if (to.request == 0)
        return fail(*what, ours(errc::resource_constraint), errc::resource_constraint);
      to.asker = core_->options.self;
    } else if (auto turn = turn_of(what->content())) {
      to.request = core_->add({{}, {}, {}, node_, answer_to(number_of(what->content())), std::move(turn)});
      if (to.request == 0)
        return fail(*what, {}, errc::resource_constraint);
      to.asker = core_->options.self;
    }
    auto frame = std::string{};
    auto written = append(frame, to, what->content());
    if (written && core_->callbacks.send(node_, frame))
      return;
    if (to.request != 0 && !core_->take(to.request) && what->mid.is_request())
      return; // It was answered meanwhile: the link is down.
    fail(*what, written ? link_is_down() : ours(written.code()),
         written ? errc::remote_server_timeout : written.code());
  }

  void kill_proxy(caf::execution_unit* host, caf::error reason) override { cleanup(std::move(reason), host); }

private:
  /// The asker's node waits under the number that it gave.
  void send_answer(caf::mailbox_element& what) {
    auto to = envelope{{remote::address::kind::request, what.mid.request_id().integer_value()}};
    auto frame = std::string{};
    if (auto written = append(frame, to, what.content()); !written)
      (void)append(frame, to, message{to_failure(ours(written.code()))});
    core_->callbacks.send(node_, frame); // If not, the asker hears that the link is down, or its time is over.
  }

  void fail(caf::mailbox_element& what, caf::error why, errc code) {
    if (what.mid.is_request())
      answer(what.sender, what.mid, caf::strong_actor_ptr{ctrl()}, caf::make_message(std::move(why)));
    else
      core_->lost(what.content(), code, where_, is_gone() ? unreached::reason::gone : unreached::reason::full);
  }

  static std::shared_ptr<const void> turn_of(const caf::type_erased_tuple& x) {
    return x.match_elements<msg::sent>() ? x.get_as<msg::sent>(0).turn : nullptr;
  }

  node_id session_node(const caf::type_erased_tuple& x) const {
    if (!x.match_elements<msg::attach>())
      return 0;
    auto& session = x.get_as<msg::attach>(0).session;
    auto elsewhere = session ? dynamic_cast<stand_in*>(caf::actor_cast<caf::abstract_actor*>(session->actor)) : nullptr;
    return elsewhere != nullptr ? elsewhere->there() : core_->options.self;
  }

  core_ptr core_;
  node_id node_;
  remote::address where_;
  std::multimap<node_id, stand_in*>::iterator place_;
};

caf::strong_actor_ptr make_stand_in(const core_ptr& core, node_id node, address where) {
  auto cfg = caf::actor_config{};
  auto& home = core->home;
  return caf::make_actor<stand_in, caf::strong_actor_ptr>(home.next_actor_id(), home.node(), &home, cfg, core, node,
                                                          where);
}

/// Who asks there; one for each linked node.
caf::strong_actor_ptr asker_at(const core_ptr& core, node_id node, bool is_linked) {
  if (is_linked) {
    auto guard = std::lock_guard{core->mutex};
    if (auto i = core->askers.find(node); i != core->askers.end())
      return i->second;
  }
  auto made = make_stand_in(core, node, {address::kind::request, 0});
  auto guard = std::lock_guard{core->mutex};
  return is_linked && !core->closed ? core->askers.try_emplace(node, made).first->second : made;
}

void deliver_answer(const core_ptr& core, node_id from, const envelope& to, result<message> read) {
  auto x = core->take(to.to.number);
  if (!x)
    return; // Too late.
  if (!read)
    return answer(*x, caf::make_message(make_error(caf::sec::unexpected_response)));
  auto number = number_of(*read);
  if (std::holds_alternative<failure>(*read))
    return answer(*x, caf::make_message(to_error(std::get<failure>(*read))));
  if (number != x->answer) {
    core->refused(from, to, number, {errc::corrupt_record, "an answer of another kind"});
    return answer(*x, caf::make_message(make_error(caf::sec::unexpected_response)));
  }
  if (auto attached = std::get_if<msg::attached>(&*read); attached != nullptr && attached->failure == errc::none)
    attached->user = x->asked;                 // Its shard knows the way.
  if (auto content = to_caf(std::move(*read))) // not of a turn
    answer(*x, std::move(*content));
}

/// The turn of a `sent` from another node; its end is told there.
class turn_elsewhere {
public:
  turn_elsewhere(core_ptr core, node_id node, std::uint64_t request)
      : core_(std::move(core)), node_(node), request_(request) {}
  ~turn_elsewhere() {
    auto frame = std::string{};
    if (!core_->closed && append(frame, {{address::kind::request, request_}}, message{turn_over{}}))
      core_->callbacks.send(node_, frame); // If not, it ends with the link, or when its time is over.
  }
  turn_elsewhere(const turn_elsewhere&) = delete;
  turn_elsewhere& operator=(const turn_elsewhere&) = delete;

private:
  core_ptr core_;
  node_id node_;
  std::uint64_t request_;
};

void spread(const core_ptr& core, fan_out& x) {
  auto what = std::move(x.what);
  for (auto& target : x.targets) {
    auto shard = core->callbacks.route(target);
    what.to = target;
    if (!shard)
      core->lost(what, errc::not_leader);
    else if (x.is_hidden)
      send_from_here(shard, msg::show{what, x.hidden_from});
    else
      send_from_here(shard, msg::deliver{what});
  }
}

} // namespace

bool is_gone(const session_actor& x) {
  auto it = dynamic_cast<stand_in*>(caf::actor_cast<caf::abstract_actor*>(x));
  return it != nullptr && it->is_gone();
}

// -- exchange --

exchange::exchange(caf::actor_system& system, const exchange_options& options, exchange_callbacks callbacks)
    : core_(std::make_shared<core>(system, options, std::move(callbacks))) {
  assert(options.self != 0 && core_->callbacks.send && core_->callbacks.shard && core_->callbacks.session &&
         core_->callbacks.route);
}

exchange::~exchange() {
  auto shards = decltype(core_->shards){};
  auto askers = decltype(core_->askers){};
  {
    auto guard = std::lock_guard{core_->mutex};
    core_->closed = true;
    shards.swap(core_->shards);
    askers.swap(core_->askers);
  }
  for (auto& one : core_->take_if([](auto&) { return true; }))
    answer(one, caf::make_message(link_is_down()));
  for (auto& [where, one] : shards)
    caf::actor_cast<stand_in*>(one)->kill_proxy(nullptr, link_is_down());
}

shard_actor exchange::shard(node_id node, shard_id index) {
  auto key = std::pair{node, index};
  {
    auto guard = std::lock_guard{core_->mutex};
    if (auto i = core_->shards.find(key); i != core_->shards.end())
      return i->second;
  }
  auto made = caf::actor_cast<shard_actor>(make_stand_in(core_, node, {address::kind::shard, index}));
  auto guard = std::lock_guard{core_->mutex};
  return core_->shards.try_emplace(key, made).first->second;
}

session_actor exchange::session(node_id node, std::uint64_t session_id) {
  if (node == core_->options.self)
    return core_->callbacks.session(session_id);
  return caf::actor_cast<session_actor>(make_stand_in(core_, node, {address::kind::session, session_id}));
}

result<void> exchange::send(node_id to, const fan_out& what) {
  auto frame = std::string{};
  if (auto written = append(frame, {}, message{what}); !written)
    return written;
  if (!core_->callbacks.send(to, frame))
    return error{errc::remote_server_timeout, "the link does not take it"};
  return {};
}

void exchange::send(node_id to, const loss& what) {
  auto frame = std::string{};
  if (append(frame, {}, message{what}))
    core_->callbacks.send(to, frame);
}

void exchange::on_frame(node_id from, std::string_view frame) {
  auto to = envelope{};
  auto read = remote::read(frame, to);
  auto number = read ? number_of(*read) : 0;
  if (!read)
    core_->refused(from, to, number, read.error());
  if (to.to.what == address::kind::request && (read || to.to.number != 0))
    return deliver_answer(core_, from, to, std::move(read));

  if (auto x = read ? std::get_if<msg::sent>(&*read) : nullptr; x != nullptr && to.request != 0) {
    x->turn = std::make_shared<const turn_elsewhere>(core_, to.asker, to.request);
    to.request = 0; // Answered when the last copy goes.
  }
  // A request's number becomes one of CAF's, which have 60 bits.
  auto is_request = to.request != 0 && to.request <= caf::message_id::request_id_mask;
  auto asker = is_request ? asker_at(core_, to.asker, to.asker == from) : caf::strong_actor_ptr{};
  auto mid = is_request ? caf::message_id{caf::message_id::default_async_value | to.request} : caf::message_id{};
  auto refuse = [&](errc why) {
    if (is_request)
      answer(asker, mid, nullptr, caf::make_message(ours(why)));
    else if (auto content = read ? to_caf(std::move(*read)) : std::nullopt)
      core_->lost(content->content(), why, to.to, unreached::reason::unknown);
  };
  if (!read)
    return refuse(read.code());
  if (auto x = std::get_if<fan_out>(&*read))
    return spread(core_, *x);
  if (std::holds_alternative<loss>(*read))
    return core_->callbacks.on_loss ? core_->callbacks.on_loss() : void();

  auto target = caf::strong_actor_ptr{};
  if (to.to.what == address::kind::shard) {
    auto index = static_cast<shard_id>(to.to.number);
    auto shards = core_->options.shard_count;
    // What is durable is done under the shard that the account has, or not at all.
    auto is_of_account =
        !std::holds_alternative<msg::registered>(*read) && !std::holds_alternative<msg::heritage>(*read);
    if (to.to.number >= shards || (is_of_account && shard_of(account_of(*read), shards) != index)) {
      core_->refused(from, to, number, {errc::corrupt_record, "not an account of that shard"});
      return refuse(errc::bad_request);
    }
    target = caf::actor_cast<caf::strong_actor_ptr>(core_->callbacks.shard(index));
  } else {
    target = caf::actor_cast<caf::strong_actor_ptr>(session(core_->options.self, to.to.number));
  }
  if (!target)
    return refuse(to.to.what == address::kind::shard ? errc::not_leader : errc::item_not_found);
  if (auto x = std::get_if<msg::attach>(&*read)) {
    auto there = session(to.session_node, x->session_id);
    if (!there)
      return refuse(errc::item_not_found);
    x->session = std::make_shared<session_handle>(session_handle{std::move(there)});
    x->node = to.session_node == core_->options.self ? 0 : to.session_node;
  }
  target->enqueue(asker, mid, *to_caf(std::move(*read)), reactor_unit::current());
}

void exchange::on_down(node_id peer) {
  auto ended = std::vector<caf::strong_actor_ptr>{};
  auto asker = caf::strong_actor_ptr{};
  {
    auto guard = std::lock_guard{core_->mutex};
    auto [first, last] = core_->sessions.equal_range(peer);
    for (auto i = first; i != last; ++i) // One that is being destroyed waits for this lock, and can't be had any more.
      if (auto alive = caf::weak_actor_ptr{i->second->ctrl()}.lock())
        ended.push_back(std::move(alive));
    if (auto found = core_->askers.extract(peer))
      asker = std::move(found.mapped());
  }
  for (auto& one : core_->take_if([&](auto& x) { return x.node == peer; }))
    answer(one, caf::make_message(link_is_down()));
  for (auto& one : ended)
    caf::actor_cast<stand_in*>(one)->kill_proxy(nullptr, link_is_down());
}

void exchange::tick() {
  auto now = core_->now_ms();
  for (auto& one : core_->take_if([&](auto& x) { return x.due_ms <= now; }))
    answer(one, caf::make_message(make_error(caf::sec::request_timeout)));
}

std::size_t exchange::outstanding() const {
  auto guard = std::lock_guard{core_->mutex};
  return core_->waiting.size();
}

} // namespace xmpp::remote
