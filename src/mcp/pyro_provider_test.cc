#include "mcp/pyro_provider.h"

#include <gtest/gtest.h>

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <functional>
#include <set>

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
  [[nodiscard]] int interrupt_fd() const override { return 42; }
  std::vector<std::pair<double, std::string>> steps;
  std::vector<json::value> logged;

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
  Fixture f({.seed_path = "/src/project", .git_tracked = true});
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
                        {"stdout_base64", std::string(kMostText + 1, 'A')},
                        {"stdout_truncated", false},
                        {"stderr", "short"},
                        {"stderr_truncated", false}};
  };
  const json::object structured = f.tool("vm_run").at("structuredContent").as_object();
  EXPECT_LT(structured.at("stdout").as_string().size(), kMostText + 100);
  EXPECT_TRUE(structured.at("stdout").as_string().ends_with("bytes in all]"));
  EXPECT_EQ(structured.at("stdout_truncated"), true);
  EXPECT_EQ(structured.at("stderr_truncated"), false);
  EXPECT_FALSE(structured.contains("stdout_base64"));

  f.api.answer = [](const auto&, const auto&, const auto&) -> Result<json::object> {
    json::array entries;
    for (int i = 0; i < 20; ++i) entries.push_back({{"stdout", std::string(kMostText / 2, 'a')}});
    return json::object{{"entries", entries}};
  };
  EXPECT_EQ(f.tool("workspace_logs").at("isError"), true);
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
