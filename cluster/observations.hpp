// OBSERVATIONS: what this node has seen of all, itself among them, as a value: which links are up, who is expected,
// what each last reported and when. Placement decides by it (`observed`), and `cluster status` shows it.
//
// - A node is heard with its reports and when its link comes up. One whose link is up but who does not report is silent
//   like any other: whatever should do its work does not. One whose link is down counts as silent at once, for longer
//   than `fresh_ms`.
// - A link takes the leaderships that were reported over it along, and as in leaders.hpp no lower term counts after a
//   higher one.
// - A member that was never heard counts from when it was first expected; so a node that has died before this one
//   started is found dead, too.
//
// Times are milliseconds of one steady clock, from the caller. Not for two threads at once.
#pragma once

#include "cluster/control_frames.hpp"
#include "cluster/placement.hpp"
#include "cluster/system_state.hpp"

#include <cstdint>
#include <map>
#include <optional>

namespace xmpp::cluster {

/// For a table of nodes.
struct node_view {
  bool is_linked = false;           ///< True of this node itself.
  bool was_heard = false;           ///< Ever; else its age is that of the expectation.
  std::uint64_t contact_age_ms = 0; ///< As it is, whether linked or not.
  std::uint64_t steady_ms = 0;      ///< As in `observed_node`; 0 while it is silent or not linked.
  /// Its last, perhaps from before its link went down; null: none yet. Valid until the next call that changes anything.
  const control::report* report = nullptr;
};

class observations {
public:
  /// `now_ms`: when this node started.
  observations(node_id self, std::uint64_t now_ms, const patience& how = {});

  // -- what happens --

  /// The members have changed, or are known for the first time. Who is neither one nor linked is forgotten.
  void expect(const state& in, std::uint64_t now_ms);
  void link_up(node_id node, std::uint64_t now_ms);
  void link_down(node_id node);
  /// From a linked node, or this one's own; ignored from others.
  void apply(node_id from, control::report says, std::uint64_t now_ms);

  // -- what follows --

  observed seen(std::uint64_t now_ms) const;
  std::map<node_id, node_view> nodes(std::uint64_t now_ms) const;

private:
  struct node {
    bool is_expected = false, is_linked = false, was_heard = false;
    std::uint64_t heard_ms = 0;  ///< Or first expected.
    std::uint64_t steady_ms = 0; ///< Since then.
    bool is_current = false;     ///< The report came over the link that is up.
    std::optional<control::report> report;
  };

  std::uint64_t age_of(node_id id, const node& x, std::uint64_t now_ms) const noexcept;
  bool is_fresh(node_id id, const node& x, std::uint64_t now_ms) const noexcept;

  node_id self_;
  patience how_;
  std::map<node_id, node> nodes_;
  std::map<shard_id, std::uint64_t> terms_; ///< The highest that was reported.
};

} // namespace xmpp::cluster
