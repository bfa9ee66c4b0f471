// Formatted disks, and the templates of workspace machines over fake machines.
#include "core/disks.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>

#include "core/sealed_file.h"
#include "image/sha256.h"
#include "support/host.h"
#include "sys/file.h"
#include "sys/process.h"
#include "sys/sparse.h"
#include "vmm/qcow2.h"

namespace pyro::testing {
namespace {

using io::asio::any_io_executor;
using io::asio::awaitable;

class DisksTest : public ::testing::Test {
 protected:
  [[nodiscard]] std::string dir() const { return host_.dirs().state + "/disks"; }
  [[nodiscard]] std::string base_path(const std::string& id) const {
    return dir() + "/work-" + id + ".ext4";
  }
  static std::string content(const std::string& path) {
    return core::describe_sealed(path)->sha256;
  }

  Host host_;
  core::Disks disks_{dir(), "/usr/bin"};
};

TEST_F(DisksTest, TheBaseIsMadeOnceSealedAndSparse) {
  const auto first = disks_.work_base();
  ASSERT_TRUE(first) << first.error().message;
  const auto stamp = sys::stamp(first->file.get());
  EXPECT_EQ(stamp->size, vmm::kWorkBytes);
  EXPECT_EQ(stamp->mode & 07777U, 0400U);
  EXPECT_LT(*sys::disk_usage(base_path(first->id)), 1U << 20);
  EXPECT_EQ(::fcntl(first->file.get(), F_GETFL) & O_ACCMODE, O_RDONLY);
  const auto second = disks_.work_base();
  EXPECT_EQ(second->id, first->id);
  EXPECT_EQ(sys::stamp(second->file.get())->inode, stamp->inode);
  EXPECT_EQ(disks_.work_base(first->id)->id, first->id);
}

TEST_F(DisksTest, TheSameRecipeGivesTheSameBytes) {
  const auto here = disks_.work_base();
  const std::string other = host_.dirs().cache + "/elsewhere";
  const core::Disks elsewhere(other, "");
  const auto there = elsewhere.work_base();
  ASSERT_TRUE(here && there);
  EXPECT_EQ(here->id, there->id);
  EXPECT_EQ(content(base_path(here->id)), content(other + "/work-" + there->id + ".ext4"));
}

TEST_F(DisksTest, ADamagedBaseIsReplacedByTheSameBytes) {
  auto first = disks_.work_base();
  ASSERT_TRUE(first);
  const std::string before = content(base_path(first->id)), path = base_path(first->id);
  ASSERT_EQ(::chmod(path.c_str(), 0600), 0);
  ASSERT_EQ(::pwrite(sys::open_file(path, O_WRONLY)->get(), "spoilt", 6, 4096), 6);
  ASSERT_EQ(::chmod(path.c_str(), 0400), 0);
  const auto again = disks_.work_base(first->id);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->id, first->id);
  EXPECT_EQ(content(path), before);
}

TEST_F(DisksTest, AMissingBaseOfAnotherRecipeIsNamedAndNotReplaced) {
  const auto gone = disks_.work_base("1-0123456789abcdef");
  ASSERT_FALSE(gone);
  EXPECT_EQ(gone.error().code, Errc::kDamaged);
  EXPECT_NE(gone.error().message.find("work-1-0123456789abcdef.ext4"), std::string::npos);
  for (const char* no_id : {"", "1", "1-", "-0123456789abcdef", "1-0123456789abcdeg",
                            "1-0123456789abcdef/../x", "../../../etc/passwd"}) {
    const auto refused = disks_.work_base(no_id);
    ASSERT_FALSE(refused) << no_id;
    EXPECT_EQ(refused.error().code, Errc::kInvalid) << no_id;
  }
}

class OldDisksTest : public DisksTest {
 protected:
  // A base that no mke2fs makes, as one of another version would be. Its id.
  static std::string foreign(const std::string& dir) {
    std::string block(4096, 'x');
    image::Sha256 hash;
    EXPECT_TRUE(hash.update("8192:") && hash.update(block));
    const std::string id = "1-" + hash.finish()->substr(0, 16);
    const std::string path = dir + "/work-" + id + ".ext4";
    EXPECT_TRUE(sys::make_dirs(dir) &&
                sys::write_file_atomic(path, std::string(8192, '\0') + block));
    EXPECT_EQ(::truncate(path.c_str(), static_cast<off_t>(vmm::kWorkBytes)), 0);
    EXPECT_EQ(::chmod(path.c_str(), 0400), 0);
    return id;
  }
  [[nodiscard]] std::string old_dir() const { return host_.dirs().cache + "/disks"; }

