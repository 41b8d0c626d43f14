// Reads a configuration file; what is wrong is told with its line, its range and the nearest known name.

#include "actors/config_options.hpp"
#include "actors/config_text.hpp"
#include "persistence/keys.hpp"
#include "protocol/jid.hpp"

#include <caf/actor_system_config.hpp>
#include <caf/config_option_set.hpp>
#include <caf/config_value.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <fstream>
#include <optional>
#include <sstream>
#include <system_error>
#include <type_traits>

namespace xmpp {
namespace {

/// CAF's own options, which it keeps to itself.
struct caf_knowledge : caf::actor_system_config {
  const caf::config_option_set& options() const { return custom_options_; }
};

const caf_knowledge& caf_known() {
  static const caf_knowledge instance;
  return instance;
}

constexpr std::array<std::string_view, 6> caf_sections = {"scheduler", "work-stealing", "stream",
                                                          "logger",    "middleman",     "openssl"};

bool is_caf_section(std::string_view name) {
  return std::find(caf_sections.begin(), caf_sections.end(), name) != caf_sections.end();
}

std::string_view view(caf::string_view x) {
  return {x.data(), x.size()};
}

class reader {
public:
  reader(std::string_view text, const std::filesystem::path& folder) : text_(text), folder_(folder), places_(text) {}

  result<config> read() {
    auto in = std::istringstream{std::string{text_}};
    auto parsed = caf::actor_system_config::parse_config(in);
    if (!parsed)
      return error{errc::bad_request, syntax_error(parsed.error())};
    for (auto& x : places_.repetitions())
      problems_.emplace_back(x.line, (x.is_section ? "[" + x.path + "]" : x.path) + " stands on line " +
                                         std::to_string(x.first) + " already" +
                                         (x.is_section && x.path.starts_with("hosts.")
                                              ? "; each host needs a label of its own, such as [" + x.path + "2]"
                                              : ""));
    auto hosts = static_cast<const caf::settings*>(nullptr);
    for (auto& [section, content] : *parsed) {
      auto fields = caf::get_if<caf::settings>(&content);
      if (!fields) {
        complain("", section, in_quotes(section) + " stands before any [section]");
      } else if (section == "hosts") {
        hosts = fields;
      } else if (section == "host_defaults") {
        read_fields(section, *fields, host_options(), out_.host_defaults);
      } else if (is_caf_section(section)) {
        read_caf(section, *fields);
      } else if (knows_section(section)) {
        read_fields(section, *fields, server_options(), out_);
      } else {
        auto known = std::vector<std::string_view>{"hosts"};
        for (auto& x : section_docs)
          known.push_back(x.first);
        known.insert(known.end(), caf_sections.begin(), caf_sections.end());
        complain(section, "",
                 "unknown section [" + section + "]; the nearest known one is [" +
                     std::string{nearest(section, known)} + "]");
      }
    }
    read_hosts(hosts);
    finish();
    if (!problems_.empty()) {
      std::stable_sort(problems_.begin(), problems_.end(), [](auto& a, auto& b) { return a.first < b.first; });
      auto text = std::string{};
      for (auto& [line, problem] : problems_)
        text += (text.empty() ? "" : "\n") + (line ? "line " + std::to_string(line) + ": " : std::string{}) + problem;
      return error{errc::bad_request, std::move(text)};
    }
    return std::move(out_);
  }

private:
  static bool knows_section(std::string_view name) {
    return std::any_of(server_options().begin(), server_options().end(), [&](auto& x) { return x.section == name; });
  }

  template <class Owner>
  void read_fields(const std::string& section, const caf::settings& fields, const std::vector<option<Owner>>& table,
                   Owner& to) {
    auto is_host = std::is_same_v<Owner, host_config>;
    for (auto& [name, content] : fields) {
      if (section.starts_with("hosts.") && name == "name")
        continue;
      auto row =
          std::find_if(table.begin(), table.end(), [&, &name = name](auto& x) { // clang before 16 captures no bindings
            return x.name == name && (is_host || x.section == section);
          });
      if (row == table.end()) {
        complain(section, name,
                 "unknown option " + section + "." + name + "; the nearest known one is " +
                     nearest_option(section, name));
        continue;
      }
      auto value = convert(section, content, *row);
      if (value)
        row->set(to, *value);
    }
  }

