// Heads of HTTP messages, and what the backend reads out of a request.
#include <gtest/gtest.h>

#include <string>

#include "backend/request.h"
#include "common/http_head.h"

namespace flare::lab {
namespace {

HttpHead head_of(const std::string& text) {
  auto head = parse_head(text);
  EXPECT_TRUE(head && *head) << text;
  return head && *head ? **head : HttpHead{};
}

TEST(ParseHead, ReadsLineFieldsAndLength) {
  const std::string text = "GET / HTTP/1.1\r\nHost: a\r\ncontent-LENGTH:  12 \r\n\r\nbody";
  const HttpHead head = head_of(text);
  EXPECT_EQ(head.start_line, "GET / HTTP/1.1");
  EXPECT_EQ(head.field("host"), "a");
  EXPECT_EQ(head.content_length(), 12U);
  EXPECT_EQ(head.bytes, text.size() - 4);
  EXPECT_FALSE(head.closes());
}

TEST(ParseHead, WaitsForTheWholeHead) {
  const std::string whole = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
  for (std::size_t size = 0; size < whole.size(); ++size) {
    auto head = parse_head(whole.substr(0, size));
    ASSERT_TRUE(head);
    EXPECT_FALSE(*head) << size;
  }
}

TEST(ParseHead, RefusesWhatIsNotHttp) {
  EXPECT_FALSE(parse_head("hello\r\n\r\n"));
  EXPECT_FALSE(parse_head("GET / HTTP/1.1\r\nno colon\r\n\r\n"));
  EXPECT_FALSE(parse_head(std::string(20'000, 'a')));
}

TEST(ReadRequest, TakesTheNumberFromHeaderOrPath) {
  EXPECT_EQ(read_request(head_of("GET /r/12 HTTP/1.1\r\n\r\n"))->number, 12U);
  EXPECT_EQ(read_request(head_of("GET / HTTP/1.1\r\nX-Request-Number: 7\r\n\r\n"))->number, 7U);
  EXPECT_EQ(read_request(head_of("GET / HTTP/1.1\r\n\r\n"))->number, std::nullopt);
}

TEST(ReadRequest, KnowsSizesControlAndConnection) {
  EXPECT_EQ(read_request(head_of("GET /bytes/99 HTTP/1.1\r\n\r\n"))->body_bytes, 99U);
  const auto control = read_request(head_of("PUT /control?slow=2.5 HTTP/1.1\r\n\r\n"));
  EXPECT_EQ(control->kind, BackendRequest::Kind::kControl);
  EXPECT_EQ(control->slow, 2.5);
  EXPECT_TRUE(read_request(head_of("GET / HTTP/1.1\r\nConnection: Close\r\n\r\n"))->closes);
  EXPECT_TRUE(read_request(head_of("GET / HTTP/1.0\r\n\r\n"))->closes);
}

TEST(ReadRequest, RefusesWhatItWouldMisread) {
  for (const char* text :
       {"GET /r/x HTTP/1.1\r\n\r\n", "GET /bytes/-1 HTTP/1.1\r\n\r\n",
        "GET /control?slow=2 HTTP/1.1\r\n\r\n", "PUT /control?slow=x HTTP/1.1\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 1x\r\n\r\n", "GET / HTTP/1.1\r\nX-Work: nan\r\n\r\n",
        "HTTP/1.1\r\n\r\n"}) {
    EXPECT_FALSE(read_request(head_of(text))) << text;
  }
}

}  // namespace
}  // namespace flare::lab
