// A connection to a supervisor that is a thread of this program.
#include "client/connection.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <thread>

#include "core/sandbox_folder.h"
#include "rpc/session.h"
#include "sys/file.h"

namespace pyro::client {
namespace {

namespace asio = boost::asio;

// Greets whoever connects, and answers nothing: what is sent to it stays in its session, whose
// credit is used up in the end.
class DeafSupervisor {
 public:
  DeafSupervisor() {
    std::string folder = "/tmp/pyro-connection-XXXXXX";
    dirs.runtime = ::mkdtemp(folder.data());
    const std::string path = core::socket_of(dirs, kId);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), path.size());
    listener_ = sys::UniqueFd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const auto* const at = reinterpret_cast<const sockaddr*>(&address);
    EXPECT_EQ(::bind(listener_.get(), at, sizeof address), 0);
    EXPECT_EQ(::listen(listener_.get(), 1), 0);
    thread_ = std::thread([this] { serve(); });
  }
  ~DeafSupervisor() {
    thread_.join();
    (void)sys::remove_tree(dirs.runtime);
  }
  DeafSupervisor(const DeafSupervisor&) = delete;
  DeafSupervisor& operator=(const DeafSupervisor&) = delete;

  static constexpr const char* kId = "vm-0123456789";
  sys::Dirs dirs;

 private:
  using StreamPtr = std::shared_ptr<rpc::Stream>;
  static asio::awaitable<void> keep(std::vector<StreamPtr>* held, StreamPtr stream) {
    held->push_back(std::move(stream));
    co_return;
  }
  static asio::awaitable<void> talk(rpc::Session* session) {
    const auto hello = co_await session->handshake_as_acceptor();
    if (hello) static_cast<void>(co_await session->closed());
    co_await session->close();
  }
  // Until its client is gone.
  void serve() {
    sys::UniqueFd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    asio::io_context loop(1);
    std::vector<StreamPtr> held;
    rpc::Session session(
        loop.get_executor(), std::move(fd), sys::UniqueFd(),
        {.handler = [&held](StreamPtr stream) { return keep(&held, std::move(stream)); },
         .software = "deaf"});
    asio::co_spawn(loop, talk(&session), [](std::exception_ptr) {});
    loop.run();
  }
  sys::UniqueFd listener_;
  std::thread thread_;
};

class DeafSupervisorTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto made = sys::make_pipe();
    ASSERT_TRUE(made);
    interrupt_ = *std::move(made);
    auto connected = Connection::connect(supervisor_.dirs, DeafSupervisor::kId);
    ASSERT_TRUE(connected) << connected.error().message;
    connection_ = std::make_unique<Connection>(*std::move(connected));
  }
  void press() { EXPECT_EQ(::write(interrupt_.write.get(), "!", 1), 1); }
  [[nodiscard]] Connection::CallOptions options() const {
    return {.on_phase = {}, .interrupt_fd = interrupt_.read.get()};
  }
  DeafSupervisor supervisor_;
  sys::Pipe interrupt_;
  std::unique_ptr<Connection> connection_;
};

TEST_F(DeafSupervisorTest, AnInterruptEndsAnUploadThatNobodyTakes) {
  const std::string piece(32U << 10, 'x');
  press();
  const auto without_end = [&](const Connection::OnData& sink) -> Result<void> {
    for (;;) PYRO_CHECK(sink(piece));
  };
  const auto answer = connection_->upload("x", {}, without_end, options());
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().message, "interrupted");
  EXPECT_EQ(answer.error().code, Errc::kUnavailable);
}

TEST_F(DeafSupervisorTest, AnInterruptEndsACallThatNobodyAnswers) {
  press();
  const auto answer =
      connection_->download("x", {}, [](auto) { return Result<void>(); }, options());
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().message, "interrupted");
}

}  // namespace
}  // namespace pyro::client
