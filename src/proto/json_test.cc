#include "proto/json.h"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>

#include "proto/agent_messages.h"

namespace pyro::proto {
namespace {

struct Point {
  static constexpr const char* kName = "point";
  std::int64_t x = 0;
  std::optional<double> weight;

  template <class M>
  void map(M& m) {
    m.required("x", x);
    m.optional("weight", weight);
  }
};

struct Everything {
  static constexpr const char* kName = "everything";
  bool flag = false;
  int small = 0;
  std::uint64_t large = 0;
  double real = 0;
  std::string text;
  Bytes raw;
  std::vector<std::string> words;
  std::vector<std::vector<std::string>> table;
  std::map<std::string, std::string> pairs;
  std::optional<std::string> maybe;
  Point point;
  std::vector<Point> points;

  template <class M>
  void map(M& m) {
    m.required("flag", flag);
    m.required("small", small);
    m.required("large", large);
    m.required("real", real);
    m.required("text", text);
    m.required("raw", raw);
    m.required("words", words);
    m.required("table", table);
    m.required("pairs", pairs);
    m.optional("maybe", maybe);
    m.required("point", point);
    m.optional("points", points);
  }
};

struct Real {
  static constexpr const char* kName = "real";
  double d = 0;
  template <class M>
  void map(M& m) {
    m.required("d", d);
  }
};

TEST(Json, RoundTrip) {
  Everything e;
  e.flag = true;
  e.small = -7;
  e.large = UINT64_MAX;
  e.real = 0.25;
  e.text = "a\"b\xC3\xA4\n";
  e.raw = std::string("\xff\x00z", 3);
  e.words = {"", "x"};
  e.table = {{"a"}, {}};
  e.pairs = {{"k", "v"}};
  e.point = {.x = 3, .weight = 1.5};
  e.points = {{.x = 1}, {.x = 2}};
  const std::string text = to_text(encode(e));
  auto back = decode_text<Everything>(text);
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(to_text(encode(*back)), text);
  EXPECT_EQ(back->raw, e.raw);
  EXPECT_EQ(back->large, UINT64_MAX);
  EXPECT_EQ(back->table, e.table);
  EXPECT_FALSE(back->maybe);
  EXPECT_EQ(back->points.size(), 2U);
  EXPECT_FALSE(back->points[0].weight);
}

TEST(Json, ReportsEveryProblemAtOnce) {
  auto r = decode_text<Everything>(
      R"({"flag":1,"small":5000000000,"large":-1,"real":"1","text":3,"raw":"a","words":["a",1],
          "table":[["a",null]],"pairs":{"a":1},"point":{"weight":"x"},"unknown":[]})");
  ASSERT_FALSE(r);
  EXPECT_EQ(r.error().code, Errc::kInvalid);
  EXPECT_EQ(
      r.error().message,
      "everything: flag mistyped, small mistyped, large mistyped, real mistyped, text mistyped, "
      "raw is not base64, words[1] mistyped, table[0][1] mistyped, pairs.* mistyped, "
      "point.x missing, point.weight mistyped");
}

TEST(Json, RefusesWhatIsNotAnObjectOfFiniteUtf8) {
  for (const char* bad :
       {"", "[]", "1", "{", "{}x", "{\"x\":1e999}", "{\"x\":NaN}", "{\"x\":\"\xff\"}"}) {
    EXPECT_FALSE(decode_text<Point>(bad)) << bad;
  }
  EXPECT_TRUE(decode_text<Real>("{\"d\":7}"));
  EXPECT_FALSE(decode_text<Real>("{\"d\":1e999}"));
  EXPECT_FALSE(decode_text<Real>("{\"d\":null}"));
  EXPECT_FALSE(decode_text<Point>(std::string(100, '[')));
  std::string deep = "{\"x\":1,\"y\":" + std::string(64, '[') + std::string(64, ']') + "}";
  EXPECT_FALSE(decode_text<Point>(deep));
}

TEST(Json, WritesOnlyUtf8) {
  Everything e;
  e.text = "\xff";
  e.pairs = {{"\xfe", "\xfd"}};
  EXPECT_TRUE(decode_text<Everything>(to_text(encode(e))));
}

TEST(AgentMessages, ExecKeepsBytes) {
  Exec exec;
  exec.argv = {"printf", std::string("\xff\x80", 2)};
  exec.env = {{"A", std::string("\xfe")}};
  exec.tty = Terminal{.rows = 50, .cols = 132};
  auto back = decode_text<Exec>(to_text(encode(exec)));
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(back->argv, exec.argv);
  EXPECT_EQ(back->env, exec.env);
  EXPECT_EQ(back->tty->cols, 132);
  EXPECT_FALSE(decode_text<Exec>(R"({"argv":["not base64!"]})"));
  EXPECT_FALSE(decode_text<Exec>("{}"));
}

TEST(AgentMessages, ErrorsTravel) {
  const Error e{.code = Errc::kNotFound, .os_errno = 2, .message = "m", .hint = "h"};
  auto body = decode<ErrorBody>(encode(to_body(e)));
  ASSERT_TRUE(body);
  const Error back = from_body(*body);
  EXPECT_EQ(back.code, e.code);
  EXPECT_EQ(back.os_errno, 2);
  EXPECT_EQ(back.hint, "h");
}

}  // namespace
}  // namespace pyro::proto
