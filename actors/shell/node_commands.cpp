// Commands on other nodes: `on NODE …`, `on all …`.
#include "actors/shell/command_set.hpp"
#include "actors/shell/remote_run.hpp"
#include "cluster/identity.hpp"

#include <algorithm>
#include <charconv>
#include <memory>

namespace xmpp::shell {

namespace {

using namespace std::chrono_literals;

/// Of one node, when all are asked; the rest is cut.
constexpr std::size_t text_bytes_max = 1 << 20;
constexpr auto shortest_wait = 2ms, longest_wait = 50ms;

std::string address_of(const cluster::member& x) {
  return x.says.addresses.empty() ? std::string{} : x.says.addresses.front();
}

std::string_view host_of(std::string_view address) {
  return address.substr(0, address.rfind(':'));
}

/// `2 (192.0.2.1:5292)`
std::string label(const cluster::member& x) {
  return std::to_string(x.number) + " (" + address_of(x) + ")";
}

error as_told(const cluster::member& x, const error& why) {
  auto words = why.text.empty() ? std::string{condition_name(why.code)} : why.text;
  auto is_reached = why.code != errc::remote_server_not_found;
  return {why.code, "node " + label(x) + (is_reached ? ": " : " cannot be reached: ") + words};
}

// -- one node --

/// A frame of a run there, as if the command ran here.
void pass_on(context& with, remote_run& from, const frame& x, const std::string& asker) {
  switch (x.type) {
  case frame_type::output:
    return with.out.write(x.payload);
  case frame_type::refresh:
    return with.out.refresh(x.payload);
  case frame_type::failure:
    return with.out.fail(x.payload);
  case frame_type::ask: {
    auto answer = x.payload.empty() ? std::nullopt : with.out.ask(asker + x.payload.substr(1), x.payload[0] == 's');
    return answer ? from.tell(remote_kind::answer, *answer) : from.tell(remote_kind::stop);
  }
  default:
    return;
  }
}

result<void> run_there(context& with, const cluster::member& node, const std::string& line) {
  auto run = remote_run{with.server, node.says.id, remote_task::line, hello_of(with.out), line};
  auto width = with.out.look().width;
  for (auto pause = shortest_wait; !run.is_over();
       pause = std::min<std::chrono::milliseconds>(pause * 2, longest_wait)) {
    auto frames = run.poll();
    for (auto& one : frames)
      pass_on(with, run, one, {});
    if (!frames.empty())
      pause = shortest_wait;
    if (auto now = with.out.look().width; now != width)
      run.tell(remote_kind::resize, encode_width(width = now));
    if (run.is_over())
      break;
    if (!with.out.wait(pause))
      return {}; // Which stops it there.
  }
  if (run.failure())
    return as_told(node, *run.failure());
  with.status = run.status();
  return {};
}

// -- all nodes --

/// Keeps what a command here says, until it is its turn to be shown.
class kept_console final : public console {
public:
  explicit kept_console(console& before) : before_(before) {}
  style look() const override { return before_.look(); }
  bool is_interactive() const override { return before_.is_interactive(); }
  bool has_screen() const override { return false; }
  void write(std::string_view x) override {
    text.append(x.substr(0, text_bytes_max - std::min(text_bytes_max, text.size())));
  }
  void refresh(std::string_view x) override { text = x; }
  void fail(std::string_view x) override { failures.append(x).append("\n"); }
  bool wait(std::chrono::milliseconds time) override { return before_.wait(time); }
  std::optional<std::string> ask(const std::string& question, bool is_secret) override {
    return before_.ask(asker + question, is_secret);
  }

