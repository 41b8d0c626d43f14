#include "actors/check.hpp"

#include "actors/shell/local_socket.hpp"
#include "net/certificate.hpp"
#include "net/socket.hpp"
#include "net/tls.hpp"
#include "protocol/idna.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <fstream>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/timex.h>
#include <sys/un.h>
#include <unistd.h>

namespace xmpp {
namespace {

using grade = finding::grade;

constexpr std::int64_t day_s = 86'400;

std::string date(std::int64_t at_s) {
  auto seconds = static_cast<std::time_t>(at_s);
  auto parts = std::tm{};
  gmtime_r(&seconds, &parts);
  char text[32];
  return {text, std::strftime(text, sizeof text, "%Y-%m-%d", &parts)};
}

std::string mebibytes(std::uint64_t bytes) {
  return std::to_string(bytes >> 20) + " MiB";
}

class inspection {
public:
  inspection(const config& options, std::int64_t now_s) : options_(options), now_s_(now_s) {}

  std::vector<finding> run() {
    clock();
    for (auto& host : options_.hosts)
      certificates(host);
    auto runs = is_running(options_.server.admin_socket);
    ports(runs);
    out_.push_back(judge_open_files(options_, net::get_open_files_limit().hard)); // as a start raises it
    out_.push_back(judge_backlog(options_));
    data_folder();
    for (auto& one : check_cluster(options_, now_s_, runs))
      out_.push_back(std::move(one));
    if (!runs)
      if (auto usable = check_admin_socket(options_); !usable)
        wrong("admin socket", usable.error().text, "correct server.admin_socket, or move away what is in its place");
    log_file();
    tell_once();
    return std::move(out_);
  }

private:
  void good(std::string subject, std::string text) {
    out_.push_back({grade::good, std::move(subject), std::move(text), {}});
  }
  void warn(std::string subject, std::string text, std::string remedy) {
    out_.push_back({grade::warning, std::move(subject), std::move(text), std::move(remedy)});
  }
  void wrong(std::string subject, std::string text, std::string remedy) {
    out_.push_back({grade::wrong, std::move(subject), std::move(text), std::move(remedy)});
  }

