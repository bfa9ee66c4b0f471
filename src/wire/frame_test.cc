#include "wire/frame.h"

#include <gtest/gtest.h>

#include <vector>

#include "wire/bytes.h"

namespace pyro::wire {
namespace {

bool any(std::string_view) {
  return true;
}
bool is_good(std::string_view payload) {
  return payload == "good";
}

// Frames until more bytes are needed; an error ends the list with its code.
struct Taken {
  std::vector<Frame> frames;
  std::optional<Errc> error;
};
Taken take_all(FrameParser& parser) {
  Taken out;
  for (;;) {
    auto frame = parser.next();
    if (!frame) {
      out.error = frame.error().code;
      return out;
    }
    if (!*frame) return out;
    out.frames.push_back(std::move(**frame));
  }
}

std::string header(std::uint32_t length, std::uint32_t stream, std::uint16_t type,
                   std::uint16_t flags) {
  std::string out;
  ByteWriter w(out);
  w.be32(length);
  w.be32(stream);
  w.be16(type);
  w.be16(flags);
  return out;
}

TEST(Bytes, ReaderStopsAtTheEnd) {
  ByteReader r("\x01\x02\x03");
  EXPECT_EQ(r.be16().value(), 0x0102);
  EXPECT_FALSE(r.be16());
  EXPECT_EQ(r.u8().value(), 3);
  EXPECT_FALSE(r.take(1));
}

TEST(Bytes, WriterStopsAtItsLimit) {
  std::string out;
  ByteWriter w(out, 5);
  w.be32(0xdeadbeef);
  w.be16(1);
  EXPECT_TRUE(w.overflow());
  EXPECT_EQ(out, "\xde\xad\xbe\xef");
}

TEST(FrameHeader, AcceptsAndRefuses) {
  struct Row {
    const char* what;
    std::string raw;
    std::optional<Errc> error;
  };
  const std::vector<Row> rows = {
      {"request", header(10, 1, 2, 0), {}},
      {"largest control", header(kMaxControl, 1, 3, 0), {}},
      {"control above the cap", header(kMaxControl + 1, 1, 3, 0), Errc::kLimit},
      {"largest data", header(kMaxData, 7, 5, 1), {}},
      {"data above the cap", header(kMaxData + 1, 7, 5, 1), Errc::kLimit},
      {"data, end of stderr", header(0, 7, 5, 0x102), {}},
      {"data, channel 3", header(0, 7, 5, 3), Errc::kInvalid},
      {"data, unknown flag", header(0, 7, 5, 0x200), Errc::kInvalid},
      {"data, stream 0", header(0, 0, 5, 0), Errc::kInvalid},
      {"credit", header(4, 7, 6, 2), {}},
      {"short credit", header(3, 7, 6, 2), Errc::kInvalid},
      {"long credit", header(5, 7, 6, 2), Errc::kLimit},
      {"cancel", header(0, 7, 7, 0), {}},
      {"cancel with payload", header(1, 7, 7, 0), Errc::kLimit},
      {"close", header(3, 0, 8, 0), {}},
      {"close on a stream", header(3, 1, 8, 0), Errc::kInvalid},
      {"hello on a stream", header(3, 1, 1, 0), Errc::kInvalid},
      {"type 0", header(0, 1, 0, 0), Errc::kInvalid},
      {"type 9", header(0, 1, 9, 0), Errc::kInvalid},
      {"flags on a request", header(0, 1, 2, 1), Errc::kInvalid},
      {"huge length", header(0xffffffff, 1, 2, 0), Errc::kLimit},
      {"short header", std::string(2, '\0'), Errc::kInvalid},
  };
  for (const Row& row : rows) {
    auto h = FrameHeader::parse(row.raw);
    EXPECT_EQ(h.has_value(), !row.error) << row.what;
    if (!h && row.error) {
      EXPECT_EQ(h.error().code, *row.error) << row.what;
    }
    if (h) {
      std::string again;
      h->append_to(again);
      EXPECT_EQ(again, row.raw) << row.what;
    }
  }
}

TEST(FrameParser, ByteByByte) {
  const std::string wire = encode_hello("{}") + encode_frame(FrameType::kRequest, 1, 0, "abc") +
                           encode_frame(FrameType::kData, 1, kEndOfChannel, std::string(3, '\0')) +
                           encode_credit(1, kStdout, 65536);
  FrameParser parser(any);
  std::vector<Frame> frames;
  for (const char c : wire) {
    parser.feed({&c, 1});
    Taken t = take_all(parser);
    ASSERT_FALSE(t.error);
    for (Frame& f : t.frames) frames.push_back(std::move(f));
  }
  ASSERT_EQ(frames.size(), 4U);
  EXPECT_EQ(frames[0].payload, "{}");
  EXPECT_EQ(frames[1].payload, "abc");
  EXPECT_EQ(frames[2].payload, std::string(3, '\0'));
  EXPECT_EQ(frames[2].header.flags, kEndOfChannel);
  EXPECT_EQ(credit_bytes(frames[3]), 65536U);
}

TEST(FrameParser, DiscardsUntilMarkerAndHello) {
  const std::string lost = encode_hello("good");
  for (std::size_t cut = 0; cut <= lost.size(); ++cut) {
    // A hello that lost its head, one that lost its tail, then a whole one.
    FrameParser parser(is_good);
    parser.feed(lost.substr(cut > 0 ? cut : 1));
    parser.feed(lost.substr(0, lost.size() - 1 - cut % lost.size()));
    parser.feed(encode_hello("good") + encode_frame(FrameType::kRequest, 1, 0, "x"));
    const Taken t = take_all(parser);
    ASSERT_FALSE(t.error) << cut;
    ASSERT_EQ(t.frames.size(), 2U) << cut;
    EXPECT_EQ(t.frames[0].payload, "good");
    EXPECT_EQ(t.frames[1].payload, "x");
  }
}

TEST(FrameParser, PassesOverHellosItDoesNotWant) {
  FrameParser parser(is_good);
  parser.feed("noise" + encode_hello("old") + encode_frame(FrameType::kData, 3, 1, "stale"));
  EXPECT_TRUE(take_all(parser).frames.empty());
  EXPECT_FALSE(parser.synced());
  parser.feed(encode_hello("good"));
  EXPECT_EQ(take_all(parser).frames.size(), 1U);
  EXPECT_TRUE(parser.synced());
}

TEST(FrameParser, DoesNotKeepWhatItDiscards) {
  FrameParser parser(any);
  const std::string noise(1 << 16, 'x');
  for (int i = 0; i < 64; ++i) {
    parser.feed(noise);
    EXPECT_TRUE(take_all(parser).frames.empty());
  }
  parser.feed(encode_hello("h"));
  EXPECT_EQ(take_all(parser).frames.size(), 1U);
}

TEST(FrameParser, RepeatedHelloIsAFrame) {
  FrameParser parser(any);
  parser.feed(encode_hello("1") + encode_hello("2"));
  const Taken t = take_all(parser);
  ASSERT_EQ(t.frames.size(), 2U);
  EXPECT_EQ(t.frames[1].payload, "2");
}

TEST(FrameParser, ErrorsAreFinal) {
  const std::vector<std::string> bad = {
      header(kMaxControl + 1, 1, 2, 0),
      header(0, 1, 99, 0),
      header(2, 0, 1, 0) + "{}",                      // hello without its marker
      std::string(kSyncMarker) + header(0, 1, 7, 0),  // marker without a hello
      std::string(kSyncMarker.substr(0, 15)) + "x" + header(0, 0, 1, 0),
  };
  for (const std::string& bytes : bad) {
    FrameParser parser(any);
    parser.feed(encode_hello("{}") + bytes);
    Taken t = take_all(parser);
    EXPECT_EQ(t.frames.size(), 1U);
    EXPECT_TRUE(t.error);
    parser.feed(encode_hello("{}"));
    t = take_all(parser);
    EXPECT_TRUE(t.error);
    EXPECT_TRUE(t.frames.empty());
  }
}

}  // namespace
}  // namespace pyro::wire
