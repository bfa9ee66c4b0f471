#include "client/detach_key.h"

#include <gtest/gtest.h>

namespace pyro::client {
namespace {

constexpr char kCtrlBracket = '\x1d';

void expect_pressed(const std::string& form, char key) {
  for (const std::string before : {"", "ls\r", "\x1b", "\x1b[A", "\x1b[27;5;98~"}) {
    const auto found = find_detach_key(before + form + "after", key);
    EXPECT_TRUE(found.pressed) << form.substr(1);
    EXPECT_EQ(found.begin, before.size()) << form.substr(1);
  }
}
void expect_no_key(const std::string& keys) {
  const auto found = find_detach_key(keys, kCtrlBracket);
  EXPECT_FALSE(found.pressed) << keys.substr(1);
  EXPECT_EQ(found.begin, keys.size()) << keys.substr(1);
}

TEST(DetachKey, InEveryFormThatTerminalsSend) {
  for (const char* form : {"\x1d", "\x1b[27;5;93~", "\x1b[93;5u", "\x1b[93;5:1u", "\x1b[93;5:2u",
                           "\x1b[93:125;5u", "\x1b[93::93;69u", "\x1b[93;133u", "\x1b[93;5;29u"}) {
    expect_pressed(form, kCtrlBracket);
  }
  expect_pressed("\x1b[27;5;92~", '\x1c');
  expect_pressed("\x1b[27;5;97~", '\x01');
  expect_pressed("\x1b[97;5u", '\x01');
}

TEST(DetachKey, OtherKeysAreNotIt) {
  for (const char* keys : {"ls",
                           "\x1b[A",
                           "\x1b[1;5C",
                           "\x1b[27;5;92~",
                           "\x1b[27;6;93~",
                           "\x1b[27;7;93~",
                           "\x1b[93u",
                           "\x1b[93;1u",
                           "\x1b[93;5:3u",
                           "\x1b[93;5~",
                           "\x1b[27;5;93u",
                           "\x1b[200~",
                           "\x1b]93;5u",
                           "\x1b[?93;5u",
                           "\x1b[<0;93;5M",
                           "\x1bOA",
                           "\x1b[;u",
                           "\x1b[~",
                           "\x1b\x1b[A",
                           "\x1b[99999999999;5u"}) {
    expect_no_key(keys);
  }
  expect_no_key("\x1b[" + std::string(1000, '9'));
}

TEST(DetachKey, WhatMayBecomeItIsSaid) {
  for (const std::string form : {"\x1b[27;5;93~", "\x1b[93;5:1u"}) {
    for (std::size_t size = 1; size < form.size(); ++size) {
      const auto found = find_detach_key("ls" + form.substr(0, size), kCtrlBracket);
      EXPECT_FALSE(found.pressed);
      EXPECT_EQ(found.begin, 2U) << size;
    }
  }
}

}  // namespace
}  // namespace pyro::client
