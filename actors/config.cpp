#include "actors/config.hpp"

#include "actors/config_options.hpp"

#include <caf/actor_system_config.hpp>
#include <caf/atom.hpp>
#include <caf/config_value.hpp>

#include <algorithm>
#include <arpa/inet.h>
#include <charconv>

namespace xmpp {
namespace {

/// Breaks a text into comment lines of at most 120 columns.
void comment(std::string& out, std::string_view text) {
  auto column = std::size_t{0};
  for (auto rest = text; !rest.empty();) {
    auto end = std::min(rest.find(' '), rest.size());
    if (column == 0 || column + 1 + end > 120) {
      out += column ? "\n;" : ";";
      column = 1;
    }
    out += ' ';
    out += rest.substr(0, end);
    column += 1 + end;
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  out += '\n';
}

template <class Owner>
void document(std::string& out, const option<Owner>& row) {
  comment(out, row.doc);
  auto value = row.get(Owner{});
  auto facts = std::string{};
  if (value.index() == 1)
    facts = std::to_string(row.min) + " to " + std::to_string(row.max) + " " + std::string{row.unit} + "; ";
  else if (!row.choices.empty()) {
    for (auto& word : row.choices)
      facts += (facts.empty() ? "" : ", ") + in_quotes(word);
    facts += "; ";
  } else
    facts = std::string{type_names[value.index()]} + "; ";
  comment(out, facts + (row.is_live ? "live" : "needs a restart"));
  out += ";" + std::string{row.name} + " = " + render(value) + "\n\n";
}

void section_head(std::string& out, std::string_view name) {
  for (auto& [section, doc] : section_docs)
    if (section == name)
      comment(out, doc);
  out += "[" + std::string{name} + "]\n\n";
}

template <class Owner>
void list(std::vector<std::pair<std::string, std::string>>& out, std::string_view section, const Owner& from,
          const std::vector<option<Owner>>& table) {
  for (auto& row : table)
    out.emplace_back(std::string{section.empty() ? row.section : section} + "." + std::string{row.name},
                     render(row.get(from)));
}

bool is_live(std::string_view name) {
  auto short_name = name.substr(name.rfind('.') + 1);
  if (name.starts_with("hosts.") || name.starts_with("host_defaults."))
    return short_name != "name";
  for (auto& row : server_options())
    if (name.substr(0, name.find('.')) == row.section && short_name == row.name)
      return row.is_live;
  return false;
}

} // namespace

std::vector<std::pair<std::string, std::vector<std::string>>> host_config::contacts() const {
  auto out = std::vector<std::pair<std::string, std::vector<std::string>>>{
      {"abuse-addresses", abuse_addresses},       {"admin-addresses", admin_addresses},
      {"feedback-addresses", feedback_addresses}, {"sales-addresses", sales_addresses},
      {"security-addresses", security_addresses}, {"status-addresses", status_addresses},
      {"support-addresses", support_addresses}};
  std::erase_if(out, [](auto& x) { return x.second.empty(); });
  return out;
}

const host_config* config::host(std::string_view name) const noexcept {
  auto i = std::find_if(hosts.begin(), hosts.end(), [&](auto& x) { return x.name == name; });
  return i == hosts.end() ? nullptr : &*i;
}

result<endpoint> parse_endpoint(std::string_view text) {
  auto colon = text.rfind(':');
  if (colon == std::string_view::npos)
    return errc::bad_request;
  auto address = text.substr(0, colon);
  auto digits = text.substr(colon + 1);
  auto out = endpoint{};
  auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), out.port);
  if (failure != std::errc{} || end != digits.data() + digits.size() || out.port == 0)
    return errc::bad_request;
  out.address = address;
  if (address == "*")
    return out;
  auto family = AF_INET;
  if (address.size() > 2 && address.front() == '[' && address.back() == ']') {
    address = address.substr(1, address.size() - 2);
    family = AF_INET6;
  }
  out.address = address;
  unsigned char bytes[16];
  if (inet_pton(family, out.address.c_str(), bytes) != 1)
    return errc::bad_request;
  return out;
}
std::string example_config() {
  auto out = std::string{};
  comment(out,
          "Every option of Troupe, with its range and its default. A line that starts with a semicolon is a comment: "
          "take it away from an option to change it.");
  out += ";\n";
  comment(out,
          "The syntax is CAF's: [sections], name = value, texts in double quotes, lists in brackets. Live options are "
          "taken over by `troupe shell -c reload` or SIGHUP; the others need a restart, and the reload says so.");
  comment(out, "`troupe check` reads the file and says what is wrong. This file is made from the table in "
               "actors/config_options.cpp.");
  out += '\n';
  auto section = std::string_view{};
  for (auto& row : server_options()) {
    if (row.section != section)
      section_head(out, section = row.section);
    document(out, row);
  }
  section_head(out, "host_defaults");
  for (auto& row : host_options())
    document(out, row);
  comment(out, "One such section for each virtual host, with a label of your choice. It takes every option of "
               "[host_defaults], and its name.");
  out += "[hosts.main]\n\n";
  comment(out, "The domain, as in addresses: name@example.com.");
  comment(out, "a text in quotes; needs a restart");
  out += "name = \"localhost\"\n\n";
  comment(out, "CAF's own options stand in their own sections; these are the useful ones.");
  out += "[scheduler]\n\n";
  comment(out, "How actors share threads. 'sharing' idles at no cost; 'stealing' scales better on many cores and "
               "spins when idle.");
  comment(out, "'sharing', 'stealing'; needs a restart");
  out += ";policy = 'sharing'\n\n";
  comment(out, "Threads that run actors. The default is one for each core, 4 or more. More: more cores at work; less: "
               "they are left to others.");
  comment(out, "1 to 1'024; needs a restart");
  out += ";max-threads = 4\n";
  return out;
}