  /// The value when it has the option's type and lies in its range.
  template <class Owner>
  std::optional<option_value> convert(const std::string& section, const caf::config_value& content,
                                      const option<Owner>& row) {
    auto current = row.get(Owner{});
    auto value = std::optional<option_value>{};
    switch (current.index()) {
    case 0:
      if (auto x = caf::get_if<bool>(&content))
        value = *x;
      break;
    case 1:
      if (auto x = caf::get_if<std::int64_t>(&content))
        value = *x;
      break;
    case 2:
      if (auto x = text_of(content))
        value = *x;
      break;
    default:
      if (auto list = caf::get_if<caf::config_value::list>(&content)) {
        auto items = text_list{};
        for (auto& item : *list)
          if (auto x = text_of(item))
            items.push_back(*x);
        if (items.size() == list->size())
          value = std::move(items);
      }
    }
    auto what = section + "." + std::string{row.name} + " = ";
    if (!value) {
      complain(section, row.name,
               what + written(section, row.name, content) + ": it takes " + std::string{type_names[current.index()]} +
                   (row.unit.empty() ? "" : ", in " + std::string{row.unit}));
      return std::nullopt;
    }
    auto wrong = std::string{};
    if (auto number = std::get_if<std::int64_t>(&*value)) {
      if (*number < row.min || *number > row.max)
        wrong = std::to_string(*number) + " is not between " + std::to_string(row.min) + " and " +
                std::to_string(row.max) + " " + std::string{row.unit};
    } else if (auto text = std::get_if<std::string>(&*value)) {
      wrong = wrong_text(*text, row);
    } else if (auto list = std::get_if<text_list>(&*value)) {
      for (auto& item : *list)
        if (wrong.empty())
          wrong = wrong_text(item, row);
    }
    if (wrong.empty())
      return value;
    complain(section, row.name, what + wrong);
    return std::nullopt;
  }

  template <class Owner>
  static std::string wrong_text(const std::string& text, const option<Owner>& row) {
    if (text.find('\0') != std::string::npos)
      return "has a zero byte";
    if (!row.choices.empty() && std::find(row.choices.begin(), row.choices.end(), text) == row.choices.end()) {
      auto out = in_quotes(text) + " is not one of";
      for (auto& word : row.choices)
        out += (&word == &row.choices.front() ? " " : ", ") + in_quotes(word);
      return out + "; the nearest is " + in_quotes(nearest(text, row.choices));
    }
    if (row.check)
      if (auto wrong = row.check(text); !wrong.empty())
        return in_quotes(text) + " " + wrong;
    return {};
  }

  /// A text, in double or single quotes.
  static std::optional<std::string> text_of(const caf::config_value& x) {
    if (auto text = caf::get_if<std::string>(&x))
      return *text;
    if (auto atom = caf::get_if<caf::atom_value>(&x))
      return caf::to_string(*atom);
    return std::nullopt;
  }

  std::string nearest_option(const std::string& section, const std::string& name) const {
    auto full = std::vector<std::string>{};
    auto shown = section.starts_with("hosts.") ? section : std::string{"host_defaults"};
    for (auto& x : server_options())
      full.push_back(std::string{x.section} + "." + std::string{x.name});
    for (auto& x : host_options())
      full.push_back(shown + "." + std::string{x.name});
    auto known = std::vector<std::string_view>{};
    for (auto& x : full)
      known.push_back(x);
    // In the same section a likeness counts for more than the right section's name does.
    auto here = std::vector<std::string_view>{};
    for (auto x : known)
      if (x.starts_with(section + "."))
        here.push_back(x.substr(section.size() + 1));
    auto near = nearest(name, here);
    auto everywhere = std::vector<std::string_view>{};
    for (auto x : known)
      everywhere.push_back(x.substr(x.rfind('.') + 1));
    auto far = nearest(name, everywhere);
    if (far == name)
      return std::string{
          known[static_cast<std::size_t>(std::find(everywhere.begin(), everywhere.end(), far) - everywhere.begin())]};
    return near.empty() ? std::string{far} : section + "." + std::string{near};
  }

