// PRESENT SESSIONS: which sessions of a shard's accounts contacts have been told are available. Soft state of who
// serves the shard and of those who may next: so that contacts are told when a session goes down together with who knew
// of it.
//
// One is *doubtful* after a change of who serves the shard, until its session has come again; those that have not are
// taken out one after the other, and their accounts tell their contacts.
//
// Bounded: of the sessions beyond that nothing is known here, and if one is lost with its node together with its
// account's leader, its contacts are not told.
#pragma once

#include "protocol/jid.hpp"

#include <cstddef>
#include <map>
#include <vector>

namespace xmpp {

/// Addresses are full JIDs. Some 70 bytes for each, and its text where nobody else holds that.
class present_sessions {
public:
  static constexpr std::size_t sessions_max = 100'000;

  /// It is there without a doubt. False: too many are.
  bool put(const jid& full);
  /// As somebody else says it; what is known already counts for more. False: too many are.
  bool put_doubtful(const jid& full);
  /// False: it was not there.
  bool erase(const jid& full);
  /// Only if it is doubtful.
  void erase_doubtful(const jid& full);
  bool has(const jid& full) const { return all_.contains(full); }
  std::size_t size() const noexcept { return all_.size(); }

  void doubt_all();
  void erase_all_doubtful();
  /// At most so many of the doubtful, which are so no more.
  std::vector<jid> take_doubtful(std::size_t count);
  bool has_doubtful() const noexcept { return doubtful_ != 0; }

  /// At most so many behind that one, in order; from the first behind an empty one.
  std::vector<jid> behind(const jid& last, std::size_t count) const;

private:
  std::map<jid, bool> all_; ///< Whether it is doubtful.
  std::size_t doubtful_ = 0;
  jid taken_; ///< None of those up to here is doubtful.
};

} // namespace xmpp
