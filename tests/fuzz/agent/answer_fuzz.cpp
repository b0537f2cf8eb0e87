// flarectl reads what answers on flared's socket. Any bytes come to an exit code and a sentence.
// The answer is sent by a thread of this process; an input is the whole of it.
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <iostream>
#include <sstream>
#include <thread>

#include "agent/must.h"
#include "flarectl/agent_client.h"

namespace {

using flare::fuzz::must;

/// Gives each question the same kind of answer. It listens on an abstract address, which is gone
/// with the process, however that ends.
class OneAnswer {
 public:
  OneAnswer() : path_('\0' + ("flare-fuzz-" + std::to_string(::getpid()))) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path_.copy(address.sun_path, path_.size());
    fd_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    must(::bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 &&
             ::listen(fd_, 1) == 0,
         "a socket to listen on");
  }
  OneAnswer(const OneAnswer&) = delete;
  OneAnswer& operator=(const OneAnswer&) = delete;
  ~OneAnswer() { ::close(fd_); }
  const std::string& path() const { return path_; }

  std::thread give(std::string_view answer) const {
    return std::thread([this, answer] {
      const int client = ::accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC);
      char question[256];
      must(::recv(client, question, sizeof question, 0) > 0, "a question comes");
      for (std::size_t sent = 0; sent < answer.size();) {
        const ssize_t now =
            ::send(client, answer.data() + sent, answer.size() - sent, MSG_NOSIGNAL);
        if (now <= 0) break;
        sent += static_cast<std::size_t>(now);
      }
      ::close(client);
    });
  }

 private:
  std::string path_;
  int fd_ = -1;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  static const OneAnswer server;
  static std::ostringstream nowhere;
  nowhere.str("");
  flare::ctl::Context context;
  context.socket = server.path();
  context.json = size > 0 && (bytes[0] & 1) != 0;
  std::thread answering = server.give(flare::fuzz::text_of(bytes, size).substr(size > 0 ? 1 : 0));
  std::streambuf* const out = std::cout.rdbuf(nowhere.rdbuf());
  std::streambuf* const error = std::cerr.rdbuf(nowhere.rdbuf());
  const int code = flare::ctl::ask_and_print(context, "ping", {{"command", "ping"}});
  std::cout.rdbuf(out);
  std::cerr.rdbuf(error);
  answering.join();
  must(code == flare::ctl::kOk || code == flare::ctl::kFailure || code == flare::ctl::kNotFound,
       "an exit code that is documented");
  return 0;
}
