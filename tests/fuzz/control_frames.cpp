// Bytes that claim to be what another node says about the cluster: refused, or a message that comes back.
#include "cluster/control_frames.hpp"

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

using namespace xmpp;
namespace control = xmpp::cluster::control;

namespace {

void require(bool holds) {
  if (!holds)
    std::abort();
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::string_view{reinterpret_cast<const char*>(data), size};
  control::request_of(bytes);
  auto got = control::read(bytes);
  if (!got) {
    require(got.code() == errc::corrupt_record || got.code() == errc::unsupported_feature);
    return 0;
  }
  require(control::summary(*got).size() < 200);
  auto written = std::string{};
  require(bool(control::append(written, *got)));
  auto again = control::read(written);
  require(again && *again == *got);
  return 0;
}
