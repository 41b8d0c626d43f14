#include "actors/connection.hpp"

#include "actors/metrics.hpp"
#include "tests/actors/stand_ins.hpp"

#include <boost/test/unit_test.hpp>

#include <functional>
#include <memory>
#include <vector>

using namespace xmpp;
using namespace xmpp::test;

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

struct reading : server_fixture {
  steered transport;
  std::shared_ptr<stream_control> control = std::make_shared<stream_control>();
  std::shared_ptr<session_history> session = std::make_shared<session_history>();
  stream_reader reader{server, system().spawn(remembering_session, session), control};

  reading() { metrics::instance().connections_open.fetch_add(1); } // each reader takes one away

  /// What the session is told of these bytes.
  std::string heard(std::string_view bytes) {
    session->heard.clear();
    reader.on_bytes(transport, bytes);
    settle();
    auto all = std::string{};
    for (auto& one : session->heard)
      all += (all.empty() ? "" : " ") + one;
    return all;
  }
  /// The same of `tag`, in a stream whose header has that name.
  std::string heard_at_the_end(std::string_view name, std::string_view tag, std::string_view more = {}) {
    control->restart = true;
    auto prefix = name.substr(0, name.find(':'));
    auto header = "<" + std::string{name} + " xmlns='jabber:client' xmlns:" + std::string{prefix} +
                  "='http://etherx.jabber.org/streams' version='1.0'" + std::string{more} + ">";
    BOOST_TEST(heard(header) == "opened");
    return heard(tag);
  }
};

constexpr auto usual_header = "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' "
                              "version='1.0' to='example.com'>";

} // namespace

BOOST_FIXTURE_TEST_SUITE(a_stream_s_reader, reading)

BOOST_AUTO_TEST_CASE(knows_the_end_tag_by_its_whole_name) {
  BOOST_TEST(heard_at_the_end("stream:stream", "</stream:stream>") == "closed");
  BOOST_TEST(heard_at_the_end("stream:stream", "</stream:stream \r\n\t>") == "closed");
  BOOST_TEST(heard_at_the_end("stream:stream", "</stream:stream>", " xmlns:a='urn:a'") == "closed");
  BOOST_TEST(heard_at_the_end("s:stream", "</s:stream>") == "closed");
  BOOST_TEST(heard_at_the_end("s:stream", "</s:stream >", "\n") == "closed");
}

BOOST_AUTO_TEST_CASE(takes_no_other_end_tag) {
  for (auto name : {"stream:stream", "s:stream", "stream:streams", "s:str"})
    for (auto tag : {"</stream:streamX>", "</stream:stream a='b'>", "</stream:stream/>", "</ stream:stream>",
                     "</stream:stream x>", "</s:streams>", "</s:strea>", "</stream>", "</foo>", "</>"}) {
      auto one = std::make_unique<reading>();
      BOOST_TEST_CONTEXT(name << " " << tag)
      BOOST_TEST(one->heard_at_the_end(name, tag) == "not-well-formed");
    }
}

BOOST_AUTO_TEST_CASE(hears_nothing_between_starttls_and_the_handshake) { // RFC 6120, 5.4.3.3
  BOOST_TEST(heard(usual_header) == "opened");
  BOOST_TEST(heard("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/><iq/>") == "starttls");
  BOOST_TEST(heard("<iq/>") == "");
  BOOST_TEST(heard(usual_header) == "");
  BOOST_TEST(heard("</stream:stream>") == "");
  reader.on_tls_established(transport);
  BOOST_TEST(heard(std::string{usual_header} + "<iq/>") == "opened iq");
}

BOOST_AUTO_TEST_SUITE_END()

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