  std::string text, failures, asker;

private:
  console& before_;
};

struct asked_node {
  const cluster::member* who = nullptr;
  std::unique_ptr<kept_console> out;
  std::unique_ptr<remote_run> run; ///< Null: this node.
  int status = 0;
  bool is_over = false;
};

void take_from(context& with, asked_node& x) {
  auto there = context{*x.out, with.server, with.system};
  for (auto& one : x.run->poll())
    pass_on(there, *x.run, one, {});
  if (x.out->text.size() >= text_bytes_max)
    x.run->tell(remote_kind::stop);
  if (!x.run->is_over())
    return;
  x.is_over = true;
  x.status = x.run->status();
  if (auto& why = x.run->failure(); why && with.out.look().json)
    x.out->text = "{\"error\":" + json_string(as_told(*x.who, *why).text) +
                  ",\"condition\":" + json_string(condition_name(why->code)) + "}\n";
  else if (why)
    x.out->failures += as_told(*x.who, *why).text + "\n";
}

/// One line of JSON as it is, several as an array.
std::string json_of(std::string_view lines) {
  auto count = std::count(lines.begin(), lines.end(), '\n');
  if (count == 0)
    return "null";
  auto out = count > 1 ? std::string{"["} : std::string{};
  for (auto end = lines.find('\n'); end != std::string_view::npos; end = lines.find('\n')) {
    out.append(out.size() > 1 ? "," : "").append(lines.substr(0, end));
    lines.remove_prefix(end + 1);
  }
  return count > 1 ? out + "]" : out;
}

void show_one(context& with, const asked_node& x) {
  auto how = with.out.look();
  with.out.write(paint("node " + printable(label(*x.who), how.utf8), tone::strong, how) + "\n");
  with.out.write(x.out->text);
  for (auto rest = std::string_view{x.out->failures}; !rest.empty(); rest.remove_prefix(rest.find('\n') + 1))
    with.out.fail(rest.substr(0, rest.find('\n')));
  with.out.write("\n");
}

result<void> run_everywhere(context& with, const cluster::state& in, const std::string& line) {
  auto all = std::vector<asked_node>{};
  auto how = hello_of(with.out);
  how.screen = false;
  for (auto* one : nodes_in_order(in)) {
    auto& x = all.emplace_back(asked_node{one, std::make_unique<kept_console>(with.out), nullptr});
    x.out->asker = "node " + label(*one) + ": ";
    if (one->says.id != with.server.own_node())
      x.run = std::make_unique<remote_run>(with.server, one->says.id, remote_task::line, how, line);
  }
  for (auto& x : all)
    if (!x.run) {
      auto here = context{*x.out, with.server, with.system, true};
      x.status = run_line(here, line);
      x.is_over = true;
    }
  auto is_json = with.out.look().json;
  auto document = std::string{"["};
  auto pause = std::chrono::milliseconds{shortest_wait};
  for (auto shown = std::size_t{0}; shown < all.size();) {
    for (auto& x : all)
      if (!x.is_over)
        take_from(with, x);
    for (; shown < all.size() && all[shown].is_over; ++shown) {
      auto& x = all[shown];
      with.status = std::max(with.status, x.status);
      if (!is_json)
        show_one(with, x);
      else
        document.append(shown == 0 ? "" : ",")
            .append("{\"node\":" + std::to_string(x.who->number) + ",\"address\":" + json_string(address_of(*x.who)) +
                    ",\"status\":" + std::to_string(x.status) + ",\"answer\":" + json_of(x.out->text) + "}");
    }
    if (shown < all.size() && !with.out.wait(pause))
      break;
    pause = std::min<std::chrono::milliseconds>(pause * 2, longest_wait);
  }
  if (is_json)
    with.out.write(document + "]\n");
  return {};
}

error goes_no_further() {
  return fault("this was given at another node: from here it goes no further");
}

result<void> on(context& with, const arguments& args) {
  if (with.is_remote)
    return goes_no_further();
  auto state = with.server.cluster_state();
  if (!state)
    return state.error();
  auto& line = args.words[1];
  if (args.words[0] == "all")
    return run_everywhere(with, **state, line);
  auto node = find_node(**state, args.words[0]);
  if (!node)
    return node.error();
  if (*node != with.server.own_node())
    return run_there(with, *(*state)->find(*node), line);
  auto here = context{with.out, with.server, with.system, true};
  with.status = run_line(here, line);
  return {};
}

} // namespace

client_hello hello_of(const console& out) {
  auto how = out.look();
  return {how.json, how.colour, how.utf8, out.is_interactive(), out.has_screen(), false, std::uint16_t(how.width)};
}

result<void> run_on(context& with, cluster::node_id node, const std::string& line) {
  if (with.is_remote)
    return goes_no_further();
  auto state = with.server.cluster_state();
  if (!state)
    return state.error();
  auto found = (*state)->find(node);
  return found ? run_there(with, *found, line) : errc::item_not_found;
}

std::vector<const cluster::member*> nodes_in_order(const cluster::state& in) {
  auto out = std::vector<const cluster::member*>{};
  for (auto& [id, one] : in.members)
    if (one.is != cluster::standing::gone)
      out.push_back(&one);
  std::sort(out.begin(), out.end(), [](auto x, auto y) { return x->number < y->number; });
  return out;
}

result<cluster::node_id> find_node(const cluster::state& in, std::string_view text, bool also_gone) {
  constexpr auto digits_min = std::size_t{4};
  auto number = std::uint64_t{0};
  auto end = text.data() + text.size();
  auto is_number = std::from_chars(text.data(), end, number).ptr == end;
  auto found = std::vector<cluster::node_id>{};
  for (auto& [id, one] : in.members) {
    if (one.is == cluster::standing::gone && !also_gone)
      continue;
    if (is_number && one.number == number)
      return id;
    auto is_here = [&](const std::string& address) { return text == address || text == host_of(address); };
    if ((text.size() >= digits_min && cluster::id_text(id).starts_with(text)) ||
        std::ranges::any_of(one.says.addresses, is_here))
      found.push_back(id);
  }
  if (found.size() == 1)
    return found.front();
  return fault(found.empty() ? "no such node: " + std::string{text} + "; `cluster status nodes` lists them"
                             : "several nodes fit " + std::string{text} + ": take one's number");
}

completions complete_at(context& with, std::string_view node, std::string_view line) {
  auto state = with.server.cluster_state();
  auto where = state ? find_node(**state, node) : result<cluster::node_id>{state.error()};
  if (with.is_remote || !where || *where == with.server.own_node())
    return complete(with, line);
  auto run = remote_run{with.server, *where, remote_task::complete, hello_of(with.out), std::string{line}};
  auto until = remote_run::clock::now() + 2s; // A person waits.
  while (!run.is_over() && remote_run::clock::now() < until) {
    for (auto& one : run.poll())
      if (one.type == frame_type::candidates)
        return decode_completions(one.payload) ? *decode_completions(one.payload) : completions{};
    if (!with.out.wait(shortest_wait))
      return {};
  }
  return {};
}

std::vector<command> node_commands() {
  return {
      {.name = "on",
       .usage = "NODE|all command",
       .help = "Runs a command on another node, or on all of them.\nNODE is a node's number, the first digits of its "
               "id, or its address, as `cluster status` shows them. Ctrl-C stops the command there, too.",
       .words = {completes::node, completes::line},
       .words_min = 2,
       .words_max = 2,
       .takes_rest = true,
       .wraps = true,
       .run = on},
  };
}

} // namespace xmpp::shell