std::vector<std::pair<std::string, std::string>> list_options(const config& from) {
  auto out = std::vector<std::pair<std::string, std::string>>{};
  list(out, "", from, server_options());
  for (auto& [section, content] : from.caf_options)
    if (auto fields = caf::get_if<caf::settings>(&content))
      for (auto& [name, value] : *fields)
        out.emplace_back(section + "." + name, caf::deep_to_string(value));
  list(out, "host_defaults", from.host_defaults, host_options());
  for (auto i = std::size_t{0}; i < from.hosts.size(); ++i) {
    auto section = "hosts." + from.host_labels[i];
    out.emplace_back(section + ".name", in_quotes(from.hosts[i].name));
    list(out, section, from.hosts[i], host_options());
  }
  return out;
}

std::vector<config_change> diff(const config& before, const config& after) {
  auto out = std::vector<config_change>{};
  auto has = [](const config& x, const std::string& label) {
    return std::find(x.host_labels.begin(), x.host_labels.end(), label) != x.host_labels.end();
  };
  auto label_of = [](const std::string& name) {
    return name.starts_with("hosts.") ? name.substr(6, name.find('.', 6) - 6) : std::string{};
  };
  auto old_values = list_options(before);
  auto new_values = list_options(after);
  auto find = [](auto& values, auto& name) {
    return std::find_if(values.begin(), values.end(), [&](auto& x) { return x.first == name; });
  };
  for (auto& [name, value] : old_values) {
    // Defaults matter only through the hosts that take them over.
    if (name.starts_with("host_defaults."))
      continue;
    auto label = label_of(name);
    if (!label.empty() && !has(after, label))
      continue;
    auto now = find(new_values, name);
    auto text = now == new_values.end() ? std::string{} : now->second;
    if (text != value)
      out.push_back({name, value, text, is_live(name)});
  }
  for (auto& [name, value] : new_values)
    if (label_of(name).empty() && find(old_values, name) == old_values.end())
      out.push_back({name, "", value, false});
  for (auto i = std::size_t{0}; i < before.hosts.size(); ++i)
    if (!has(after, before.host_labels[i]))
      out.push_back({"hosts." + before.host_labels[i], in_quotes(before.hosts[i].name), "", false});
  for (auto i = std::size_t{0}; i < after.hosts.size(); ++i)
    if (!has(before, after.host_labels[i]))
      out.push_back({"hosts." + after.host_labels[i], "", in_quotes(after.hosts[i].name), false});
  return out;
}

config in_force(const config& running, config next) {
  for (auto& row : server_options())
    if (!row.is_live)
      row.set(next, row.get(running));
  auto hosts = running.hosts;
  for (auto i = std::size_t{0}; i < hosts.size(); ++i) {
    auto label = std::find(next.host_labels.begin(), next.host_labels.end(), running.host_labels[i]);
    if (label == next.host_labels.end())
      continue;
    hosts[i] = next.hosts[std::size_t(label - next.host_labels.begin())];
    hosts[i].name = running.hosts[i].name;
    for (auto& row : host_options())
      if (!row.is_live)
        row.set(hosts[i], row.get(running.hosts[i]));
  }
  next.hosts = std::move(hosts);
  next.host_labels = running.host_labels;
  next.caf_options = running.caf_options;
  return next;
}

void apply(const config& from, caf::actor_system_config& to) {
  to.set("scheduler.policy", caf::atom("sharing"));
  for (auto& [section, content] : from.caf_options)
    if (auto fields = caf::get_if<caf::settings>(&content))
      for (auto& [name, value] : *fields)
        to.set(section + "." + name, value);
}

std::string_view nearest(std::string_view word, const std::vector<std::string_view>& known) {
  auto best = std::string_view{};
  auto best_distance = std::size_t{0};
  for (auto candidate : known) {
    // One row of the edit-distance matrix at a time.
    auto row = std::vector<std::size_t>(candidate.size() + 1);
    for (auto i = std::size_t{0}; i < row.size(); ++i)
      row[i] = i;
    for (auto i = std::size_t{0}; i < word.size(); ++i) {
      auto diagonal = row[0];
      row[0] = i + 1;
      for (auto k = std::size_t{1}; k < row.size(); ++k) {
        auto above = row[k];
        row[k] = std::min({above + 1, row[k - 1] + 1, diagonal + (word[i] == candidate[k - 1] ? 0 : 1)});
        diagonal = above;
      }
    }
    if (best.empty() || row.back() < best_distance) {
      best = candidate;
      best_distance = row.back();
    }
  }
  return best;
}
result<net::address> parse_address(const std::string& text) {
  auto colon = text.rfind(':');
  auto port = 0;
  auto* end = text.data() + text.size();
  if (colon == std::string::npos || std::from_chars(text.data() + colon + 1, end, port).ptr != end || port < 0 ||
      port > 65'535)
    return error{errc::bad_request, "not an address with a port: " + text};
  auto parsed = net::address::parse(std::string_view{text}.substr(0, colon), std::uint16_t(port));
  if (!parsed)
    return error{errc::bad_request, parsed.why()};
  return *parsed;
}

} // namespace xmpp
