// The parts of the Debian source that need neither a mirror nor mmdebstrap.
#include <elf.h>
#include <fcntl.h>
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <fstream>

#include "image/apt_host.h"
#include "image/debian_mirror.h"
#include "image/initramfs.h"
#include "image/mmdebstrap_log.h"
#include "sys/file.h"

namespace pyro::image {
namespace {

TEST(AptHost, TakesBookwormFromTheHostsSources) {
  const auto sources = sources_from_indextargets(
      "http://m.example/debian/|trixie|main|Debian|Packages\n"
      "http://m.example/debian/|bookworm-updates|main|Debian|Packages\n"
      "http://m.example/debian/|bookworm|contrib|Debian|Packages\n"
      "http://m.example/debian/|bookworm|main|Debian|DEP-11\n"
      "http://m.example/debian/|bookworm|main|Debian|Packages\n"
      "http://x.example/|bookworm|main|Other|Packages\n"
      "http://m.example/sec/|bookworm-security|main|Debian|Packages\n");
  EXPECT_EQ(sources, (std::vector<std::string>{"deb http://m.example/debian bookworm main",
                                               "deb http://m.example/debian bookworm-updates main",
                                               "deb http://m.example/sec bookworm-security main"}));
}

TEST(AptHost, AHostOfAnotherReleaseGivesNothing) {
  EXPECT_TRUE(sources_from_indextargets("http://u.example/|noble|main|Ubuntu|Packages\n").empty());
  EXPECT_TRUE(sources_from_indextargets("").empty());
  EXPECT_TRUE(sources_from_indextargets("cdrom://x/|bookworm|main|Debian|Packages\n").empty());
}

TEST(AptHost, OverrideIsChecked) {
  const auto one = sources_from_override("http://m.example/debian/");
  ASSERT_TRUE(one);
  EXPECT_EQ(one->at(2), "deb http://m.example/debian-security bookworm-security main");
  const auto none = sources_from_override("https://m.example/d -");
  ASSERT_TRUE(none);
  EXPECT_EQ(none->size(), 2U);
  for (const char* bad : {"ftp://x", "http://a b c", "http://a[trusted=yes]", "http://a\nb", " "}) {
    const auto result = sources_from_override(bad);
    ASSERT_FALSE(result) << bad;
    EXPECT_EQ(result.error().code, Errc::kInvalid);
  }
}

TEST(AptHost, PassesProxiesAndNothingElse) {
  const auto options = options_from_dump(
      "APT::Install-Recommends \"1\";\n"
      "Acquire::http::Proxy \"http://p:3128\";\n"
      "Acquire::http::Proxy::deb.example \"DIRECT\";\n"
      "Acquire::http::Proxy-Auto-Detect \"/bin/evil\";\n"
      "Acquire::https::Proxy \"\";\n"
      "Acquire::AllowInsecureRepositories \"1\";\n");
  EXPECT_EQ(options, (std::vector<std::string>{"Acquire::http::Proxy \"http://p:3128\";",
                                               "Acquire::http::Proxy::deb.example \"DIRECT\";"}));
}

TEST(DebianTools, NamesThePackagesOfMissingPrograms) {
  const auto tools = find_debian_tools("/nonexistent");
  ASSERT_FALSE(tools);
  EXPECT_EQ(tools.error().code, Errc::kUnavailable);
  EXPECT_NE(tools.error().hint.find("mmdebstrap erofs-utils util-linux"), std::string::npos)
      << tools.error().hint;
}

TEST(MmdebstrapLog, ProgressGrowsThroughThePhases) {
  MmdebstrapLog log;
  std::vector<std::string> phases;
  double last = 0;
  for (const char* line : {"I: running apt-get update...",
                           "Get:1 http://d bookworm InRelease [151 kB]",
                           "I: downloading packages with apt...",
                           "0 upgraded, 2 newly installed, 0 to remove",
                           "Get:1 http://d bookworm/main amd64 libc6 amd64 2.36 [2 kB]",
                           "Get:2 http://d bookworm/main amd64 dpkg amd64 1 [2 kB]",
                           "I: extracting archives...",
                           "I: installing essential packages...",
                           "Unpacking libc6:amd64 (2.36) ...",
                           "Setting up libc6:amd64 (2.36) ...",
                           "I: installing remaining packages inside the chroot...",
                           "0 upgraded, 1 newly installed, 0 to remove",
                           "Get:1 http://d bookworm/main amd64 git amd64 1",
                           "Unpacking git (1) ...",
                           "Setting up git (1) ...",
                           "I: running --customize-hook in shell: sh -c 'set -eu",
                           "step() { echo \"PYRO-STEP $*\" >&2; }",
                           "PYRO-STEP kernel",
                           "PYRO-STEP rootfs",
                           "PYRO-STEP done"}) {
    if (!log.line(line)) continue;
    EXPECT_GE(log.progress().fraction, last) << line;
    last = log.progress().fraction;
    if (phases.empty() || phases.back() != log.progress().phase)
      phases.push_back(log.progress().phase);
  }
  EXPECT_EQ(phases,
            (std::vector<std::string>{"resolve", "download", "unpack", "configure", "unpack",
                                      "configure", "download", "unpack", "configure", "image"}));
  EXPECT_GT(last, 0.9);
}

TEST(MmdebstrapLog, SaysWhyItFailed) {
  const auto code_of = [](std::string_view line) {
    MmdebstrapLog log;
    log.line(line);
    log.line("E: mmdebstrap failed to run");
    const Error error = log.failure(2);
    EXPECT_NE(error.message.find(line), std::string::npos);
    EXPECT_FALSE(error.hint.empty());
    return error;
  };
  EXPECT_NE(code_of("E: Could not resolve 'deb.debian.org'").hint.find("PYRO_DEBIAN_MIRROR"),
            std::string::npos);
  EXPECT_EQ(code_of("write error: No space left on device").code, Errc::kLimit);
  EXPECT_EQ(code_of("E: The repository 'http://x' is not signed.").code, Errc::kDamaged);
  EXPECT_EQ(code_of("something else").code, Errc::kUnavailable);
}

// A minimal ELF file: header, .modinfo, the section names, three section headers.
std::string fake_module(std::string modinfo) {
  const std::string names("\0.modinfo\0.shstrtab\0", 20);
  Elf64_Ehdr header{};
  std::memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  header.e_ident[EI_DATA] = ELFDATA2LSB;
  header.e_shentsize = sizeof(Elf64_Shdr);
  header.e_shnum = 3;
  header.e_shstrndx = 2;
  header.e_shoff = sizeof header + modinfo.size() + names.size();
  Elf64_Shdr sections[3]{};
  sections[1].sh_name = 1;
  sections[1].sh_offset = sizeof header;
  sections[1].sh_size = modinfo.size();
  sections[2].sh_name = 10;
  sections[2].sh_offset = sizeof header + modinfo.size();
  sections[2].sh_size = names.size();
  std::string out(reinterpret_cast<const char*>(&header), sizeof header);
  out += modinfo + names;
  out.append(reinterpret_cast<const char*>(sections), sizeof sections);
  return out;
}

TEST(Initramfs, ReadsModuleDependencies) {
  const std::string info("license=GPL\0depends=net-failover,virtio\0softdep=pre: crc32c post: x\0",
                         68);
  const auto names = module_dependencies(fake_module(info));
  ASSERT_TRUE(names);
  EXPECT_EQ(*names, (std::vector<std::string>{"net_failover", "virtio", "crc32c"}));
  EXPECT_FALSE(module_dependencies("not ELF"));
  std::string cut = fake_module(info);
  while (!cut.empty()) {  // no prefix may be read past its end
    cut.pop_back();
    (void)module_dependencies(cut);
  }
}

TEST(Initramfs, OrdersDependenciesFirstAndSkipsBuiltins) {
  const std::string dir = ::testing::TempDir() + "/modules-" + std::to_string(::getpid());
  std::filesystem::create_directories(dir + "/kernel/drivers");
  const auto module = [&](const std::string& name, const std::string& depends) {
    std::ofstream(dir + "/kernel/drivers/" + name + ".ko", std::ios::binary)
        << fake_module("depends=" + depends + std::string(1, '\0'));
  };
  for (const char* name : {"virtio_ring", "virtio_mmio", "virtio_blk", "virtio_console", "failover",
                           "libcrc32c", "overlay"}) {
    module(name, "");
  }
  module("net_failover", "failover");
  module("virtio_net", "net_failover,zz-helper");
  module("zz-helper", "");
  module("erofs", "libcrc32c,virtio");
  EXPECT_FALSE(build_initramfs(dir));  // no modules.builtin
  std::ofstream(dir + "/modules.builtin") << "kernel/fs/none.ko\n";
  const auto missing = build_initramfs(dir);  // virtio is nowhere
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, Errc::kUnavailable);
  std::ofstream(dir + "/modules.builtin") << "kernel/drivers/virtio/virtio.ko\n";
  const auto cpio = build_initramfs(dir);
  ASSERT_TRUE(cpio) << cpio.error().message;
  EXPECT_EQ(cpio->size() % 512, 0U);
  EXPECT_NE(cpio->find("virtio_ring\nvirtio_mmio\nvirtio_blk\nvirtio_console\nfailover\n"
                       "net_failover\nzz_helper\nvirtio_net\nlibcrc32c\nerofs\noverlay\n"),
            std::string::npos);
  EXPECT_NE(cpio->find("modules/zz_helper.ko"), std::string::npos);
  EXPECT_NE(cpio->find("TRAILER!!!"), std::string::npos);
  std::filesystem::remove_all(dir);
}

}  // namespace
}  // namespace pyro::image
