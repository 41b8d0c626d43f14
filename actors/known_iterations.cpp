#include "actors/known_iterations.hpp"

#include "persistence/whole_file.hpp"

#include <algorithm>
#include <fstream>
#include <string>

namespace xmpp {

void known_iterations::open(const std::filesystem::path& folder) {
  file_ = folder / "iterations";
  auto in = std::ifstream{file_};
  for (auto x = std::uint32_t{0}; in >> x;)
    all_.push_back(x);
}

std::vector<std::uint32_t> known_iterations::all() const {
  auto guard = std::lock_guard{mutex_};
  return all_;
}

result<void> known_iterations::add(std::uint32_t count) {
  auto one_at_once = std::lock_guard{adding_};
  auto next = all();
  if (std::find(next.begin(), next.end(), count) != next.end())
    return {};
  next.push_back(count);
  auto text = std::string{};
  for (auto x : next)
    text += std::to_string(x) + '\n';
  if (auto written = replace_file(file_, text); !written)
    return written;
  auto guard = std::lock_guard{mutex_};
  all_ = std::move(next);
  return {};
}

} // namespace xmpp
