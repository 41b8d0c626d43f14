// What a process costs, as the kernel tells it.
#pragma once

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <unistd.h>

namespace xmpp::bench {

inline std::string process_file(int pid, const char* name) {
  auto in = std::ifstream{"/proc/" + std::to_string(pid) + "/" + name};
  auto out = std::ostringstream{};
  out << in.rdbuf();
  if (out.str().empty())
    throw std::runtime_error("no process " + std::to_string(pid));
  return out.str();
}

/// User and system time of all its threads so far.
inline double process_cpu_s(int pid) {
  auto text = process_file(pid, "stat");
  auto in = std::istringstream{text.substr(text.rfind(')') + 2)};
  auto word = std::string{};
  auto ticks = 0L;
  for (auto i = 3; i <= 15 && in >> word; ++i)
    if (i == 14 || i == 15)
      ticks += std::atol(word.c_str());
  return static_cast<double>(ticks) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

/// What it holds of the machine's memory.
inline double process_memory_kib(int pid) {
  auto text = process_file(pid, "status");
  return std::atof(text.c_str() + text.find("VmRSS:") + 6);
}

} // namespace xmpp::bench
