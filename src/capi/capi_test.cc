// pyro.h over the layer of operations with a backend without a guest.
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>
#include <thread>

#include "api/testing.h"
#include "capi/calls.h"
#include "sys/file.h"

namespace pyro::capi {
namespace {

using Fake = api::testing::FakeBackend<api::Backend>;

class C : public ::testing::Test {
 protected:
  ~C() override {
    pyro_result_free(result_);
    pyro_error_free(error_);
    pyro_policy_builder_free(policy_);
    pyro_close(client_);
  }
  // What failed, as "status: message".
  [[nodiscard]] std::string failure() const {
    return std::string(pyro_status_name(pyro_error_status(error_))) + ": " +
           pyro_error_message(error_);
  }
  [[nodiscard]] std::string text(const char* pointer) const {
    const char* found = pyro_result_text(result_, pointer, nullptr);
    return found != nullptr ? found : "(none)";
  }
  [[nodiscard]] std::int64_t integer(const char* pointer) const {
    std::int64_t value = -1;
    EXPECT_EQ(pyro_result_integer(result_, pointer, &value), PYRO_OK) << pointer;
    return value;
  }

  std::shared_ptr<Fake> fake_ = std::make_shared<Fake>();
  pyro_client* client_ = make_client(api::over(fake_), {fake_, &fake_->kept});
  pyro_result* result_ = nullptr;
  pyro_error* error_ = nullptr;
  pyro_policy_builder* policy_ = nullptr;
};

TEST_F(C, RunGivesTheBackendWhatWasSaid) {
  ASSERT_EQ(pyro_policy_builder_new(&policy_, &error_), PYRO_OK);
  ASSERT_EQ(pyro_policy_builder_net_allow(policy_, "example.com:443", &error_), PYRO_OK);
  ASSERT_EQ(pyro_policy_builder_net_deny(policy_, "10.0.0.0/8", &error_), PYRO_OK);
  ASSERT_EQ(pyro_policy_builder_allow_udp(policy_, 1, &error_), PYRO_OK);
  const char* const argv[] = {"git", "--version", nullptr};
  const pyro_run_options options{.environment = "debian:12",
                                 .argv = argv,
                                 .command = nullptr,
                                 .vcpu_count = 2,
                                 .mem_mib = 512,
                                 .timeout_seconds = 7,
                                 .ttl_seconds = 60,
                                 .policy = policy_,
                                 .allow_host_compat = 1};
  ASSERT_EQ(pyro_run(client_, &options, nullptr, &result_, &error_), PYRO_OK) << failure();
  EXPECT_EQ(fake_->create.environment, "debian:12");
  EXPECT_EQ(fake_->create.vcpu_count, 2);
  EXPECT_EQ(fake_->create.mem_mib, 512);
  EXPECT_EQ(fake_->create.ttl_seconds, 60);
  EXPECT_EQ(fake_->create.network.allow, std::vector<std::string>{"example.com:443"});
  EXPECT_EQ(fake_->create.network.deny, std::vector<std::string>{"10.0.0.0/8"});
  EXPECT_TRUE(fake_->create.network.allow_udp);
  EXPECT_FALSE(fake_->create.network.allow_icmp);
  EXPECT_TRUE(fake_->create.allow_host_compat);
  EXPECT_EQ(fake_->exec.argv, (std::vector<std::string>{"git", "--version"}));
  EXPECT_EQ(fake_->exec.timeout_seconds, 7);
  EXPECT_EQ(text("/stdout"), "git version 2.39.5\n");
  EXPECT_EQ(text("/vm_id"), "vm-1");
  EXPECT_EQ(integer("/exit_code"), 0);
}

TEST_F(C, WhatIsNotSaidIsTheDefault) {
  const pyro_run_options options{.environment = "debian:12",
                                 .argv = nullptr,
                                 .command = "true",
                                 .vcpu_count = 0,
                                 .mem_mib = 0,
                                 .timeout_seconds = 0,
                                 .ttl_seconds = 0,
                                 .policy = nullptr,
                                 .allow_host_compat = 0};
  ASSERT_EQ(pyro_run(client_, &options, nullptr, nullptr, &error_), PYRO_OK) << failure();
  EXPECT_EQ(fake_->create.mem_mib, kDefaultMemMib);
  EXPECT_EQ(fake_->exec.timeout_seconds, kDefaultTimeoutSeconds);
  EXPECT_EQ(fake_->exec.command, "true");
}

TEST_F(C, OutputComesAsItIsAndCanEndTheCall) {
  struct Seen {
    std::string out;
    bool end = false;
  } seen;
  fake_->stdout_bytes = std::string("a\0b\xff", 4);
  pyro_callbacks callbacks{};
  callbacks.user = &seen;
  callbacks.on_stdout = [](void* user, const char* bytes, size_t length) {
    auto* to = static_cast<Seen*>(user);
    to->out.append(bytes, length);
    return to->end ? 1 : 0;
  };
  const pyro_run_options options{.environment = "debian:12",
                                 .argv = nullptr,
                                 .command = "true",
                                 .vcpu_count = 0,
                                 .mem_mib = 0,
                                 .timeout_seconds = 0,
                                 .ttl_seconds = 0,
                                 .policy = nullptr,
                                 .allow_host_compat = 0};
  ASSERT_EQ(pyro_run(client_, &options, &callbacks, &result_, &error_), PYRO_OK) << failure();
  EXPECT_EQ(seen.out, std::string("a\0b\xff", 4));
  size_t length = 0;
  ASSERT_NE(pyro_result_text(result_, "/stdout", &length), nullptr);
  EXPECT_EQ(length, 6U);  // with U+FFFD for what is not UTF-8
  EXPECT_EQ(text("/stdout_base64"), "YQBi/w==");
  seen.end = true;
  EXPECT_EQ(pyro_run(client_, &options, &callbacks, nullptr, &error_), PYRO_UNAVAILABLE);
}

TEST_F(C, ACancelledCallHasAnInterruptThatIsReadable) {
  pyro_cancel* cancel = nullptr;
  ASSERT_EQ(pyro_cancel_new(&cancel, &error_), PYRO_OK);
  for (int i = 0; i < 100'000; ++i) pyro_cancel_now(cancel);  // more than a pipe holds
  pyro_callbacks callbacks{};
  callbacks.cancel = cancel;
  const pyro_run_options options{.environment = "debian:12",
                                 .argv = nullptr,
                                 .command = "true",
                                 .vcpu_count = 0,
                                 .mem_mib = 0,
                                 .timeout_seconds = 0,
                                 .ttl_seconds = 0,
                                 .policy = nullptr,
                                 .allow_host_compat = 0};
  ASSERT_EQ(pyro_run(client_, &options, &callbacks, nullptr, &error_), PYRO_OK) << failure();
  EXPECT_GE(fake_->interrupt_fd, 0);
  pyro_cancel_free(cancel);
  pyro_cancel_now(cancel);  // nothing happens
  EXPECT_EQ(pyro_run(client_, &options, &callbacks, nullptr, &error_), PYRO_INVALID);
  EXPECT_NE(failure().find("cancel was freed"), std::string::npos) << failure();
}

TEST_F(C, ARuleThatIsNoneIsRefusedAtOnceWithItsPlace) {
  ASSERT_EQ(pyro_policy_builder_new(&policy_, &error_), PYRO_OK);
  EXPECT_EQ(pyro_policy_builder_net_allow(policy_, "example.com:44x", &error_), PYRO_INVALID);
  EXPECT_EQ(pyro_error_position(error_), 13U) << failure();
  EXPECT_NE(failure().find("character 13"), std::string::npos) << failure();
  pyro_error_free(error_);
  EXPECT_EQ(pyro_policy_builder_net_allow(policy_, "", &error_), PYRO_INVALID);
  EXPECT_EQ(pyro_error_position(error_), 0U);
  pyro_error_free(error_);
  EXPECT_EQ(pyro_policy_builder_policy(policy_, "egres", &error_), PYRO_INVALID);
  pyro_error_free(error_);
  EXPECT_EQ(pyro_policy_builder_net_allow(policy_, nullptr, &error_), PYRO_INVALID);
  pyro_error_free(error_);
  // The builder is as it was before.
  ASSERT_EQ(pyro_policy_builder_check(policy_, &result_, &error_), PYRO_OK) << failure();
  EXPECT_EQ(text("/policy"), "off");
}

TEST_F(C, ABuilderShowsThePolicyThatItIs) {
  ASSERT_EQ(pyro_policy_builder_new(&policy_, &error_), PYRO_OK);
  ASSERT_EQ(pyro_policy_builder_net_allow(policy_, "EXAMPLE.com:443", &error_), PYRO_OK);
  ASSERT_EQ(pyro_policy_builder_allow_icmp(policy_, 1, &error_), PYRO_OK);
  ASSERT_EQ(pyro_policy_builder_check(policy_, &result_, &error_), PYRO_OK) << failure();
  EXPECT_EQ(text("/policy"), "egress");
  EXPECT_EQ(text("/allow/0"), "example.com:443");
  int icmp = 0;
  EXPECT_EQ(pyro_result_boolean(result_, "/allow_icmp", &icmp), PYRO_OK);
  EXPECT_EQ(icmp, 1);
  // What does not go together is told where it is put together.
  ASSERT_EQ(pyro_policy_builder_policy(policy_, "off", &error_), PYRO_OK);
  EXPECT_EQ(pyro_policy_builder_check(policy_, nullptr, &error_), PYRO_INVALID);
}

TEST_F(C, AWorkspaceIsMadeOfWhatWasSaid) {
  const char* const env[] = {"CI=1", "EMPTY=", nullptr};
  const char* const labels[] = {"team=core", nullptr};
  const char* const secrets[] = {"TOKEN=a=b=c", nullptr};
  const char* const files[] = {"KEY=/etc/key", nullptr};
  pyro_workspace_options options{};
  options.environment = "debian:12";
  options.name = "fix";
  options.ttl_seconds = 60;
  options.ttl_action = "delete";
  options.seed_path = "/src";
  options.git_tracked = 1;
  options.allow_host_compat = 1;
  options.env = env;
  options.labels = labels;
  options.secrets = secrets;
  options.secret_files = files;
  ASSERT_EQ(pyro_workspace_create(client_, &options, nullptr, &result_, &error_), PYRO_OK)
      << failure();
  const client::WorkspaceOptions& made = fake_->kept.created;
  EXPECT_EQ(made.name, "fix");
  EXPECT_EQ(made.ttl_seconds, 60);
  EXPECT_EQ(made.ttl_action, "delete");
  EXPECT_EQ(made.seed_path, "/src");
  EXPECT_TRUE(made.git_tracked);
  EXPECT_EQ(made.env, (std::map<std::string, std::string>{{"CI", "1"}, {"EMPTY", ""}}));
  EXPECT_EQ(made.labels, (std::map<std::string, std::string>{{"team", "core"}}));
  ASSERT_EQ(made.secrets.size(), 2U);
  EXPECT_EQ(made.secrets[0].value, "a=b=c");
  EXPECT_EQ(made.secrets[1].file_path, "/etc/key");
  EXPECT_EQ(text("/workspace_id"), "ws-1");
}

TEST_F(C, AnEntryWithoutAValueIsRefusedAndNotRepeated) {
  const char* const secrets[] = {"hunter2hunter2", nullptr};
  pyro_workspace_options options{};
  options.environment = "debian:12";
  options.secrets = secrets;
  EXPECT_EQ(pyro_workspace_create(client_, &options, nullptr, &result_, &error_), PYRO_INVALID);
  EXPECT_EQ(failure().find("hunter2"), std::string::npos) << failure();
  EXPECT_EQ(result_, nullptr);
}

TEST_F(C, ExecMapsVariablesAndSecrets) {
  const char* const env[] = {"A=1", nullptr};
  const char* const secret_env[] = {"TOKEN", "KEY=DEPLOY_KEY", nullptr};
  pyro_exec_options options{};
  options.command = "make";
  options.cwd = "src";
  options.env = env;
  options.secret_env = secret_env;
  ASSERT_EQ(pyro_workspace_exec(client_, "fix", &options, nullptr, &result_, &error_), PYRO_OK)
      << failure();
  const client::WorkspaceExecOptions& asked = fake_->kept.exec_asked;
  EXPECT_EQ(asked.command, "make");
  EXPECT_EQ(asked.cwd, "src");
  EXPECT_EQ(asked.env, (std::map<std::string, std::string>{{"A", "1"}}));
  EXPECT_EQ(asked.secret_env,
            (std::map<std::string, std::string>{{"TOKEN", "TOKEN"}, {"KEY", "DEPLOY_KEY"}}));
  const char* const twice[] = {"A=1", "A=2", nullptr};
  options.env = twice;
  EXPECT_EQ(pyro_workspace_exec(client_, "fix", &options, nullptr, nullptr, &error_), PYRO_INVALID);
}

TEST_F(C, FilesAreBytes) {
  fake_->kept.chunks = {std::string("\0\xff", 2), "x"};
  char* bytes = nullptr;
  size_t length = 0;
  ASSERT_EQ(pyro_file_read(client_, "fix", "a.bin", 0, &bytes, &length, &error_), PYRO_OK)
      << failure();
  EXPECT_EQ(std::string(bytes, length), std::string("\0\xffx", 3));
  EXPECT_EQ(bytes[length], '\0');
  EXPECT_EQ(fake_->kept.max_bytes_asked, std::int64_t{64} << 20);
  pyro_free(bytes);
  ASSERT_EQ(pyro_file_write(client_, "fix", "b.bin", "\0\1", 2, 0755, &error_), PYRO_OK);
  EXPECT_EQ(fake_->kept.write_asked.content, std::string("\0\1", 2));
  EXPECT_EQ(fake_->kept.write_asked.mode, 0755);
  EXPECT_EQ(pyro_file_write(client_, "fix", "b.bin", nullptr, 2, 0, &error_), PYRO_INVALID);
}

TEST_F(C, AServiceIsStartedAsItWasDescribed) {
  const char* const argv[] = {"./serve", nullptr};
  const char* const publish[] = {"8080", "18081:8081", nullptr};
  pyro_service_options options{};
  options.argv = argv;
  options.ready_http = "http://localhost:8080/";
  options.ready_timeout_seconds = 5;
  options.publish = publish;
  options.restart = "always";
  ASSERT_EQ(pyro_service_start(client_, "fix", "web", &options, nullptr, &result_, &error_),
            PYRO_OK)
      << failure();
  const client::ServiceOptions& started = fake_->kept.kept_services.started;
  const auto readiness = started.readiness.value_or(client::ServiceReadiness{});
  EXPECT_EQ(readiness.type, "http");
  EXPECT_EQ(readiness.url, "http://localhost:8080/");
  EXPECT_EQ(started.ready_timeout_seconds, 5);
  ASSERT_EQ(started.published_ports.size(), 2U);
  EXPECT_EQ(started.published_ports[0].guest_port, 8080);
  EXPECT_FALSE(started.published_ports[0].host_port);
  EXPECT_EQ(started.published_ports[1].host_port, 18081);
  EXPECT_EQ(started.restart, "always");
  options.ready_tcp = "8080";
  EXPECT_EQ(pyro_service_start(client_, "fix", "web", &options, nullptr, nullptr, &error_),
            PYRO_INVALID);
  const char* const no_port[] = {"eighty", nullptr};
  options.ready_tcp = nullptr;
  options.publish = no_port;
  EXPECT_EQ(pyro_service_start(client_, "fix", "web", &options, nullptr, nullptr, nullptr),
            PYRO_INVALID);
}

TEST_F(C, EveryOperationWithItsWorkspaceReachesIt) {
  struct Call {
    const char* calls;
    pyro_status (*call)(pyro_client*, pyro_result**, pyro_error**);
  };
  const std::vector<Call> calls{
      {"status", [](auto* c, auto** r, auto** e) { return pyro_workspace_status(c, "fix", r, e); }},
      {"list", [](auto* c, auto** r, auto** e) { return pyro_workspace_list(c, r, e); }},
      {"start",
       [](auto* c, auto** r, auto** e) { return pyro_workspace_start(c, "fix", nullptr, r, e); }},
      {"stop", [](auto* c, auto** r, auto** e) { return pyro_workspace_stop(c, "fix", r, e); }},
      {"diff", [](auto* c, auto** r, auto** e) { return pyro_workspace_diff(c, "fix", r, e); }},
      {"reset", [](auto* c, auto** r,
                   auto** e) { return pyro_workspace_reset(c, "fix", "one", nullptr, r, e); }},
      {"sync",
       [](auto* c, auto** r, auto** e) {
         return pyro_workspace_sync_push(c, "fix", "/src", "to", nullptr, r, e);
       }},
      {"export",
       [](auto* c, auto** r, auto** e) {
         return pyro_workspace_export(c, "fix", "out", "/tmp/out", nullptr, r, e);
       }},
      {"snapshot create fix one",
       [](auto* c, auto** r, auto** e) { return pyro_snapshot_create(c, "fix", "one", r, e); }},
      {"snapshot list fix",
       [](auto* c, auto** r, auto** e) { return pyro_snapshot_list(c, "fix", r, e); }},
      {"snapshot delete fix one",
       [](auto* c, auto** r, auto** e) { return pyro_snapshot_delete(c, "fix", "one", r, e); }},
  };
  for (const Call& one : calls) {
    pyro_result* result = nullptr;
    ASSERT_EQ(one.call(client_, &result, &error_), PYRO_OK) << one.calls << ' ' << failure();
    EXPECT_NE(pyro_result_json(result), nullptr);
    ASSERT_FALSE(fake_->kept.calls.empty()) << one.calls;
    EXPECT_TRUE(fake_->kept.calls.back().starts_with(one.calls)) << fake_->kept.calls.back();
    pyro_result_free(result);
  }
  EXPECT_EQ(fake_->kept.calls.size(), calls.size());
  EXPECT_EQ(fake_->kept.sync_asked.dest, "to");
  ASSERT_EQ(pyro_workspace_delete(client_, "fix", &result_, &error_), PYRO_OK) << failure();
}

TEST_F(C, ShellsAndServicesAreReached) {
  pyro_result_free(result_);
  ASSERT_EQ(pyro_shell_open(client_, "fix", nullptr, &result_, &error_), PYRO_OK) << failure();
  EXPECT_EQ(text("/shell_id"), "shell-1");
  const auto& shells = fake_->kept.kept_shells;
  EXPECT_EQ(shells.opened.cols, 120);
  ASSERT_EQ(pyro_shell_write(client_, "fix", "shell-1", "make", 0, nullptr, &error_), PYRO_OK)
      << failure();
  EXPECT_FALSE(shells.newline_asked);
  ASSERT_EQ(pyro_shell_write(client_, "fix", "shell-1", "make", 1, nullptr, &error_), PYRO_OK);
  EXPECT_TRUE(shells.newline_asked);
  pyro_shell_read_options read{};
  read.cursor = 7;
  read.plain = 1;
  read.wait_for_idle_ms = 300;
  ASSERT_EQ(pyro_shell_read(client_, "fix", "shell-1", &read, nullptr, &error_), PYRO_OK)
      << failure();
  EXPECT_EQ(shells.read_asked.cursor, 7);
  EXPECT_TRUE(shells.read_asked.plain);
  EXPECT_EQ(shells.read_asked.wait_for_idle_ms, 300);
  EXPECT_EQ(shells.read_asked.max_chars, 65536);
  ASSERT_EQ(pyro_shell_signal(client_, "fix", "shell-1", "TERM", nullptr, &error_), PYRO_OK);
  EXPECT_EQ(shells.signal_asked, "TERM");
  ASSERT_EQ(pyro_shell_close(client_, "fix", "shell-1", nullptr, &error_), PYRO_OK);
  ASSERT_EQ(pyro_service_list(client_, "fix", nullptr, &error_), PYRO_OK) << failure();
  ASSERT_EQ(pyro_service_status(client_, "fix", "web", nullptr, &error_), PYRO_OK) << failure();
  ASSERT_EQ(pyro_service_logs(client_, "fix", "web", -1, nullptr, &error_), PYRO_OK) << failure();
  ASSERT_EQ(pyro_service_stop(client_, "fix", "web", nullptr, &error_), PYRO_OK) << failure();
}

TEST_F(C, AnyOperationIsCalledByItsNameOrMethod) {
  ASSERT_EQ(pyro_call(client_, "workspace.status", R"({"workspace_id": "fix"})", nullptr, &result_,
                      &error_),
            PYRO_OK)
      << failure();
  EXPECT_EQ(text("/state"), "started");
  EXPECT_EQ(std::string(pyro_result_json(result_)).substr(0, 1), "{");
  EXPECT_EQ(pyro_call(client_, "list_environments", nullptr, nullptr, nullptr, &error_), PYRO_OK);
  EXPECT_EQ(pyro_call(client_, "workspace.shell.attach", "{}", nullptr, nullptr, &error_),
            PYRO_INVALID);
  pyro_error_free(error_);
  EXPECT_EQ(pyro_call(client_, "no.such", "{}", nullptr, nullptr, &error_), PYRO_INVALID);
  pyro_error_free(error_);
  EXPECT_EQ(pyro_call(client_, "", "{}", nullptr, nullptr, &error_), PYRO_INVALID);
  pyro_error_free(error_);
  const std::string deep(100'000, '[');
  for (const char* bad : {"", "[]", "{", R"({"workspace": "fix"})", deep.c_str()}) {
    EXPECT_EQ(pyro_call(client_, "workspace.status", bad, nullptr, nullptr, &error_), PYRO_INVALID);
    EXPECT_NE(*pyro_error_message(error_), '\0');
    pyro_error_free(error_);
  }
  error_ = nullptr;
}

TEST_F(C, AnErrorHasCodeMessageAndHint) {
  fake_->kept.fails = Error{.code = Errc::kConflict, .message = "it is busy", .hint = "wait"};
  EXPECT_EQ(pyro_workspace_status(client_, "fix", &result_, &error_), PYRO_CONFLICT);
  EXPECT_EQ(failure(), "conflict: it is busy");
  EXPECT_STREQ(pyro_error_hint(error_), "wait");
  EXPECT_EQ(result_, nullptr);
  // Nobody has to want the description.
  EXPECT_EQ(pyro_workspace_status(client_, "fix", nullptr, nullptr), PYRO_CONFLICT);
}

TEST_F(C, EveryCodeHasItsNumberAndName) {
  for (int code = 0; code <= static_cast<int>(Errc::kInternal); ++code) {
    const auto errc = static_cast<Errc>(code);
    EXPECT_EQ(pyro_status_name(status_of(errc)), errc_name(errc));
  }
  EXPECT_EQ(status_of(Errc::kNotFound), PYRO_NOT_FOUND);
  EXPECT_EQ(status_of(Errc::kDamaged), PYRO_DAMAGED);
  EXPECT_STREQ(pyro_status_name(PYRO_OK), "ok");
}

TEST_F(C, NullIsRefusedEverywhere) {
  EXPECT_EQ(pyro_run(nullptr, nullptr, nullptr, nullptr, nullptr), PYRO_INVALID);
  EXPECT_EQ(pyro_run(client_, nullptr, nullptr, nullptr, nullptr), PYRO_INVALID);
  EXPECT_EQ(pyro_call(client_, nullptr, nullptr, nullptr, nullptr, nullptr), PYRO_INVALID);
  EXPECT_EQ(pyro_workspace_status(client_, nullptr, nullptr, nullptr), PYRO_INVALID);
  EXPECT_EQ(pyro_workspace_exec(client_, "fix", nullptr, nullptr, nullptr, nullptr), PYRO_INVALID);
  EXPECT_EQ(pyro_workspace_create(client_, nullptr, nullptr, nullptr, nullptr), PYRO_INVALID);
  EXPECT_EQ(pyro_service_start(client_, "fix", "web", nullptr, nullptr, nullptr, nullptr),
            PYRO_INVALID);
  EXPECT_EQ(pyro_shell_write(client_, "fix", "shell-1", nullptr, 1, nullptr, nullptr),
            PYRO_INVALID);
  EXPECT_EQ(pyro_file_read(client_, "fix", "a", 0, nullptr, nullptr, nullptr), PYRO_INVALID);
  EXPECT_EQ(pyro_open(nullptr, nullptr, nullptr), PYRO_INVALID);
  EXPECT_EQ(pyro_policy_builder_new(nullptr, nullptr), PYRO_INVALID);
  EXPECT_EQ(pyro_policy_builder_allow_udp(nullptr, 1, nullptr), PYRO_INVALID);
  EXPECT_EQ(pyro_cancel_new(nullptr, nullptr), PYRO_INVALID);
  EXPECT_EQ(pyro_result_json(nullptr), nullptr);
  EXPECT_EQ(pyro_result_text(nullptr, "/a", nullptr), nullptr);
  EXPECT_EQ(pyro_result_integer(nullptr, "/a", nullptr), PYRO_INVALID);
  EXPECT_EQ(pyro_error_status(nullptr), PYRO_OK);
  EXPECT_STREQ(pyro_error_message(nullptr), "");
  pyro_free(nullptr);
  pyro_close(nullptr);
  pyro_cancel_now(nullptr);
}

TEST_F(C, AHandleThatWasFreedIsRefused) {
  pyro_close(client_);
  EXPECT_EQ(pyro_workspace_list(client_, nullptr, &error_), PYRO_INVALID);
  EXPECT_NE(failure().find("client was freed"), std::string::npos) << failure();
  pyro_close(client_);
  client_ = make_client(api::over(fake_), {fake_, &fake_->kept});
  ASSERT_EQ(pyro_workspace_list(client_, &result_, nullptr), PYRO_OK);
  pyro_result* const freed = result_;
  pyro_result_free(result_);
  EXPECT_EQ(pyro_result_json(freed), nullptr);
  pyro_error* const gone = error_;
  pyro_error_free(error_);
  error_ = nullptr;
  EXPECT_STREQ(pyro_error_message(gone), "");
  result_ = nullptr;
}

TEST_F(C, AHandleIsNeverGivenAgain) {
  ASSERT_EQ(pyro_policy_builder_new(&policy_, &error_), PYRO_OK);
  pyro_policy_builder* const freed = policy_;
  pyro_policy_builder_free(freed);
  ASSERT_EQ(pyro_policy_builder_new(&policy_, &error_), PYRO_OK);
  EXPECT_NE(policy_, freed);
  EXPECT_EQ(pyro_policy_builder_net_allow(freed, "example.com:443", nullptr), PYRO_INVALID);
  pyro_policy_builder_free(freed);
  EXPECT_EQ(pyro_policy_builder_net_allow(policy_, "example.com:443", &error_), PYRO_OK);
  // Nor is one of another type.
  EXPECT_EQ(pyro_workspace_list(reinterpret_cast<pyro_client*>(policy_), nullptr, nullptr),
            PYRO_INVALID);
}

TEST_F(C, NothingThrowsWhereArgumentsArePutTogether) {
  const auto out_of_memory = [](Arguments&) { throw std::bad_alloc(); };
  EXPECT_EQ(call(client_, "run", out_of_memory, nullptr, &result_, &error_), PYRO_LIMIT);
  EXPECT_EQ(result_, nullptr);
}

TEST_F(C, FieldsAreOfTheirTypes) {
  ASSERT_EQ(pyro_workspace_list(client_, &result_, &error_), PYRO_OK);
  size_t count = 0;
  EXPECT_EQ(pyro_result_count(result_, "/workspaces", &count), PYRO_OK);
  EXPECT_EQ(count, 1U);
  std::int64_t number = 0;
  double real = 0;
  int flag = 0;
  EXPECT_EQ(pyro_result_integer(result_, "/workspaces/0/mem_mib", &number), PYRO_OK);
  EXPECT_EQ(number, 1024);
  EXPECT_EQ(pyro_result_number(result_, "/workspaces/0/created_at", &real), PYRO_OK);
  EXPECT_GT(real, 1e9);
  EXPECT_EQ(pyro_result_integer(result_, "/workspaces/0/state", &number), PYRO_INVALID);
  EXPECT_EQ(pyro_result_boolean(result_, "/workspaces/0/mem_mib", &flag), PYRO_INVALID);
  EXPECT_EQ(pyro_result_count(result_, "/count", &count), PYRO_INVALID);
  EXPECT_EQ(pyro_result_integer(result_, "/workspaces/1/mem_mib", &number), PYRO_NOT_FOUND);
  EXPECT_EQ(pyro_result_integer(result_, "/workspaces/0/ttl_seconds", &number), PYRO_NOT_FOUND);
  EXPECT_EQ(pyro_result_text(result_, "no pointer", nullptr), nullptr);
}

TEST_F(C, ThreadsUseOneClientAndItMayBeClosedUnderThem) {
  constexpr int kThreads = 4;
  std::vector<std::jthread> threads;
  threads.reserve(kThreads);
  for (int n = 0; n < kThreads; ++n) {
    threads.emplace_back([client = client_] {
      for (int i = 0; i < 200; ++i) {
        pyro_result* result = nullptr;
        const pyro_status status =
            pyro_call(client, "policy.explain", R"({"endpoints": ["tcp://example.com:443"]})",
                      nullptr, &result, nullptr);
        EXPECT_TRUE(status == PYRO_OK || status == PYRO_INVALID) << status;
        pyro_result_free(result);
      }
    });
  }
  pyro_close(client_);
}

TEST_F(C, AChildOfForkHasToOpenItsOwn) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(pyro_workspace_list(client_, nullptr, nullptr) == PYRO_CONFLICT ? 0 : 1);
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

TEST_F(C, AChildOfForkCannotEndACallOfItsParent) {
  pyro_cancel* cancel = nullptr;
  ASSERT_EQ(pyro_cancel_new(&cancel, &error_), PYRO_OK);
  const pid_t child = ::fork();
  if (child == 0) {
    pyro_cancel_now(cancel);
    ::_exit(0);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  const auto object = object_of(cancel, "cancel");
  ASSERT_TRUE(object);
  pollfd pressed{.fd = (*object)->pipe.read.get(), .events = POLLIN, .revents = 0};
  EXPECT_EQ(::poll(&pressed, 1, 0), 0);
  pyro_cancel_now(cancel);
  EXPECT_EQ(::poll(&pressed, 1, 0), 1);
  pyro_cancel_free(cancel);
}

TEST(COpen, VariablesComeBeforeThoseOfTheProcess) {
  char folder[] = "/tmp/pyro-capi-XXXXXX";
  ASSERT_NE(::mkdtemp(folder), nullptr);
  const std::string home = std::string("PYRO_HOME=") + folder + "/state",
                    cache = std::string("PYRO_CACHE_DIR=") + folder + "/cache",
                    run = std::string("PYRO_RUNTIME_DIR=") + folder + "/run";
  const char* const variables[] = {home.c_str(), cache.c_str(), run.c_str(), nullptr};
  pyro_client* client = nullptr;
  pyro_error* error = nullptr;
  ASSERT_EQ(pyro_open(variables, &client, &error), PYRO_OK) << pyro_error_message(error);
  pyro_result* result = nullptr;
  ASSERT_EQ(pyro_workspace_list(client, &result, &error), PYRO_OK) << pyro_error_message(error);
  std::int64_t count = -1;
  EXPECT_EQ(pyro_result_integer(result, "/count", &count), PYRO_OK);
  EXPECT_EQ(count, 0);
  EXPECT_EQ(::access((std::string(folder) + "/state").c_str(), F_OK), 0);
  pyro_result_free(result);
  pyro_close(client);
  const char* const wrong[] = {"NOTHING", nullptr};
  EXPECT_EQ(pyro_open(wrong, &client, nullptr), PYRO_INVALID);
  EXPECT_TRUE(sys::remove_tree(folder));
}

}  // namespace
}  // namespace pyro::capi
