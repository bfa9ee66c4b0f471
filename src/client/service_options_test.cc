#include "client/service_options.h"

#include <gtest/gtest.h>

#include <functional>

namespace pyro::client {
namespace {

TEST(ParsePublish, TakesAGuestPortWithOrWithoutOneOfTheHost) {
  const auto guest = parse_publish("8080");
  ASSERT_TRUE(guest);
  EXPECT_EQ(guest->guest_port, 8080);
  EXPECT_EQ(guest->host_port, std::nullopt);
  const auto both = parse_publish("1:65535");
  ASSERT_TRUE(both);
  EXPECT_EQ(both->host_port, 1);
  EXPECT_EQ(both->guest_port, 65535);
}

TEST(ParsePublish, RefusesEverythingElse) {
  for (const char* text : {"",
                           ":",
                           "8080:",
                           ":8080",
                           "0",
                           "65536",
                           "0:1",
                           "1:0",
                           "65536:1",
                           "1:65536",
                           "-1",
                           "+1",
                           " 1",
                           "1 ",
                           "01",
                           "1:02",
                           "0x10",
                           "1:2:3",
                           "127.0.0.1:1:2",
                           "web",
                           "8080/tcp",
                           "99999999999999999999",
                           "1\n"}) {
    const auto port = parse_publish(text);
    ASSERT_FALSE(port) << text;
    EXPECT_EQ(port.error().code, Errc::kInvalid);
    EXPECT_NE(port.error().hint.find("HOST:GUEST"), std::string::npos);
  }
  EXPECT_FALSE(parse_publish(std::string("80\0", 3)));
}

TEST(PublishedPorts, KeepsTheOrderAndAnyFreePort) {
  const auto ports = published_ports({{.guest_port = 9090, .host_port = {}},
                                      {.guest_port = 8080, .host_port = 18080},
                                      {.guest_port = 1, .host_port = {}}});
  ASSERT_TRUE(ports);
  ASSERT_EQ(ports->size(), 3U);
  EXPECT_EQ(ports->at(0).guest_port, 9090);
  EXPECT_EQ(ports->at(0).host_port, 0);
  EXPECT_EQ(ports->at(1).host_port, 18080);
}

TEST(PublishedPorts, RefusesWhatIsTakenTwiceOrOutOfRange) {
  const auto guest =
      published_ports({{.guest_port = 8080, .host_port = 1}, {.guest_port = 8080, .host_port = 2}});
  ASSERT_FALSE(guest);
  EXPECT_EQ(guest.error().message, "the guest port 8080 is published twice");
  const auto host = published_ports(
      {{.guest_port = 1, .host_port = 18080}, {.guest_port = 2, .host_port = 18080}});
  ASSERT_FALSE(host);
  EXPECT_EQ(host.error().message, "the host port 18080 is taken twice");
  for (const int port : {0, -1, 65536}) {
    EXPECT_FALSE(published_ports({{.guest_port = port, .host_port = {}}})) << port;
    EXPECT_FALSE(published_ports({{.guest_port = 1, .host_port = port}})) << port;
  }
}

TEST(GuestAddress, TakesHostAndPort) {
  struct Row {
    const char *text, *host;
    int port;
  };
  for (const Row& row : {Row{"8080", "localhost", 8080}, Row{"localhost:1", "localhost", 1},
                         Row{"127.0.0.1:65535", "127.0.0.1", 65535}, Row{"[::1]:80", "::1", 80}}) {
    const auto address = parse_guest_address(row.text);
    ASSERT_TRUE(address) << row.text;
    EXPECT_EQ(address->host, row.host);
    EXPECT_EQ(address->port, row.port);
  }
}

TEST(GuestAddress, RefusesNamesAndWhatIsNotComplete) {
  for (const char* text : {"",
                           ":",
                           ":80",
                           "localhost",
                           "localhost:",
                           "localhost:0",
                           "localhost:65536",
                           "0",
                           "example.org:80",
                           "127.0.0.1",
                           "127.0.0.256:80",
                           "::1:80",
                           "[::1]",
                           "[::1]80",
                           "[::1",
                           "[127.0.0.1]:80",
                           "[]:80",
                           "localhost:80:90",
                           "localhost:+80",
                           "[::1%lo]:80"}) {
    const auto address = parse_guest_address(text);
    ASSERT_FALSE(address) << text;
    EXPECT_EQ(address.error().code, Errc::kInvalid);
    EXPECT_FALSE(address.error().hint.empty());
  }
}

TEST(GuestUrl, TakesHostPortPathAndQuery) {
  struct Row {
    const char *text, *host;
    int port;
    const char* target;
  };
  for (const Row& row : {Row{"http://localhost", "localhost", 80, "/"},
                         Row{"http://127.0.0.1:8080/health", "127.0.0.1", 8080, "/health"},
                         Row{"http://[::1]:1/a/b?x=1&y=2", "::1", 1, "/a/b?x=1&y=2"},
                         Row{"http://localhost?x", "localhost", 80, "/?x"},
                         Row{"http://localhost/a#part", "localhost", 80, "/a"},
                         Row{"http://localhost#part", "localhost", 80, "/"},
                         Row{"http://localhost/a:b@c", "localhost", 80, "/a:b@c"}}) {
    const auto url = parse_guest_url(row.text);
    ASSERT_TRUE(url) << row.text;
    EXPECT_EQ(url->address.host, row.host);
    EXPECT_EQ(url->address.port, row.port);
    EXPECT_EQ(url->target, row.target);
  }
}

TEST(GuestUrl, RefusesWhatAProbeCannotAskForAsItIs) {
  for (const std::string& text :
       {std::string(), std::string("localhost"), std::string("https://localhost/"),
        std::string("HTTP://localhost/"), std::string("http://"), std::string("http:///path"),
        std::string("http://example.org/"), std::string("http://localhost:0/"),
        std::string("http://localhost:65536/"), std::string("http://localhost:/"),
        std::string("http://me@localhost/"), std::string("http://me:pw@localhost/"),
        std::string("http://localhost/a b"), std::string("http://localhost/\r\nHost: x"),
        std::string("http://localhost/\xc3\xa4"), std::string("http://localhost/\0", 18),
        "http://localhost/" + std::string(2048, 'a')}) {
    const auto url = parse_guest_url(text);
    ASSERT_FALSE(url) << text;
    EXPECT_EQ(url.error().code, Errc::kInvalid);
    EXPECT_FALSE(url.error().hint.empty());
  }
}

TEST(CheckReadiness, ARelativeFileLiesBelowTheFolderOfTheService) {
  const auto relative = check_readiness({.type = "file", .path = ".ready"}, "/workspace/src");
  ASSERT_TRUE(relative);
  EXPECT_EQ(relative->path, "/workspace/src/.ready");
  const auto absolute = check_readiness({.type = "file", .path = "/run/ready"}, "/workspace");
  ASSERT_TRUE(absolute);
  EXPECT_EQ(absolute->path, "/run/ready");
}

TEST(CheckReadiness, WhatIsShownMeansTheSame) {
  for (const ServiceReadiness& given :
       {ServiceReadiness{.type = "file", .path = "/run/ready"},
        ServiceReadiness{.type = "tcp", .address = "[::1]:80"},
        ServiceReadiness{.type = "tcp", .address = "localhost:5432"},
        ServiceReadiness{.type = "http", .url = "http://127.0.0.1:8080/health?x=1"},
        ServiceReadiness{.type = "command", .command = "test -e 'a b'"}}) {
    const auto checked = check_readiness(given, "/workspace");
    ASSERT_TRUE(checked) << given.type;
    const ServiceReadiness shown = shown_readiness(*checked);
    EXPECT_EQ(shown.type, given.type);
    EXPECT_EQ(shown.path, given.path);
    EXPECT_EQ(shown.address, given.address);
    EXPECT_EQ(shown.url, given.url);
    EXPECT_EQ(shown.command, given.command);
  }
}

TEST(CheckReadiness, RefusesWhatHasNoMeaning) {
  for (const ServiceReadiness& given :
       {ServiceReadiness{}, ServiceReadiness{.type = "udp"}, ServiceReadiness{.type = "file"},
        ServiceReadiness{.type = "file", .path = std::string("a\0b", 3)},
        ServiceReadiness{.type = "tcp"}, ServiceReadiness{.type = "tcp", .address = "x:1"},
        ServiceReadiness{.type = "http", .url = "ftp://localhost"},
        ServiceReadiness{.type = "command"},
        ServiceReadiness{.type = "command", .command = std::string("a\0b", 3)}}) {
    const auto checked = check_readiness(given, "/workspace");
    ASSERT_FALSE(checked) << given.type;
    EXPECT_EQ(checked.error().code, Errc::kInvalid);
  }
}

ServiceOptions serve() {
  ServiceOptions options;
  options.argv = {"./serve", "a b"};
  return options;
}

TEST(ServiceDefinition, HoldsAllThatWasAskedFor) {
  ServiceOptions options = serve();
  options.cwd = "src";
  options.env = {{"A", "1"}};
  options.secret_env = {{"TOKEN", "VAR"}};
  options.readiness = ServiceReadiness{.type = "file", .path = "ready"};
  options.ready_timeout_seconds = 7;
  options.ready_interval_ms = 50;
  options.restart = "always";
  options.published_ports = {{.guest_port = 80, .host_port = 8080}};
  const auto made = service_definition(options);
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ(made->command, "./serve 'a b'");
  EXPECT_EQ(made->argv.size(), 2U);
  EXPECT_EQ(made->cwd, "/workspace/src");
  EXPECT_EQ(made->env.at("A"), proto::Bytes("1"));
  EXPECT_EQ(made->secret_env.at("TOKEN"), "VAR");
  ASSERT_TRUE(made->readiness.has_value());
  EXPECT_EQ(made->readiness->path, "/workspace/src/ready");
  EXPECT_EQ(made->ready_timeout_ms, 7000);
  EXPECT_EQ(made->ready_interval_ms, 50);
  EXPECT_EQ(made->restart, "always");
  ASSERT_EQ(made->published.size(), 1U);
  EXPECT_EQ(made->published[0].host_port, 8080);
}

TEST(ServiceDefinition, ACommandLineIsShownAsItIs) {
  ServiceOptions options;
  options.command = "sleep 1 && ./serve";
  const auto made = service_definition(options);
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ(made->command, "sleep 1 && ./serve");
  EXPECT_EQ(made->argv.size(), 3U);  // /bin/sh -c ...
}

TEST(ServiceDefinition, RefusesEachWrongValue) {
  const auto refused = [](const std::function<void(ServiceOptions&)>& change) {
    ServiceOptions options = serve();
    change(options);
    const auto made = service_definition(options);
    return !made && made.error().code == Errc::kInvalid;
  };
  EXPECT_TRUE(refused([](ServiceOptions& o) { o.argv.clear(); }));
  EXPECT_TRUE(refused([](ServiceOptions& o) { o.argv = {""}; }));
  EXPECT_TRUE(refused([](ServiceOptions& o) { o.argv = {std::string("a\0b", 3)}; }));
  EXPECT_TRUE(refused([](ServiceOptions& o) { o.ready_timeout_seconds = 0; }));
  EXPECT_TRUE(refused([](ServiceOptions& o) { o.ready_timeout_seconds = 3601; }));
  EXPECT_TRUE(refused([](ServiceOptions& o) { o.ready_interval_ms = 9; }));
  EXPECT_TRUE(refused([](ServiceOptions& o) { o.ready_interval_ms = 60'001; }));
  EXPECT_TRUE(refused([](ServiceOptions& o) { o.restart = "never"; }));
  EXPECT_TRUE(refused([](ServiceOptions& o) { o.env = {{"A=B", "1"}}; }));
  EXPECT_TRUE(refused([](ServiceOptions& o) { o.readiness = ServiceReadiness{.type = "none"}; }));
  EXPECT_TRUE(refused([](ServiceOptions& o) {
    o.published_ports = {{.guest_port = 1, .host_port = {}}, {.guest_port = 1, .host_port = {}}};
  }));
}

TEST(ServiceDefinition, RefusesSecretsThatHaveNoPlaceOfTheirOwn) {
  const ServiceOptions fine{.argv = {"true"}, .command = {}, .secret_env = {{"A", "X"}}};
  EXPECT_TRUE(service_definition(fine));
  for (const auto& wrong : std::vector<std::map<std::string, std::string>>{
           {{"A", ""}}, {{"A", "X=Y"}}, {{"A", "X"}, {"B", "X"}}, {{"A", "TAKEN"}}}) {
    ServiceOptions options = fine;
    options.env = {{"TAKEN", "v"}};
    options.secret_env = wrong;
    const auto refused = service_definition(options);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::kInvalid);
  }
}

TEST(ServiceDefinition, ACommandIsWordsOrALine) {
  const ServiceOptions two{.argv = {"true"}, .command = "true"};
  const auto refused = service_definition(two);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::kInvalid);
}

}  // namespace
}  // namespace pyro::client
