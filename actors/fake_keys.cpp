#include "actors/fake_keys.hpp"

#include "actors/known_iterations.hpp"
#include "persistence/codec.hpp"
#include "persistence/whole_file.hpp"
#include "protocol/sasl.hpp"

#include <fstream>
#include <iterator>

namespace xmpp {

namespace {

constexpr std::uint8_t version = 1;
constexpr auto secret_bytes = fake_keys_secret_bytes;

std::filesystem::path secret_file(const std::filesystem::path& folder) {
  return folder / "secret";
}

} // namespace

result<std::string> load_fake_keys_secret(const std::filesystem::path& folder) {
  auto path = secret_file(folder);
  if (auto in = std::ifstream{path, std::ios::binary}) {
    auto ignored = std::error_code{};
    if (std::filesystem::file_size(path, ignored) != secret_bytes)
      return error{errc::corrupt_record, path.string() + " must have 32 bytes"};
    return std::string(std::istreambuf_iterator<char>{in}, {});
  }
  auto bytes = sasl::secure_random(secret_bytes);
  if (auto written = replace_file(path, bytes); !written)
    return written.error();
  return bytes;
}

std::string encode_fake_keys(std::string_view secret, const std::vector<std::uint32_t>& iterations) {
  auto out = std::string{};
  auto to = codec::byte_writer{out};
  to.byte(version);
  to.string(secret);
  to.varint(iterations.size());
  for (auto one : iterations)
    to.varint(one);
  return out;
}

result<void> keep_fake_keys(const std::filesystem::path& folder, std::string_view bytes) {
  auto in = codec::byte_reader{bytes};
  auto said = in.byte();
  auto secret = in.string();
  auto counts = std::vector<std::uint32_t>{};
  for (auto left = in.count(); left > 0 && in.ok(); --left)
    counts.push_back(std::uint32_t(in.varint(UINT32_MAX)));
  if (!in.finished() || said != version || secret.size() != secret_bytes)
    return error{errc::corrupt_record, "what the cluster says of names without an account is not understood"};
  if (auto written = replace_file(secret_file(folder), std::string{secret}); !written)
    return written;
  auto known = known_iterations{};
  known.open(folder);
  for (auto one : counts)
    if (auto added = known.add(one); !added)
      return added;
  return {};
}

} // namespace xmpp
