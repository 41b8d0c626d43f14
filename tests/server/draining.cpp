// `drain` empties the server, bit by bit (RFC 6120, 4.9.3.19): who is there, who is just coming, who comes late.
#include "tests/fixtures/client.hpp"
#include "tests/fixtures/server.hpp"

#include <boost/test/unit_test.hpp>

#include <optional>
#include <string>

using namespace xmpp::test;

BOOST_AUTO_TEST_SUITE(draining)

BOOST_AUTO_TEST_CASE(streams_end_and_no_more_come) {
  auto here = server{};
  if (here.is_peer())
    return;
  auto romeo = client{here, "romeo"};
  here.shell("drain");
  BOOST_TEST(romeo.stream_error() == "system-shutdown");
  BOOST_CHECK_THROW(client(here).opens(), failure);
  BOOST_TEST(here.runs());
}

BOOST_AUTO_TEST_CASE(clients_are_told_where_to_go) {
  auto here = server{{.settings = {{"server.drain_host", "\"b.example:5222\""}}}};
  if (here.is_peer())
    return;
  auto romeo = client{here, "romeo"};
  here.shell("drain");
  BOOST_TEST(romeo.receives("<error xmlns='http://etherx.jabber.org/streams'/>")
                 .to_string()
                 .find(">b.example:5222</see-other-host>") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(who_is_signing_in_does_not_stay) {
  auto here = server{{.settings = {{"server.drain_per_second", "1"}}}}; // so that strangers are not reached at once
  if (here.is_peer())
    return;
  auto romeo = registers(here, "romeo");
  auto first = client{here, "first"};
  auto silent = client{here};
  auto opened = client{here, romeo, {.state = upto::opened}};
  auto signed_in = client{here, romeo, {.state = upto::signed_in}};
  here.shell("drain");
  // The first in the line goes at once, the others when they take the next step.
  silent.send_bytes("<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' "
                    "to='localhost' version='1.0'>");
  BOOST_TEST(silent.stream_error() == "system-shutdown");
  signed_in.send("<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>");
  BOOST_TEST(signed_in.stream_error() == "system-shutdown");
  BOOST_TEST(opened.stream_error() == "system-shutdown");
  BOOST_TEST(first.stream_error() == "system-shutdown");
  auto left = here.shell("sessions");
  BOOST_TEST(left.find("romeo") == std::string::npos, left);
}

BOOST_AUTO_TEST_SUITE_END()
