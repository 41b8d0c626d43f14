#include "actors/shell/remote_runs.hpp"

#include "actors/shell/commands.hpp"

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <optional>
#include <system_error>
#include <thread>

namespace xmpp::shell {

namespace {

using clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr std::size_t part_bytes_max = 256 << 10;
constexpr auto trace_step = milliseconds{50};
/// While a person thinks about an answer, nobody asks about the command.
constexpr auto thinking_time = std::chrono::minutes{2};

std::int64_t clock_us() {
  using namespace std::chrono;
  return duration_cast<microseconds>(system_clock::now().time_since_epoch()).count();
}

/// A command's console at another node: two threads, the command's and the links'.
class far_console final : public console {
public:
  far_console(const client_hello& client, milliseconds lease)
      : client_(client), lease_(lease), lease_until_(clock::now() + lease) {}

  // -- the command's --
  style look() const override {
    auto guard = std::lock_guard{mutex_};
    return {client_.json, client_.colour, client_.utf8, client_.width};
  }
  bool is_interactive() const override { return client_.interactive && !client_.one_shot; }
  bool has_screen() const override { return client_.screen; }
  void write(std::string_view text) override { send(frame_type::output, text); }
  void refresh(std::string_view text) override { send(frame_type::refresh, text); }
  void fail(std::string_view text) override { send(frame_type::failure, text); }

  bool wait(milliseconds time) override {
    auto guard = std::unique_lock{mutex_};
    return !wait_until(guard, clock::now() + time, [] { return false; }) && !is_over();
  }

  std::optional<std::string> ask(const std::string& question, bool is_secret) override {
    send(frame_type::ask, (is_secret ? "s" : "v") + question);
    auto guard = std::unique_lock{mutex_};
    is_asking_ = true;
    lease_until_ = clock::now() + thinking_time;
    wait_until(guard, clock::time_point::max(), [this] { return answer_.has_value(); });
    is_asking_ = false;
    lease_until_ = is_over() ? lease_until_ : clock::now() + lease_;
    return std::exchange(answer_, std::nullopt);
  }

  /// Waits while too much waits; then all is lost on one who has gone.
  void send(frame_type type, std::string_view payload) {
    do {
      auto part = payload.substr(0, part_bytes_max);
      payload.remove_prefix(part.size());
      auto guard = std::unique_lock{mutex_};
      auto fits = [&] { return waiting_.size() + part.size() <= remote_output_bytes_max; };
      if (wait_until(guard, clock::time_point::max(), fits))
        append_frame(waiting_, type, part);
    } while (!payload.empty());
  }

  /// Its last word, which always fits.
  void end(int status) {
    auto guard = std::lock_guard{mutex_};
    append_frame(waiting_, frame_type::done, std::string(1, char(status)));
    has_ended_ = true;
  }

  // -- the links' --
  std::string take() {
    auto guard = std::lock_guard{mutex_};
    if (!is_stopped_)
      lease_until_ = clock::now() + (is_asking_ ? thinking_time : lease_);
    changed_.notify_all();
    return std::exchange(waiting_, {});
  }
  void tell(const remote_step& x) {
    auto guard = std::lock_guard{mutex_};
    if (x.what == remote_kind::answer) {
      answer_ = x.text;
    } else if (x.what == remote_kind::resize) {
      client_.width = decode_width(x.text);
    } else if (x.what == remote_kind::stop) {
      is_stopped_ = true;
      lease_until_ = clock::now(); // Nobody asks any more.
    }
    changed_.notify_all();
  }
  bool has_ended() const {
    auto guard = std::lock_guard{mutex_};
    return has_ended_;
  }
  /// Nobody will ask any more.
  bool is_forgotten() const {
    auto guard = std::lock_guard{mutex_};
    return clock::now() >= lease_until_;
  }

private:
  bool is_over() const { return is_stopped_ || clock::now() >= lease_until_; }

