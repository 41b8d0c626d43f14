#include "actors/registry.hpp"

#include <caf/actor.hpp>
#include <caf/actor_cast.hpp>

#include <utility>
#include <vector>

namespace xmpp {

std::string_view to_string(actor_kind kind) noexcept {
  switch (kind) {
  case actor_kind::server:
    return "server";
  case actor_kind::supervisor:
    return "supervisor";
  case actor_kind::shard:
    return "shard";
  case actor_kind::user:
    return "user";
  case actor_kind::session:
    return "session";
  case actor_kind::listener:
    return "listener";
  case actor_kind::hasher:
    return "hasher";
  case actor_kind::shell:
    return "shell";
  case actor_kind::member:
    return "member";
  case actor_kind::coordinator:
    return "coordinator";
  }
  return "?";
}

registry& registry::instance() {
  static registry one;
  return one;
}

observed::~observed() {
  if (enlisted_) {
    auto& all = registry::instance();
    auto& home = all.buckets_[bucket_];
    auto guard = std::lock_guard{home.mutex};
    (previous_ ? previous_->next_ : home.first) = next_;
    if (next_)
      next_->previous_ = previous_;
    --all.counts_[std::size_t(kind_)];
  }
  delete extra_;
}

void observed::enlist(const caf::strong_actor_ptr& self, std::uint64_t supervisor, jid owner, std::string_view name) {
  supervisor_id_ = supervisor;
  auto& all = registry::instance();
  bucket_ = std::uint8_t(self->id() % registry::bucket_count);
  self_ = caf::actor_cast<caf::weak_actor_ptr>(self);
  owner_ = std::move(owner);
  if (!name.empty())
    extra_ = new extra{std::string{name}, {}};
  auto& home = all.buckets_[bucket_];
  auto guard = std::lock_guard{home.mutex};
  next_ = home.first;
  if (next_)
    next_->previous_ = this;
  home.first = this;
  enlisted_ = true;
  ++all.counts_[std::size_t(kind_)];
}

void observed::rename(jid owner) {
  auto guard = std::lock_guard{registry::instance().buckets_[bucket_].mutex};
  owner_ = std::move(owner);
}

void observed::note_error(std::string what) {
  auto guard = std::lock_guard{registry::instance().buckets_[bucket_].mutex};
  if (!extra_)
    extra_ = new extra;
  extra_->last_error = std::move(what);
}

std::string_view registry::name_of(const observed& x) noexcept {
  return x.owner_.empty() && x.extra_ ? std::string_view{x.extra_->name} : x.owner_.text();
}

registry::entry registry::look(const observed& x) {
  auto result = entry{};
  result.kind = x.kind_;
  result.actor = caf::actor_cast<caf::strong_actor_ptr>(x.self_);
  result.id = x.self_ ? x.self_->id() : 0;
  result.supervisor = x.supervisor_id_;
  result.name = name_of(x);
  result.mailbox = x.mailbox_size();
  result.handled = x.handled.load(std::memory_order_relaxed);
  result.memory_bytes = x.memory_bytes.load(std::memory_order_relaxed);
  result.restarts = x.restarts.load(std::memory_order_relaxed);
  if (x.extra_)
    result.last_error = x.extra_->last_error;
  return result;
}

/// Somebody may still hold one that has ended.
bool registry::is_running(const entry& x) {
  return x.actor && !caf::actor_cast<caf::abstract_actor*>(x.actor)->getf(caf::abstract_actor::is_terminated_flag);
}

void registry::for_each(actor_kind kind, const std::function<bool(const entry&)>& visit) const {
  for_each(kind, nullptr, visit);
}

void registry::for_each(actor_kind kind, const std::function<bool(std::string_view)>& wanted,
                        const std::function<bool(const entry&)>& visit) const {
  for (auto& home : buckets_) {
    // Copies first: a visitor may drop the last reference to an actor, whose destructor takes the same lock.
    auto seen = std::vector<entry>{};
    {
      auto guard = std::lock_guard{home.mutex};
      for (auto* x = home.first; x; x = x->next_)
        if (x->kind_ == kind && (!wanted || wanted(name_of(*x))))
          seen.push_back(look(*x));
    }
    for (auto& one : seen)
      if (is_running(one) && !visit(one))
        return;
  }
}

std::optional<registry::entry> registry::entry_of(std::uint64_t id) const {
  auto& home = buckets_[id % bucket_count];
  auto guard = std::lock_guard{home.mutex};
  // Only the actor asked for becomes a strong reference: to drop the last one of another here would lock this twice.
  for (auto* x = home.first; x; x = x->next_)
    if (x->self_ && x->self_->id() == id)
      return look(*x);
  return std::nullopt;
}

caf::strong_actor_ptr registry::find(std::uint64_t id) const {
  auto found = entry_of(id);
  return found ? found->actor : nullptr;
}

} // namespace xmpp
