#include "guest/workspace.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "base/stopwatch.h"
#include "seed/seed.h"
#include "sys/file.h"

namespace pyro::testing {
namespace {

namespace fs = std::filesystem;

// Hands what has come to `parser` and takes what is whole out of it.
Result<void> take(wire::TreeParser& parser, const std::string& bytes, Fetched& out) {
  parser.feed(bytes);
  for (;;) {
    PYRO_TRY(auto item, parser.next());
    if (!item) return {};
    if (auto* entry = std::get_if<wire::TreeEntry>(&*item)) {
      if (entry->kind != wire::EntryKind::kEnd) {
        out.items.push_back({.entry = std::move(*entry), .content = {}});
      }
    } else if (auto* data = std::get_if<wire::TreeData>(&*item)) {
      out.items.back().content += data->bytes;
    } else {
      out.items.back().complete = std::get<wire::TreeFileEnd>(*item).complete;
    }
  }
}

}  // namespace

std::vector<std::string> Fetched::names() const {
  std::vector<std::string> out;
  for (const Carried& item : items) {
    const char kind = " dflo-"[static_cast<std::size_t>(item.entry.kind)];
    out.push_back(fmt::format("{} {}", kind, item.entry.path));
  }
  return out;
}
const Carried* Fetched::find(const std::string& path) const {
  const auto at = std::ranges::find(items, path, [](const Carried& c) { return c.entry.path; });
  return at == items.end() ? nullptr : &*at;
}

void report(const std::string& what, double ms) {
  std::printf("%-46s %8.1f ms\n", what.c_str(), ms);
}

io::Task<boost::json::object> ask(core::Guest& guest, std::string method,
                                  boost::json::object params) {
  Stopwatch watch;
  PYRO_CO_TRY(auto result,
              co_await guest.session().call(method, std::move(params), guest.limits().call_limit));
  report(method, watch.lap());
  co_return result;
}

io::Task<std::string> mount(core::Guest& guest) {
  PYRO_CO_TRY(const auto answer, co_await ask(guest, proto::WorkspaceMount::kName,
                                              proto::encode(proto::WorkspaceMount{})));
  PYRO_CO_TRY(auto result, proto::decode<proto::WorkspaceMountResult>(answer));
  co_return std::move(result.interrupted_sync);
}

Result<std::string> stream_of(const std::string& folder) {
  std::string out;
  const auto sink = [&out](std::string_view bytes) -> Result<void> {
    out += bytes;
    return {};
  };
  PYRO_CHECK(seed::write_tree({.path = folder}, sink));
  return out;
}

io::Task<proto::TreeCounts> sync_tree(core::Guest& guest, std::string tree,
                                      std::string destination) {
  Stopwatch watch;
  const proto::WorkspaceSync request{.destination = {destination}};
  PYRO_CO_TRY(const auto stream,
              guest.session().open(proto::WorkspaceSync::kName, proto::encode(request)));
  const std::size_t size = tree.size();
  // An error of the agent shows in its answer.
  const auto sent = co_await stream->send(wire::kStdin, std::move(tree), true);
  const double sent_ms = watch.lap();
  for (;;) {
    PYRO_CO_TRY(const rpc::Incoming item, co_await stream->next());
    const auto* response = std::get_if<rpc::Response>(&item);
    if (response == nullptr) continue;
    PYRO_CO_CHECK(sent);
    PYRO_CO_TRY(const auto counts, proto::decode<proto::TreeCounts>(response->result));
    report(fmt::format("workspace.sync {} entries {} bytes: sent", counts.entries, size), sent_ms);
    report("workspace.sync: answered after", watch.lap());
    co_return counts;
  }
}

io::Task<Fetched> fetch(core::Guest& guest, std::string method, boost::json::object params) {
  Stopwatch watch;
  PYRO_CO_TRY(const auto stream, guest.session().open(method, std::move(params)));
  Fetched out;
  wire::TreeParser parser;
  for (;;) {
    PYRO_CO_TRY(const rpc::Incoming item, co_await stream->next());
    if (const auto* data = std::get_if<rpc::Data>(&item)) {
      PYRO_CO_CHECK(take(parser, data->bytes, out));
    }
    const auto* response = std::get_if<rpc::Response>(&item);
    if (response == nullptr) continue;
    if (!parser.ended()) co_return fail(Errc::kInvalid, method + " sent no end");
    PYRO_CO_TRY(out.counts, proto::decode<proto::TreeCounts>(response->result));
    report(fmt::format("{} {} entries {} bytes", method, out.counts.entries, out.counts.bytes),
           watch.lap());
    co_return out;
  }
}

void put(const std::string& path, const std::string& content, mode_t mode) {
  fs::create_directories(fs::path(path).parent_path());
  ASSERT_TRUE(sys::write_file_atomic(path, content, mode));
}

void WorkspaceTest::SetUp() {
  GuestTest::SetUp();
  const std::string seed = dir_ + "/seed";
  put(seed + "/readme", "read me\n");
  put(seed + "/run.sh", "#!/bin/sh\necho ran\n", 0755);
  put(seed + "/private", "mine\n", 0600);
  put(seed + "/gone", "gone\n");
  put(seed + "/docs/a", "a\n");
  put(seed + "/docs/deep/b", "b\n");
  put(seed + "/typed/in", "in\n");
  put(seed + "/many words\n", "odd name\n");
  fs::create_symlink("docs/a", seed + "/link");
  fs::create_directory(seed + "/empty");
  ASSERT_EQ(::chmod((seed + "/empty").c_str(), 0700), 0);
  for (int i = 0; i < 300; ++i) put(fmt::format("{}/set/{:03}", seed, i), "old\n");
  baseline_ = dir_ + "/baseline.erofs";
  fs::create_directory(dir_ + "/staging");
  Stopwatch watch;
  const auto built = seed::build_baseline({.path = seed}, dir_ + "/staging", baseline_, {});
  ASSERT_TRUE(built) << built.error().message;
  report("build_baseline on the host", watch.lap());
}

void WorkspaceTest::expect_in_workspace(std::vector<std::string> layers, Work work) {
  expect_in_clone({.layers = std::move(layers), .baseline = baseline_},
                  [&](core::Guest& guest) { return mounted(guest, work); });
}
Step WorkspaceTest::mounted(core::Guest& guest, Work work) {
  PYRO_CO_TRY(const std::string found, co_await mount(guest));
  EXPECT_EQ(found, "none");
  co_return co_await work(guest);
}

Step WorkspaceTest::sync_folder(core::Guest& guest, std::string name,
                                std::string destination) const {
  PYRO_CO_TRY(std::string bytes, stream_of(tree(name)));
  PYRO_CO_TRY(const auto counts,
              co_await sync_tree(guest, std::move(bytes), std::move(destination)));
  EXPECT_GT(counts.entries, 0);
  co_return Result<void>{};
}

}  // namespace pyro::testing
