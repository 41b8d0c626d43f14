#include "actors/shell/remote_accounts.hpp"

#include "actors/shell/local_socket.hpp"
#include "actors/shell/wire.hpp"

#include <algorithm>
#include <sstream>
#include <utility>

namespace xmpp::shell {

namespace {

constexpr int answer_timeout_ms = 30'000;

class remote_accounts final : public account_admin {
public:
  explicit remote_accounts(int socket) : link_(socket, link::side::client) {
    auto hello = client_hello{};
    hello.one_shot = true;
    hello.utf8 = true;
    link_.send(frame_type::hello, encode(hello));
  }

  result<void> add(const jid& account, const std::string& password) override {
    return without_output(run("user add " + std::string{account.text()}, password));
  }
  result<void> set_password(const jid& account, const std::string& password) override {
    return without_output(run("user passwd " + std::string{account.text()}, password));
  }
  result<void> remove(const jid& account) override {
    return without_output(run("user delete " + std::string{account.text()}, {}));
  }
  result<std::vector<std::string>> list(const std::string& host) override {
    auto said = run("user list *@" + host + " --limit 1000000", {});
    if (!said)
      return said.error();
    auto found = std::vector<std::string>{};
    auto lines = std::istringstream{*said};
    for (auto word = std::string{}; lines >> word;)
      if (word.size() > host.size() + 1 && word.ends_with("@" + host))
        found.push_back(word);
    std::sort(found.begin(), found.end());
    return found;
  }

private:
  static result<void> without_output(const result<std::string>& x) {
    return x ? result<void>{} : result<void>{x.error()};
  }

  /// The command's output; questions (there is only that for a password) are answered with `secret`.
  result<std::string> run(const std::string& line, const std::string& secret) {
    if (!link_.send(frame_type::command, line))
      return error{errc::timeout, "the server is gone"};
    auto output = std::string{}, trouble = std::string{};
    for (;;) {
      auto next = frame{};
      if (link_.receive(next, answer_timeout_ms) != link::outcome::frame)
        return error{errc::timeout, "the server does not answer"};
      switch (next.type) {
      case frame_type::output:
        output += next.payload;
        break;
      case frame_type::failure:
        trouble += next.payload;
        break;
      case frame_type::ask:
        link_.send(frame_type::answer, secret);
        break;
      case frame_type::done:
        if (!next.payload.empty() && next.payload[0] == 0)
          return output;
        while (!trouble.empty() && trouble.back() == '\n')
          trouble.pop_back();
        return error{errc::undefined_condition, trouble};
      default:
        break;
      }
    }
  }

  link link_;
};

} // namespace

result<std::unique_ptr<account_admin>> accounts_of_server(const config& options) {
  auto socket = connect_to(options.server.admin_socket);
  if (!socket)
    return socket.error();
  return std::unique_ptr<account_admin>{std::make_unique<remote_accounts>(*socket)};
}

} // namespace xmpp::shell
