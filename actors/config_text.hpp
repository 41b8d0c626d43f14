// Where in a configuration's text what stands: CAF's parser keeps no lines, and takes what stands twice without a word.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace xmpp {

class config_text {
public:
  /// Something that stands again: a section, or an option of the same section.
  struct repetition {
    std::string path;      ///< `hosts.main`, `c2s.depth_max`
    std::size_t line = 0;  ///< From 1 on.
    std::size_t first = 0; ///< Where it stood already.
    bool is_section = false;
  };

  /// Of a text that CAF's parser takes; of another it may find anything, but comes to an end.
  explicit config_text(std::string_view text);

  /// Of a section's header (`hosts.main`) or of an option (`c2s.depth_max`); 0 when there is none.
  std::size_t line_of(const std::string& path) const;
  /// An option's value as it was written; empty when there is none, or when it takes more than a line.
  std::string_view value_of(const std::string& path) const;
  /// In the order of the text.
  const std::vector<repetition>& repetitions() const noexcept { return repetitions_; }

private:
  struct place {
    std::size_t line = 0;
    std::string_view value;
  };

  bool is_at_end() const noexcept { return at_ >= text_.size(); }
  char here() const noexcept { return is_at_end() ? '\0' : text_[at_]; }
  void step();
  void skip_while(std::string_view any_of);
  void skip_until(char end);
  void skip_space();
  std::string_view read_name();
  void read_header();
  void read_option(const std::string& section);
  void read_quoted();
  void read_list();
  void read_map(const std::string& path);
  std::string_view read_value(const std::string& path);
  place& note(const std::string& path, bool is_section);

  std::string_view text_;
  std::size_t at_ = 0;
  std::size_t line_ = 1;
  std::string section_;
  std::map<std::string, place> places_;
  std::vector<repetition> repetitions_;
};

} // namespace xmpp
