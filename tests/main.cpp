// The main function of every test executable; the suites stand in files named after what they test.
#define BOOST_TEST_MODULE troupe
#include <boost/test/unit_test.hpp>
