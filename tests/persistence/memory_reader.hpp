// A state in memory: for tests of records, which need no disk.
#pragma once

#include "persistence/reader.hpp"
#include "persistence/write_set.hpp"

#include <boost/test/unit_test.hpp>

#include <map>
#include <string>

namespace xmpp::test {

class memory_reader : public reader {
public:
  mutable int gets = 0, scans = 0, visited = 0;
  errc failure = errc::none; ///< Every read fails with it.

  /// Applies what `fill` adds, as the store would.
  template <class Fill>
  void change(Fill fill) {
    auto x = command{};
    fill(x.changes);
    const auto encoded = x.encode();
    if (x.changes.empty())
      return;
    const auto shard = shard_of_first(encoded);
    BOOST_REQUIRE(for_each_change(encoded, shard, [&](const struct change& c) { apply(c); }).has_value());
  }

  std::size_t records_held() const { return held_.size(); }

  result<std::optional<std::string>> get(std::string_view key) const override {
    ++gets;
    if (failure != errc::none)
      return failure;
    const auto found = held_.find(std::string{key});
    return found == held_.end() ? std::optional<std::string>{} : std::optional{found->second};
  }

  result<void> scan(std::string_view from, std::string_view end, const visitor& visit) const override {
    ++scans;
    if (failure != errc::none)
      return failure;
    for (auto i = held_.lower_bound(std::string{from}); i != held_.end() && (end.empty() || i->first < end); ++i) {
      ++visited;
      if (!visit(i->first, i->second))
        break;
    }
    return {};
  }

private:
  static shard_id shard_of_first(std::string_view encoded) {
    for (auto shard = 0; shard < 64; ++shard)
      if (for_each_change(encoded, static_cast<shard_id>(shard), {}))
        return static_cast<shard_id>(shard);
    return 0;
  }

  void apply(const struct change& c) {
    switch (c.what) {
    case xmpp::change::kind::put:
      held_[std::string{c.key}] = c.value;
      break;
    case xmpp::change::kind::erase:
      held_.erase(std::string{c.key});
      break;
    case xmpp::change::kind::erase_range:
      held_.erase(held_.lower_bound(std::string{c.key}), held_.lower_bound(std::string{c.value}));
      break;
    }
  }

  std::map<std::string, std::string> held_;
};

} // namespace xmpp::test
