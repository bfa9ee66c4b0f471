#include "api/host_folders.h"

#include <gtest/gtest.h>

#include <boost/json/array.hpp>
#include <cstdlib>
#include <fstream>

#include "proto/operations.h"

namespace pyro::api {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

class HostPaths : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = fs::temp_directory_path() / "pyro-paths-XXXXXX";
    top_ = fs::canonical(::mkdtemp(name.data()));
    fs::create_directories(top_ / "mine/sub");
    fs::create_directories(top_ / "mine-too");
    fs::create_directories(top_ / "private");
    std::ofstream(top_ / "private/key") << "secret";
    fs::create_symlink(top_ / "private", top_ / "mine/out");
    fs::create_symlink(top_ / "private/new", top_ / "mine/to-be");
    fs::create_symlink("sub", top_ / "mine/in");
  }
  void TearDown() override { fs::remove_all(top_); }

  // What becomes of a path; "" when it is denied.
  std::string of(const std::string& path) const {
    json::object given{{"workspace_id", "w"}, {"source_path", path}};
    const auto fine = HostFolders({(top_ / "mine").string()})
                          .confine(*proto::find_operation("workspace.sync.push"), given);
    if (fine) return std::string(given.at("source_path").as_string());
    EXPECT_EQ(fine.error().code, Errc::kDenied);
    EXPECT_TRUE(fine.error().hint.contains("--host-path")) << fine.error().hint;
    return "";
  }
  std::string at(const std::string& path) const { return (top_ / path).string(); }

  fs::path top_;
};

TEST_F(HostPaths, OnlyWhatLeadsIntoAFolderIsTaken) {
  EXPECT_EQ(of(at("mine")), at("mine"));
  EXPECT_EQ(of(at("mine") + "/"), at("mine"));
  EXPECT_EQ(of(at("mine/sub/../sub/./new.txt")), at("mine/sub/new.txt"));
  EXPECT_EQ(of(at("mine/in/new/deeper")), at("mine/sub/new/deeper"));
  for (const char* path :
       {"private/key", "mine-too", "mine/../private/key", "mine/sub/../../private",
        "mine/nothing/../../private", "mine/out", "mine/out/key", "mine/out/new", "mine/to-be",
        "mine/to-be/below", "mine/in/../../private/key", "mine/out/../mine-too", ""}) {
    EXPECT_EQ(of(at(path)), "") << path;
  }
  for (const char* path :
       {"/", "/etc/passwd", "/proc/self/root/etc", "/proc/self/environ", "..", "~"})
    EXPECT_EQ(of(path), "") << path;
}

TEST_F(HostPaths, RelativePathsBeginWhereTheServerIs) {
  const fs::path before = fs::current_path();
  fs::current_path(top_ / "mine/sub");
  EXPECT_EQ(of("a"), at("mine/sub/a"));
  EXPECT_EQ(of(".."), at("mine"));
  EXPECT_EQ(of("../../private"), "");
  fs::current_path(before);
}

TEST_F(HostPaths, EveryHostPathOfTheTableIsLookedAt) {
  const HostFolders none;
  std::size_t seen = 0;
  const auto denied = [&](const proto::Operation& op, const json::object& arguments) {
    json::object given = arguments;
    const auto fine = none.confine(op, given);
    EXPECT_FALSE(fine) << op.name;
    ++seen;
  };
  for (const proto::Operation& op : proto::operations()) {
    for (const proto::Argument& argument : proto::library_arguments(op)) {
      if (argument.param->type == proto::ParamType::kHostPath)
        denied(op, {{argument.name, "/etc"}});
      for (const proto::Argument& inner : nested_arguments(*argument.param)) {
        if (inner.param->type != proto::ParamType::kHostPath) continue;
        denied(op, {{argument.name, json::array{json::object{{inner.name, "/etc"}}}}});
      }
    }
  }
  EXPECT_GE(seen, 8U) << "seed_path, source_path, output_path, file_path of secrets, policy_file";
}

TEST_F(HostPaths, WhatIsNoPathIsLeftForTheCheckOfTheArguments) {
  const HostFolders none;
  for (const json::value& value : {json::value(nullptr), json::value(5), json::value(""),
                                   json::value(std::string("/etc\0/x", 7))}) {
    json::object given{{"source_path", value}, {"unknown", "/etc"}};
    EXPECT_TRUE(none.confine(*proto::find_operation("workspace.sync.push"), given));
    EXPECT_EQ(given.at("source_path"), value);
  }
}

}  // namespace
}  // namespace pyro::api
