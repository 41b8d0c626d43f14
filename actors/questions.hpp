// QUESTIONS: what one node asks another beside what actors say, and the answers. From any thread.
//
// A question is one frame, an answer another (cluster/control_frames.hpp). A link that breaks takes both along, so
// whoever asks is told that; who answers must not need the next question to let go of what the last one began.
#pragma once

#include "cluster/control_frames.hpp"
#include "protocol/error.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <future>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

namespace xmpp {

class questions {
public:
  using answered = std::future<result<std::string>>;
  /// False: not linked, or too much waits.
  using sender = std::function<bool(cluster::node_id to, std::string_view frame)>;
  /// Called on the links' thread: quick, and without a wait.
  using answerer = std::function<result<std::string>(cluster::node_id from, std::string_view bytes)>;

  explicit questions(sender send) : send_(std::move(send)) {}
  questions(const questions&) = delete;

  /// Fails with `remote_server_not_found` (not linked), `policy_violation` (too long), `timeout` (the link broke, or
  /// nothing came for a minute), `feature_not_implemented` (of a later release than that node's), or as the other node
  /// says, with its words.
  answered ask(cluster::node_id to, cluster::control::question what, std::string_view bytes);
  /// Empty: such questions are refused, as they are before the first call.
  void set_answerer(answerer x);

  // -- from the links --
  void on_ask(cluster::node_id from, const cluster::control::ask& x);
  void on_answer(cluster::node_id from, const cluster::control::answer& x);
  /// A question that could not be read, if it is one.
  void on_unreadable(cluster::node_id from, std::string_view frame);
  void on_down(cluster::node_id peer);

  static constexpr std::size_t waiting_max = 1'000;

private:
  struct waiting {
    cluster::node_id who = 0;
    std::chrono::steady_clock::time_point since;
    std::promise<result<std::string>> to;
  };

  void forget_old();
  void answer(cluster::node_id to, std::uint64_t request, const result<std::string>& how);

  const sender send_;
  std::mutex mutex_; ///< Guards what follows.
  answerer answerer_;
  std::map<std::uint64_t, waiting> waiting_; ///< By request: the oldest is the first.
  std::uint64_t last_request_ = 0;
};

} // namespace xmpp
