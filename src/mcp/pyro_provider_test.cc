#include "mcp/pyro_provider.h"

#include <gtest/gtest.h>

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <functional>
#include <set>

#include "base/text.h"

namespace pyro::mcp {
namespace {

class FakeApi final : public api::Api {
 public:
  Result<json::object> call(const proto::Operation& operation, const json::object& arguments,
                            const api::Observer& observer) override {
    calls.emplace_back(operation.name, arguments);
    return answer(operation, arguments, observer);
  }
  std::function<Result<json::object>(const proto::Operation&, const json::object&,
                                     const api::Observer&)>
      answer = [](const auto&, const auto&, const auto&) { return json::object{{"fine", true}}; };
  std::vector<std::pair<std::string, json::object>> calls;
};

class FakeCall final : public Call {
 public:
  [[nodiscard]] const Asked& asked() const override { return asked_; }
  void progress(double value, std::optional<double>, std::string_view text) override {
    steps.emplace_back(value, text);
  }
  void log(LogLevel, const json::value& data) override { logged.push_back(data); }
  void on_beat(std::function<void()> f) override { beat = std::move(f); }
  [[nodiscard]] int interrupt_fd() const override { return 42; }
  std::vector<std::pair<double, std::string>> steps;
  std::vector<json::value> logged;
  std::function<void()> beat;

 private:
  Asked asked_;
};

struct Fixture {
  FakeApi api;
  FakeCall call;
  PyroProvider provider;
  explicit Fixture(PyroOptions options = {}) : provider(api, std::move(options)) {}

