#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "sys/file.h"
#include "vmm/host_facts.h"
#include "vmm/kvm_probe.h"
#include "vmm/qemu.h"
#include "vmm/qemu_command.h"

namespace pyro::vmm {
namespace {

std::string one_per_line(const std::vector<std::string>& argv) {
  std::string out;
  for (const std::string& a : argv) out += a + "\n";
  return out;
}

std::string golden(const std::string& name, const std::string& actual) {
  const std::string path = std::string(PYRO_SOURCE_DIR) + "/tests/golden/qemu/" + name;
  if (std::getenv("UPDATE_GOLDEN") != nullptr) std::ofstream(path) << actual;
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

class QemuArgv : public ::testing::TestWithParam<Accelerator> {};

TEST_P(QemuArgv, OfTemplateAndCloneAreTheGoldenOnes) {
  const std::string accel = accelerator_name(GetParam());
  const Shape shape{.accelerator = GetParam(), .mem_mib = 1024, .vcpus = 2};
  const auto fresh =
      one_per_line(qemu_argv({.program = "/usr/bin/qemu-system-x86_64",
                              .shape = shape,
                              .memory_mode = LaunchSpec::Memory::kShared,
                              .command_line = kernel_command_line(GetParam(), 2'900'000)}));
  const auto clone = one_per_line(
      qemu_argv({.program = "/usr/bin/qemu-system-x86_64", .shape = shape, .restore = true}));
  EXPECT_EQ(fresh, golden(accel + "-template.txt", fresh));
  EXPECT_EQ(clone, golden(accel + "-clone.txt", clone));
}

TEST_P(QemuArgv, OfAWorkspacesTemplateAndCloneAreTheGoldenOnes) {
  const std::string accel = accelerator_name(GetParam());
  const Shape shape{
      .accelerator = GetParam(), .mem_mib = 1024, .vcpus = 2, .disks = Disks::kWorkspace};
  const auto fresh =
      one_per_line(qemu_argv({.program = "/usr/bin/qemu-system-x86_64",
                              .shape = shape,
                              .memory_mode = LaunchSpec::Memory::kShared,
                              .command_line = kernel_command_line(GetParam(), 2'900'000)}));
  const auto clone = one_per_line(qemu_argv({.program = "/usr/bin/qemu-system-x86_64",
                                             .shape = shape,
                                             .restore = true,
                                             .work_layers = 3}));
  EXPECT_EQ(fresh, golden(accel + "-workspace-template.txt", fresh));
  EXPECT_EQ(clone, golden(accel + "-workspace-clone.txt", clone));
}

INSTANTIATE_TEST_SUITE_P(Both, QemuArgv, ::testing::Values(Accelerator::kTcg, Accelerator::kKvm),
                         [](const auto& info) { return accelerator_name(info.param); });

constexpr MacAddress kMac{0x02, 0, 0, 0xab, 0xcd, 0x0e};

TEST(QemuArgv, OfALinkIsAddedToWhatThereIsWithout) {
  for (const Disks disks : {Disks::kNone, Disks::kWorkspace}) {
    QemuCommand command{.program = "qemu", .shape = {.disks = disks}, .restore = true};
    const auto without = qemu_argv(command);
    command.shape.mac = kMac;
    auto with = qemu_argv(command);
    const auto at = std::ranges::search(with, std::vector<std::string>{"-netdev"}).begin();
    ASSERT_GE(with.end() - at, 6);
    EXPECT_EQ(one_per_line({at, at + 6}),
              "-netdev\ndgram,id=link,local.type=fd,local.str=19\n"
              "-device\nvirtio-net-device,netdev=link,mac=02:00:00:ab:cd:0e,host_mtu=65520,"
              "x-txburst=1,status=off,ctrl_vq=off,ctrl_rx=off,ctrl_rx_extra=off,ctrl_vlan=off,"
              "ctrl_mac_addr=off,ctrl_guest_offloads=off,guest_announce=off\n"
              "-global\nmigration.announce-rounds=0\n");
    with.erase(at, at + 6);
    EXPECT_EQ(with, without);
  }
}

TEST(QemuArgv, HasNoNetworkDeviceWithoutALinkAndNoHostPath) {
  const auto argv = one_per_line(qemu_argv({.program = "qemu", .command_line = "x"}));
  EXPECT_EQ(argv.find("netdev"), std::string::npos);
  EXPECT_EQ(argv.find("virtio-net"), std::string::npos);
  EXPECT_EQ(argv.find("/home"), std::string::npos);
}

TEST(KernelCommandLine, GivesTheTscRateOnlyWhenKnown) {
  for (const Accelerator a : {Accelerator::kTcg, Accelerator::kKvm}) {
    EXPECT_NE(kernel_command_line(a, 2'900'000).find("tsc_early_khz=2900000"), std::string::npos);
    EXPECT_EQ(kernel_command_line(a, 0).find("tsc_early_khz"), std::string::npos);
  }
}

TEST(KernelCommandLine, KeepsTheKernelsHardeningOnARealProcessor) {
  EXPECT_NE(kernel_command_line(Accelerator::kTcg, 0).find("mitigations=off"), std::string::npos);
  EXPECT_EQ(kernel_command_line(Accelerator::kKvm, 0).find("mitigations"), std::string::npos);
  EXPECT_EQ(kernel_command_line(Accelerator::kKvm, 0).find("init_on_alloc"), std::string::npos);
}

TEST(QemuVersion, ParsesWhatDistributionsPrint) {
  EXPECT_EQ(parse_qemu_version("QEMU emulator version 7.2.22 (Debian 1:7.2)")->minor, 2);
  EXPECT_EQ(parse_qemu_version("QEMU emulator version 10.0")->major, 10);
  EXPECT_FALSE(parse_qemu_version("qemu: command not found"));
  EXPECT_FALSE(parse_qemu_version(""));
}

TEST(MachineId, CoversTheDisksAndTheirSizes) {
  const QemuVmm vmm({.path = "/usr/bin/qemu", .version = "7.2", .build_id = "one", .stamp = {}});
  const std::string plain = vmm.machine_id({}, "x");
  const std::string disks = vmm.machine_id({.disks = Disks::kWorkspace}, "x");
  EXPECT_EQ(plain.find("pyro-work"), std::string::npos);
  for (const char* part : {"pyro-scratch", "pyro-baseline", "pyro-work", "size=8589934592",
                           "size=17179869184", "driver=qcow2"}) {
    EXPECT_NE(disks.find(part), std::string::npos) << part;
  }
}

TEST(MachineId, CoversTheNetworkDevice) {
  const QemuVmm vmm({.path = "/usr/bin/qemu", .version = "7.2", .build_id = "one", .stamp = {}});
  const std::string plain = vmm.machine_id({}, "x");
  const std::string network = vmm.machine_id({.mac = kMac}, "x");
  MacAddress other = kMac;
  other.back() ^= 1;
  EXPECT_EQ(plain.find("net"), std::string::npos);
  EXPECT_NE(network, plain);
  EXPECT_NE(network, vmm.machine_id({.mac = other}, "x"));
}

TEST(Link, CarriesAFewOfTheLargestFramesAndNeverWaits) {
  const auto link = make_link();
  ASSERT_TRUE(link) << link.error().message;
  const std::string frame(kLinkMtu + 14U, 'f');
  const auto send_one = [&] {
    return ::send(link->theirs.get(), frame.data(), frame.size(), MSG_NOSIGNAL);
  };
  int sent = 0;
  while (send_one() > 0) ++sent;
  EXPECT_TRUE(send_one() < 0 && errno == EAGAIN);
  EXPECT_GE(sent, 3);  // with the least that Linux gives a socket by default
  std::string got(frame.size() + 1, '\0');
  for (int i = 0; i < sent; ++i) {
    EXPECT_EQ(::recv(link->ours.get(), got.data(), got.size(), 0),
              static_cast<ssize_t>(frame.size()));
  }
  EXPECT_EQ(::recv(link->ours.get(), got.data(), got.size(), 0), -1);
}

class FakeQemu : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = "/tmp/pyro-vmm-XXXXXX";
    dir_ = ::mkdtemp(name.data());
  }
  void TearDown() override { (void)sys::remove_tree(dir_); }
  std::string script(const std::string& text) {
    const std::string path = dir_ + "/qemu-system-x86_64";
    EXPECT_TRUE(sys::write_file_atomic(path, "#!/bin/sh\n" + text, 0755));
    return path;
  }
  std::string dir_;
};

TEST_F(FakeQemu, TooOldIsRefusedWithItsVersion) {
  script("echo 'QEMU emulator version 5.2.0 (Debian)'");
  const auto r = find_qemu("", dir_);
  ASSERT_FALSE(r);
  EXPECT_EQ(r.error().code, Errc::kUnavailable);
  EXPECT_NE(r.error().message.find("5.2.0"), std::string::npos);
  EXPECT_NE(r.error().hint.find("qemu-system-x86"), std::string::npos);
}

TEST_F(FakeQemu, MissingNamesThePackage) {
  const auto r = find_qemu("", dir_);
  ASSERT_FALSE(r);
  EXPECT_NE(r.error().hint.find("apt-get install qemu-system-x86"), std::string::npos);
}

TEST_F(FakeQemu, IsAskedForItsVersionOnlyWhenTheFileChanges) {
  script("echo x >> " + dir_ + "/asked; echo 'QEMU emulator version 7.2.1'");
  ASSERT_TRUE(known_qemu(dir_, "", dir_));
  ASSERT_TRUE(known_qemu(dir_, "", dir_));
  EXPECT_EQ(*sys::read_file(dir_ + "/asked"), "x\n");
  script("echo x >> " + dir_ + "/asked; echo 'QEMU emulator version 8.0.0'");
  EXPECT_EQ(known_qemu(dir_, "", dir_)->version, "8.0.0");
  EXPECT_EQ(*sys::read_file(dir_ + "/asked"), "x\nx\n");
}

TEST_F(FakeQemu, HostFactsAreKeptForThisBootAndKvmCanBeDistrusted) {
  const auto first = host_facts(dir_, false, "");
  ASSERT_TRUE(first) << first.error().message;
  EXPECT_GT(first->tsc_khz, 100'000);
  EXPECT_EQ(first->tsc_khz % 100, 0);
  EXPECT_EQ(host_facts(dir_, false, "")->tsc_khz, first->tsc_khz);
  ASSERT_TRUE(distrust_kvm(dir_, "a guest did not boot"));
  const auto after = host_facts(dir_, false, "");
  EXPECT_FALSE(after->kvm.usable);
  EXPECT_EQ(after->accelerator, Accelerator::kTcg);
  EXPECT_NE(after->accelerator_reason.find("a guest did not boot"), std::string::npos);
}

TEST_F(FakeQemu, HostFactsSurviveGarbageInTheirFile) {
  ASSERT_TRUE(sys::write_file_atomic(dir_ + "/host.json", "[[[["));
  EXPECT_TRUE(host_facts(dir_, false, ""));
  EXPECT_FALSE(host_facts(dir_, false, "xen"));
}

TEST(KvmProbe, AMissingDeviceIsNotUsable) {
  const KvmProbe p = probe_kvm("/dev/no-such-kvm");
  EXPECT_FALSE(p.exists);
  EXPECT_FALSE(p.usable);
  EXPECT_FALSE(p.detail.empty());
}

TEST(KvmProbe, ADeviceThatIsNotKvmIsNotUsable) {
  const KvmProbe p = probe_kvm("/dev/null");
  EXPECT_TRUE(p.exists);
  EXPECT_FALSE(p.usable);
}

// What the probe makes of a guest, which is played here.
KvmProbe judged(const std::function<ProbeReport()>& guest,
                std::chrono::milliseconds patience = std::chrono::minutes(1)) {
  KvmProbe probe;
  judge_guest(probe, guest, patience);
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1) << "its process is still there";
  return probe;
}

TEST(KvmProbe, AGuestThatHangsIsEndedAndNotUsable) {
  const auto start = std::chrono::steady_clock::now();
  const KvmProbe turning = judged([]() -> ProbeReport {
    for (volatile int turns = 0;; turns = turns + 1) {
    }
  });
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(30));
  const KvmProbe waiting = judged(
      []() -> ProbeReport {
        for (;;) ::pause();
      },
      std::chrono::milliseconds(100));
  EXPECT_FALSE(turning.usable);
  EXPECT_TRUE(turning.decided);
  EXPECT_NE(turning.detail.find("did not end"), std::string::npos) << turning.detail;
  EXPECT_FALSE(waiting.usable);
  EXPECT_FALSE(waiting.decided) << "and is asked again";
  EXPECT_NE(waiting.detail.find("very busy"), std::string::npos) << waiting.detail;
}

