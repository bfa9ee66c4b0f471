#include "cli/screen_state.h"

#include <gtest/gtest.h>

namespace pyro::cli {
namespace {

bool leaves_alternate(const ScreenState& screen, int mode) {
  return screen.leave().starts_with("\x1b[=0u\x1b[?" + std::to_string(mode) + "l\x1b");
}

TEST(ScreenState, OfAShellItShowsTheCursorAndTakesTheModesBack) {
  const std::string bytes = ScreenState().leave();
  for (const char* part :
       {"\x1b[?25h", "\x1b[0m", "\x1b[?1000l", "\x1b[?1003l", "\x1b[?1006l", "\x1b[?2004l",
        "\x1b[?1004l", "\x1b[?1l", "\x1b>", "\x1b[4l", "\x1b[?5l", "\x1b[=0u"}) {
    EXPECT_NE(bytes.find(part), std::string::npos) << part + 1;
  }
  // What takes the first for colours takes it back with the second.
  EXPECT_LT(bytes.find("\x1b[>4m"), bytes.find("\x1b[0m"));
  EXPECT_EQ(bytes.find("1049"), std::string::npos);
  EXPECT_EQ(bytes.find("\x1b[?6l"), std::string::npos);  // it would move the cursor
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
  EXPECT_EQ(screen.enter(""), "");
  EXPECT_EQ(screen.enter("\x1b[?1049h"), "\x1b[?1049h\x1b[2J\x1b[H");
  EXPECT_EQ(screen.enter("\x1b[?1049h"), "");
  EXPECT_EQ(screen.enter(""), "\x1b[?1049l");
  screen.take("\x1b[?47h");
  EXPECT_EQ(screen.enter("\x1b[?47h"), "");
  EXPECT_EQ(screen.enter(""), "\x1b[?47l");
}

TEST(ScreenState, GivesTheTerminalTheKeysThatAProgramWants) {
  ScreenState screen;
  EXPECT_EQ(screen.enter("\x1b[?1h\x1b=\x1b[?1006;1000h\x1b[>4;2m"),
            "\x1b[?1h\x1b[?1000h\x1b[?1006h\x1b=\x1b[>4;2m");
  EXPECT_EQ(screen.enter("\x1b[?1h\x1b="), "\x1b[?1000l\x1b[?1006l\x1b[>4;0m");
}

TEST(ScreenState, AnOriginThatWasMovedIsPutBack) {
  ScreenState screen;
  screen.take("\x1b[5;9r\x1b[?6h");
  EXPECT_TRUE(screen.leave().starts_with("\x1b[?6l\x1b[r\x1b[999;1H")) << screen.leave();
}

}  // namespace
}  // namespace pyro::cli
