#include "eval/report/zstd_file.h"

#include <zstd.h>

#include <fstream>
#include <memory>
#include <sstream>
#include <vector>

namespace flare::eval {

Result<std::string> read_zstd(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return Error("cannot read " + path.string());
  std::ostringstream raw;
  raw << file.rdbuf();
  const std::string packed = raw.str();
  const std::unique_ptr<ZSTD_DCtx, decltype(&ZSTD_freeDCtx)> context(ZSTD_createDCtx(),
                                                                     ZSTD_freeDCtx);
  std::vector<char> room(ZSTD_DStreamOutSize());
  std::string text;
  ZSTD_inBuffer in = {packed.data(), packed.size(), 0};
  std::size_t left = 1;  // what the frame still wants; 0 at its end
  while (in.pos < in.size) {
    ZSTD_outBuffer out = {room.data(), room.size(), 0};
    left = ZSTD_decompressStream(context.get(), &out, &in);
    if (ZSTD_isError(left) != 0) {
      return Error(path.string() + ": " + ZSTD_getErrorName(left));
    }
    text.append(room.data(), out.pos);
    // What is already decoded but found no room comes without more input.
    while (out.pos == out.size && left != 0) {
      out.pos = 0;
      left = ZSTD_decompressStream(context.get(), &out, &in);
      if (ZSTD_isError(left) != 0) return Error(path.string() + ": " + ZSTD_getErrorName(left));
      text.append(room.data(), out.pos);
    }
  }
  if (left != 0) return Error(path.string() + " ends amid a frame");
  return text;
}

}  // namespace flare::eval
