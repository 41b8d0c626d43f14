// Backups: what is in one, what is found when it is damaged, and what becomes of it.
#include "persistence/backup.hpp"

#include "persistence/backup_file.hpp"
#include "persistence/codec.hpp"
#include "tests/persistence/faulty_disk.hpp"
#include "tests/persistence/temporary_folder.hpp"

#include <boost/test/unit_test.hpp>

#include <fstream>
#include <sys/stat.h>
#include <unistd.h>

using namespace xmpp;
using namespace xmpp::test;

namespace {

namespace fs = std::filesystem;

// -- stores and their backups --

void put(store& to, shard_id shard, std::string_view name, std::string_view value) {
  const auto one = std::vector{
      log_entry{shard, to.last_index(shard) + 1, 1, log_entry::kind::command, put_command(shard, name, value)}};
  BOOST_REQUIRE(to.append(one).has_value());
  BOOST_REQUIRE(to.apply(one).has_value());
}

void put_name(store& to, shard_id shard, std::string_view local) {
  auto x = command{};
  x.changes.put(keys::name_key(shard, "example.net", local), {});
  const auto one = std::vector{log_entry{shard, to.last_index(shard) + 1, 1, log_entry::kind::command, x.encode()}};
  BOOST_REQUIRE(to.append(one).has_value());
  BOOST_REQUIRE(to.apply(one).has_value());
}

backup_source all_of(const store& from) {
  auto out = backup_source{};
  out.from = &from;
  out.head = {1'000, "0.1.0", {}, {}, from.options().shard_count};
  for (auto shard = std::uint32_t{0}; shard < out.head.shard_count; ++shard)
    out.parts.push_back({shard_id(shard), false});
  return out;
}

/// `between` is called before each piece.
std::string bytes_of(
    backup_source what, std::size_t piece_bytes_max = 256 << 10, const std::function<void()>& between = [] {}) {
  auto maker = backup_maker{std::move(what), piece_bytes_max};
  auto out = std::string{};
  for (;;) {
    between();
    const auto piece = maker.next();
    BOOST_REQUIRE_MESSAGE(piece.has_value(), (piece ? std::string{} : piece.error().text));
    if (piece->empty())
      return out;
    out += *piece;
  }
}

result<backup_summary> parse(std::string_view bytes, std::size_t at_once = 1 << 20) {
  auto parser = backup_parser{};
  for (; !bytes.empty(); bytes.remove_prefix(std::min(at_once, bytes.size())))
    if (auto done = parser.feed(bytes.substr(0, at_once)); !done)
      return done.error();
  return parser.finish();
}

// -- backups that nobody made --

std::string block(char type, const std::string& content) {
  auto out = std::string(1, type);
  for (const auto shift : {24, 16, 8, 0})
    out.push_back(char(content.size() >> shift & 0xff));
  return out + content;
}

std::string begin_block(std::uint64_t format = 1, std::uint64_t shards = 4, const std::string& release = "0.1.0") {
  auto out = std::string{};
  auto to = codec::byte_writer{out};
  to.fixed64(1);
  to.string(release);
  to.string({});
  to.string({});
  to.varint(format);
  to.varint(shards);
  return block('B', out);
}

std::string shard_block(std::uint64_t shard, std::uint64_t index = 7, std::uint64_t flags = 0) {
  auto out = std::string{};
  auto to = codec::byte_writer{out};
  to.varint(shard);
  to.varint(index);
  to.varint(flags);
  return block('S', out);
}

std::string keys_block(const std::vector<std::string>& keys) {
  auto out = std::string{};
  auto to = codec::byte_writer{out};
  for (const auto& key : keys) {
    to.string(key);
    to.string("value");
  }
  return block('K', out);
}

/// With an end whose checksum fits.
std::string ended(const std::string& blocks, std::uint64_t shards, char version = 1) {
  auto out = "troupe backup\n" + std::string(1, version) + blocks;
  auto content = std::string{};
  codec::byte_writer{content}.varint(shards);
  auto end = block('Z', content + std::string(32, '\0'));
  out += end.substr(0, end.size() - 32);
  auto digest = sha256{};
  digest.add(out);
  return out + digest.digest();
}

struct backup_fixture {
  temporary_folder folder;
  store_options options = small_store(folder);
  std::unique_ptr<store> s = open_store(options);

  fs::path path(const char* name) const { return folder.path() / name; }
  void save(const char* name, std::string_view bytes) const { std::ofstream{path(name), std::ios::binary} << bytes; }
  std::unique_ptr<backup_file> opened(const char* name) const {
    auto out = backup_file::open(path(name));
    BOOST_REQUIRE(out.has_value());
    return *std::move(out);
  }
  store_options elsewhere() const {
    auto out = options;
    out.folder = path("elsewhere");
    return out;
  }
  /// Of the files with these names.
  result<void> restore_to(const store_options& where, const std::vector<const char*>& names) const {
    auto files = std::vector<std::unique_ptr<backup_file>>{};
    for (const auto* name : names)
      files.push_back(opened(name));
    const auto chosen = choose(files);
    return chosen ? restore(where, files, *chosen) : chosen.error();
  }
};

/// All that a store has of its shards, marks too.
std::vector<std::pair<std::string, std::string>> contents(const store& of) {
  auto out = std::vector<std::pair<std::string, std::string>>{};
  const auto visit = [&](std::string_view key, std::string_view value) {
    out.emplace_back(key, value);
    return true;
  };
  BOOST_REQUIRE(of.view(tier::disk).scan({}, keys::shard_prefix(0xff00), visit).has_value());
  return out;
}

} // namespace

BOOST_FIXTURE_TEST_SUITE(backups, backup_fixture)

// -- what is in one ---------------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_store_that_is_restored_has_all_that_the_first_had) {
  for (auto i = 0; i < 300; ++i)
    put(*s, shard_id(i % 3), "name " + std::to_string(i), std::string(std::size_t(i) * 7, char(i)));
  put_name(*s, 2, "romeo");
  put_name(*s, 2, "juliet");
  save("b", bytes_of(all_of(*s), 1'000));
  const auto summary = opened("b")->read();
  BOOST_REQUIRE(summary.has_value());
  BOOST_TEST(summary->accounts() == 2u);
  BOOST_TEST(summary->records() == 302u);
  BOOST_TEST(summary->missing().empty());
  BOOST_TEST(summary->shards[2].index == 102u);
  BOOST_TEST(summary->bytes == fs::file_size(path("b")));
  const auto done = restore_to(elsewhere(), {"b"});
  BOOST_REQUIRE_MESSAGE(done.has_value(), done.error().text);
  auto other = open_store(elsewhere());
  BOOST_TEST((contents(*other) == contents(*s)));
  BOOST_TEST((other->applied() == s->applied()));
  put(*other, 3, "first", "there was nothing in that shard");
  put(*other, 2, "next", "it goes on behind the index");
  other.reset();
  other = open_store(elsewhere());
  BOOST_TEST((value_of(other->view(tier::disk), 2, "next") == "it goes on behind the index"));
  BOOST_TEST(other->last_index(2) == 103u);
}

BOOST_AUTO_TEST_CASE(each_shard_is_as_it_was_at_its_index_whatever_is_written_meanwhile) {
  for (auto i = 0; i < 40; ++i)
    put(*s, 1, "name " + std::to_string(i), std::string(100, 'x'));
  auto writes = 0;
  save("b", bytes_of(all_of(*s), 200, [&] {
         // Two records always say the same.
         auto x = command{};
         const auto now = std::to_string(++writes);
         x.changes.put(key_in(1, "a first"), now);
         x.changes.put(key_in(1, "z last"), now);
         x.changes.erase(key_in(1, "name " + now));
         const auto one = std::vector{log_entry{1, s->last_index(1) + 1, 1, log_entry::kind::command, x.encode()}};
         BOOST_REQUIRE(s->append(one).has_value());
         BOOST_REQUIRE(s->apply(one).has_value());
       }));
  BOOST_TEST(writes > 10);
  BOOST_REQUIRE(restore_to(elsewhere(), {"b"}).has_value());
  const auto other = open_store(elsewhere());
  const auto first = value_of(other->view(tier::disk), 1, "a first");
  BOOST_REQUIRE(first.has_value());
  BOOST_TEST((value_of(other->view(tier::disk), 1, "z last") == *first));
  BOOST_TEST(other->last_index(1) == 40u + std::stoul(*first));
  BOOST_TEST(contents(*other).size() == 2u + 40 - std::stoul(*first) + 1); // and the shard's applied index
}

BOOST_AUTO_TEST_CASE(nothing_is_in_it_that_only_who_goes_on_with_the_log_needs) {
  options.folder = path("grouped");
  options.is_in_cluster = true;
  s = open_store(options);
  auto member = log_write{};
  member.shard = 1;
  member.hard = hard_state{1, 0};
  BOOST_REQUIRE(s->append({}, std::span{&member, 1}).has_value());
  BOOST_REQUIRE(s->begin(1, 1 << 20).has_value());
  auto asked = command{};
  asked.origin = 5;
  asked.sequence = 1;
  asked.changes.put(key_in(1, "a"), "1");
  auto apply = group_apply{1, 1, {{1, log_entry::kind::command, std::make_shared<const std::string>(asked.encode())}}};
  BOOST_REQUIRE(s->apply(std::span{&apply, 1}).has_value());
  auto what = all_of(*s);
  what.parts = {{1, true}};
  save("b", bytes_of(what));
  const auto summary = opened("b")->read();
  BOOST_REQUIRE(summary.has_value());
  BOOST_TEST(summary->records() == 1u);
  BOOST_TEST((summary->behind() == std::vector<shard_id>{1}));
  BOOST_TEST((summary->missing() == std::vector<shard_id>{0, 2, 3}));
  auto alone = elsewhere();
  BOOST_REQUIRE(restore_to(alone, {"b"}).has_value());
  const auto other = open_store(alone);
  BOOST_TEST(other->groups().empty());
  BOOST_TEST(contents(*other).size() == 2u);
  BOOST_TEST(other->last_index(1) == 1u);
}

BOOST_AUTO_TEST_CASE(what_is_no_replica_any_more_is_not_taken_for_one) {
  options.folder = path("grouped");
  options.is_in_cluster = true;
  s = open_store(options);
  auto member = log_write{};
  member.shard = 1;
  member.hard = hard_state{1, 0};
  BOOST_REQUIRE(s->append({}, std::span{&member, 1}).has_value());
  BOOST_REQUIRE(s->begin(1, 1 << 20).has_value());
  auto what = all_of(*s);
  what.parts = {{1, false}};
  const auto failure = [&] {
    auto maker = backup_maker{what};
    return maker.next().code();
  };
  BOOST_TEST((failure() == errc::item_not_found)); // It waits for its state.
  auto x = group_apply{1, 1, {{1, log_entry::kind::barrier, std::make_shared<const std::string>()}}};
  BOOST_REQUIRE(s->apply(std::span{&x, 1}).has_value());
  BOOST_TEST((failure() == errc::none));
  BOOST_REQUIRE(s->begin_install(1).has_value());
  BOOST_TEST((failure() == errc::item_not_found)); // It is being replaced.
  BOOST_REQUIRE(s->end_install(1, 9).has_value());
  BOOST_TEST((failure() == errc::none));
  BOOST_REQUIRE(s->erase_group(1).has_value());
  BOOST_TEST((failure() == errc::item_not_found)); // It has moved away.
}

// -- damage -----------------------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(it_reads_the_same_however_its_bytes_come) {
  for (auto i = 0; i < 20; ++i)
    put(*s, shard_id(i % 4), "name " + std::to_string(i), "value");
  const auto bytes = bytes_of(all_of(*s), 100);
  const auto whole = parse(bytes);
  BOOST_REQUIRE(whole.has_value());
  for (const auto at_once : {1, 2, 3, 7, 64, 1'000}) {
    const auto read = parse(bytes, std::size_t(at_once));
    BOOST_REQUIRE(read.has_value());
    BOOST_TEST(read->digest == whole->digest);
    BOOST_TEST(read->records() == 20u);
  }
}

BOOST_AUTO_TEST_CASE(each_byte_that_is_missing_at_the_end_is_missed) {
  for (auto i = 0; i < 8; ++i)
    put(*s, shard_id(i % 4), "name " + std::to_string(i), "value");
  const auto bytes = bytes_of(all_of(*s), 100);
  BOOST_TEST(parse(bytes).has_value());
  for (auto size = std::size_t{0}; size < bytes.size(); ++size)
    BOOST_TEST((parse(bytes.substr(0, size)).code() == errc::corrupt_record), size);
  BOOST_TEST((parse(bytes + "x").code() == errc::corrupt_record));
  BOOST_TEST((parse(bytes + bytes).code() == errc::corrupt_record));
}

BOOST_AUTO_TEST_CASE(each_byte_that_is_another_is_found) {
  for (auto i = 0; i < 8; ++i)
    put(*s, shard_id(i % 4), "name " + std::to_string(i), "value");
  const auto bytes = bytes_of(all_of(*s), 100);
  for (auto at = std::size_t{0}; at < bytes.size(); ++at)
    for (const auto flip : {0x01, 0x80, 0xff}) {
      auto other = bytes;
      other[at] = char(other[at] ^ flip);
      const auto read = parse(other);
      BOOST_TEST(!read.has_value(), at);
      BOOST_TEST((read.code() == errc::corrupt_record || read.code() == errc::unsupported_version), at);
    }
}

BOOST_AUTO_TEST_CASE(one_of_a_later_release_is_refused_as_that) {
  const auto good = ended(begin_block() + shard_block(0), 1);
  BOOST_TEST(parse(good).has_value());
  BOOST_TEST((parse(ended(begin_block() + shard_block(0), 1, 2)).code() == errc::unsupported_version));
  BOOST_TEST((parse(ended(begin_block(2) + shard_block(0), 1)).code() == errc::unsupported_version));
  BOOST_TEST((parse(std::string_view{good}.substr(0, 14)).error().text.find("not whole") != std::string::npos));
  BOOST_TEST((parse("PK\3\4 something else").error().text.find("no backup") != std::string::npos));
  BOOST_TEST((parse("PK").error().text.find("no backup") != std::string::npos));
}

BOOST_AUTO_TEST_CASE(what_nobody_made_is_refused_though_its_checksum_fits) {
  const auto refused = [](const std::string& blocks, std::uint64_t shards) {
    return parse(ended(blocks, shards)).code() == errc::corrupt_record;
  };
  const auto begin = begin_block();
  BOOST_TEST(parse(ended(begin + shard_block(0) + keys_block({key_in(0, "a"), key_in(0, "b")}), 1)).has_value());
  BOOST_TEST(refused("", 0));
  BOOST_TEST(refused(shard_block(0), 1));
  BOOST_TEST(refused(begin + begin, 0));
  BOOST_TEST(refused(begin_block(1, 0), 0));
  BOOST_TEST(refused(begin_block(1, shard_count_max + 1), 0));
  BOOST_TEST(refused(begin_block(1, 4, "\x1b[2J"), 0)); // It would be shown.
  BOOST_TEST(refused(begin_block(1, 4, std::string(1'000, 'x')), 0));
  BOOST_TEST(refused(begin + block('x', "?"), 0));
  BOOST_TEST(refused(begin + keys_block({key_in(0, "a")}), 0));
  BOOST_TEST(refused(begin + shard_block(4), 1));
  BOOST_TEST(refused(begin + shard_block(system_shard), 1));
  BOOST_TEST(refused(begin + shard_block(0, 7, 2), 1));
  BOOST_TEST(refused(begin + shard_block(1) + shard_block(0), 2));
  BOOST_TEST(refused(begin + shard_block(1) + shard_block(1), 2));
  BOOST_TEST(refused(begin + shard_block(0), 2));
  const auto with_keys = [&](const std::vector<std::string>& keys) {
    return begin + shard_block(0) + keys_block(keys);
  };
  BOOST_TEST(refused(with_keys({key_in(1, "a")}), 1)); // Another shard's.
  BOOST_TEST(refused(with_keys({keys::system_state_key()}), 1));
  BOOST_TEST(refused(with_keys({keys::format_key()}), 1));
  BOOST_TEST(refused(with_keys({keys::applied_key(0)}), 1));
  BOOST_TEST(refused(with_keys({keys::installing_key(0)}), 1));
  BOOST_TEST(refused(with_keys({keys::applied_command_key(0, 1)}), 1));
  BOOST_TEST(refused(with_keys({std::string(2, '\0')}), 1));
  BOOST_TEST(refused(with_keys({{}}), 1));
  BOOST_TEST(refused(with_keys({key_in(0, "b"), key_in(0, "a")}), 1));
  BOOST_TEST(refused(with_keys({key_in(0, "a")}) + keys_block({key_in(0, "a")}), 1));
  BOOST_TEST(refused(begin + shard_block(0, 0) + keys_block({key_in(0, "a")}), 1));
  BOOST_TEST(refused(begin + shard_block(0) +
                         block('K', "\x05"
                                    "abc"),
                     1));
  BOOST_TEST(refused(begin + block('S', std::string(3, '\xff')), 1));
}

BOOST_AUTO_TEST_CASE(a_length_that_is_wrong_takes_no_memory) {
  auto parser = backup_parser{};
  BOOST_REQUIRE(parser.feed(std::string{"troupe backup\n\1", 15} + begin_block()).has_value());
  BOOST_TEST((parser.feed(std::string{"K\xff\xff\xff\xff", 5}).code() == errc::corrupt_record));
  BOOST_TEST((parser.feed(shard_block(0)).code() == errc::corrupt_record));
  BOOST_TEST((parser.finish().code() == errc::corrupt_record));
}

// -- files ------------------------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(it_has_its_name_when_it_is_whole_and_not_before) {
  const auto bytes = ended(begin_block() + shard_block(0), 1);
  auto to = backup_writer::create(path("b"));
  BOOST_REQUIRE(to.has_value());
  BOOST_REQUIRE((*to)->write(std::string_view{bytes}.substr(0, 20)).has_value());
  BOOST_TEST(!fs::exists(path("b")));
  BOOST_TEST(((*to)->finish().code() == errc::corrupt_record));
  BOOST_TEST(!fs::exists(path("b")));
  BOOST_REQUIRE((*to)->write(std::string_view{bytes}.substr(20)).has_value());
  BOOST_REQUIRE((*to)->finish().has_value());
  BOOST_TEST(opened("b")->read().has_value());
  struct stat it {};
  BOOST_REQUIRE(::stat(path("b").c_str(), &it) == 0);
  BOOST_TEST((it.st_mode & 0777) == 0600u); // There are keys in it.
  to->reset();
  BOOST_TEST(fs::exists(path("b")));
  BOOST_TEST(!fs::exists(path("b.part")));
}

BOOST_AUTO_TEST_CASE(one_that_is_given_up_leaves_nothing) {
  {
    auto to = backup_writer::create(path("b"));
    BOOST_REQUIRE(to.has_value());
    BOOST_REQUIRE((*to)->write("troupe").has_value());
    BOOST_TEST(fs::exists(path("b.part")));
    BOOST_TEST((backup_writer::create(path("b")).code() == errc::conflict)); // It is being written.
  }
  BOOST_TEST(!fs::exists(path("b.part")));
  BOOST_TEST(!fs::exists(path("b")));
}

BOOST_AUTO_TEST_CASE(nothing_that_is_there_is_overwritten) {
  save("b", "precious");
  BOOST_TEST((backup_writer::create(path("b")).code() == errc::conflict));
  save("other", "precious too");
  fs::create_symlink(path("nowhere"), path("dangling"));
  BOOST_TEST((backup_writer::create(path("dangling")).code() == errc::conflict));
  fs::create_symlink(path("other"), path("c.part")); // What somebody may have put there.
  auto to = backup_writer::create(path("c"));
  BOOST_REQUIRE(to.has_value());
  BOOST_REQUIRE((*to)->write(ended(begin_block(), 0)).has_value());
  save("c", "somebody was faster");
  BOOST_TEST(((*to)->finish().code() == errc::conflict));
  to->reset();
  const auto text = [&](const char* name) {
    auto in = std::ifstream{path(name)};
    return std::string{std::istreambuf_iterator<char>{in}, {}};
  };
  BOOST_TEST(text("b") == "precious");
  BOOST_TEST(text("other") == "precious too");
  BOOST_TEST(text("c") == "somebody was faster");
}

BOOST_AUTO_TEST_CASE(what_a_crash_has_left_of_one_is_replaced) {
  save("b.part", "half of one");
  auto to = backup_writer::create(path("b"));
  BOOST_REQUIRE(to.has_value());
  BOOST_REQUIRE((*to)->write(ended(begin_block(), 0)).has_value());
  BOOST_TEST((*to)->finish().has_value());
  BOOST_TEST(opened("b")->read().has_value());
}

BOOST_AUTO_TEST_CASE(a_pipe_or_a_folder_is_no_backup) {
  BOOST_REQUIRE(::mkfifo(path("pipe").c_str(), 0600) == 0);
  BOOST_TEST((backup_file::open(path("pipe")).code() == errc::storage_failure));
  BOOST_TEST((backup_file::open(folder.path()).code() == errc::storage_failure));
  BOOST_TEST((backup_file::open(path("none")).code() == errc::item_not_found));
}

// -- a store of them --------------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(it_is_restored_where_nothing_is_and_with_as_many_shards_only) {
  put(*s, 1, "a", "1");
  save("b", bytes_of(all_of(*s)));
  auto other = elsewhere();
  other.shard_count = 8;
  const auto refused = restore_to(other, {"b"});
  BOOST_TEST((refused.code() == errc::not_allowed));
  BOOST_TEST((refused.error().text.find("set it to 4") != std::string::npos));
  BOOST_TEST(!fs::exists(other.folder));
  fs::create_directory(other.folder);
  BOOST_TEST((restore_to(elsewhere(), {"b"}).code() == errc::conflict));
  BOOST_TEST(fs::is_empty(other.folder));
  fs::remove(other.folder);
  fs::create_directories(path("elsewhere.restoring") / "state"); // as a crash may have left it
  std::ofstream{path("elsewhere.restoring") / "state" / "CURRENT"} << "nonsense";
  BOOST_REQUIRE(restore_to(elsewhere(), {"b"}).has_value());
  BOOST_TEST(!fs::exists(path("elsewhere.restoring")));
  BOOST_TEST((value_of(open_store(elsewhere())->view(tier::disk), 1, "a") == "1"));
}

BOOST_AUTO_TEST_CASE(a_link_that_somebody_has_put_in_its_way_is_not_followed) {
  save("b", bytes_of(all_of(*s)));
  fs::create_directory(path("precious"));
  std::ofstream{path("precious") / "file"} << "precious";
  fs::create_directory_symlink(path("precious"), path("elsewhere.restoring"));
  BOOST_REQUIRE(restore_to(elsewhere(), {"b"}).has_value());
  BOOST_TEST(fs::exists(path("precious") / "file"));
  BOOST_TEST(!fs::exists(path("precious") / "state"));
  fs::remove_all(path("elsewhere"));
  fs::create_directory_symlink(path("nowhere"), path("elsewhere"));
  BOOST_TEST((restore_to(elsewhere(), {"b"}).code() == errc::conflict));
  BOOST_TEST(!fs::exists(path("nowhere")));
}

BOOST_AUTO_TEST_CASE(one_that_is_damaged_leaves_nothing_that_a_start_would_take) {
  put(*s, 1, "a", "1");
  auto bytes = bytes_of(all_of(*s));
  bytes.back() = char(bytes.back() ^ 1);
  save("b", bytes);
  BOOST_TEST((restore_to(elsewhere(), {"b"}).code() == errc::corrupt_record));
  BOOST_TEST(!fs::exists(path("elsewhere")));
  BOOST_TEST(!fs::exists(path("elsewhere.restoring")));
}

BOOST_AUTO_TEST_CASE(one_that_changes_while_it_is_restored_is_not_put_in_place) {
  put(*s, 1, "a", "1");
  save("b", bytes_of(all_of(*s)));
  auto files = std::vector<std::unique_ptr<backup_file>>{};
  files.push_back(opened("b"));
  const auto chosen = choose(files);
  BOOST_REQUIRE(chosen.has_value());
  put(*s, 1, "a", "2");
  save("b", bytes_of(all_of(*s))); // sound, but another
  BOOST_TEST((restore(elsewhere(), files, *chosen).code() == errc::conflict));
  BOOST_TEST(!fs::exists(path("elsewhere")));
}

BOOST_AUTO_TEST_CASE(a_disk_that_fails_meanwhile_leaves_nothing) {
  for (auto i = 0; i < 100; ++i)
    put(*s, 1, "name " + std::to_string(i), std::string(1'000, 'x'));
  save("b", bytes_of(all_of(*s)));
  auto disk = faulty_disk{};
  disk.faults.tables_fail = true;
  auto where = elsewhere();
  where.environment = disk.environment();
  BOOST_TEST((restore_to(where, {"b"}).code() == errc::storage_failure));
  BOOST_TEST(!fs::exists(where.folder));
  disk.faults.tables_fail = false;
  BOOST_TEST(restore_to(where, {"b"}).has_value());
}

BOOST_AUTO_TEST_CASE(of_several_of_one_cluster_the_furthest_counts_shard_by_shard) {
  const auto of = [&](const char* cluster, std::vector<backup_source::part> parts) {
    auto what = all_of(*s);
    what.head.cluster = cluster;
    what.parts = std::move(parts);
    return bytes_of(what);
  };
  put(*s, 0, "a", "early");
  put(*s, 1, "a", "early");
  save("first", of("c1", {{0}, {1}}));
  put(*s, 1, "a", "late");
  put(*s, 2, "a", "late");
  save("second", of("c1", {{1}, {2}, {3}}));
  save("stranger", of("c2", {{3}}));
  save("alone", bytes_of(all_of(*s)));
  for (const auto& order : {std::vector{"first", "second"}, {"second", "first"}}) {
    fs::remove_all(path("elsewhere"));
    BOOST_REQUIRE(restore_to(elsewhere(), order).has_value());
    const auto other = open_store(elsewhere());
    BOOST_TEST((value_of(other->view(tier::disk), 0, "a") == "early"));
    BOOST_TEST((value_of(other->view(tier::disk), 1, "a") == "late"));
    BOOST_TEST((value_of(other->view(tier::disk), 2, "a") == "late"));
    BOOST_TEST((other->applied() == std::vector<std::uint64_t>{1, 2, 1, 0, 0}));
  }
  fs::remove_all(path("elsewhere"));
  BOOST_TEST((restore_to(elsewhere(), {"first", "stranger"}).code() == errc::conflict));
  BOOST_TEST((restore_to(elsewhere(), {"alone", "alone"}).code() == errc::conflict)); // Of which moment is it then?
}

BOOST_AUTO_TEST_SUITE_END()
