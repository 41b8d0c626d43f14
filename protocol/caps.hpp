// Entity capabilities (XEP-0115, 1.6.0): the verification string of a disco#info result, and a cache of what was
// verified.
#pragma once

#include "protocol/error.hpp"
#include "protocol/hash.hpp"
#include "protocol/stanza.hpp"
#include "protocol/xml.hpp"

#include <cstddef>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace xmpp {

/// What `<c/>` in a presence or in stream features says. The views live as long as the element's tree.
struct caps {
  element c; ///< Keeps the views.
  std::string_view hash, node, ver;
};

/// None when there is none, or when it is of the kind before 1.4 (without `hash`): such a `ver` says nothing.
std::optional<caps> caps_of(const stanza& presence);

/// The string that is hashed (5.1), of a disco#info `query`. Fails with `bad_request` when it is ill-formed (5.4):
/// an identity, a feature or a form type twice, a form type of several values; a `<` inside a value, which could pass
/// one list of features off as another; more than 1'000 features.
result<std::string> verification_string(const element& query);

/// The `ver` for `hash='sha-1'`. Fails as above.
result<std::string> caps_ver(const element& query);

/// Whether `query` is what `ver` stands for. Fails with `feature_not_implemented` (a hash other than sha-1: the answer
/// counts for its sender alone), `bad_request` (ill-formed), `not_acceptable` (it is something else: a forgery or a
/// fault). What does not pass must not be remembered for others (9.3).
/// The string itself has a flaw that no check mends: a last feature and a form type without fields look the same in it.
result<void> verify_caps(const element& query, std::string_view hash, std::string_view ver);

/// The `<c/>` of our own for stream features (6.3). `query` is our disco#info, well-formed.
element caps_element(std::string_view node, const element& query);

/// Features by `ver`, which is theirs alone, whoever has it. Strangers fill it: `bytes` never passes `bytes_max`, and
/// none of it is alive elsewhere unless somebody keeps a `features`. Not thread-safe.
class caps_cache {
public:
  using features = std::shared_ptr<const std::vector<std::string>>; ///< Sorted.

  /// Of one answer, as kept: several times what the busiest clients have.
  static constexpr std::size_t entry_bytes_max = 16 * 1024;

  explicit caps_cache(std::size_t bytes_max = 4 * 1024 * 1024) : bytes_max_(bytes_max) {}
  caps_cache(const caps_cache&) = delete;
  caps_cache& operator=(const caps_cache&) = delete;

  /// Null when unknown: then ask (6.2). What is found counts as used.
  features find(std::string_view ver);
  /// Verifies and remembers; forgets what was used least recently beyond `bytes_max`. Fails as `verify_caps`, and with
  /// `resource_constraint` beyond `entry_bytes_max`.
  result<features> add(const element& query, std::string_view hash, std::string_view ver);
  std::size_t size() const noexcept { return by_use_.size(); }
  std::size_t bytes() const noexcept { return bytes_; } ///< About what the heap holds for it.

private:
  struct entry {
    std::string ver;
    features known;
    std::size_t bytes;
  };
  std::list<entry> by_use_; // the latest first
  std::unordered_map<std::string_view, std::list<entry>::iterator, keyed_hash> by_ver_;
  std::size_t bytes_ = 0, bytes_max_;
};

} // namespace xmpp
