#include <gtest/gtest.h>
#include <stdlib.h>

#include <array>

#include "store/database.h"
#include "store/sandbox_record.h"
#include "sys/file.h"

namespace pyro::store {
namespace {

class Store : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = "/tmp/pyro-store-XXXXXX";
    dir_ = ::mkdtemp(name.data());
  }
  void TearDown() override { (void)sys::remove_tree(dir_); }
  std::string dir_;
};

TEST_F(Store, RecordRoundTrips) {
  SandboxRecord r{.vm_id = "vm-1",
                  .environment = "debian:12",
                  .state = "started",
                  .execution_mode = "guest_serial",
                  .last_error = "it's \"quoted\"",
                  .vcpu_count = 2,
                  .mem_mib = 512,
                  .ttl_seconds = 60,
                  .created_at = 1.5,
                  .expires_at = 61.5};
  ASSERT_TRUE(write_record(dir_, r));
  r.state = "stopped";
  ASSERT_TRUE(write_record(dir_, r));
  const auto back = read_record(dir_);
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(back->state, "stopped");
  EXPECT_EQ(back->last_error, r.last_error);
  EXPECT_EQ(back->mem_mib, 512);
  EXPECT_EQ(back->expires_at, 61.5);
}

TEST_F(Store, MissingAndDamagedRecordsAreToldApart) {
  EXPECT_EQ(read_record(dir_).error().code, Errc::kNotFound);
  ASSERT_TRUE(sys::write_file_atomic(dir_ + "/sandbox.db", std::string(8192, 'x')));
  EXPECT_EQ(read_record(dir_).error().code, Errc::kDamaged);
}

TEST_F(Store, MigratesFromEveryOlderVersionAndRefusesNewerOnes) {
  const std::array<const char*, 2> both{"CREATE TABLE a (x INTEGER) STRICT",
                                        "ALTER TABLE a ADD COLUMN y TEXT"};
  const std::string path = dir_ + "/m.db";
  {
    auto old = Database::open(path, Database::Mode::kCreate, std::span(both).first(1));
    ASSERT_TRUE(old);
    ASSERT_TRUE(old->execute("INSERT INTO a VALUES (7)"));
  }
  {
    auto now = Database::open(path, Database::Mode::kCreate, both);
    ASSERT_TRUE(now) << now.error().message;
    auto q = now->prepare("SELECT x, y FROM a");
    ASSERT_TRUE(*q->step());
    EXPECT_EQ(q->integer(0), 7);
    EXPECT_TRUE(q->is_null(1));
  }
  EXPECT_EQ(Database::open(path, Database::Mode::kCreate, std::span(both).first(1)).error().code,
            Errc::kConflict);
}

TEST_F(Store, OnlyWhoComesToMakeADatabaseMakesOne) {
  const std::array<const char*, 1> one{"CREATE TABLE a (x INTEGER) STRICT"};
  const std::string path = dir_ + "/m.db";
  for (const auto mode : {Database::Mode::kReadOnly, Database::Mode::kReadWrite}) {
    EXPECT_FALSE(Database::open(path, mode, one));
    EXPECT_FALSE(sys::exists(path));
  }
  ASSERT_TRUE(sys::write_file_atomic(path, ""));
  for (const auto mode : {Database::Mode::kReadOnly, Database::Mode::kReadWrite}) {
    EXPECT_EQ(Database::open(path, mode, one).error().code, Errc::kNotFound);
    EXPECT_EQ(sys::stamp(path)->size, 0U);
  }
  EXPECT_TRUE(Database::open(path, Database::Mode::kCreate, one));
}

TEST_F(Store, AFailedMigrationLeavesTheOldVersion) {
  const std::array<const char*, 2> bad{"CREATE TABLE a (x INTEGER) STRICT",
                                       "CREATE TABLE b (x INTEGER); CREATE TABLE a (x)"};
  const std::string path = dir_ + "/m.db";
  EXPECT_FALSE(Database::open(path, Database::Mode::kCreate, bad));
  const auto again = Database::open(path, Database::Mode::kCreate, std::span(bad).first(1));
  EXPECT_TRUE(again) << again.error().message;
}

}  // namespace
}  // namespace pyro::store
