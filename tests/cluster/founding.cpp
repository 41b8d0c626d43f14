// A data folder becomes a cluster's first node, or a node that joins; interrupted anywhere, and begun again.
#include "cluster/founding.hpp"

#include "cluster/stored.hpp"
#include "cluster/system_store.hpp"
#include "tests/cluster/link_fixture.hpp"
#include "tests/cluster/open_cluster.hpp"
#include "tests/persistence/temporary_folder.hpp"

#include <boost/test/unit_test.hpp>
#include <rocksdb/env.h>
#include <rocksdb/file_system.h>
#include <rocksdb/system_clock.h>

#include <atomic>
#include <cstdlib>
#include <fstream>
#include <sys/stat.h>

using namespace xmpp;
using namespace xmpp::cluster;
using namespace xmpp::test;

namespace {

namespace fs = std::filesystem;
using rocksdb::FSWritableFile;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;

const auto hosts = std::vector<std::string>{"example.com", "example.net"};

/// A disk under RocksDB that takes so many changes and then none any more, as if the process had ended there. Its syncs
/// do nothing, and after a failure nobody waits to try again.
class ending_disk {
public:
  explicit ending_disk(long changes = 1'000'000)
      : left_(changes), files_(rocksdb::NewCompositeEnv(std::make_shared<file_system>(left_))), env_(*files_) {}
  rocksdb::Env* environment() { return &env_; }
  long left() const { return left_; }

private:
  using counter = std::atomic<long>;
  static IOStatus take(counter& left) { return --left >= 0 ? IOStatus::OK() : IOStatus::IOError("the end"); }

  class file final : public rocksdb::FSWritableFileOwnerWrapper {
  public:
    file(std::unique_ptr<FSWritableFile>&& inner, counter& left)
        : FSWritableFileOwnerWrapper(std::move(inner)), left_(left) {}
    IOStatus Append(const rocksdb::Slice& data, const IOOptions& options, IODebugContext* debug) override {
      auto good = take(left_);
      return good.ok() ? FSWritableFileOwnerWrapper::Append(data, options, debug) : good;
    }
    IOStatus Append(const rocksdb::Slice& data, const IOOptions& options, const rocksdb::DataVerificationInfo& info,
                    IODebugContext* debug) override {
      auto good = take(left_);
      return good.ok() ? FSWritableFileOwnerWrapper::Append(data, options, info, debug) : good;
    }
    IOStatus Sync(const IOOptions&, IODebugContext*) override { return take(left_); }
    IOStatus Fsync(const IOOptions&, IODebugContext*) override { return take(left_); }

  private:
    counter& left_;
  };

  class file_system final : public rocksdb::FileSystemWrapper {
  public:
    explicit file_system(counter& left) : FileSystemWrapper(rocksdb::FileSystem::Default()), left_(left) {}
    const char* Name() const override { return "ending_disk"; }
    IOStatus NewWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                             std::unique_ptr<FSWritableFile>* to, IODebugContext* debug) override {
      auto good = take(left_);
      if (good.ok())
        good = FileSystemWrapper::NewWritableFile(path, options, to, debug);
      if (good.ok())
        *to = std::make_unique<file>(std::move(*to), left_);
      return good;
    }
    IOStatus ReuseWritableFile(const std::string& path, const std::string& old, const rocksdb::FileOptions& options,
                               std::unique_ptr<FSWritableFile>* to, IODebugContext* debug) override {
      auto good = take(left_);
      if (good.ok())
        good = FileSystemWrapper::ReuseWritableFile(path, old, options, to, debug);
      if (good.ok())
        *to = std::make_unique<file>(std::move(*to), left_);
      return good;
    }
    IOStatus RenameFile(const std::string& from, const std::string& to, const IOOptions& options,
                        IODebugContext* debug) override {
      auto good = take(left_);
      return good.ok() ? FileSystemWrapper::RenameFile(from, to, options, debug) : good;
    }
    IOStatus DeleteFile(const std::string& path, const IOOptions& options, IODebugContext* debug) override {
      auto good = take(left_);
      return good.ok() ? FileSystemWrapper::DeleteFile(path, options, debug) : good;
    }

