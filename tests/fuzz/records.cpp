// Stored and replicated bytes, however damaged: every decoder takes them or refuses them, and what it takes it writes
// back as it was.
#include "persistence/codec.hpp"
#include "persistence/ids.hpp"
#include "persistence/write_set.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

namespace {

using namespace xmpp;

void require(bool holds) {
  if (!holds)
    std::abort();
}

/// The grammar gives each value one spelling.
template <class T>
void same_again(const result<T>& read, std::string_view bytes) {
  if (read)
    require(codec::encode(*read) == bytes);
}

} // namespace

/// The first byte chooses the kind of record, the rest is the record.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0)
    return 0;
  const auto bytes = std::string_view{reinterpret_cast<const char*>(data) + 1, size - 1};
  switch (data[0] % 13) {
  case 0:
    same_again(codec::decode_account(bytes), bytes);
    break;
  case 1:
    same_again(codec::decode_last_activity(bytes), bytes);
    break;
  case 2:
    same_again(codec::decode_offline_summary(bytes), bytes);
    break;
  case 3:
    same_again(codec::decode_offline_message(bytes), bytes);
    break;
  case 4:
    same_again(codec::decode_pending_request("juliet@example.com", bytes), bytes);
    break;
  case 5:
    same_again(codec::decode_roster_item("juliet@example.com", bytes), bytes);
    break;
  case 6:
    same_again(codec::decode_store_format(bytes), bytes);
    break;
  case 7:
    if (const auto version = codec::decode_roster_version(bytes))
      require(codec::encode_roster_version(*version) == bytes);
    break;
  case 8: // the address stands in the key
    if (const auto blocked = codec::decode_block(bytes, codec::encode_block()))
      require(blocked->text() == bytes);
    break;
  case 9:
    if (const auto entry = codec::decode_log_entry(1, 2, bytes))
      require(codec::encode_log_header(entry->term, entry->what) + entry->data == bytes);
    break;
  case 10: {
    const auto whole = command::decode(bytes);
    if (whole)
      require(whole->encode() == bytes);
    auto changes = std::size_t{0};
    const auto visited = for_each_change(bytes, 3, [&](const change& x) {
      ++changes;
      require(keys::shard_in(x.key) == 3);
    });
    require(!visited || whole);
    break;
  }
  case 11:
    if (const auto id = stored_id::from_text(bytes))
      require(id->text() == bytes);
    if (const auto id = stored_id::from_bytes(bytes))
      require(id->bytes() == bytes);
    break;
  default:
    require(keys::log_index(bytes) == 0 || keys::log_key(keys::shard_in(bytes), keys::log_index(bytes)) == bytes);
    require(shard_of(bytes, 64) < 64);
    break;
  }
  return 0;
}
