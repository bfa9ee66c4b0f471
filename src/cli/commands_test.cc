#include "cli/commands.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <boost/json/parse.hpp>

#include "cli/exit_code.h"
#include "cli/testing.h"
#include "sys/fd.h"

namespace pyro::cli {
namespace {

namespace json = boost::json;
using proto::Field;
using proto::FieldType;
using testing::Call;
using testing::expect_golden;
using Words = std::vector<std::string>;

void check_object(const json::object& object, std::span<const Field> fields,
                  const std::string& where);

void check_value(const json::value& v, const Field& field, const std::string& where) {
  if (v.is_null()) {
    EXPECT_TRUE(field.nullable) << where;
    return;
  }
  switch (field.type) {
    case FieldType::kString:
      EXPECT_TRUE(v.is_string()) << where;
      return;
    case FieldType::kInteger:
      EXPECT_TRUE(v.is_int64() || v.is_uint64()) << where;
      return;
    case FieldType::kNumber:
      EXPECT_TRUE(v.is_number()) << where;
      return;
    case FieldType::kBoolean:
      EXPECT_TRUE(v.is_bool()) << where;
      return;
    case FieldType::kObject:
      ASSERT_TRUE(v.is_object()) << where;
      check_object(v.get_object(), field.fields, where);
      return;
    case FieldType::kStringList:
      ASSERT_TRUE(v.is_array()) << where;
      for (const json::value& item : v.get_array()) EXPECT_TRUE(item.is_string()) << where;
      return;
    case FieldType::kObjectList:
      ASSERT_TRUE(v.is_array()) << where;
      EXPECT_FALSE(v.get_array().empty()) << where << ": nothing to check";
      for (const json::value& item : v.get_array()) {
        ASSERT_TRUE(item.is_object()) << where;
        check_object(item.get_object(), field.fields, where);
      }
      return;
    case FieldType::kNumberMap:
      ASSERT_TRUE(v.is_object()) << where;
      for (const auto& pair : v.get_object()) EXPECT_TRUE(pair.value().is_number()) << where;
      return;
    case FieldType::kStringMap:
      ASSERT_TRUE(v.is_object()) << where;
      EXPECT_FALSE(v.get_object().empty()) << where << ": nothing to check";
      for (const auto& pair : v.get_object()) EXPECT_TRUE(pair.value().is_string()) << where;
      return;
    case FieldType::kFreeObject:
      EXPECT_TRUE(v.is_object()) << where;
      return;
  }
}

void check_object(const json::object& object, std::span<const Field> fields,
                  const std::string& where) {
  for (const auto& pair : object) {
    EXPECT_TRUE(std::ranges::any_of(
        fields, [&](const Field& f) { return f.name == std::string_view(pair.key()); }))
        << where << "." << pair.key() << " is not in the table";
  }
  std::string_view last;
  for (const auto& pair : object) {
    EXPECT_LT(last, std::string_view(pair.key())) << where << ": keys are not sorted";
    last = pair.key();
  }
  for (const Field& f : fields) {
    const json::value* v = object.if_contains(f.name);
    if (v == nullptr) {
      EXPECT_TRUE(f.optional) << where << "." << f.name << " is missing";
    } else {
      check_value(*v, f, where + "." + std::string(f.name));
    }
  }
}

// With --json, every positional and every option that must be given.
Words smallest_call(const proto::Operation& op) {
  Words words(op.cli_path.begin(), op.cli_path.end());
  words.emplace_back("--json");
  for (const proto::Param& p : op.options) {
    if (p.required) words.insert(words.end(), {option_name(p.name), "x"});
  }
  for (const proto::Param& p : op.positionals) {
    if (p.type == proto::ParamType::kCommand) {
      words.insert(words.end(), {"--", "git", "--version"});
    } else if (p.type == proto::ParamType::kEnvironment) {
      words.emplace_back("debian:12");
    } else if (!p.optional || p.repeatable) {
      words.emplace_back("x");
    }
  }
  // Its object has another form for several.
  if (op.name == "workspace.delete") words.emplace_back("y");
  if (op.name == "policy.explain") words.emplace_back("tcp://github.com:443");
  if (op.name == "policy.check")
    words.back() = PYRO_SOURCE_DIR "/docs/reference/policy-example.toml";
  if (op.name == "workspace.network.set") words.insert(words.end(), {"--network-policy", "off"});
  if (op.name == "workspace.update") words.emplace_back("--no-ttl");
  return words;
}

TEST(Json, EveryCommandPrintsExactlyTheFieldsOfTheTable) {
  int checked = 0;
  const sys::UniqueFd empty(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  ASSERT_TRUE(empty);
  for (const proto::Operation& op : proto::operations()) {
    if (op.cli_path.empty() || op.result.empty()) continue;
    // Text that is UTF-8 and text that is not: with and without the *_base64 fields.
    for (const char* bytes : {"plain\n", "\xFF\xFE\n"}) {
      Call call;
      call.backend.stdout_bytes = bytes;
      call.backend.stderr_bytes = bytes;
      call.backend.pruned = {.deleted_environment_dirs = {"/e"},
                             .deleted_templates = {"/t"},
                             .kept_in_use = {"k"},
                             .freed_bytes = 7};
      call.backend.kept.info = testing::FakeWorkspaces::full();
      call.backend.kept.workspaces = {call.backend.kept.info};
      call.backend.kept.live = client::LiveNetwork{.running = true,
                                                   .addresses = {{.guest = "10.255.255.2"}},
                                                   .policy = {},
                                                   .counters = {{"frames", 1}},
                                                   .drops = {{"short", 1}},
                                                   .sizes = {{"tcp", 1}}};
      call.backend.live = *call.backend.kept.live;
      call.backend.kept.network_log = {{.kind = "decision", .protocol = "tcp"}};
      call.backend.result.refused = {{.protocol = "tcp", .reason = "not-listed", .count = 1}};
      call.backend.kept.chunks = {bytes};
      call.backend.kept.stderr_bytes = bytes;
      call.backend.kept.kept_shells.info = call.backend.kept.kept_shells.ended();
      call.backend.kept.kept_shells.output = bytes;
      call.backend.kept.kept_services.info = testing::FakeServices::full();
      for (auto& entry : call.backend.kept.kept_services.entries) entry.text = bytes;
      call.stdin_fd = empty.get();
      const Words words = smallest_call(op);
      ASSERT_EQ(call.run(words), 0) << op.name;
      EXPECT_EQ(call.err.text, "") << op.name;
      const json::value v = json::parse(call.out.text);
      ASSERT_TRUE(v.is_object()) << op.name;
      check_object(v.get_object(), op.result, std::string(op.name));
      ++checked;
    }
  }
  EXPECT_EQ(checked, 104);
}

// Text and JSON of every command but run, as they stand in the contract.
TEST(Commands, OutputMatchesItsGolden) {
  std::string all;
  for (const Words& words : std::vector<Words>{{"env", "list"},
                                               {"env", "list", "--json"},
                                               {"env", "pull", "debian:12"},
                                               {"env", "inspect", "debian:12"},
                                               {"env", "inspect", "debian:12", "--json"},
                                               {"env", "prune"},
                                               {"env", "prune", "--json"},
                                               {"doctor"},
                                               {"demo"},
                                               {"demo", "--json"}}) {
    Call call;
    call.tick = std::chrono::milliseconds(100);
    call.backend.pruned = {.deleted_environment_dirs = {"/cache/old-1"},
                           .deleted_templates = {"/cache/t"},
                           .kept_in_use = {"debian:12"},
                           .freed_bytes = 1536};
    all += call.transcript(words);
  }
  expect_golden("commands.txt", all);
}

TEST(Commands, ErrorsHaveOneShapeAndTheirExitCode) {
  struct Row {
    Errc code;
    int exit;
  };
  for (const Row& row :
       {Row{Errc::kInvalid, 2}, Row{Errc::kNotFound, 1}, Row{Errc::kDenied, 3},
        Row{Errc::kUnavailable, 4}, Row{Errc::kDeadline, 5}, Row{Errc::kLimit, 1},
        Row{Errc::kConflict, 1}, Row{Errc::kDamaged, 1}, Row{Errc::kInternal, 1}}) {
    for (const Words& words : std::vector<Words>{{"env", "list"},
                                                 {"env", "pull", "x"},
                                                 {"env", "inspect", "x"},
                                                 {"env", "prune"},
                                                 {"doctor"},
                                                 {"demo"},
                                                 {"run", "x", "--", "true"}}) {
      const int expected = words[0] == "run" ? 125 : row.exit;
      Call text;
      text.backend.fails = Error{.code = row.code, .message = "it broke", .hint = "mend it"};
      EXPECT_EQ(text.run(words), expected);
      EXPECT_TRUE(text.err.text.ends_with("pyro: it broke\nhint: mend it\n")) << text.err.text;
      EXPECT_EQ(text.out.text, "");

      Call machine;
      machine.backend.fails = Error{.code = row.code, .message = "bad \xFF", .hint = ""};
      Words with_json = words;
      with_json.insert(std::ranges::find(with_json, "--"), "--json");
      EXPECT_EQ(machine.run(with_json), expected);
      EXPECT_EQ(machine.err.text, "");
      const json::value v = json::parse(machine.out.text);
      const json::value wanted{
          {"error",
           {{"code", errc_name(row.code)}, {"message", "bad \xEF\xBF\xBD"}, {"hint", ""}}}};
      EXPECT_EQ(v, wanted);
    }
  }
}

TEST(Commands, MessagesCannotDriveTheTerminal) {
  Call call;
  call.backend.fails =
      Error{.code = Errc::kUnavailable, .message = "console: \033[2J\r\x07 end", .hint = "\033c"};
  EXPECT_EQ(call.run({"env", "list"}), 4);
  EXPECT_EQ(call.err.text, "pyro: console: \\x1b[2J\\x0d\\x07 end\nhint: \\x1bc\n");
}

TEST(Commands, DoctorFailsWhenNoGuestCanRun) {
  Call call;
  call.backend.report.runtime_ok = false;
  call.backend.report.qemu.path.clear();
  call.backend.report.issues = {"QEMU is not installed: apt install qemu-system-x86"};
  EXPECT_EQ(call.run({"doctor", "--fresh"}), 1);
  EXPECT_TRUE(call.backend.fresh);
  EXPECT_NE(call.out.text.find("Runtime: FAIL\n"), std::string::npos);
  EXPECT_NE(call.out.text.find("QEMU: not found\n"), std::string::npos);
  EXPECT_TRUE(
      call.out.text.ends_with("Issues:\n- QEMU is not installed: apt install qemu-system-x86\n"));
  Call machine;
  machine.backend.report.runtime_ok = false;
  EXPECT_EQ(machine.run({"doctor", "--json"}), 1);
}

TEST(Demo, DeletesTheVmWhenAStepFails) {
  for (const char* step : {"start", "exec"}) {
    Call call;
    call.backend.fails = Error{.code = Errc::kUnavailable, .message = "no"};
    call.backend.fail_at = step;
    EXPECT_EQ(call.run({"demo"}), 4);
    EXPECT_EQ(call.backend.calls.back(), "delete vm-1") << step;
  }
  Call call;
  call.backend.fails = Error{.code = Errc::kUnavailable, .message = "no"};
  call.backend.fail_at = "create";
  EXPECT_EQ(call.run({"demo"}), 4);
  EXPECT_EQ(call.backend.calls, Words{"create debian:12"});
}

TEST(Demo, AnInterruptBetweenStepsDeletesTheVm) {
  Call call;
  call.interrupts.received = SIGINT;
  EXPECT_EQ(call.run({"demo"}), 130);
  EXPECT_EQ(call.backend.calls, (Words{"create debian:12", "delete vm-1"}));
}

TEST(Demo, AGuestThatFailsIsAFailure) {
  Call call;
  call.backend.result.exit_code = 9;
  EXPECT_EQ(call.run({"demo", "--network"}), 1);
  EXPECT_EQ(call.backend.create.network.policy, "egress");
}

TEST(Output, AReaderThatWentAwayEndsTheCommandQuietly) {
  ::signal(SIGPIPE, SIG_IGN);
  for (const Words& words : std::vector<Words>{{"--help"},
                                               {"env", "list"},
                                               {"doctor", "--json"},
                                               {"demo"},
                                               {"run", "debian:12", "--", "true"}}) {
    auto pipe = sys::make_pipe();
    ASSERT_TRUE(pipe);
    pipe->read = sys::UniqueFd();
    FdSink gone(pipe->write.get(), "standard output");
    Call call;
    EXPECT_EQ(call.run_with(words, gone), 141);
    EXPECT_EQ(call.err.text.find("pyro:"), std::string::npos) << call.err.text;
    if (words[0] == "demo") EXPECT_EQ(call.backend.calls.back(), "delete vm-1");
  }
}

TEST(Output, AFullDiskIsSaid) {
  const sys::UniqueFd full(::open("/dev/full", O_WRONLY | O_CLOEXEC));
  ASSERT_TRUE(full);
  FdSink sink(full.get(), "standard output");
  Call call;
  EXPECT_EQ(call.run_with({"env", "list"}, sink), 1);
  EXPECT_NE(call.err.text.find("writing standard output"), std::string::npos) << call.err.text;
}

}  // namespace
}  // namespace pyro::cli
