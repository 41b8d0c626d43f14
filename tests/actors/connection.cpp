#include "actors/connection.hpp"

#include <boost/test/unit_test.hpp>

#include <functional>
#include <memory>
#include <vector>

using namespace xmpp;

namespace {

/// Only whether it is read from.
class steered final : public net::transport {
public:
  bool is_read = true;
  std::function<void()> while_pausing; ///< What another thread does at the worst moment.

  void pause_reading() override {
    if (while_pausing)
      std::exchange(while_pausing, nullptr)();
    is_read = false;
  }
  void resume_reading() override { is_read = true; }

  net::send_status send(std::string_view) override { return net::send_status::ok; }
  net::send_status send_and_flush(std::string_view) override { return net::send_status::ok; }
  void flush() override {}
  std::size_t queued_bytes() const override { return 0; }
  void set_output_bytes_max(std::size_t) override {}
  void close(std::string_view, std::uint32_t) override {}
  void abort() override {}
  void set_deadline(std::uint32_t) override {}
  bool start_tls(std::shared_ptr<const net::tls_context>, std::string_view, std::string_view) override { return false; }
  bool is_secure() const override { return false; }
  std::optional<net::tls_facts> tls() const override { return std::nullopt; }
  std::string channel_binding(net::channel_binding_type) const override { return {}; }
  net::address peer() const override { return {}; }
};

struct steering {
  std::shared_ptr<steered> transport = std::make_shared<steered>();
  std::shared_ptr<stream_control> control = std::make_shared<stream_control>();

  void come(std::uint32_t count) {
    while (count-- > 0)
      control->add_waiting(*transport, 1);
  }
  void are_handled(std::uint32_t count) {
    while (count-- > 0)
      control->take_waiting(transport.get(), 1);
  }
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(a_stream_s_control, steering)

BOOST_AUTO_TEST_CASE(stops_reading_when_many_elements_wait_and_goes_on_when_few_do) {
  come(stream_control::waiting_max - 1);
  BOOST_TEST(transport->is_read);
  come(1);
  BOOST_TEST(!transport->is_read);
  are_handled(stream_control::waiting_max / 2);
  BOOST_TEST(!transport->is_read);
  are_handled(stream_control::waiting_max / 2);
  BOOST_TEST(transport->is_read);
}

BOOST_AUTO_TEST_CASE(stops_reading_when_a_few_large_elements_wait) {
  auto weight = stream_control::weight_of(256 * 1024);
  for (auto i = 0; i < 4; ++i)
    control->add_waiting(*transport, weight);
  BOOST_TEST(!transport->is_read);
  for (auto i = 0; i < 4; ++i)
    control->take_waiting(transport.get(), weight);
  BOOST_TEST(transport->is_read);
  BOOST_TEST(stream_control::weight_of(300) == 1u);
}

BOOST_AUTO_TEST_CASE(goes_on_when_all_were_handled_while_it_stopped) {
  come(stream_control::waiting_max - 1);
  transport->while_pausing = [&] { are_handled(stream_control::waiting_max); };
  come(1);
  BOOST_TEST(transport->is_read);
}

BOOST_AUTO_TEST_CASE(stops_again_when_a_late_word_made_it_go_on) {
  come(stream_control::waiting_max);
  transport->resume_reading(); // of an earlier stop
  come(1);
  BOOST_TEST(!transport->is_read);
}

BOOST_AUTO_TEST_CASE(counts_what_its_account_deals_with) {
  auto turns = std::vector<std::unique_ptr<turn>>{};
  for (auto i = 0u; i < stream_control::waiting_max; ++i) {
    come(1);
    turns.push_back(std::make_unique<turn>(control, transport, 1));
    are_handled(1); // by the session
  }
  BOOST_TEST(control->in_account.load() == stream_control::waiting_max);
  come(1);
  BOOST_TEST(!transport->is_read);
  turns.clear();
  BOOST_TEST(control->in_account.load() == 0u);
  are_handled(1);
  BOOST_TEST(transport->is_read);
  BOOST_TEST(control->waiting.load() == 0u);
}

BOOST_AUTO_TEST_SUITE_END()
