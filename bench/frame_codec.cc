// How fast frames are written and read: what every byte between a guest and its user goes through.
#include <benchmark/benchmark.h>

#include <string>
#include <utility>

#include "wire/frame.h"

namespace {

using namespace pyro;

void encode_data(benchmark::State& state) {
  const std::string payload(static_cast<std::size_t>(state.range(0)), 'x');
  for ([[maybe_unused]] auto _ : state) {
    benchmark::DoNotOptimize(wire::encode_frame(wire::FrameType::kData, 7, wire::kStdout, payload));
  }
  state.SetBytesProcessed(state.iterations() * state.range(0));
}

// Frames behind each other, fed in pieces as a socket would give them.
void parse_data(benchmark::State& state) {
  constexpr std::size_t kPiece = 64U << 10;
  const std::string payload(static_cast<std::size_t>(state.range(0)), 'x');
  std::string stream;
  while (stream.size() < 4 * kPiece)
    stream += wire::encode_frame(wire::FrameType::kData, 7, wire::kStdout, payload);
  wire::FrameParser parser([](std::string_view) { return true; });
  parser.feed(wire::encode_hello("{}"));
  if (const auto hello = parser.next(); !hello || !*hello) {
    state.SkipWithError("the parser refused a hello");
    return;
  }
  for ([[maybe_unused]] auto _ : state) {
    for (std::size_t at = 0; at < stream.size(); at += kPiece) {
      parser.feed(std::string_view(stream).substr(at, kPiece));
      for (;;) {
        auto frame = parser.next();
        if (!frame) {
          state.SkipWithError("the parser refused a frame");
          return;
        }
        if (!*frame) break;
        benchmark::DoNotOptimize(**frame);
      }
    }
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(stream.size()));
}

BENCHMARK(encode_data)->Arg(64)->Arg(4096)->Arg(65536);
BENCHMARK(parse_data)->Arg(64)->Arg(4096)->Arg(65536);

}  // namespace

BENCHMARK_MAIN();
