#include "cli/screen_state.h"

#include <gtest/gtest.h>

namespace pyro::cli {
namespace {

bool leaves_alternate(const ScreenState& screen, int mode) {
  return screen.leave().starts_with("\x1b[?" + std::to_string(mode) + "l");
}

TEST(ScreenState, OfAShellItShowsTheCursorAndTakesTheModesBack) {
  const std::string bytes = ScreenState().leave();
  for (const char* part : {"\x1b[?25h", "\x1b[0m", "\x1b[?1000l", "\x1b[?1003l", "\x1b[?1006l",
                           "\x1b[?2004l", "\x1b[?1004l", "\x1b[?1l"}) {
    EXPECT_NE(bytes.find(part), std::string::npos) << part + 1;
  }
  EXPECT_EQ(bytes.find("1049"), std::string::npos);
  EXPECT_TRUE(bytes.ends_with("\r\n"));
}

TEST(ScreenState, FollowsTheAlternateScreenOverAnyCut) {
  for (const int mode : {47, 1047, 1049}) {
    const std::string on = "text\x1b[?" + std::to_string(mode) + ";25hmore";
    for (std::size_t cut = 0; cut <= on.size(); ++cut) {
      ScreenState screen;
      screen.take(on.substr(0, cut));
      screen.take(on.substr(cut));
      EXPECT_TRUE(leaves_alternate(screen, mode)) << mode << " " << cut;
      screen.take("\x1b[?1;" + std::to_string(mode) + "l");
      EXPECT_FALSE(leaves_alternate(screen, mode));
    }
  }
}

TEST(ScreenState, OtherSequencesAreNotTakenForIt) {
  ScreenState screen;
  screen.take("\x1b[1049h[?1049h\x1b?1049h\x1b[?1049r\x1b[?1049\nh\x1b[?10490h\x1b[?h\x1b[?;;h");
  screen.take("\x1b[?" + std::string(10'000, '1') + ";1049h");
  EXPECT_EQ(screen.leave(), ScreenState().leave());
  screen.take("\x1b[?1049h");
  screen.take(
      "\x1b"
      "c");  // a reset
  EXPECT_EQ(screen.leave(), ScreenState().leave());
}

TEST(ScreenState, EntersAndLeavesOnlyWhenItHasTo) {
  ScreenState screen;
  EXPECT_EQ(screen.enter(false), "");
  EXPECT_EQ(screen.enter(true), "\x1b[?1049h\x1b[2J\x1b[H");
  EXPECT_EQ(screen.enter(true), "");
  EXPECT_EQ(screen.enter(false), "\x1b[?1049l");
  screen.take("\x1b[?47h");
  EXPECT_EQ(screen.enter(true), "");
  EXPECT_EQ(screen.enter(false), "\x1b[?47l");
}

}  // namespace
}  // namespace pyro::cli