  void read_caf(const std::string& section, const caf::settings& fields) {
    auto& known = caf_known().options();
    for (auto& [name, content] : fields) {
      auto option = std::find_if(known.begin(), known.end(), [&, n = std::string_view{name}](auto& x) {
        return view(x.category()) == section && view(x.long_name()) == n;
      });
      if (option == known.end()) {
        auto names = std::vector<std::string_view>{};
        for (auto& x : known)
          if (view(x.category()) == section)
            names.push_back(view(x.long_name()));
        complain(section, name,
                 "unknown option " + section + "." + name + "; the nearest known one is " + section + "." +
                     std::string{nearest(name, names)});
        continue;
      }
      auto value = content;
      if (auto text = caf::get_if<std::string>(&content); text && view(option->type_name()) == "atom")
        value = caf::atom_from_string(*text);
      if (option->check(value))
        complain(section, name,
                 section + "." + name + " = " + written(section, name, content) + ": it takes " +
                     std::string{view(option->type_name())});
      else if (auto wrong = wrong_for_caf(section + "." + name, value); !wrong.empty())
        complain(section, name, section + "." + name + " = " + written(section, name, content) + " " + wrong);
      else
        out_.caf_options[section].as_dictionary()[name] = value;
    }
  }

  /// What CAF takes without a word and then ignores or cannot run with.
  static std::string wrong_for_caf(std::string_view name, const caf::config_value& value) {
    auto number = caf::get_if<std::int64_t>(&value);
    auto is_in = [&](std::int64_t min, std::int64_t max) { return !number || (min <= *number && *number <= max); };
    if (name == "scheduler.policy") {
      auto policy = text_of(value);
      if (policy != "sharing" && policy != "stealing")
        return "is not one of \"sharing\", \"stealing\"";
    } else if (name == "scheduler.max-threads" && !is_in(1, 1'024)) {
      return "is not between 1 and 1024 threads";
    } else if (name == "scheduler.max-throughput" && !is_in(1, 1'000'000'000)) {
      return "is not between 1 and 1000000000 messages";
    }
    return {};
  }

  void read_hosts(const caf::settings* hosts) {
    if (!hosts || hosts->empty()) {
      problems_.emplace_back(0, "no host: add a section such as [hosts.main] with name = \"example.com\"");
      return;
    }
    for (auto& [label, content] : *hosts) {
      auto section = "hosts." + label;
      auto fields = caf::get_if<caf::settings>(&content);
      if (!fields) {
        complain("hosts", label, "hosts." + label + " is no section: write [hosts." + label + "]");
        continue;
      }
      auto host = out_.host_defaults;
      read_fields(section, *fields, host_options(), host);
      auto name = fields->find("name");
      auto text = name == fields->end() ? std::nullopt : text_of(name->second);
      auto domain = text ? jid::parse(*text) : result<jid>{errc::jid_malformed};
      if (!text)
        complain(section, "", section + " needs a name, such as name = \"example.com\"");
      else if (!domain || domain->has_local() || domain->is_full())
        complain(section, "name", section + ".name = " + in_quotes(*text) + " is no domain");
      else if (out_.host(domain->text()))
        complain(section, "name", section + ".name = " + in_quotes(*text) + " is another host's name already");
      else {
        host.name = domain->text();
        if (!host.key_files.empty() && host.key_files.size() != host.certificate_files.size())
          complain(section, "key_files",
                   section + ".key_files has " + std::to_string(host.key_files.size()) + " files for " +
                       std::to_string(host.certificate_files.size()) + " certificate_files");
        out_.hosts.push_back(std::move(host));
        out_.host_labels.push_back(label);
      }
    }
  }

  /// What depends on more than one option.
  void finish() {
    auto absolute = [&](std::filesystem::path& path) {
      if (!path.empty())
        path = (folder_ / path).lexically_normal();
      if (!path.has_filename()) // "/data/."
        path = path.parent_path();
    };
    absolute(out_.server.data_folder);
    if (out_.server.admin_socket.empty())
      out_.server.admin_socket = out_.server.data_folder / "admin.socket";
    absolute(out_.server.admin_socket);
    absolute(out_.log.file);
    auto of_host = [&](host_config& host) {
      std::for_each(host.certificate_files.begin(), host.certificate_files.end(), absolute);
      std::for_each(host.key_files.begin(), host.key_files.end(), absolute);
      absolute(host.client_ca_file);
    };
    of_host(out_.host_defaults);
    std::for_each(out_.hosts.begin(), out_.hosts.end(), of_host);
    if (out_.server.admin_socket.string().size() > 107)
      complain("server", "admin_socket",
               "server.admin_socket = " + in_quotes(out_.server.admin_socket.string()) +
                   " is longer than the 107 bytes that a Unix socket's name may have");
    if (out_.listen.c2s.empty() && out_.listen.c2s_tls.empty())
      complain("listen", "c2s", "listen.c2s and listen.c2s_tls are both empty: nobody could connect");
    if (out_.sign_in.mechanisms.empty())
      for (auto& host : out_.hosts)
        if (!host.anonymous && host.client_ca_file.empty()) {
          complain("sign_in", "mechanisms",
                   "sign_in.mechanisms = []: nobody could sign in at " + host.name +
                       "; name at least one of \"SCRAM-SHA-512\", \"SCRAM-SHA-256\", \"SCRAM-SHA-1\", \"PLAIN\"");
          break;
        }
    if (out_.sign_in.backoff_ms > out_.sign_in.backoff_ms_max)
      complain("sign_in", "backoff_ms", "sign_in.backoff_ms is more than sign_in.backoff_ms_max");
    if (out_.c2s.output_bytes_max < out_.c2s.limits.stanza_bytes_max)
      complain("c2s", "output_bytes_max",
               "c2s.output_bytes_max is less than c2s.stanza_bytes_max: no client could receive the largest stanza");
  }

  void complain(std::string_view section, std::string_view name, std::string text) {
    problems_.emplace_back(line_of(section, name), std::move(text));
  }

  std::size_t line_of(std::string_view section, std::string_view name) const {
    auto dot = section.empty() || name.empty() ? "" : ".";
    return places_.line_of(std::string{section} + dot + std::string{name});
  }

  /// As the file has it, where that is one line: CAF would say `1min` for `60s`.
  std::string written(const std::string& section, std::string_view name, const caf::config_value& content) const {
    auto text = places_.value_of(section + "." + std::string{name});
    return text.empty() ? caf::deep_to_string(content) : std::string{text};
  }

  static std::string syntax_error(const caf::error& what) {
    // The position is in the context, as {"column" = 1, "line" = 3}; an unexpected end of line is told on the next one.
    auto text = caf::actor_system_config::render(what);
    auto line = std::size_t{0};
    if (auto at = text.find("\"line\" = "); at != std::string::npos)
      line = std::strtoul(text.c_str() + at + 9, nullptr, 10);
    auto code = text.substr(text.find('(') + 1);
    code = code.substr(0, code.find_first_of(",)"));
    if (code == "unexpected_newline" && line > 1)
      --line;
    std::replace(code.begin(), code.end(), '_', ' ');
    return (line ? "line " + std::to_string(line) + ": " : std::string{}) + "syntax error: " + code +
           " (texts stand in quotes, comments start with a semicolon, numbers have no unit)";
  }

  std::string_view text_;
  std::filesystem::path folder_;
  config_text places_;
  config out_;
  std::vector<std::pair<std::size_t, std::string>> problems_; ///< With their lines.
};

} // namespace

result<config> parse_config(std::string_view text, const std::filesystem::path& folder) {
  return reader{text, folder}.read();
}

result<config> load_config(const std::filesystem::path& file) {
  auto unreadable = [&](int why) {
    return error{errc::item_not_found, "cannot read " + file.string() + ": " + std::generic_category().message(why)};
  };
  auto failure = std::error_code{};
  if (std::filesystem::is_directory(file, failure))
    return unreadable(EISDIR);
  auto in = std::ifstream{file, std::ios::binary};
  if (!in)
    return unreadable(errno);
  auto text = std::ostringstream{};
  text << in.rdbuf();
  if (text.bad())
    return unreadable(EIO);
  auto absolute = std::filesystem::absolute(file, failure);
  if (failure)
    return unreadable(failure.value());
  auto out = parse_config(text.str(), absolute.parent_path());
  if (out)
    out->file = absolute;
  return out;
}

} // namespace xmpp