  /// Whether it holds in time, and before the command is to stop.
  template <class Condition>
  bool wait_until(std::unique_lock<std::mutex>& guard, clock::time_point until, Condition holds) {
    while (!holds()) {
      if (is_over() || clock::now() >= until)
        return false;
      changed_.wait_until(guard, std::min(until, lease_until_));
    }
    return true;
  }

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  client_hello client_;
  const milliseconds lease_;
  clock::time_point lease_until_;
  std::string waiting_; ///< Frames.
  std::optional<std::string> answer_;
  bool is_asking_ = false, is_stopped_ = false, has_ended_ = false;
};

} // namespace

class remote_runs::run {
public:
  run(std::uint64_t node, const remote_step& what, remote_runs& owner)
      : node_(node), what_(what), owner_(owner), out_(what.client, owner.options_.lease), thread_([this] { work(); }) {}
  ~run() {
    out_.tell({.what = remote_kind::stop});
    thread_.join();
  }
  run(const run&) = delete;

  far_console& out() { return out_; }

private:
  void work() {
    auto with = context{.out = out_, .server = owner_.server_, .system = owner_.system_, .is_remote = true};
    auto status = 1;
    try {
      status = what_.task == remote_task::trace      ? trace()
               : what_.task == remote_task::complete ? propose(with)
                                                     : command(with);
    } catch (const std::exception& e) {
      out_.fail(std::string{"the command failed by a defect: "} + e.what());
    }
    if (owner_.options_.on_command && what_.task == remote_task::line)
      owner_.options_.on_command(node_, keep(what_.text).log, status);
    out_.end(status);
  }

  int command(context& with) { return run_line(with, what_.text); }

  int propose(context& with) {
    out_.send(frame_type::candidates, encode(complete(with, what_.text)));
    return 0;
  }

  int trace() {
    auto what = decode_watched(what_.text);
    if (!what)
      return 1;
    auto watch = trace::watch{what->about, what->bodies};
    auto told = std::uint64_t{0};
    while (out_.wait(trace_step)) {
      for (auto& one : watch.take())
        out_.send(frame_type::event, encode(one));
      if (auto lost = watch.dropped(); lost != told)
        out_.fail(std::to_string(lost - std::exchange(told, lost)));
    }
    return 0;
  }

  const std::uint64_t node_;
  const remote_step what_;
  remote_runs& owner_;
  far_console out_;
  std::thread thread_; // last: it uses the others
};

remote_runs::remote_runs(remote_run_options options, shell_backend& server, caf::actor_system& system)
    : options_(std::move(options)), server_(server), system_(system) {}

remote_runs::~remote_runs() {
  stop();
  runs_.clear();
}

void remote_runs::stop() {
  auto guard = std::lock_guard{mutex_};
  is_stopping_ = true;
  for (auto& [as, one] : runs_)
    one->out().tell({.what = remote_kind::stop});
}

std::size_t remote_runs::count() {
  auto guard = std::lock_guard{mutex_};
  forget_ended();
  return runs_.size();
}

/// Who has ended and is not asked about is forgotten with the next question of anybody.
void remote_runs::forget_ended() {
  std::erase_if(runs_, [](auto& x) { return x.second->out().has_ended() && x.second->out().is_forgotten(); });
}

result<std::string> remote_runs::begin(const number& as, const remote_step& what) {
  if (is_stopping_)
    return error{errc::service_unavailable, "this node is ending"};
  if (runs_.contains(as))
    return error{errc::conflict, "this command has begun already"};
  if (runs_.size() >= options_.runs_max)
    return error{errc::resource_constraint, "too many commands of other nodes run here"};
  try {
    runs_.emplace(as, std::make_shared<run>(as.first, what, *this));
  } catch (const std::system_error&) {
    return error{errc::resource_constraint, "this node can start no thread for it"};
  }
  return encode_remote_answer(clock_us(), {});
}

result<std::string> remote_runs::answer(std::uint64_t node, std::string_view question) {
  auto what = decode_remote_step(question);
  if (!what)
    return error{what.code(), "this release does not know such a question"};
  auto guard = std::lock_guard{mutex_};
  forget_ended();
  auto as = number{node, what->run};
  if (what->what == remote_kind::begin)
    return begin(as, *what);
  auto found = runs_.find(as);
  if (found == runs_.end())
    return error{errc::item_not_found, "this command does not run any more"};
  auto& out = found->second->out();
  out.tell(*what);
  auto is_last = out.has_ended();
  auto answer = encode_remote_answer(clock_us(), out.take());
  if (is_last)
    runs_.erase(found);
  return answer;
}

} // namespace xmpp::shell
