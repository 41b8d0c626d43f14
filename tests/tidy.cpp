// Rules about the sources themselves: layering, banned calls, form.
#include <boost/test/unit_test.hpp>

BOOST_AUTO_TEST_SUITE(tidy)
BOOST_AUTO_TEST_CASE(placeholder) {}
BOOST_AUTO_TEST_SUITE_END()