  core::Disks both_{dir(), "/usr/bin", old_dir()};
};

TEST_F(OldDisksTest, ABaseIsKeptWithTheWorkspacesAndNotInTheCache) {
  EXPECT_EQ(host_.dirs().disks(), dir());
  const std::string id = foreign(old_dir());
  const auto base = both_.work_base(id);
  ASSERT_TRUE(base) << base.error().message;
  EXPECT_EQ(sys::stamp(base->file.get())->size, vmm::kWorkBytes);
  EXPECT_LT(*sys::disk_usage(base_path(id)), 1U << 20);
  ASSERT_TRUE(sys::remove_tree(host_.dirs().cache));
  EXPECT_TRUE(disks_.work_base(id));
}

TEST_F(OldDisksTest, AllAreBroughtOverWhenTheFirstIsMade) {
  const std::string id = foreign(old_dir());
  ASSERT_TRUE(both_.work_base());
  ASSERT_TRUE(sys::remove_tree(old_dir()));
  EXPECT_TRUE(disks_.work_base(id));
}

TEST_F(OldDisksTest, OneThatWasMovedOrComesFromABackupIsRecognizedByItsBytes) {
  const std::string id = foreign(dir());  // without what it was when it was sealed
  EXPECT_TRUE(disks_.work_base(id));
}

TEST_F(OldDisksTest, OtherBytesUnderItsIdAreNotTaken) {
  const std::string id = foreign(old_dir()), path = old_dir() + "/work-" + id + ".ext4";
  ASSERT_EQ(::chmod(path.c_str(), 0600), 0);
  ASSERT_EQ(::pwrite(sys::open_file(path, O_WRONLY)->get(), "spoilt", 6, 4096), 6);
  EXPECT_EQ(both_.work_base(id).error().code, Errc::kDamaged);
  ASSERT_EQ(::truncate(path.c_str(), 12288), 0);
  EXPECT_EQ(both_.work_base(id).error().code, Errc::kDamaged);
  EXPECT_FALSE(sys::exists(base_path(id)));
}

TEST_F(DisksTest, WhatACrashLeftDoesNotMatter) {
  ASSERT_TRUE(sys::make_dirs(dir()));
  ASSERT_TRUE(sys::write_file_atomic(dir() + "/.new", "half a file"));
  ASSERT_TRUE(sys::write_file_atomic(dir() + "/work-1-0123456789abcdef.json", "{"));
  const auto base = disks_.work_base();
  ASSERT_TRUE(base) << base.error().message;
  EXPECT_FALSE(sys::exists(dir() + "/.new"));
  ASSERT_EQ(::unlink((dir() + "/work-" + base->id + ".json").c_str()), 0);  // before the manifest
  EXPECT_EQ(disks_.work_base()->id, base->id);
}

TEST_F(DisksTest, ScratchIsSealedSparseAndWritableByItsMaker) {
  const std::string path = host_.dirs().cache + "/scratch";
  const auto scratch = disks_.new_scratch(path);
  ASSERT_TRUE(scratch) << scratch.error().message;
  EXPECT_EQ(sys::stamp(path)->size, vmm::kScratchBytes);
  EXPECT_EQ(sys::stamp(path)->mode & 07777U, 0400U);
  EXPECT_LT(*sys::disk_usage(path), 1U << 20);
  EXPECT_EQ(::pwrite(scratch->get(), "x", 1, 0), 1);
}

// Both file systems as e2fsck sees them; and no inode table is left to a kernel to zero.
TEST_F(DisksTest, AreWholeAndHaveNothingToInitialize) {
  const auto base = disks_.work_base();
  const std::string scratch = host_.dirs().cache + "/scratch";
  ASSERT_TRUE(base && disks_.new_scratch(scratch));
  for (const std::string& path : {base_path(base->id), scratch}) {
    const auto check = sys::run_captured(
        {.program = "/sbin/e2fsck", .argv = {"e2fsck", "-f", "-n", path}, .env = {"LC_ALL=C"}});
    ASSERT_TRUE(check);
    EXPECT_EQ(check->status.shell_code(), 0) << check->out << check->err;
    const auto dump = sys::run_captured(
        {.program = "/sbin/dumpe2fs", .argv = {"dumpe2fs", path}, .env = {"LC_ALL=C"}});
    const auto count = [&](std::string_view word) {
      int n = 0;
      for (auto at = dump->out.find(word); at != std::string::npos;
           at = dump->out.find(word, at + 1))
        ++n;
      return n;
    };
    EXPECT_GT(count("\nGroup "), 60);
    EXPECT_EQ(count("ITABLE_ZEROED"), count("\nGroup "));
  }
}

class WorkspaceTemplate : public DisksTest {
 protected:
  static std::unexpected<Error> nothing() { return fail(Errc::kInternal, "none"); }
  core::TemplateRequest request(vmm::Disks kind = vmm::Disks::kWorkspace) {
    return {.environment = *environment_,
            .shape = {.mem_mib = 128, .disks = kind},
            .boot = host_.boot(),
            .disks = &disks_,
            .on_phase = {}};
  }
  static awaitable<void> ensure_one(core::Templates* templates, core::TemplateRequest request,
                                    Result<core::Template>* out) {
    *out = co_await templates->ensure(std::move(request));
  }
  Result<core::Template> ensure(core::TemplateRequest wanted) {
    Result<core::Template> got = nothing();
    run_loop([&](any_io_executor) { return ensure_one(&templates_, wanted, &got); });
    return got;
  }
  // A clone of the template that gets `layers` more while it runs.
  io::Task<void> clone(core::Template base, int layers) {
    vmm::LaunchSpec spec{.shape = request().shape,
                         .start = vmm::Restore{.state = std::move(base.state)},
                         .memory = std::move(base.memory)};
    PYRO_CO_TRY(spec.root_image, sys::open_file(environment_->rootfs, O_RDONLY));
    PYRO_CO_TRY(vmm::WorkspaceDisks disks, disks_of(base));
    spec.disks = std::move(disks);
    PYRO_CO_TRY(const auto vm, co_await vmm_.launch(std::move(spec)));
    Result<void> done;
    for (int i = 0; i < layers && done; ++i) {
      auto layer = vmm::create_layer(host_.dirs().cache + "/layer" + std::to_string(i + 1));
      if (layer) done = co_await vm->add_work_layer(*std::move(layer));
    }
    static_cast<void>(co_await vm->kill());
    co_return done;
  }
  Result<vmm::WorkspaceDisks> disks_of(const core::Template& base) {
    const std::string folder = host_.dirs().cache;
    vmm::WorkspaceDisks made;
    PYRO_TRY(made.scratch, sys::nameless_copy(base.scratch.get(), folder));
    PYRO_TRY(made.baseline, core::empty_baseline(folder));
    PYRO_TRY(core::WorkBase work, disks_.work_base());
    made.work_base = std::move(work.file);
    PYRO_TRY(sys::UniqueFd layer, vmm::create_layer(folder + "/layer0"));
    made.work_layers.push_back(std::move(layer));
    return made;
  }
  awaitable<void> run_clone(core::Template* base, int layers, Result<void>* out) {
    *out = co_await clone(std::move(*base), layers);
  }
  Result<void> clone_of(core::Template& base, int layers) {
    Result<void> done = nothing();
    run_loop([&](any_io_executor) { return run_clone(&base, layers, &done); });
    return done;
  }

