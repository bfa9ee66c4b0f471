#include "vmm/host_facts.h"

#include <cpuid.h>
#include <fmt/format.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

#include <algorithm>
#include <array>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <cctype>

#include "sys/file.h"
#include "sys/process.h"

namespace pyro::vmm {

namespace json = boost::json;

namespace {

constexpr long kRoundKhz = 100;

std::string trimmed(std::string text) {
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back())) != 0)
    text.pop_back();
  return text;
}

// Identifies this boot and what the answer depends on besides.
std::string boot_identity() {
  const auto boot = sys::read_file("/proc/sys/kernel/random/boot_id");
  const auto kvm = sys::stamp("/dev/kvm");
  return fmt::format(
      "{} uid={} kvm={}", boot ? trimmed(*boot) : "unknown", ::geteuid(),
      kvm ? fmt::format("{}:{:o}:{}", kvm->inode, kvm->mode, kvm->ctime_ns) : "none");
}

// Intel SDM, CPUID leaf 15H: TSC rate = ECX * EBX / EAX, where the CPU says all three.
long tsc_khz_of_cpuid() {
  unsigned a = 0;
  unsigned b = 0;
  unsigned c = 0;
  unsigned d = 0;
  if (__get_cpuid_count(0x15, 0, &a, &b, &c, &d) == 0 || a == 0 || b == 0 || c == 0) return 0;
  return static_cast<long>(static_cast<unsigned long long>(c) * b / a / 1000);
}

std::int64_t monotonic_ns() {
  timespec t{};
  ::clock_gettime(CLOCK_MONOTONIC_RAW, &t);
  return t.tv_sec * 1'000'000'000L + t.tv_nsec;
}

// Against the clock: the median of five windows of 4 ms, so that one preemption does not count.
long tsc_khz_measured() {
  std::array<double, 5> rates{};
  for (double& rate : rates) {
    const std::int64_t t0 = monotonic_ns();
    const unsigned long long c0 = __rdtsc();
    while (monotonic_ns() - t0 < 4'000'000) {
    }
    const unsigned long long c1 = __rdtsc();
    rate = static_cast<double>(c1 - c0) * 1e6 / static_cast<double>(monotonic_ns() - t0);
  }
  std::ranges::sort(rates);
  return static_cast<long>(rates[2]);
}

long tsc_khz(const KvmProbe& kvm) {
  long khz = kvm.tsc_khz;
  if (khz == 0) khz = tsc_khz_of_cpuid();
  if (khz == 0) khz = tsc_khz_measured();
  return (khz + kRoundKhz / 2) / kRoundKhz * kRoundKhz;
}

// One file with one object for each kind of fact; unreadable or foreign content counts as absent.
json::object load(const std::string& path) {
  const auto text = sys::read_file(path);
  if (!text) return {};
  boost::system::error_code ec;
  const auto value = json::parse(*text, ec);
  return !ec && value.is_object() ? value.get_object() : json::object{};
}

std::string text_of(const sys::FileStamp& s) {
  return fmt::format("{}:{}:{}:{}", s.device, s.inode, s.size, s.ctime_ns);
}
std::string text_of(const json::object& o, const char* key) {
  const auto* v = o.if_contains(key);
  return v != nullptr && v->is_string() ? std::string(v->get_string()) : "";
}
bool flag_of(const json::object& o, const char* key) {
  const auto* v = o.if_contains(key);
  return v != nullptr && v->is_bool() && v->get_bool();
}
long number_of(const json::object& o, const char* key) {
  const auto* v = o.if_contains(key);
  return v != nullptr && v->is_int64() ? static_cast<long>(v->get_int64()) : 0;
}

std::string facts_path(const std::string& cache_dir) {
  return cache_dir + "/host.json";
}
std::string qemu_path(const std::string& cache_dir) {
  return cache_dir + "/qemu.json";
}

Result<void> store_facts(const std::string& cache_dir, const HostFacts& f) {
  const json::object o{{"boot", boot_identity()},
                       {"kvm_exists", f.kvm.exists},
                       {"kvm_readable", f.kvm.readable},
                       {"kvm_writable", f.kvm.writable},
                       {"kvm_usable", f.kvm.usable},
                       {"kvm_detail", f.kvm.detail},
                       {"tsc_khz", f.tsc_khz}};
  return sys::write_file_atomic(facts_path(cache_dir), json::serialize(o));
}

void choose(HostFacts& f, const std::string& forced) {
  f.accelerator = f.kvm.usable ? Accelerator::kKvm : Accelerator::kTcg;
  f.accelerator_reason =
      f.kvm.usable ? "KVM runs guest code at speed" : "KVM is not usable: " + f.kvm.detail;
  if (forced.empty()) return;
  f.accelerator = forced == "kvm" ? Accelerator::kKvm : Accelerator::kTcg;
  f.accelerator_reason = "forced by PYRO_ACCELERATOR";
}

}  // namespace

Result<HostFacts> host_facts(const std::string& cache_dir, bool fresh, const std::string& forced) {
  if (!forced.empty() && forced != "kvm" && forced != "tcg") {
    return fail(Errc::kInvalid, "PYRO_ACCELERATOR is \"" + forced + "\"; it can be kvm or tcg");
  }
  HostFacts f;
  const json::object stored = fresh ? json::object{} : load(facts_path(cache_dir));
  if (!stored.empty() && text_of(stored, "boot") == boot_identity()) {
    f.kvm = {.exists = flag_of(stored, "kvm_exists"),
             .readable = flag_of(stored, "kvm_readable"),
             .writable = flag_of(stored, "kvm_writable"),
             .usable = flag_of(stored, "kvm_usable"),
             .detail = text_of(stored, "kvm_detail")};
    f.tsc_khz = number_of(stored, "tsc_khz");
  } else {
    f.kvm = probe_kvm();
    // Measured once for a boot of the host: the value is part of every template's key.
    const json::object old = load(facts_path(cache_dir));
    const bool same_boot = text_of(old, "boot") == boot_identity();
    f.tsc_khz = same_boot ? number_of(old, "tsc_khz") : tsc_khz(f.kvm);
    if (f.kvm.decided) PYRO_CHECK(store_facts(cache_dir, f));
  }
  choose(f, forced);
  return f;
}

Result<void> distrust_kvm(const std::string& cache_dir, const std::string& why) {
  PYRO_TRY(HostFacts f, host_facts(cache_dir, false, ""));
  f.kvm.usable = false;
  f.kvm.detail = why;
  return store_facts(cache_dir, f);
}

Result<QemuProgram> known_qemu(const std::string& cache_dir, const std::string& override_path,
                               const std::string& search_path) {
  const auto path =
      sys::find_program(override_path.empty() ? "qemu-system-x86_64" : override_path, search_path);
  const json::object stored = load(qemu_path(cache_dir));
  if (path && text_of(stored, "path") == *path) {
    const auto now = program_stamp(*path);
    if (now && text_of(stored, "stamp") == text_of(*now)) {
      return QemuProgram{.path = *path,
                         .version = text_of(stored, "version"),
                         .build_id = text_of(stored, "build_id"),
                         .stamp = *now};
    }
  }
  PYRO_TRY(auto found, find_qemu(override_path, search_path));
  const json::object o{{"path", found.path},
                       {"version", found.version},
                       {"build_id", found.build_id},
                       {"stamp", text_of(found.stamp)}};
  PYRO_CHECK(sys::write_file_atomic(qemu_path(cache_dir), json::serialize(o)));
  return found;
}

}  // namespace pyro::vmm
