#include "common/text_file.h"

#include <fstream>

namespace flare::lab {

Result<void> write_text_file(const std::filesystem::path& path, std::string_view text) {
  std::ofstream file(path, std::ios::binary);
  file << text;
  file.close();
  if (!file) return Error("cannot write " + path.string());
  return {};
}

}  // namespace flare::lab
