// PROPOSALS under way, as a value: what this node has asked of the system group's leader, where that is another node;
// and what it has submitted, where it leads that group itself.
//
// Each is answered once: with what came of it, or with an error. `timeout` leaves open what comes of it.
#pragma once

#include "cluster/system_state.hpp"
#include "protocol/error.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>

namespace xmpp::cluster {

/// Not for two threads at once.
class proposals {
public:
  using answer = std::function<void(const result<applied>&)>; ///< Never null.

  static constexpr std::uint64_t wait_ms = 10'000;  ///< For the leader's answer.
  static constexpr std::size_t under_way_max = 500; ///< Asked, and as many submitted.

  std::size_t size() const noexcept { return asked_.size() + submitted_.size(); }
  /// Answers all with `why`. What is submitted stays until it is committed or not: what comes next stands on it.
  void end_all(const error& why);

  // -- asked of another node --
  /// Returns the request's number. Full: answers at once with `resource_constraint`, and returns nothing.
  std::optional<std::uint64_t> ask(answer done, std::uint64_t now_ms);
  /// One that nobody waits for is ignored.
  void answered(std::uint64_t request, const result<applied>& outcome);
  void end_late(std::uint64_t now_ms);

  // -- submitted here --
  bool has_submitted() const noexcept { return !submitted_.empty(); }
  bool is_full() const noexcept { return submitted_.size() >= under_way_max; }
  /// What will be agreed on once all that is submitted is committed: to this the next command is applied.
  const state& ahead(const state& agreed) const noexcept {
    return ahead_ && ahead_->version > agreed.version ? *ahead_ : agreed;
  }
  std::uint64_t next_ticket() noexcept { return ++last_ticket_; }
  void submitted(std::uint64_t ticket, const applied& outcome, state ahead, answer done);
  /// `failure` is `none` when it was. When that was the last one: what is agreed on now, if it is known.
  std::optional<state> committed(std::uint64_t ticket, errc failure);
  /// What is submitted may not be committed: the next command is not applied to it.
  void forget_ahead() noexcept { ahead_.reset(); }

private:
  struct waiting {
    answer done;
    std::uint64_t due_ms = 0;
  };
  struct ticket {
    std::uint64_t number = 0;
    applied outcome;
    answer done;
  };

  std::map<std::uint64_t, waiting> asked_; ///< By request.
  std::uint64_t last_request_ = 0;
  std::deque<ticket> submitted_;
  std::optional<state> ahead_;
  std::uint64_t last_ticket_ = 0;
};

} // namespace xmpp::cluster