  json::object tool(const std::string& name, const json::object& arguments = {}) {
    const Outcome outcome = provider.call_tool(name, arguments, call);
    const auto* result = std::get_if<json::object>(&outcome);
    return result == nullptr ? json::object() : *result;
  }
  std::string text(const std::string& name, const json::object& arguments = {}) {
    return std::string(tool(name, arguments).at("content").at(0).at("text").as_string());
  }
};

std::set<std::string> names(Profile profile) {
  const Fixture f({.profile = profile});
  std::set<std::string> out;
  for (const auto* op : f.provider.operations()) out.emplace(op->tool);
  return out;
}

TEST(PyroProvider, AProfileShowsItsToolsAndNoOthers) {
  EXPECT_EQ(names(Profile::kVmRun), std::set<std::string>{"vm_run"});
  const auto core = names(Profile::kWorkspaceCore);
  const auto full = names(Profile::kWorkspaceFull);
  EXPECT_EQ(core.size(), 16U) << "each of them is in the table";
  EXPECT_TRUE(std::ranges::includes(full, core));
  // Every tool of the public contract of 2.x.
  for (const char* tool : {"vm_run",           "vm_list_environments",
                           "vm_create",        "vm_start",
                           "vm_exec",          "vm_stop",
                           "vm_delete",        "vm_status",
                           "vm_network_info",  "vm_reap_expired",
                           "workspace_create", "workspace_sync_push",
                           "workspace_exec",   "workspace_export",
                           "workspace_diff",   "snapshot_create",
                           "snapshot_list",    "snapshot_delete",
                           "workspace_reset",  "service_start",
                           "service_list",     "service_status",
                           "service_logs",     "service_stop",
                           "shell_open",       "shell_read",
                           "shell_write",      "shell_signal",
                           "shell_close",      "workspace_status",
                           "workspace_logs",   "workspace_delete"}) {
    EXPECT_TRUE(full.contains(tool)) << tool;
  }
  EXPECT_EQ(profile_from("workspace-core"), Profile::kWorkspaceCore);
  EXPECT_EQ(profile_from("everything"), std::nullopt);
}

TEST(PyroProvider, EveryToolHasSchemasAnnotationsAndADescription) {
  Fixture f;
  for (const json::value& tool : json::parse(f.provider.tools()).as_array()) {
    const std::string name(tool.at("name").as_string());
    EXPECT_EQ(tool.at("inputSchema").at("type"), "object") << name;
    EXPECT_EQ(tool.at("outputSchema").at("type"), "object") << name;
    EXPECT_GT(tool.at("description").as_string().size(), 10U) << name;
    for (const char* hint :
         {"readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"}) {
      EXPECT_TRUE(tool.at("annotations").at(hint).is_bool()) << name;
    }
  }
}

TEST(PyroProvider, AResultIsStructuredAndTextAlike) {
  Fixture f;
  const json::object result = f.tool("workspace_status", {{"workspace_id", "w"}});
  EXPECT_EQ(result.at("structuredContent").at("fine"), true);
  EXPECT_EQ(result.at("content").at(0).at("text"), R"({"fine":true})");
  EXPECT_EQ(f.api.calls.front().first, "workspace.status");
  EXPECT_EQ(f.api.calls.front().second.at("workspace_id"), "w");
}

TEST(PyroProvider, AnErrorSaysWhatHappenedWhyAndWhatToCallNext) {
  Fixture f;
  f.api.answer = [](const auto&, const auto&, const auto&) -> Result<json::object> {
    return fail_hint(Errc::kNotFound, "there is no workspace w", "pyro workspace list");
  };
  const json::object result = f.tool("workspace_exec", {{"workspace_id", "w"}, {"command", "x"}});
  EXPECT_EQ(result.at("isError"), true);
  EXPECT_FALSE(result.contains("structuredContent")) << "it would not match the outputSchema";
  EXPECT_EQ(result.at("content").at(0).at("text"),
            "workspace_exec failed: there is no workspace w\ncode: not_found\n"
            "hint: pyro workspace list\nnext: call workspace_list to see which there are");
}

TEST(PyroProvider, AnErrorNeverPointsToAToolThatIsNotShown) {
  for (const Profile profile :
       {Profile::kVmRun, Profile::kWorkspaceCore, Profile::kWorkspaceFull}) {
    Fixture f({.profile = profile});
    const auto shown = names(profile);
    for (const Errc code :
         {Errc::kInvalid, Errc::kNotFound, Errc::kDenied, Errc::kUnavailable, Errc::kDeadline,
          Errc::kLimit, Errc::kConflict, Errc::kDamaged, Errc::kInternal}) {
      f.api.answer = [&](const auto&, const auto&, const auto&) -> Result<json::object> {
        return fail(code, "no");
      };
      for (const auto* op : f.provider.operations()) {
        const std::string text = f.text(std::string(op->tool));
        const auto at = text.find("next: call ");
        if (at == std::string::npos || text.contains("call it again")) continue;
        const std::string tool = text.substr(at + 11, text.find(' ', at + 11) - at - 11);
        EXPECT_TRUE(shown.contains(tool)) << text;
      }
    }
  }
}

TEST(PyroProvider, UnknownToolsAndThoseOfOtherProfilesAreErrorsOfTheRequest) {
  Fixture f({.profile = Profile::kVmRun});
  for (const char* name : {"workspace_create", "nothing", "", "run"}) {
    const Outcome outcome = f.provider.call_tool(name, {}, f.call);
    ASSERT_TRUE(std::holds_alternative<RpcError>(outcome)) << name;
    EXPECT_EQ(std::get<RpcError>(outcome).code, kInvalidParams);
  }
  EXPECT_TRUE(f.api.calls.empty());
}

TEST(PyroProvider, TheProjectSeedsWhatIsGivenNoOtherSeed) {
  Fixture f({.seed_path = "/src/project",
             .git_tracked = true,
             .host_folders = api::HostFolders({"/other"})});
  f.tool("workspace_create", {{"environment", "debian:12"}});
  f.tool("workspace_create", {{"environment", "debian:12"}, {"seed_path", "/other"}});
  f.tool("workspace_create", {{"environment", "debian:12"}, {"seed_path", nullptr}});
  f.tool("workspace_create", {{"environment", "debian:12"}, {"git_tracked", false}});
  f.tool("workspace_exec", {{"workspace_id", "w"}});
  f.tool("workspace_create", {{"environment", "debian:12"}, {"git_tracked", nullptr}});
  EXPECT_EQ(f.api.calls[0].second.at("seed_path"), "/src/project");
  EXPECT_EQ(f.api.calls[0].second.at("git_tracked"), true);
  EXPECT_EQ(f.api.calls[1].second.at("seed_path"), "/other");
  EXPECT_FALSE(f.api.calls[1].second.contains("git_tracked"));
  EXPECT_EQ(f.api.calls[2].second.at("seed_path"), "/src/project");
  EXPECT_EQ(f.api.calls[3].second.at("git_tracked"), false);
  EXPECT_FALSE(f.api.calls[4].second.contains("seed_path"));
  EXPECT_EQ(f.api.calls[5].second.at("git_tracked"), true) << "null would seed untracked files";
}

TEST(PyroProvider, ProgressGrowsAndTheInterruptIsPassedOn) {
  Fixture f;
  int interrupt = -1;
  f.api.answer = [&](const auto&, const auto&, const api::Observer& o) -> Result<json::object> {
    interrupt = o.interrupt_fd;
    for (int i = 0; i <= 100'000; ++i) {
      o.on_progress({.phase = "pull", .detail = "x", .of = i / 100'000.0});
    }
    o.on_progress({.phase = "boot", .detail = "", .of = {}});
    o.on_warning("careful");
    return json::object();
  };
  f.tool("vm_run");
  EXPECT_EQ(interrupt, 42);
  EXPECT_LE(f.call.steps.size(), 102U);
  EXPECT_TRUE(std::ranges::is_sorted(f.call.steps, std::ranges::less_equal(),
                                     &std::pair<double, std::string>::first));
  EXPECT_EQ(f.call.steps.back().second, "boot");
  EXPECT_EQ(f.call.logged.front(), "careful");
}

TEST(PyroProvider, EachBeatSaysSomethingWhateverTheLibraryKnows) {
  Fixture f;
  f.api.answer = [&](const auto&, const auto&, const api::Observer& o) -> Result<json::object> {
    f.call.beat();
    o.on_progress({.phase = "pull", .detail = "", .of = 0.5});
    for (int i = 0; i < 720; ++i) f.call.beat();  // an hour
    o.on_progress({.phase = "pull", .detail = "", .of = 0.51});
    o.on_progress({.phase = "seed", .detail = "", .of = {}});
    o.on_progress({.phase = "seed", .detail = "1 entry", .of = {}});
    o.on_progress({.phase = "seed", .detail = "900 entries", .of = {}});
    f.call.beat();
    f.call.beat();
    return json::object();
  };
  f.tool("workspace_create");
  const auto& steps = f.call.steps;
  ASSERT_EQ(steps.size(), 1 + 1 + 720 + 1 + 1 + 2U) << "what is not known waits for the beat";
  EXPECT_TRUE(std::ranges::is_sorted(steps, std::ranges::less_equal(),
                                     &std::pair<double, std::string>::first));
  EXPECT_EQ(steps.front().second, "workspace_create, 0 s so far");
  EXPECT_EQ(steps.back().second, "seed: 900 entries, 0 s so far");
  EXPECT_FALSE(f.call.beat) << "nothing beats once the call has ended";
}

TEST(PyroProvider, ACompletionSaysWhetherThereIsMore) {
  const auto completed = [](int workspaces) {
    Fixture f;
    f.api.answer = [&](const auto&, const auto&, const auto&) -> Result<json::object> {
      json::array list{json::object{{"workspace_id", "other"}}};
      for (int i = 0; i < workspaces; ++i) {
        list.push_back(json::object{{"workspace_id", "ws-" + std::to_string(i)}});
      }
      list.push_back(json::object{{"workspace_id", "other too"}});
      return json::object{{"workspaces", std::move(list)}};
    };
    const Outcome out =
        f.provider.complete({{"argument", {{"name", "workspace_id"}, {"value", "ws-"}}}}, f.call);
    return std::get<json::object>(out).at("completion").as_object();
  };
  EXPECT_EQ(completed(100).at("values").as_array().size(), 100U);
  EXPECT_EQ(completed(100).at("hasMore"), false);
  EXPECT_EQ(completed(101).at("values").as_array().size(), 100U);
  EXPECT_EQ(completed(101).at("hasMore"), true);
}

TEST(PyroProvider, WhatIsNotUtf8DoesNotGoOut) {
  Fixture f;
  f.api.answer = [](const auto&, const auto&, const api::Observer& o) -> Result<json::object> {
    o.on_progress({.phase = "pull", .detail = "caf\xe9", .of = {}});
    o.on_warning("caf\xe9");
    return fail_hint(Errc::kInternal, "no caf\xe9", "a caf\xe9");
  };
  constexpr const char* kCafe = "caf\xef\xbf\xbd";
  EXPECT_TRUE(f.text("vm_run").contains(std::string("no ") + kCafe + "\n"));
  EXPECT_TRUE(f.text("vm_run").contains(std::string("hint: a ") + kCafe));
  EXPECT_EQ(f.call.steps.back().second, std::string("pull: ") + kCafe);
  EXPECT_EQ(f.call.logged.back(), kCafe);
  const Outcome read = f.provider.read_resource("pyro://workspaces/w/logs", f.call);
  EXPECT_EQ(std::get<RpcError>(read).message, std::string("no ") + kCafe + "; a " + kCafe);
  const Outcome list = f.provider.list_resources(f.call);
  EXPECT_EQ(std::get<RpcError>(list).message, std::string("no ") + kCafe);
}

TEST(PyroProvider, LongTextsAreCutAndSaidToBe) {
  Fixture f;
  f.api.answer = [](const auto&, const auto&, const auto&) -> Result<json::object> {
    return json::object{{"stdout", std::string(kMostText, 'a') + "\xc3\xa9"},
                        {"stdout_base64", std::string(kMostText * 2, 'A')},
                        {"stdout_truncated", false},
                        {"stderr", "short"},
                        {"stderr_truncated", false}};
  };
  const json::object structured = f.tool("vm_run").at("structuredContent").as_object();
  EXPECT_LT(structured.at("stdout").as_string().size(), kMostText + 100);
  EXPECT_TRUE(structured.at("stdout").as_string().ends_with("bytes in all]"));
  EXPECT_EQ(structured.at("stdout_truncated"), true);
  EXPECT_EQ(structured.at("stderr_truncated"), false);
  EXPECT_EQ(structured.at("stdout_base64").as_string().size(), kMostText / 3 * 4)
      << "the first bytes, exactly";
}

// 768 KiB become 1 MiB of base64.
TEST(PyroProvider, TheExactBytesOfATextThatIsNotCutAreThere) {
  for (const std::size_t size : {kMostText / 4 * 3 + 10, std::size_t{800'000}, kMostText}) {
    Fixture f;
    const std::string bytes = std::string(size - 1, 'a') + "\xff";
    f.api.answer = [&](const auto&, const auto&, const auto&) -> Result<json::object> {
      return json::object{{"stdout", std::string(size - 3, 'a')},
                          {"stdout_base64", base64(bytes)},
                          {"stdout_truncated", false}};
    };
    const json::object result =
        f.tool("workspace_exec", {{"workspace_id", "w"}}).at("structuredContent").as_object();
    EXPECT_EQ(result.at("stdout_base64").as_string(), base64(bytes)) << size;
    EXPECT_EQ(result.at("stdout_truncated"), false) << size;
  }
}

TEST(PyroProvider, WhateverIsCutHasAFieldThatSaysSo) {
  struct Row {
    const char *tool, *text, *flag;
  };
  for (const Row& row :
       {Row{"workspace_file_read", "content", "content_truncated"},
        Row{"workspace_diff", "patch", "patch_truncated"}, Row{"shell_read", "output", "truncated"},
        Row{"service_logs", "stdout", "truncated"}}) {
    for (const std::string ending : {"", "_base64"}) {
      Fixture f;
      f.api.answer = [&](const auto&, const auto&, const auto&) -> Result<json::object> {
        return json::object{{row.text + ending, std::string(2 * kMostText, 'A')}};
      };
      const json::object result = f.tool(row.tool).at("structuredContent").as_object();
      EXPECT_LT(result.at(row.text + ending).as_string().size(), 2 * kMostText) << row.tool;
      EXPECT_EQ(result.at(row.flag), true) << row.tool;
    }
  }
  Fixture f;
  f.api.answer = [&](const auto&, const auto&, const auto&) -> Result<json::object> {
    return json::object{{"command", std::string(2 * kMostText, 'A')}, {"stdout_truncated", false}};
  };
  const json::object result = f.tool("workspace_exec").at("structuredContent").as_object();
  EXPECT_EQ(result.at("command").as_string().size(), 2 * kMostText) << "nothing would say it";
}

TEST(PyroProvider, OfALogThatIsTooLargeTheOldestOutputsAreLeftOut) {
  Fixture f;
  const std::string output(std::size_t{64} << 10, 'a');
  f.api.answer = [&](const auto&, const auto&, const auto&) -> Result<json::object> {
    json::array entries;
    for (std::int64_t i = 1; i <= 200; ++i) {
      entries.push_back({{"sequence", i},
                         {"command", "make"},
                         {"stdout", output},
                         {"stdout_base64", "YQ=="},
                         {"stdout_truncated", false},
                         {"stderr", ""},
                         {"stderr_truncated", false}});
    }
    return json::object{{"entries", entries}};
  };
  const json::object result = f.tool("workspace_logs").at("structuredContent").as_object();
  const json::array& entries = result.at("entries").as_array();
  ASSERT_EQ(entries.size(), 200U);
  EXPECT_EQ(entries.front().at("stdout"), "");
  EXPECT_FALSE(entries.front().as_object().contains("stdout_base64"));
  EXPECT_EQ(entries.front().at("stdout_truncated"), true);
  EXPECT_EQ(entries.front().at("stderr_truncated"), false) << "there was nothing";
  EXPECT_EQ(entries.at(199).at("stdout").as_string(), output);
  EXPECT_EQ(entries.at(199).at("stdout_truncated"), false);
  const Outcome read = f.provider.read_resource("pyro://workspaces/w/logs", f.call);
  EXPECT_TRUE(std::holds_alternative<json::object>(read));
  f.api.answer = [&](const auto&, const auto&, const auto&) -> Result<json::object> {
    return json::object{{"entries", json::array(200, json::object{{"command", output}})}};
  };
  EXPECT_EQ(f.tool("workspace_logs").at("isError"), true) << "too much without any output";
}

// Those that fill in what a schema calls the default must not say what is not meant.
TEST(PyroProvider, NoDefaultIsSaidWhereSayingItIsNotLeavingItOut) {
  Fixture f({.seed_path = "/src/project", .git_tracked = true});
  std::size_t seen = 0;
  for (const json::value& tool : json::parse(f.provider.tools()).as_array()) {
    for (const char* name : {"network_policy", "git_tracked"}) {
      const auto* one = tool.at("inputSchema").at("properties").as_object().if_contains(name);
      if (one == nullptr) continue;
      ++seen;
      EXPECT_FALSE(one->as_object().contains("default")) << tool.at("name");
      EXPECT_EQ(one->at("type").at(1), "null");
    }
  }
  EXPECT_GE(seen, 4U);
  f.tool("workspace_create", {{"network_policy", nullptr}, {"net_allow", json::array{"a:1"}}});
  EXPECT_FALSE(f.api.calls.back().second.contains("network_policy"));
  f.tool("workspace_create", {{"network_policy", "off"}, {"net_allow", json::array{"a:1"}}});
  EXPECT_EQ(f.api.calls.back().second.at("network_policy"), "off") << "said is said: refused";
}

TEST(PyroProvider, PathsOfTheHostLeadIntoItsFolders) {
  Fixture f({.host_folders = api::HostFolders({"/usr"})});
  f.tool("workspace_create", {{"environment", "debian:12"}, {"seed_path", "/usr/lib/../share"}});
  EXPECT_EQ(f.api.calls.back().second.at("seed_path"), "/usr/share");
  const std::size_t before = f.api.calls.size();
  const std::string text =
      f.text("workspace_create", {{"environment", "debian:12"}, {"seed_path", "/usr/../etc"}});
  EXPECT_TRUE(text.contains("code: denied\n")) << text;
  EXPECT_TRUE(text.contains("it may use \"/usr\"")) << text;
  EXPECT_TRUE(text.contains("--host-path")) << text;
  EXPECT_EQ(f.api.calls.size(), before);
  EXPECT_TRUE(f.provider.info().instructions.contains("must lie in \"/usr\""));
  EXPECT_TRUE(Fixture().provider.info().instructions.contains("No path of the host"));
}

TEST(PyroProvider, ResourcesAreWhatWorkspacesKeep) {
  Fixture f;
  f.api.answer = [](const proto::Operation& op, const auto&, const auto&) -> Result<json::object> {
    if (op.name != "workspace.list") return json::object{{"of", op.name}};
    return json::object{
        {"count", 1},
        {"workspaces", json::array{json::object{{"workspace_id", "ws-1"}, {"name", "fix"}}}}};
  };
  const Outcome list = f.provider.list_resources(f.call);
  EXPECT_EQ(std::get<json::object>(list).at("resources").as_array().size(), 4U);
  const std::vector<std::pair<const char*, const char*>> rows{
      {"pyro://workspaces/ws-1/logs", "workspace.logs"},
      {"pyro://workspaces/fix/diff", "workspace.diff"},
      {"pyro://workspaces/ws-1/network-events", "workspace.network.events"},
      {"pyro://workspaces/ws-1/services/web/logs", "workspace.service.logs"}};
  for (const auto& [uri, operation] : rows) {
    const Outcome read = f.provider.read_resource(uri, f.call);
    ASSERT_TRUE(std::holds_alternative<json::object>(read)) << uri;
    EXPECT_EQ(f.api.calls.back().first, operation);
  }
  const std::size_t before = f.api.calls.size();
  for (const char* uri :
       {"", "pyro://", "pyro://workspaces/", "pyro://workspaces//logs", "pyro://workspaces/a/b",
        "pyro://workspaces/../../etc/logs", "pyro://workspaces/a%2fb/logs",
        "pyro://workspaces/a/services//logs", "pyro://workspaces/a/services/logs",
        "file:///etc/passwd", "pyro://workspaces/a/logs/"}) {
    const Outcome read = f.provider.read_resource(uri, f.call);
    ASSERT_TRUE(std::holds_alternative<RpcError>(read)) << uri;
    EXPECT_EQ(std::get<RpcError>(read).code, kLegacyResourceNotFound);
  }
  EXPECT_EQ(f.api.calls.size(), before);
  const Outcome completed =
      f.provider.complete({{"ref", {{"type", "ref/resource"}}},
                           {"argument", {{"name", "workspace_id"}, {"value", "w"}}}},
                          f.call);
  EXPECT_EQ(std::get<json::object>(completed).at("completion").at("values"), json::array{"ws-1"});
}

}  // namespace
}  // namespace pyro::mcp
