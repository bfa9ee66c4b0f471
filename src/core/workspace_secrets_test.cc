#include "core/workspace_secrets.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include "base/redact.h"
#include "base/text.h"
#include "sys/file.h"

namespace pyro::core {
namespace {

TEST(Secrets, NamesAreThoseOfVariables) {
  for (const char* fine : {"A", "_", "API_TOKEN", "a9"}) EXPECT_TRUE(check_secret(fine, "value"));
  EXPECT_TRUE(check_secret(std::string(128, 'a'), "value"));
  for (const char* bad : {"", "9a", "a-b", "a b", "../x", "a/b", "\xc3\xa4", "a\n"})
    EXPECT_EQ(check_secret(bad, "value").error().code, Errc::kInvalid) << bad;
  EXPECT_FALSE(check_secret(std::string(129, 'a'), "value"));
  EXPECT_FALSE(check_secret(std::string("a\0b", 3), "value"));
}

TEST(Secrets, ValuesAreTextOfSomeLength) {
  EXPECT_TRUE(check_secret("A", std::string(kLeastSecret, 'x')));
  EXPECT_TRUE(check_secret("A", std::string(kMostSecret, 'x')));
  EXPECT_TRUE(check_secret("A", "sch\xc3\xb6n\n"));
  const std::vector<std::string> bad{"", "zqj", std::string(kMostSecret + 1, 'q'), "zqj\xff zqj",
                                     std::string("zqj\0zqj", 7)};
  for (const std::string& value : bad) {
    const auto refused = check_secret("NAME", value);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::kInvalid);
    EXPECT_NE(refused.error().message.find("NAME"), std::string::npos);
    EXPECT_EQ((refused.error().message + refused.error().hint).find("zqj"), std::string::npos);
    EXPECT_EQ((refused.error().message + refused.error().hint).find("qqqq"), std::string::npos);
  }
  // Nor of one whose name is what is wrong.
  EXPECT_EQ(check_secret("no name", "zqjzqj").error().message.find("zqj"), std::string::npos);
}

class SecretsFile : public ::testing::Test {
 protected:
  SecretsFile() {
    std::string name = "/tmp/pyro-test-XXXXXX";
    folder_ = ::mkdtemp(name.data());
  }
  ~SecretsFile() override { (void)sys::remove_tree(folder_); }
  std::string folder_;
};

TEST_F(SecretsFile, KeepsEveryByteForItsOwnerOnly) {
  const Secrets all{
      {"A", "line\nline\n"}, {"B", "\xc3\xa4\x01\x7f\"\\"}, {"C", std::string(kMostSecret, 'x')}};
  ASSERT_TRUE(write_secrets(folder_, all));
  EXPECT_EQ(sys::stamp(folder_ + "/secrets.json")->mode & 07777U, 0600U);
  const auto read = read_secrets(folder_);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(*read, all);
}

TEST_F(SecretsFile, AsManyAndAsLargeAsTheyMayBe) {
  Secrets all;
  for (std::size_t i = 0; i < kMostSecrets; ++i)
    all["S" + std::to_string(i)] = std::string(kMostSecret, '\x01');
  ASSERT_TRUE(write_secrets(folder_, all));
  const auto read = read_secrets(folder_);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_TRUE(*read == all);
}

TEST_F(SecretsFile, WithoutAnyThereIsNoFile) {
  ASSERT_TRUE(write_secrets(folder_, {}));
  EXPECT_FALSE(sys::exists(folder_ + "/secrets.json"));
  EXPECT_TRUE(read_secrets(folder_)->empty());
}

TEST_F(SecretsFile, ADamagedOneIsAnErrorWithoutItsContent) {
  ASSERT_TRUE(sys::write_file_atomic(folder_ + "/secrets.json", R"({"secrets":{"A":"zqjzqj)"));
  const auto read = read_secrets(folder_);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().message.find("zqj"), std::string::npos) << read.error().message;
}

TEST(Secrets, ALineIsShownWithoutThemHoweverItIsQuoted) {
  const Secrets all{{"A", "it's"}, {"B", "two words"}};
  EXPECT_EQ(redacted_line(all, {"echo", "it's", "x=it's y"}),
            "echo '[redacted:A]' 'x=[redacted:A] y'");
  EXPECT_EQ(redacted_line(all, {"echo", "two words", "two", "words"}),
            "echo '[redacted:B]' [redacted:B]");
  EXPECT_EQ(redacted_line({}, {"echo", "it's"}), R"(echo 'it'"'"'s')");
}

TEST(Secrets, ATextIsShownWithoutThem) {
  const Secrets all{{"A", "hunter2"}, {"B", "hunter22"}};
  EXPECT_EQ(redacted(all, "x hunter2 y hunter22"), "x [redacted:A] y [redacted:B]");
  EXPECT_EQ(redacted(all, "hunter"), "hunter");
  EXPECT_EQ(redacted({}, "hunter2"), "hunter2");
}

TEST(Secrets, AnErrorIsShownWithoutThemHoweverItQuotes) {
  const Secrets all{{"A", "a\"b\\c\nd"}};
  const Error error{.code = Errc::kNotFound,
                    .message = "no folder " + quoted_name("/a\"b\\c\nd/e") + " in a\"b\\c\nd",
                    .hint = {}};
  EXPECT_EQ(safe(error, all).message, R"(no folder "/[redacted:A]/e" in [redacted:A])");
}

TEST(Secrets, AnObjectIsShownWithoutThem) {
  const Secrets all{{"A", "say \"hi\"\\"}, {"B", "1024"}, {"C", "\n\t\xc3\xa4x"}};
  const auto object = *proto::parse_object(
      R"({"bytes":1024,"path":"/say \"hi\"\\/f","in":{"list":["a1024",true,null,"\n\t\u00e4x"]}})");
  EXPECT_EQ(proto::to_text(redacted(all, object)),
            R"({"bytes":1024,"path":"/[redacted:A]/f","in":{"list":["a[redacted:B]",true,null,)"
            R"("[redacted:C]"]}})");
  EXPECT_EQ(redacted({}, object), object);
}

}  // namespace
}  // namespace pyro::core