  private:
    counter& left_;
  };

  struct clock final : rocksdb::SystemClockWrapper {
    clock() : SystemClockWrapper(rocksdb::SystemClock::Default()) {}
    const char* Name() const override { return "impatient_clock"; }
    void SleepForMicroseconds(int) override {}
  };

  struct environment_with_clock final : rocksdb::EnvWrapper {
    explicit environment_with_clock(rocksdb::Env& of) : EnvWrapper(&of) { system_clock_ = std::make_shared<clock>(); }
  };

  counter left_;
  std::unique_ptr<rocksdb::Env> files_;
  environment_with_clock env_;
};

/// In memory where that can be: a sync of an identity costs nothing there, and there are many.
class quick_folder {
public:
  quick_folder() {
    auto unknown = std::error_code{};
    auto name =
        (fs::exists("/dev/shm", unknown) ? fs::path{"/dev/shm"} : fs::temp_directory_path()) / "troupe-test-XXXXXX";
    auto text = name.string();
    BOOST_REQUIRE(::mkdtemp(text.data()) != nullptr);
    path = text;
  }
  ~quick_folder() {
    auto ignored = std::error_code{};
    fs::remove_all(path, ignored);
  }
  quick_folder(const quick_folder&) = delete;

  fs::path path;
};

/// One node's data folder.
struct data_folder {
  quick_folder at;
  ending_disk disk;
  new_node how;

  data_folder() {
    how.data_folder = at.path;
    how.store.folder = at.path / "store";
    how.store.shard_count = 4;
    how.store.cache_bytes_max = how.store.memtable_bytes_max = 1 << 20;
    how.store.environment = disk.environment();
    how.says.addresses = {"127.0.0.1:5292"};
    how.says.client_address = "one.example.com";
    how.says.version = "test";
    how.says.labels["zone"] = "north";
    how.now_ms = test_now_s * 1'000;
  }

  std::unique_ptr<store> open(bool is_in_cluster) {
    auto options = how.store;
    options.is_in_cluster = is_in_cluster;
    return open_store(options);
  }
  /// What a lone server leaves.
  void put_record() {
    auto opened = open(false);
    auto entry = log_entry{};
    entry.shard = 1;
    entry.index = 1;
    entry.data = put_command(1, "vcard", "of romeo");
    BOOST_REQUIRE(opened->append(std::vector{entry}).has_value());
    BOOST_REQUIRE(opened->apply(std::vector{entry}).has_value());
  }
  void take_over(const data_folder& other) { fs::copy(other.at.path, at.path, fs::copy_options::recursive); }

  /// From now on no identity can be saved.
  void block_identity() {
    fs::create_directories(draft() / "in the way");
    fs::permissions(draft().parent_path(), fs::perms::owner_all);
  }
  void unblock_identity() { fs::remove_all(draft()); }

private:
  fs::path draft() const { return identity_file(how.data_folder).string() + ".new"; }
};

template <class T>
T good(result<T> x) {
  BOOST_REQUIRE_MESSAGE(x.has_value(), (x ? std::string{} : x.error().text));
  return *std::move(x);
}

template <class T>
std::string refusal(const result<T>& x) {
  return x ? "" : x.error().text;
}

bool has_words(const std::string& text, std::string_view words) {
  return text.find(words) != std::string::npos;
}

std::int64_t test_clock_s() {
  return test_now_s;
}

