#include "persistence/command_check.hpp"

namespace xmpp {

result<void> check_command(std::string_view encoded_command, shard_id shard) {
  if (encoded_command.size() > command_bytes_max)
    return error{errc::resource_constraint, "a change is larger than " + std::to_string(command_bytes_max) + " bytes"};
  return for_each_change(encoded_command, shard, {});
}

} // namespace xmpp
