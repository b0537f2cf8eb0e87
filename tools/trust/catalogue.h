// The catalogue of faults as data: tests/trust/catalogue/BLOCK.yaml, one block a file.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace flare::trust {

/// Tests of one program, by a pattern of GoogleTest's filters: `*` is any text, `?` any letter.
struct TestPattern {
  std::string program;
  std::string filter;
  int line = 0;

  std::string text() const { return program + ":" + filter; }
};

/// A number or word that tests record about their run.
struct Figure {
  std::string key;
  bool sum = false;  ///< of all tests; else the least and the most of them
  int line = 0;
};

struct Entry {
  std::string id;
  std::string fault;
  std::string expected;
  std::vector<TestPattern> tests;
  std::vector<Figure> figures;
  std::string open;  ///< why nothing closes it; empty: `tests` do
  int line = 0;
};

struct Block {
  std::string file;  ///< as errors name it
  std::string name;
  std::string title;
  std::string target;
  std::vector<Entry> entries;
};

/// Reads a block. The error names each problem by file, line and key, a line for each.
Result<Block> parse_block(std::string_view text, const std::string& file);

/// Reads every block in `directory`, in the order in which they are shown. An id that comes twice
/// is an error, and so is a directory without a block.
Result<std::vector<Block>> read_catalogue(const std::filesystem::path& directory);

/// The contents of a file, or an error that names it.
Result<std::string> read_file(const std::filesystem::path& path);

/// The files in `directory` that end with `extension`, sorted; none where it is missing.
std::vector<std::filesystem::path> files_of(const std::filesystem::path& directory,
                                            std::string_view extension);

}  // namespace flare::trust
