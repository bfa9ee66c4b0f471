// A fuzz target without libFuzzer, for the builds of every day: each file of the folders (or files)
// named in argv, so that seeds and past crashes stay tests; then random changes of them for a
// while. Nothing is learnt from coverage: that is what dev/nightly does.
//
//   NAME_fuzz [--seconds N] [--seed N] FOLDER...
//
// The input that ends the process, or takes longer than ten seconds, is left in the working folder
// as crash-NAME_fuzz. Ends with 1 when there was nothing to run.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#include <sanitizer/common_interface_defs.h>
#define PYRO_SANITIZED 1
#endif
#endif

// The name is libFuzzer's.
// NOLINTNEXTLINE(readability-identifier-naming)
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

using Input = std::vector<std::uint8_t>;
using Random = std::mt19937_64;

constexpr unsigned kLongestRun = 10;         // seconds
constexpr std::size_t kLargest = 1U << 16U;  // bytes of a changed input
constexpr std::size_t kMostChanges = 8;      // of one input
constexpr std::size_t kLongestPiece = 64;    // bytes that one change moves

// What runs now, for the handler.
const Input* running = nullptr;
std::string crash_file;

// Only what a signal handler may call (signal-safety(7)).
void keep_input() {
  if (running == nullptr) return;
  const int fd = ::open(crash_file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) return;
  const bool kept = ::write(fd, running->data(), running->size()) >= 0;
  ::close(fd);
  running = nullptr;
  constexpr std::array<const char*, 2> kWords{"\nthe input could not be kept: ",
                                              "\nthe input that did it: "};
  const char* const words = kWords.at(kept ? 1 : 0);
  for (const char* text : {words, crash_file.c_str(), "\n"}) {
    if (::write(STDERR_FILENO, text, std::strlen(text)) < 0) return;
  }
}
void on_signal(int number) {
  keep_input();
  std::signal(number, SIG_DFL);
  ::raise(number);
}
void watch() {
  for (const int number : {SIGABRT, SIGALRM}) std::signal(number, on_signal);
#ifdef PYRO_SANITIZED
  __sanitizer_set_death_callback(keep_input);  // it has its own handlers, which report
#else
  for (const int number : {SIGSEGV, SIGBUS, SIGFPE, SIGILL}) std::signal(number, on_signal);
#endif
}

void run(const Input& input) {
  running = &input;
  ::alarm(kLongestRun);
  LLVMFuzzerTestOneInput(input.data(), input.size());
  running = nullptr;
}

Input read_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  return {text.begin(), text.end()};
}

std::vector<Input> read_all(const std::vector<std::string>& places) {
  std::vector<Input> out;
  for (const std::string& place : places) {
    std::error_code none;
    if (std::filesystem::is_regular_file(place, none)) out.push_back(read_file(place));
    for (const auto& entry : std::filesystem::directory_iterator(place, none)) {
      if (entry.is_regular_file()) out.push_back(read_file(entry.path()));
    }
  }
  return out;
}

std::size_t below(Random& random, std::size_t bound) {
  return std::uniform_int_distribution<std::size_t>(0, bound - 1)(random);
}
// Ends of ranges, where mistakes are.
std::uint8_t byte(Random& random) {
  constexpr std::array<std::uint8_t, 8> kEnds{0, 1, 0x7f, 0x80, 0xff, '"', '/', '\n'};
  const std::size_t which = below(random, kEnds.size() * 2);
  return which < kEnds.size() ? kEnds.at(which) : static_cast<std::uint8_t>(random());
}

// One change of `input`, which has bytes; `other` is another seed.
void change(Random& random, Input& input, const Input& other) {
  enum : std::uint8_t { kBit, kByte, kNumber, kRemove, kInsert, kRepeat, kSplice, kChanges };
  const std::size_t at = below(random, input.size());
  const std::size_t length = std::min(1 + below(random, kLongestPiece), input.size() - at);
  const auto from = input.begin() + static_cast<std::ptrdiff_t>(at);
  const auto to = from + static_cast<std::ptrdiff_t>(length);
  switch (below(random, kChanges)) {
    case kBit:
      *from ^= static_cast<std::uint8_t>(1U << below(random, 8));
      break;
    case kByte:
      *from = byte(random);
      break;
    case kNumber:  // up to eight bytes of the same, as in 0, -1 and large lengths
      std::fill(from, from + static_cast<std::ptrdiff_t>(std::min<std::size_t>(length, 8)),
                byte(random));
      break;
    case kRemove:
      input.erase(from, to);
      break;
    case kInsert:
      input.insert(from, length, byte(random));
      break;
    case kRepeat: {
      const Input piece(from, to);
      input.insert(to, piece.begin(), piece.end());
      break;
    }
    default:
      if (other.empty()) break;
      input.resize(at);
      input.insert(input.end(),
                   other.begin() + static_cast<std::ptrdiff_t>(below(random, other.size())),
                   other.end());
      break;
  }
}

std::size_t run_changed(const std::vector<Input>& seeds, std::chrono::seconds time,
                        Random& random) {
  const auto end = std::chrono::steady_clock::now() + time;
  std::size_t count = 0;
  for (; std::chrono::steady_clock::now() < end; ++count) {
    Input input = seeds.at(below(random, seeds.size()));
    for (std::size_t left = 1 + below(random, kMostChanges); left > 0; --left) {
      if (input.empty()) input.push_back(byte(random));
      change(random, input, seeds.at(below(random, seeds.size())));
    }
    if (input.size() > kLargest) input.resize(kLargest);
    run(input);
  }
  return count;
}

}  // namespace

int main(int argc, char** argv) {
  std::chrono::seconds time{0};
  std::uint64_t seed = std::random_device{}();
  std::vector<std::string> places;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "--seconds" && i + 1 < argc) {
      time = std::chrono::seconds(std::strtoul(argv[++i], nullptr, 10));
    } else if (word == "--seed" && i + 1 < argc) {
      seed = std::strtoull(argv[++i], nullptr, 10);
    } else {
      places.push_back(word);
    }
  }
  crash_file = "crash-" + std::filesystem::path(argv[0]).filename().string();
  watch();
  const std::vector<Input> seeds = read_all(places);
  for (const Input& input : seeds) run(input);
  std::printf("%zu inputs\n", seeds.size());
  if (seeds.empty()) return 1;
  Random random(seed);
  std::printf("%zu changed ones, seed %llu\n", run_changed(seeds, time, random),
              static_cast<unsigned long long>(seed));
  return 0;
}