  void clock() {
    // Certificates, stored messages and back-off all trust the clock.
    constexpr auto first_release_s = std::int64_t{1'767'225'600}; // 2026-01-01
    if (now_s_ < first_release_s)
      return wrong("clock", "it is " + date(now_s_) + ", which is before this release was made",
                   "set the clock, and install chrony or systemd-timesyncd");
    auto state = timex{};
    auto status = adjtimex(&state);
    if (status == TIME_ERROR || (state.status & STA_UNSYNC))
      return warn("clock", "it is " + date(now_s_) + "; the kernel says that nothing keeps the clock right",
                  "install chrony or systemd-timesyncd (in a container: on its host)");
    good("clock", "it is " + date(now_s_) + " and kept right");
  }

  void certificates(const host_config& host) {
    auto subject = "host " + host.name;
    if (host.certificate_files.empty()) {
      auto remedy = "name one in certificate_files, or let `troupe init` make a self-signed one";
      if (options_.tls.required)
        wrong(subject, "has no certificate, and tls.required is on", remedy);
      else
        warn(subject, "has no certificate: its clients cannot encrypt", remedy);
      return;
    }
    auto usable = 0;
    for (auto i = std::size_t{0}; i < host.certificate_files.size(); ++i)
      usable += certificate(host, host.certificate_files[i],
                            i < host.key_files.size() ? host.key_files[i] : host.certificate_files[i]);
    if (usable == 0)
      wrong(subject, "has no certificate that clients could accept now", "mend one of those above");
    if (host.client_ca_file.empty())
      return;
    auto subject_of_roots = "client_ca_file of " + host.name;
    if (auto loaded = net::check_trusted_roots(host.client_ca_file.string()); !loaded)
      wrong(subject_of_roots, loaded.why(), "correct the path or the file's rights, or leave the option empty");
  }

  /// Whether a client that trusts its issuer would accept it now.
  bool certificate(const host_config& host, const std::filesystem::path& file, const std::filesystem::path& key) {
    auto subject = "certificate " + file.string();
    auto report = net::inspect_certificate(file.string(), key.string());
    if (!report) {
      wrong(subject, report.why(),
            "correct certificate_files and key_files of " + host.name + ", or the files' rights");
      return false;
    }
    auto is_good = true;
    auto bad = [&](std::string text, std::string remedy) {
      wrong(subject, std::move(text), std::move(remedy));
      is_good = false;
    };
    // What `serve` would say, which is stricter than reading: of keys that are too short, for one.
    auto as_served = net::tls_options{};
    as_served.certificates = {{{host.name}, file.string(), key.string()}};
    if (!report->key_matches)
      bad("the key in " + key.string() + " is not its key", "put the key that belongs to it into key_files");
    else if (auto served = net::tls_context::make(as_served); !served)
      bad("cannot serve: " + served.why(), "get another, with an ECDSA P-256 key or an RSA key of 2048 bits or more");
    if (!report->has_alternative_names)
      bad("has no names in its subjectAltName: clients do not look at the common name (RFC 9525)",
          "get one with subjectAltName = DNS:" + to_a_labels(host.name));
    else if (!net::covers(report->names, to_a_labels(host.name), "xmpp-client"))
      bad("is not for " + host.name + " but for " + names(report->names),
          "get one that names " + to_a_labels(host.name));
    if (now_s_ > report->not_after_s)
      bad("expired on " + date(report->not_after_s), "renew it");
    else if (now_s_ < report->not_before_s)
      bad("is valid only from " + date(report->not_before_s), "wait, or set the clock right");
    else if (report->not_after_s - now_s_ < 14 * day_s)
      warn(subject, "expires on " + date(report->not_after_s), "renew it; the server takes it over on SIGHUP");
    if (report->key_readable_by_others)
      warn(subject, "everybody on this machine can read its key " + key.string(), "chmod o= " + key.string());
    if (report->is_self_signed)
      warn(subject, "is self-signed: clients ask their users whether to trust it",
           "get one from a certificate authority when others than you use the server");
    else if (report->chain_certificates < 2)
      warn(subject, "comes without its issuer's certificate: clients may be unable to verify it",
           "append the intermediate certificates to the file (a \"full chain\")");
    if (is_good)
      good(subject, report->key_type + ", for " + names(report->names) + ", until " + date(report->not_after_s));
    return is_good;
  }

  static std::string names(const net::certificate_names& from) {
    auto out = std::string{};
    for (auto& x : from.dns)
      out += (out.empty() ? "" : ", ") + x;
    return out.empty() ? "no domain" : out;
  }

  void ports(bool runs) {
    if (runs)
      return good("ports", "a server answers on " + options_.server.admin_socket.string() + ": not tried");
    struct taken {
      std::string text;
      net::address where;
      net::unique_fd fd; ///< Kept, since two may be in each other's way.
    };
    auto all = std::vector<taken>{};
    for (auto* list : {&options_.listen.c2s, &options_.listen.c2s_tls})
      for (auto& text : *list) {
        auto where = parse_endpoint(text);
        auto address = net::address::parse(where->address, where->port);
        auto socket = address ? net::listen(*address) : net::outcome<net::unique_fd>{net::failure{address.why()}};
        auto rival = std::find_if(all.begin(), all.end(), [&](auto& x) {
          auto is_any = [](const net::address& one) { return one.is_any() || one.host_text() == "0.0.0.0"; };
          return address && x.where.port() == address->port() &&
                 (x.where.text() == address->text() || is_any(x.where) || is_any(*address));
        });
        if (socket)
          good("port " + text, "is free");
        else if (rival != all.end())
          wrong("port " + text, "stands in [listen] beside \"" + rival->text + "\", which takes it",
                "leave one of the two, or give them different ports");
        else
          wrong("port " + text, socket.why(), std::string{port_remedy});
        if (socket)
          all.push_back({text, *address, *std::move(socket)});
      }
  }

  void data_folder() {
    auto& folder = options_.server.data_folder;
    auto subject = "data folder " + folder.string();
    struct stat it {};
    if (stat(folder.c_str(), &it) != 0)
      return wrong(subject, std::strerror(errno), "make it and give it to the server's user; `troupe init` does both");
    if (!S_ISDIR(it.st_mode))
      return wrong(subject, "is no folder", "choose another server.data_folder");
    if (it.st_mode & 07)
      warn(subject, "everybody on this machine may enter it", "chmod 700 " + folder.string());
    auto probe = folder / (".check." + std::to_string(getpid()));
    auto fd = ::open(probe.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
    if (fd < 0)
      return wrong(subject, std::string{"cannot be written: "} + std::strerror(errno),
                   "give it to the user that runs the server: chown -R troupe: " + folder.string());
    auto written = ::write(fd, "x", 1) == 1 && ::fsync(fd) == 0;
    auto why = errno;
    ::close(fd);
    ::unlink(probe.c_str());
    if (!written)
      return wrong(subject, std::string{"cannot be synced: "} + std::strerror(why), "look at the disk");
    struct statvfs disk {};
    if (statvfs(folder.c_str(), &disk) != 0)
      return;
    auto free_bytes = std::uint64_t{disk.f_bavail} * disk.f_frsize;
    if (free_bytes < options_.storage.free_bytes_min)
      warn(subject, "only " + mebibytes(free_bytes) + " are free on its disk",
           "make room, or lower storage.free_bytes_min");
    else
      good(subject, "can be written; " + mebibytes(free_bytes) + " are free");
  }

  void log_file() {
    auto& file = options_.log.file;
    if (file.empty())
      return;
    struct stat it {};
    auto is_there = stat(file.c_str(), &it) == 0;
    // Without waiting for somebody who reads, where it is a pipe.
    auto fd = net::unique_fd{::open(file.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0640)};
    if (!fd)
      return warn("log file " + file.string(), std::string{"cannot be opened: "} + std::strerror(errno),
                  "correct log.file, or make its folder and give it to the server's user; until then the log goes to "
                  "standard error");
    if (!is_there)
      ::unlink(file.c_str());
    good("log file " + file.string(), "can be written");
  }

  /// What several hosts share is looked at for each, but told once.
  void tell_once() {
    for (auto i = std::size_t{0}; i < out_.size(); ++i)
      out_.erase(std::remove_if(out_.begin() + std::ptrdiff_t(i) + 1, out_.end(),
                                [&, &one = out_[i]](auto& x) {
                                  return x.what == one.what && x.subject == one.subject && x.text == one.text;
                                }),
                 out_.end());
  }

  const config& options_;
  std::int64_t now_s_;
  std::vector<finding> out_;
};

} // namespace

finding judge_open_files(const config& options, std::uint64_t limit) {
  auto& server = options.server;
  auto clients = std::uint64_t{options.listen.connections_max};
  auto is = "the limit is " + std::to_string(limit);
  auto remedy = std::string{"raise it: LimitNOFILE= in the systemd unit, or ulimit -Hn before the start"};
  if (limit < server.open_files_min)
    return {grade::wrong, "open files",
            is + ", less than server.open_files_min = " + std::to_string(server.open_files_min) + " (512 or more)",
            remedy + "; or lower the option"};
  if (clients != 0 && limit < clients + reserved_files)
    return {grade::warning, "open files",
            is + ", less than listen.connections_max = " + std::to_string(clients) + " needs", remedy};
  return {grade::good,
          "open files",
          is + ", enough for " + std::to_string(limit - std::min(limit, reserved_files)) + " clients",
          {}};
}

finding judge_backlog(const config& options) {
  auto wanted = std::to_string(options.listen.backlog);
  auto somaxconn = std::uint32_t{0};
  if (std::ifstream{"/proc/sys/net/core/somaxconn"} >> somaxconn && somaxconn < options.listen.backlog)
    return {grade::warning, "backlog", "the kernel cuts listen.backlog " + wanted + " to " + std::to_string(somaxconn),
            "sysctl net.core.somaxconn=" + wanted + ", or ask for less"};
  return {grade::good, "backlog", wanted + " connections may wait to be accepted", {}};
}

std::vector<finding> check(const config& options, std::int64_t now_s) {
  return inspection{options, now_s}.run();
}

result<void> check_admin_socket(const config& options) {
  auto& path = options.server.admin_socket;
  if (auto opened = shell::local_listener::open(path); !opened)
    return error{opened.code(),
                 "server.admin_socket = \"" + path.string() + "\" cannot be opened: " + opened.error().text};
  return {};
}

bool is_running(const std::filesystem::path& admin_socket) {
  auto where = sockaddr_un{};
  where.sun_family = AF_UNIX;
  auto path = admin_socket.string();
  if (path.size() >= sizeof where.sun_path)
    return false;
  std::memcpy(where.sun_path, path.c_str(), path.size() + 1);
  auto fd = net::unique_fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  return fd && ::connect(fd.get(), reinterpret_cast<sockaddr*>(&where), sizeof where) == 0;
}

std::string describe(const std::vector<finding>& findings, bool all) {
  auto out = std::string{};
  for (auto& x : findings) {
    if (x.what == grade::good && !all)
      continue;
    out += x.what == grade::good ? "good     " : x.what == grade::warning ? "WARNING  " : "WRONG    ";
    out += x.subject + ": " + x.text + "\n";
    if (!x.remedy.empty())
      out += "         -> " + x.remedy + "\n";
  }
  return out;
}

bool is_sound(const std::vector<finding>& findings) {
  return std::none_of(findings.begin(), findings.end(), [](auto& x) { return x.what == grade::wrong; });
}

} // namespace xmpp
