#include "agent/workspace_service.h"

#include <sys/statvfs.h>

#include <boost/asio/this_coro.hpp>
#include <cerrno>
#include <chrono>

#include "agent/workspace_diff.h"

namespace pyro::agent {
namespace {

namespace asio = boost::asio;
using boost::json::object;
using Clock = std::chrono::steady_clock;

// How long to look for changes before looking whether somebody still wants them.
constexpr std::chrono::milliseconds kSlice{100};

constexpr std::int64_t kLongestHold = 60'000;    // ms
constexpr std::int64_t kMostContent = 16 << 20;  // of each side of a change, in memory
constexpr std::size_t kReceived = 256 << 10;     // bytes handed to the worker at a time

Result<proto::WorkspaceUsage> usage_of(int work) {
  struct statvfs st{};
  PYRO_CHECK(sys::retrying("statfs", [&] { return ::fstatvfs(work, &st); }));
  return proto::WorkspaceUsage{
      .used_bytes = static_cast<std::int64_t>((st.f_blocks - st.f_bfree) * st.f_frsize),
      .entries = static_cast<std::int64_t>(st.f_files - st.f_ffree)};
}

// The host, which shows it, has a disk as well.
Error explained(Error error) {
  if (error.os_errno != ENOSPC) return error;
  return std::move(error)
      .context("the workspace's disk is full")
      .with_hint("remove something below /workspace and run the command again");
}

}  // namespace

WorkspaceService::WorkspaceService(asio::any_io_executor ex, WorkspaceMounts& mounts,
                                   Changes changes)
    : ex_(ex), mounts_(mounts), changes_(std::move(changes)), tidy_(ex), give_up_(ex) {
  tidy_.set();
}

bool WorkspaceService::serves(std::string_view method) {
  return method.starts_with("workspace.");
}

asio::awaitable<void> WorkspaceService::handle(std::shared_ptr<rpc::Stream> stream) {
  // Nothing may be left half done; the end of the stream is what stops us.
  co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  if (stream->method() == proto::WorkspaceSync::kName) {
    co_await sync(std::move(stream));
    co_return;
  }
  auto result = co_await answer(stream);
  if (result) {
    (void)stream->respond(*std::move(result));
  } else {
    (void)stream->respond(std::move(result.error()));
  }
}

WorkspaceService::Answer WorkspaceService::answer(std::shared_ptr<rpc::Stream> stream) {
  const std::string& method = stream->method();
  if (method == proto::WorkspaceSecrets::kName) {
    PYRO_CO_TRY(const auto request, proto::decode<proto::WorkspaceSecrets>(stream->params()));
    PYRO_CO_CHECK(mounts_.set_secrets(request.secrets));
    co_return object{};
  }
  if (method == proto::WorkspaceMount::kName) co_return co_await mount(std::move(stream));
  if (!dirs_) co_return fail(Errc::kConflict, "the workspace is not mounted");
  if (method == proto::WorkspaceExport::kName) co_return co_await send_export(std::move(stream));
  if (method == proto::WorkspaceDiff::kName) co_return co_await send_diff(std::move(stream));
  if (method == proto::WorkspaceHold::kName) co_return co_await hold(std::move(stream));
  if (method == proto::WorkspaceRelease::kName) co_return co_await release();
  co_return fail(Errc::kInvalid, "this agent has no method of that name");
}

WorkspaceService::Answer WorkspaceService::mount(std::shared_ptr<rpc::Stream> stream) {
  PYRO_CO_TRY(const auto request, proto::decode<proto::WorkspaceMount>(stream->params()));
  if (mounting_ || dirs_) co_return fail(Errc::kConflict, "the workspace is mounted already");
  mounting_ = true;
  Worker worker(ex_);
  proto::WorkspaceMountResult result;
  WorkspaceDirs dirs;
  const auto mounted = co_await worker.run([&]() -> Result<void> {
    PYRO_TRY(dirs, mounts_.mount(request));
    PYRO_TRY(result.interrupted_sync, recover_sync(dirs, changes_));
    return mounts_.show();
  });
  mounting_ = false;
  PYRO_CO_CHECK(mounted);
  dirs_ = std::make_unique<const WorkspaceDirs>(std::move(dirs));
  co_return proto::encode(result);
}

// --- sync ---------------------------------------------------------------------------------------

Result<void> WorkspaceService::may_sync() const {
  if (!dirs_) return fail(Errc::kConflict, "the workspace is not mounted");
  if (syncing_) return fail(Errc::kConflict, "another sync is under way");
  if (holding_) return fail(Errc::kConflict, "a snapshot of the workspace is being taken");
  if (stuck_) {
    return fail_hint(Errc::kDamaged, "an earlier sync could be neither made nor undone",
                     "stop and start the workspace: that undoes it");
  }
  return {};
}

// Until the stream has ended; then commits.
io::Task<proto::TreeCounts> WorkspaceService::receive(std::shared_ptr<rpc::Stream> stream,
                                                      SyncJob* job, Worker* worker) {
  PYRO_CO_TRY(const auto request, proto::decode<proto::WorkspaceSync>(stream->params()));
  PYRO_CO_CHECK(co_await worker->run([&] { return job->begin(request.destination.value); }));
  std::string bytes;
  for (bool ended = false; !ended;) {
    auto item = co_await stream->next();
    if (!item) co_return std::unexpected(std::move(item.error()));
    if (std::holds_alternative<rpc::Cancelled>(*item)) {
      co_return fail(Errc::kUnavailable, "cancelled");
    }
    const auto* data = std::get_if<rpc::Data>(&*item);
    if (data == nullptr || data->channel != wire::kStdin) continue;
    bytes += data->bytes;
    ended = data->end;
    if (bytes.size() < kReceived && !ended) continue;
    PYRO_CO_CHECK(co_await worker->run([&] { return job->feed(bytes); }));
    bytes.clear();
  }
  proto::TreeCounts counts;
  PYRO_CO_CHECK(co_await worker->run([&]() -> Result<void> {
    PYRO_TRY(counts, job->commit());
    return {};
  }));
  co_return counts;
}

asio::awaitable<void> WorkspaceService::sync(std::shared_ptr<rpc::Stream> stream) {
  if (auto may = may_sync(); !may) {
    (void)stream->respond(std::move(may.error()));
    co_return;
  }
  syncing_ = true;
  co_await tidy_.wait_regardless();
  tidy_.clear();
  Worker worker(ex_);
  SyncJob job(*dirs_, changes_, ++syncs_);
  auto counts = co_await receive(stream, &job, &worker);
  syncing_ = false;
  stuck_ = job.stuck();
  if (counts) {
    (void)stream->respond(proto::encode(*counts));
  } else {
    (void)stream->respond(explained(std::move(counts.error())));
  }
  stream.reset();
  // What cannot be removed now goes at the next mount.
  const auto discarded = co_await worker.run([&] { return job.discard(); });
  static_cast<void>(discarded);
  tidy_.set();
}

// --- export and diff ----------------------------------------------------------------------------

WorkspaceService::Answer WorkspaceService::send_export(std::shared_ptr<rpc::Stream> stream) {
  PYRO_CO_TRY(const auto request, proto::decode<proto::WorkspaceExport>(stream->params()));
  PYRO_CO_TRY(auto tree, TreeExport::open(dirs_->tree.get(), request));
  co_return co_await send(std::move(stream), std::make_unique<TreeExport>(std::move(tree)));
}

WorkspaceService::Answer WorkspaceService::send_diff(std::shared_ptr<rpc::Stream> stream) {
  PYRO_CO_TRY(const auto request, proto::decode<proto::WorkspaceDiff>(stream->params()));
  if (request.max_content < 0 || request.max_content > kMostContent) {
    co_return fail(Errc::kInvalid, "diff: max_content must be 0 to 16 MiB");
  }
  co_return co_await send(std::move(stream),
                          std::make_unique<TreeDiff>(*dirs_, request.max_content));
}

// While one batch travels the next is read.
WorkspaceService::Answer WorkspaceService::send(std::shared_ptr<rpc::Stream> stream,
                                                std::unique_ptr<TreeProducer> producer) {
  constexpr std::size_t kRoom = TreeProducer::kBatch + wire::kMaxChunk + (16 << 10);
  std::string filling, sending;
  bool more = true;
  Worker worker(ex_);
  const Worker::Call fill = [&]() -> Result<void> {
    filling.clear();
    filling.reserve(kRoom);
    const auto end = Clock::now() + kSlice;
    while (more && filling.size() < TreeProducer::kBatch && Clock::now() < end) {
      PYRO_TRY(more, producer->fill(filling));
    }
    return {};
  };
  PYRO_CO_CHECK(co_await worker.run(fill));
  while (more) {
    if (stream->cancelled()) co_return fail(Errc::kUnavailable, "cancelled");
    std::swap(filling, sending);
    worker.begin(fill);
    const auto sent = co_await stream->send(wire::kStdout, std::move(sending));
    const auto filled = co_await worker.wait();
    PYRO_CO_CHECK(sent);
    PYRO_CO_CHECK(filled);
  }
  PYRO_CO_CHECK(co_await stream->send(wire::kStdout, std::move(filling), true));
  co_return proto::encode(producer->counts());
}

// --- hold ---------------------------------------------------------------------------------------

Result<void> WorkspaceService::end_hold() {
  give_up_.cancel();
  frozen_ = false;
  holding_ = false;
  return mounts_.thaw(dirs_->work.get());
}

void WorkspaceService::thaw() {
  if (frozen_) (void)end_hold();
}

WorkspaceService::Answer WorkspaceService::hold(std::shared_ptr<rpc::Stream> stream) {
  PYRO_CO_TRY(const auto request, proto::decode<proto::WorkspaceHold>(stream->params()));
  if (request.limit_ms < 1 || request.limit_ms > kLongestHold) {
    co_return fail(Errc::kInvalid, "hold: limit_ms must be 1 to 60000");
  }
  if (syncing_) co_return fail(Errc::kConflict, "a sync is under way");
  if (holding_) co_return fail(Errc::kConflict, "the workspace is held already");
  holding_ = true;
  // Our own writes would wait for the release too.
  co_await tidy_.wait_regardless();
  Worker worker(ex_);
  const int work = dirs_->work.get();
  auto frozen = co_await worker.run([&] { return mounts_.freeze(work); });
  if (!frozen) {
    holding_ = false;
    co_return std::unexpected(std::move(frozen.error()));
  }
  frozen_ = true;
  give_up_.expires_after(std::chrono::milliseconds(request.limit_ms));
  give_up_.async_wait([this](const boost::system::error_code& ec) {
    if (!ec) thaw();
  });
  auto usage = usage_of(work);
  if (!usage) {
    thaw();
    co_return std::unexpected(std::move(usage.error()));
  }
  co_return proto::encode(*usage);
}

WorkspaceService::Answer WorkspaceService::release() {
  if (!frozen_) co_return fail(Errc::kConflict, "nothing is held: the time for it has passed");
  PYRO_CO_CHECK(end_hold());
  co_return object{};
}

}  // namespace pyro::agent
