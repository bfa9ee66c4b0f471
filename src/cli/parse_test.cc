#include "cli/parse.h"

#include <gtest/gtest.h>

#include "cli/testing.h"

namespace pyro::cli {
namespace {

using testing::Call;
using testing::expect_golden;
using Words = std::vector<std::string>;

TEST(Parse, DefaultsAreThoseOfTheTable) {
  const Words words{"run", "debian:12", "--", "true"};
  const auto call = parse(words);
  ASSERT_TRUE(call);
  EXPECT_EQ(call->operation->name, "run");
  EXPECT_EQ(call->integer("vcpu_count"), 1);
  EXPECT_EQ(call->integer("mem_mib"), 1024);
  EXPECT_EQ(call->integer("timeout_seconds"), 30);
  EXPECT_EQ(call->integer("ttl_seconds"), 600);
  EXPECT_EQ(call->text("boot"), "template");
  EXPECT_FALSE(call->flag("network"));
  EXPECT_FALSE(call->flag("json"));
}

TEST(Parse, OptionsStandAnywhereBeforeTheSeparatorInBothForms) {
  const Words words{"run",    "--vcpu-count", "2",   "debian:12", "--mem-mib=2048",
                    "--json", "--",           "true"};
  const auto call = parse(words);
  ASSERT_TRUE(call);
  EXPECT_EQ(call->text("environment"), "debian:12");
  EXPECT_EQ(call->integer("vcpu_count"), 2);
  EXPECT_EQ(call->integer("mem_mib"), 2048);
  EXPECT_TRUE(call->flag("json"));
}

TEST(Parse, WordsAfterTheSeparatorStayAsTheyAre) {
  const Words guest{"sh", "-c", "echo $0 --json", "--help", "--", "", "a b", "\xFF"};
  Words words{"run", "debian:12", "--"};
  words.insert(words.end(), guest.begin(), guest.end());
  const auto call = parse(words);
  ASSERT_TRUE(call);
  EXPECT_EQ(call->command, guest);
  EXPECT_FALSE(call->flag("json"));
}

TEST(Parse, RangesHoldAtBothEnds) {
  struct Range {
    const char* option;
    std::int64_t min, max;
  };
  for (const Range& r :
       {Range{"--vcpu-count", 1, 32}, Range{"--mem-mib", 128, 65536},
        Range{"--timeout-seconds", 1, 86400}, Range{"--ttl-seconds", 1, 2592000}}) {
    const auto accepts = [&](const std::string& value) {
      return parse(Words{"run", "debian:12", r.option, value, "--", "true"}).has_value();
    };
    EXPECT_TRUE(accepts(std::to_string(r.min))) << r.option;
    EXPECT_TRUE(accepts(std::to_string(r.max))) << r.option;
    EXPECT_FALSE(accepts(std::to_string(r.min - 1))) << r.option;
    EXPECT_FALSE(accepts(std::to_string(r.max + 1))) << r.option;
    for (const char* bad :
         {"", " 1", "1 ", "+1", "0x10", "1.5", "1e3", "99999999999999999999", "one"}) {
      EXPECT_FALSE(accepts(bad)) << r.option << " " << bad;
    }
  }
}

// Every refusal, as a person sees it and with --json; run's own are 125.
TEST(Parse, RefusalsMatchTheirGolden) {
  const std::vector<Words> calls{
      {"rnu"},
      {"xyzzy"},
      {"--verson"},
      {"--xyzzy"},
      {"--version", "extra"},
      {"env"},
      {"env", "lst"},
      {"env", "--json"},
      {"help", "evn"},
      {"help", "run", "debian:12"},
      {"env", "list", "extra"},
      {"env", "pull"},
      {"env", "pull", ""},
      {"env", "pull", "debian:12", "--jsn"},
      {"env", "pull", "debian:12", "--xyzzy"},
      {"env", "list", "--json=yes"},
      {"env", "list", "--json", "--json"},
      {"completion"},
      {"completion", "fsh"},
      {"completion", "powershell"},
      {"demo", "olama"},
      {"run"},
      {"run", "debian:12"},
      {"run", "debian:12", "--"},
      {"run", "debian:12", "git", "--version"},
      {"run", "debian:12", "--mem-mib", "512", "sh", "-c", "a b"},
      {"run", "--", "true"},
      {"run", "debian:12", "--mem-mib", "0", "--", "true"},
      {"run", "debian:12", "--mem-mib", "--", "true"},
      {"run", "debian:12", "--mem-mib=", "--", "true"},
      {"run", "debian:12", "--mem-mb", "512", "--", "true"},
      {"run", "debian:12", "--boot", "warm", "--", "true"},
      {"run", "debian:12", "--boot", "cld", "--", "true"},
      {"run", "debian:12", "--mem-mib", "0", "--json", "--", "true"},
      {"env", "lst", "--json"},
      {"run", "debian:12", "--x\033[31m", "--", "true"},
  };
  std::string all;
  for (const Words& words : calls) {
    Call call;
    const int code = call.run(words);
    EXPECT_EQ(code, words[0] == "run" ? 125 : 2);
    EXPECT_EQ(call.opened, 0);
    all += "$ pyro";
    for (const std::string& word : words) all += " " + (word.empty() ? "''" : printable(word));
    all += "\n" + call.out.text + call.err.text + "= " + std::to_string(code) + "\n\n";
  }
  expect_golden("refusals.txt", all);
}

// The words of the call of pyro in a line of shell: of a pipe or a substitution that part, without
// redirections. Enough for the examples, which quote with '...' alone.
Words words_of(std::string_view line) {
  Words words;
  std::string word;
  bool quoted = false, any = false;
  const auto end_word = [&] {
    if (any) words.push_back(word);
    word.clear();
    any = false;
  };
  line.remove_prefix(std::min(line.find("pyro "), line.size()));
  for (const char c : line) {
    if (c == '\'') {
      quoted = !quoted;
      any = true;
    } else if (!quoted && std::string_view("<>|)").contains(c)) {
      any = any && word != "2";  // of "2>"
      break;
    } else if (!quoted && c == ' ') {
      end_word();
    } else {
      word += c;
      any = true;
    }
  }
  end_word();
  if (!words.empty()) words.erase(words.begin());
  return words;
}

// They stand in help, in the man page and in docs/reference/cli.md.
TEST(Parse, EveryExampleOfTheTableIsACallOfItsCommand) {
  for (const proto::Operation& op : proto::operations()) {
    for (const proto::Example& example : op.examples) {
      const Words words = words_of(example.command);
      const auto call = parse(words);
      ASSERT_TRUE(call) << example.command << ": " << call.error().error.message;
      EXPECT_EQ(call->operation, &op) << example.command;
    }
  }
  EXPECT_EQ(words_of("tar c . | pyro run x -- sh -c 'a | b' > out"),
            (Words{"run", "x", "--", "sh", "-c", "a | b"}));
}

TEST(Parse, ASeparatorElsewhereEndsOptions) {
  const auto call = parse(Words{"env", "pull", "--", "--json"});
  ASSERT_TRUE(call);
  EXPECT_EQ(call->text("environment"), "--json");
  EXPECT_FALSE(call->flag("json"));
}

}  // namespace
}  // namespace pyro::cli