/// All that makes a first node one.
void check_first_node(data_folder& node, const founded& made) {
  auto self = value_of(load(node.how.data_folder));
  BOOST_REQUIRE(self);
  BOOST_TEST(self->encode() == made.self.encode());
  BOOST_TEST(good(is_member(node.how.data_folder)));
  BOOST_TEST(!store::open(node.how.store).has_value());
  auto opened = node.open(true);
  BOOST_TEST(opened->groups().size() == 5u);
  auto system = good(load_state(opened->view(tier::disk)));
  BOOST_REQUIRE(system);
  BOOST_TEST((*system == made.system));
  BOOST_TEST(system->id == id_text(self->cluster));
  BOOST_TEST(value_of(verify(self->cluster, system->ca_certificate, self->certificate, test_now_s)).node == self->node);
  BOOST_REQUIRE(system->find(self->node) != nullptr);
  BOOST_TEST(system->find(self->node)->certificate == value_of(net::read_certificate(self->certificate)).key_digest);
  const auto only = std::vector<raft::member>{{self->node, raft::role::voter}};
  for (auto shard : {shard_id{1}, system_shard}) { // Those that were used before have their members in a snapshot.
    auto found = good(opened->begin(shard, 1'000));
    BOOST_TEST(found.applied == found.snapshot->index);
    BOOST_TEST((raft::snapshot_of(*found.snapshot)->members == only));
  }
  BOOST_TEST(good(opened->begin(0, 1'000)).entries.size() == 1u);
  BOOST_TEST((value_of(opened->view(tier::disk), 1, "vcard") == "of romeo"));
}

} // namespace

BOOST_AUTO_TEST_SUITE(founding)

BOOST_AUTO_TEST_CASE(a_lone_node_becomes_the_first_of_a_cluster_with_all_that_it_stored) {
  auto node = data_folder{};
  node.put_record();
  BOOST_TEST(!good(is_member(node.how.data_folder)));
  auto made = good(found(node.how, hosts));
  check_first_node(node, made);
  BOOST_TEST((made.system.hosts == std::set<std::string>{hosts.begin(), hosts.end()}));
  BOOST_TEST(made.system.value(setting::shard_count) == 4u);
  BOOST_TEST(made.system.shards.size() == 5u);
  auto& says = made.system.find(made.self.node)->says;
  BOOST_TEST(says.id == made.self.node);
  BOOST_TEST(says.client_address == "one.example.com");
  BOOST_TEST(says.labels.at("zone") == "north");
  BOOST_TEST((made.system.find(made.self.node)->is == standing::up));
  BOOST_TEST(good(authority_of(made.system)).cluster == made.self.cluster);
}

BOOST_AUTO_TEST_CASE(a_new_node_may_be_the_first_too) {
  auto node = data_folder{};
  auto made = good(found(node.how, hosts));
  BOOST_TEST(good(is_member(node.how.data_folder)));
  auto opened = node.open(true);
  BOOST_TEST((*good(load_state(opened->view(tier::disk))) == made.system));
}

BOOST_AUTO_TEST_CASE(a_member_founds_no_cluster_and_joins_none) {
  auto node = data_folder{};
  auto made = good(found(node.how, hosts));
  auto again = found(node.how, hosts);
  BOOST_TEST((again.code() == errc::conflict));
  BOOST_TEST(has_words(refusal(again), "is in cluster " + made.system.id));
  auto token = value_of(make_join_token("127.0.0.1", 1, made.system.ca_certificate));
  BOOST_TEST((join_cluster(node.how, {token}).code() == errc::conflict));
  fs::remove_all(node.how.store.folder);
  BOOST_TEST(has_words(refusal(join_cluster(node.how, {token})), "its store is gone"));
}

BOOST_AUTO_TEST_CASE(what_can_not_be_asked_for_changes_nothing) {
  auto node = data_folder{};
  node.put_record();
  node.how.says.addresses.clear();
  BOOST_TEST(has_words(refusal(found(node.how, hosts)), "addresses"));
  BOOST_TEST(!good(is_member(node.how.data_folder)));
  BOOST_TEST((value_of(node.open(false)->view(tier::disk), 1, "vcard") == "of romeo"));
}

BOOST_AUTO_TEST_CASE(wherever_a_founding_ends_the_lone_node_starts_or_the_founding_goes_on) {
  auto before = data_folder{};
  before.put_record();
  auto opening = before.disk.left();
  before.open(false);
  opening -= before.disk.left();
  auto lone = 0, between = 0;
  for (auto changes = opening;; ++changes) {
    auto node = data_folder{};
    node.take_over(before);
    auto disk = ending_disk{changes};
    auto how = node.how;
    how.store.environment = disk.environment();
    if (auto made = found(how, hosts)) {
      check_first_node(node, *made);
      break;
    }
    BOOST_TEST_CONTEXT("after " << changes << " changes") {
      BOOST_TEST(!good(is_member(node.how.data_folder)));
      if (auto alone = store::open(node.how.store)) {
        ++lone;
        BOOST_TEST((value_of((*alone)->view(tier::disk), 1, "vcard") == "of romeo"));
      } else {
        ++between;
        BOOST_TEST(has_words(alone.error().text, "belongs to a node of a cluster"));
      }
      check_first_node(node, good(found(node.how, hosts)));
    }
  }
  // How often it ends in between depends on when RocksDB writes what; the next tests make it end there.
  BOOST_TEST(lone > 5);
  BOOST_TEST_MESSAGE(between << " times in between");
}

BOOST_AUTO_TEST_CASE(without_an_identity_on_disk_the_store_stays_a_lone_nodes) {
  auto node = data_folder{};
  node.put_record();
  node.block_identity();
  BOOST_TEST(!found(node.how, hosts).has_value());
  BOOST_TEST((value_of(node.open(false)->view(tier::disk), 1, "vcard") == "of romeo"));
  node.unblock_identity();
  check_first_node(node, good(found(node.how, hosts)));
}

BOOST_AUTO_TEST_CASE(a_founding_that_lacks_its_last_step_alone_is_ended_by_the_next) {
  auto node = data_folder{};
  node.put_record();
  auto self = value_of(make_identity());
  BOOST_REQUIRE(save(node.how.data_folder, self));
  node.block_identity();
  BOOST_TEST(!found(node.how, hosts).has_value());
  BOOST_TEST(has_words(refusal(store::open(node.how.store)), "run it again"));
  BOOST_TEST(!good(is_member(node.how.data_folder)));
  node.unblock_identity();
  auto made = good(found(node.how, {"another.example"}));
  BOOST_TEST(made.self.node == self.node);
  BOOST_TEST((made.system.hosts == std::set<std::string>{hosts.begin(), hosts.end()})); // As it was begun.
  check_first_node(node, made);
}

BOOST_AUTO_TEST_CASE(a_store_of_a_cluster_is_no_other_nodes) {
  auto node = data_folder{};
  node.put_record();
  auto made = good(found(node.how, hosts));
  fs::remove(identity_file(node.how.data_folder));
  BOOST_TEST(has_words(refusal(found(node.how, hosts)), "whose identity is not in"));
  BOOST_REQUIRE(save(node.how.data_folder, value_of(make_identity())));
  BOOST_TEST(has_words(refusal(found(node.how, hosts)), "whose identity is not in"));
  auto impostor = value_of(make_identity());
  impostor.node = made.self.node;
  BOOST_REQUIRE(save(node.how.data_folder, impostor));
  BOOST_TEST(has_words(refusal(found(node.how, hosts)), "with another key"));
  BOOST_TEST(!good(is_member(node.how.data_folder)));
  auto token = value_of(make_join_token("127.0.0.1", 1, made.system.ca_certificate));
  BOOST_TEST(has_words(refusal(join_cluster(node.how, {token})), "belongs to a node of a cluster"));
}

BOOST_AUTO_TEST_SUITE_END()

namespace {

struct open_cluster_fixture {
  data_folder first;
  open_cluster there{good(found(first.how, hosts)), test_clock_s};

  void check_joined(data_folder& node, const joined& made) {
    auto self = value_of(load(node.how.data_folder));
    BOOST_REQUIRE(self);
    BOOST_TEST(self->encode() == made.self.encode());
    BOOST_TEST(self->cluster == value_of(load(first.how.data_folder))->cluster);
    BOOST_TEST((good(load_members(node.how.data_folder)) ==
                std::vector<member_addresses>{{value_of(load(first.how.data_folder))->node, {"127.0.0.1:5292"}}}));
    BOOST_TEST(!store::open(node.how.store).has_value());
    auto opened = node.open(true);
    BOOST_TEST((opened->groups() == std::vector{system_shard}));
    auto waiting = good(opened->begin(system_shard, 1'000));
    BOOST_TEST((waiting.hard == hard_state{}));
    BOOST_TEST((!waiting.snapshot && waiting.entries.empty() && waiting.applied == 0));
    auto system = there.system();
    BOOST_REQUIRE(system.find(self->node) != nullptr);
    BOOST_TEST(system.members.size() == 2u);
    BOOST_TEST(system.find(self->node)->says.addresses == node.how.says.addresses);
  }
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(joining, open_cluster_fixture)

BOOST_AUTO_TEST_CASE(an_empty_data_folder_becomes_a_node_that_waits_for_the_others) {
  auto node = data_folder{};
  auto order = join_order{there.invite()};
  auto kept = std::string{};
  order.keeps = [&](std::string_view shared) -> result<void> {
    kept = shared;
    return {};
  };
  check_joined(node, good(join_cluster(node.how, order)));
  BOOST_TEST(kept == there.shared);
  auto unused = data_folder{}; // A server ran here, and had no account.
  unused.open(false);
  auto made = join_cluster(unused.how, {there.invite()});
  BOOST_TEST(made.has_value(), refusal(made));
}

BOOST_AUTO_TEST_CASE(whoever_would_lose_accounts_does_not_join) {
  auto node = data_folder{};
  node.put_record();
  auto refused = refusal(join_cluster(node.how, {there.invite()}));
  BOOST_TEST(has_words(refused, "has accounts"));
  auto folder = node.how.store.folder.string();
  BOOST_TEST(has_words(refused, "mv " + folder + " " + folder + ".before"));
  BOOST_TEST(there.times_asked() == 0);
  BOOST_TEST((value_of(node.open(false)->view(tier::disk), 1, "vcard") == "of romeo"));
}

BOOST_AUTO_TEST_CASE(the_shards_must_be_as_many_as_the_clusters) {
  auto token = there.invite();
  there.shard_count = 8;
  for (auto has_store : {false, true}) {
    auto node = data_folder{};
    if (has_store)
      node.open(false);
    auto refused = refusal(join_cluster(node.how, {has_store ? there.invite() : token}));
    BOOST_TEST(has_words(refused, "storage.shards of this node is 4: set it to 8"));
    BOOST_TEST(has_words(refused, "remove " + node.how.store.folder.string()) == has_store);
    BOOST_TEST(!good(is_member(node.how.data_folder)));
    if (has_store) {
      fs::remove_all(node.how.store.folder);
      continue;
    }
    node.how.store.shard_count = 8;
    check_joined(node, good(join_cluster(node.how, {token})));
  }
}

BOOST_AUTO_TEST_CASE(an_answer_that_was_lost_is_given_again) {
  auto node = data_folder{};
  auto token = there.invite();
  there.loses_answers = true;
  BOOST_TEST(has_words(refusal(join_cluster(node.how, {token})), "lost"));
  BOOST_TEST(there.system().members.size() == 2u);
  there.loses_answers = false;
  check_joined(node, good(join_cluster(node.how, {token})));
}

BOOST_AUTO_TEST_CASE(wherever_a_joining_ends_it_goes_on_with_the_same_token) {
  auto between = 0;
  for (auto changes = 0;; changes += 7) {
    auto node = data_folder{};
    auto token = there.invite();
    auto disk = ending_disk{changes};
    auto how = node.how;
    how.store.environment = disk.environment();
    if (join_cluster(how, {token}))
      break;
    BOOST_TEST_CONTEXT("after " << changes << " changes") {
      BOOST_TEST(!good(is_member(node.how.data_folder)));
      auto made = join_cluster(node.how, {token});
      BOOST_REQUIRE_MESSAGE(made.has_value(), refusal(made));
      BOOST_TEST(good(is_member(node.how.data_folder)));
      BOOST_TEST((node.open(true)->groups() == std::vector{system_shard}));
    }
    ++between;
  }
  BOOST_TEST(between > 5);
  auto node = data_folder{}; // And before the last step.
  auto token = there.invite();
  BOOST_REQUIRE(save(node.how.data_folder, value_of(make_identity())));
  node.block_identity();
  BOOST_TEST(!join_cluster(node.how, {token}).has_value());
  BOOST_TEST(!store::open(node.how.store).has_value());
  BOOST_TEST(!good(is_member(node.how.data_folder)));
  BOOST_TEST(!found(node.how, hosts).has_value());
  node.unblock_identity();
  BOOST_TEST(join_cluster(node.how, {token}).has_value());
}

BOOST_AUTO_TEST_CASE(who_is_not_let_in_stays_a_lone_node) {
  auto node = data_folder{};
  node.open(false);
  auto token = there.invite();
  token.secret = std::string(64, '0');
  auto refused = refusal(join_cluster(node.how, {token}));
  BOOST_TEST(has_words(refused, "no such join token"));
  BOOST_TEST(store::open(node.how.store).has_value());
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(members_file_)

BOOST_AUTO_TEST_CASE(members_are_found_as_they_were_saved) {
  auto at = quick_folder{};
  BOOST_TEST(good(load_members(at.path)).empty());
  const auto two =
      std::vector<member_addresses>{{1, {"192.0.2.1:5292", "[2001:db8::1]:5292"}}, {~std::uint64_t{0}, {}}};
  BOOST_REQUIRE(save_members(at.path, two).has_value());
  BOOST_TEST((good(load_members(at.path)) == two));
  struct stat it {};
  BOOST_REQUIRE(::stat(members_file(at.path).c_str(), &it) == 0);
  BOOST_TEST((it.st_mode & 0777) == 0600u);
  std::ofstream{members_file(at.path).string() + ".new"} << "left by a crash";
  BOOST_REQUIRE(save_members(at.path, {{7, {"192.0.2.7:5292"}}}).has_value());
  BOOST_TEST((good(load_members(at.path)) == std::vector<member_addresses>{{7, {"192.0.2.7:5292"}}}));
  BOOST_REQUIRE(save_members(at.path, {}).has_value());
  BOOST_TEST(good(load_members(at.path)).empty());
}

BOOST_AUTO_TEST_CASE(what_is_no_address_is_not_saved) {
  auto at = quick_folder{};
  const auto bad =
      std::vector<std::string>{"", "a", "a b:1", "a:1\n0000000000000009 b:1", std::string(300, 'a') + ":1"};
  BOOST_REQUIRE(save_members(at.path, {{1, bad}, {2, {"a:1", "\x7f:1", "b:2"}}}).has_value());
  BOOST_TEST((good(load_members(at.path)) == std::vector<member_addresses>{{1, {}}, {2, {"a:1", "b:2"}}}));
}

BOOST_AUTO_TEST_CASE(a_file_that_is_none_is_refused_with_the_line) {
  auto at = quick_folder{};
  BOOST_REQUIRE(save_members(at.path, {}).has_value());
  const auto first = "0000000000000001 192.0.2.1:5292\n";
  for (auto line : {"", "1 a:1", "0000000000000000 a:1", "0000000000000002  a:1", "0000000000000002 a", "garbage"}) {
    std::ofstream{members_file(at.path)} << first << line << '\n';
    BOOST_TEST(has_words(refusal(load_members(at.path)), "line 2"), line);
  }
  fs::remove(members_file(at.path));
  fs::create_directory(members_file(at.path));
  BOOST_TEST(has_words(refusal(load_members(at.path)), "no regular file"));
}

BOOST_AUTO_TEST_SUITE_END()
