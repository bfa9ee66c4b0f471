#include "sys/no_sigpipe.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "sys/fd.h"

namespace pyro::sys {
namespace {

TEST(NoSigpipe, AWriteToNobodyIsAnErrorAndTheProgramGoesOn) {
  ::signal(SIGPIPE, SIG_DFL);
  auto pipe = make_pipe();
  ASSERT_TRUE(pipe);
  pipe->read = UniqueFd();
  {
    const NoSigpipe quiet;
    EXPECT_EQ(::write(pipe->write.get(), "x", 1), -1);
    EXPECT_EQ(errno, EPIPE);
  }
  // Delivered now it would have ended this program.
  sigset_t pending{}, blocked{};
  ASSERT_EQ(::sigpending(&pending), 0);
  EXPECT_EQ(sigismember(&pending, SIGPIPE), 0);
  ASSERT_EQ(::pthread_sigmask(SIG_SETMASK, nullptr, &blocked), 0);
  EXPECT_EQ(sigismember(&blocked, SIGPIPE), 0);
}

}  // namespace
}  // namespace pyro::sys