TEST(KvmProbe, AHostThatIsBusyDoesNotLoseIt) {
  const KvmProbe late = judged([] {
    ::usleep(400'000);  // lint: sleep, it has to be late
    return ProbeReport{.nanoseconds = 60'000};
  });
  EXPECT_TRUE(late.usable) << late.detail;
}

TEST(KvmProbe, AGuestThatFailsOrIsSlowIsNotUsable) {
  const KvmProbe failed = judged([] { return ProbeReport{.step = 5, .error = EIO}; });
  EXPECT_FALSE(failed.usable);
  EXPECT_EQ(failed.detail, "running it failed: Input/output error");
  const KvmProbe crashed = judged([]() -> ProbeReport { ::_exit(1); });
  EXPECT_FALSE(crashed.usable);
  EXPECT_EQ(crashed.detail, "the probe crashed");
  const KvmProbe slow = judged([] { return ProbeReport{.nanoseconds = 57'000'000}; });
  EXPECT_FALSE(slow.usable);
  EXPECT_EQ(slow.detail, "120000 guest instructions took 57 ms: this host emulates them");
  const KvmProbe fast =
      judged([] { return ProbeReport{.nanoseconds = 60'000, .tsc_khz = 2'900'000}; });
  EXPECT_TRUE(fast.usable);
  EXPECT_EQ(fast.tsc_khz, 2'900'000);
}

TEST(KvmProbe, AnswersWithinItsBoundAndSaysWhy) {
  const auto start = std::chrono::steady_clock::now();
  const KvmProbe p = probe_kvm();
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(30));
  EXPECT_FALSE(p.detail.empty());
}

}  // namespace
}  // namespace pyro::vmm
