// The template cache over fake machines.
#include "core/templates.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/host.h"
#include "sys/file.h"

namespace pyro::testing {
namespace {

using io::asio::any_io_executor;
using io::asio::awaitable;

class TemplatesTest : public ::testing::Test {
 protected:
  core::TemplateRequest request() {
    return {.environment = *environment_,
            .shape = {.mem_mib = 128},
            .boot = host_.boot(),
            .on_phase = {}};
  }
  static awaitable<void> ensure(core::Templates* templates, core::TemplateRequest request,
                                Result<core::Template>* out) {
    *out = co_await templates->ensure(std::move(request));
  }
  // Two caches on the same folder, at the same time when `both`.
  void ensure_all(bool both) {
    run_loop([this, both](any_io_executor ex) { return ensure_in_scope(ex, both); });
  }
  awaitable<void> ensure_in_scope(any_io_executor ex, bool both) {
    io::TaskScope scope(ex);
    scope.spawn(ensure(&templates_, request(), &first_));
    if (both) scope.spawn(ensure(&other_, request(), &second_));
    co_await scope.join();
  }

  Host host_;
  FakeVmm vmm_{host_.log()};
  core::Templates templates_{host_.dirs().templates(), vmm_},
      other_{host_.dirs().templates(), vmm_};
  Result<image::InstalledEnvironment> environment_ = host_.environments().open("debian:12-base");
  Result<core::Template> first_ = fail(Errc::kInternal, "not asked for");
  Result<core::Template> second_ = fail(Errc::kInternal, "not asked for");
};

TEST_F(TemplatesTest, TwoBuildersAtOnceBuildOnce) {
  ensure_all(true);
  ASSERT_TRUE(first_ && second_);
  EXPECT_EQ(vmm_.launches("fresh"), 1);
  EXPECT_NE(first_->built, second_->built);
  char byte = 'x';
  EXPECT_EQ(::pwrite(first_->memory.get(), &byte, 1, 0), -1);  // cannot be written through
}

TEST_F(TemplatesTest, TheKeyFollowsEveryPart) {
  const auto key = *templates_.key_of(request());
  EXPECT_EQ(*other_.key_of(request()), key);
  auto memory = request();
  memory.shape.mem_mib = 256;
  EXPECT_NE(*templates_.key_of(memory), key);
  auto cpus = request();
  cpus.shape.vcpus = 2;
  EXPECT_NE(*templates_.key_of(cpus), key);
  auto clock = request();
  clock.boot.tsc_khz = 2'900'000;
  EXPECT_NE(*templates_.key_of(clock), key);
  environment_->rootfs_sha256 += "0";
  EXPECT_NE(*templates_.key_of(request()), key);
  environment_->rootfs_sha256.pop_back();
  EXPECT_EQ(*templates_.key_of(request()), key);
  environment_->entry.warm_up.push_back({"git"});
  EXPECT_NE(*templates_.key_of(request()), key);
  environment_->entry.warm_up.pop_back();
  vmm_.build = "two";
  EXPECT_NE(*templates_.key_of(request()), key);
}

TEST_F(TemplatesTest, ADamagedOneIsBuiltAgain) {
  ensure_all(false);
  ASSERT_TRUE(first_);
  const std::string memory = host_.dirs().templates() + "/" + first_->key + "/memory";
  ASSERT_EQ(::chmod(memory.c_str(), 0600), 0);
  ensure_all(false);
  ASSERT_TRUE(first_);
  EXPECT_TRUE(first_->built);
  EXPECT_EQ(vmm_.launches("fresh"), 2);
  EXPECT_TRUE(core::Templates::verify(host_.dirs().templates())->empty());
}

TEST_F(TemplatesTest, PruneLeavesWhatIsLeasedAndSweepsOldBuilds) {
  ensure_all(false);
  ASSERT_TRUE(first_);
  const std::string dir = host_.dirs().templates();
  ASSERT_TRUE(sys::make_dirs(dir + "/.building-old"));
  ASSERT_TRUE(sys::make_dirs(dir + "/.building-new"));
  const timespec long_ago[2] = {{.tv_sec = 1, .tv_nsec = 0}, {.tv_sec = 1, .tv_nsec = 0}};
  ASSERT_EQ(::utimensat(AT_FDCWD, (dir + "/.building-old").c_str(), long_ago, 0), 0);
  const auto kept = core::Templates::prune(dir, 0);
  EXPECT_EQ(kept->kept_in_use, std::vector<std::string>{first_->key});
  EXPECT_EQ(host_.templates(), (std::vector<std::string>{".building-new", first_->key}));
  const std::string key = first_->key;
  first_ = fail(Errc::kInternal, "let go");
  EXPECT_TRUE(core::Templates::prune(dir, 1ULL << 30)->deleted.empty());
  EXPECT_EQ(core::Templates::prune(dir, 1)->deleted, std::vector<std::string>{key});
  EXPECT_EQ(host_.templates(), std::vector<std::string>{".building-new"});
}

}  // namespace
}  // namespace pyro::testing