  FakeVmm vmm_{host_.log()};
  core::Templates templates_{host_.dirs().templates(), vmm_};
  Result<image::InstalledEnvironment> environment_ = host_.environments().open("debian:12-base");
};

TEST_F(WorkspaceTemplate, KeepsItsScratchSealedBesideTheMemory) {
  auto built = ensure(request());
  ASSERT_TRUE(built) << built.error().message;
  EXPECT_EQ(Host::names(host_.dirs().templates() + "/" + built->key),
            (std::vector<std::string>{"lock", "manifest.json", "memory", "scratch", "state"}));
  EXPECT_EQ(::pwrite(built->scratch.get(), "x", 1, 0), -1);
  std::string mark(kScratchMark.size(), '\0');
  ASSERT_GT(::pread(built->scratch.get(), mark.data(), mark.size(), kScratchMarkAt), 0);
  EXPECT_EQ(mark, kScratchMark);
  EXPECT_FALSE(ensure(request())->built);
  EXPECT_TRUE(core::Templates::verify(host_.dirs().templates())->empty());
}

TEST_F(WorkspaceTemplate, IsAnotherThanThatOfARun) {
  const auto plain = ensure(request(vmm::Disks::kNone));
  const auto workspace = ensure(request());
  ASSERT_TRUE(plain && workspace);
  EXPECT_NE(plain->key, workspace->key);
  EXPECT_FALSE(plain->scratch);
  EXPECT_EQ(vmm_.launches("fresh"), 2);
}

TEST_F(WorkspaceTemplate, WithoutDisksIsRefused) {
  auto wanted = request();
  wanted.disks = nullptr;
  EXPECT_EQ(ensure(wanted).error().code, Errc::kInternal);
  EXPECT_EQ(vmm_.launches("fresh"), 0);
}

TEST_F(WorkspaceTemplate, AChangedOrMissingScratchIsFoundAndBuiltAgain) {
  const std::string key = ensure(request())->key;
  const std::string path = host_.dirs().templates() + "/" + key + "/scratch";
  ASSERT_EQ(::chmod(path.c_str(), 0600), 0);
  EXPECT_TRUE(ensure(request())->built);
  ASSERT_EQ(::unlink(path.c_str()), 0);
  EXPECT_EQ(*core::Templates::verify(host_.dirs().templates()), std::vector<std::string>{key});
  EXPECT_TRUE(ensure(request())->built);
  const auto size = *sys::disk_usage(path);
  EXPECT_GT(size, 0U);
  EXPECT_GE(core::Templates::prune(host_.dirs().templates(), 0)->freed_bytes, size);
}

TEST_F(WorkspaceTemplate, ACloneChangesItsCopyOnlyAndTakesLayers) {
  auto base = ensure(request());
  ASSERT_TRUE(base);
  const auto done = clone_of(*base, 2);
  EXPECT_TRUE(done) << done.error().message;
  EXPECT_EQ(vmm_.launches("layer"), 2);
  EXPECT_TRUE(core::Templates::verify(host_.dirs().templates())->empty());
}

TEST_F(WorkspaceTemplate, ALayerThatIsRefusedIsAnError) {
  vmm_.refuses_layers = true;
  auto base = ensure(request());
  EXPECT_FALSE(clone_of(*base, 1));
  EXPECT_EQ(vmm_.launches("layer"), 0);
}

}  // namespace
}  // namespace pyro::testing
