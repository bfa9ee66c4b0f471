#include "image/manifest.h"

#include <gtest/gtest.h>

#include <string>

#include "image/sha256.h"

namespace pyro::image {
namespace {

Manifest sample() {
  const Artefact artefact{.size = 5, .sha256 = std::string(64, 'a')};
  return {
      .name = "debian:12",
      .version = "1.0.0",
      .platform = "linux-x86_64",
      .source = "test",
      .created_at = "2026-01-02T03:04:05Z",
      .kernel_version = "6.1.0",
      .packages = {{.name = "bash", .version = "5.2"}},
      .artefacts = {{"rootfs.erofs", artefact}, {"vmlinuz", artefact}, {"initramfs", artefact}}};
}

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  const auto at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

TEST(Manifest, SurvivesARoundTrip) {
  const auto again = parse_manifest(manifest_text(sample()));
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(*again, sample());
}

TEST(Manifest, RefusesWhatItDoesNotKnow) {
  const std::string good = manifest_text(sample());
  const std::string bad[] = {
      "",
      "[]",
      "{}",
      good.substr(0, good.size() / 2),
      replaced(good, "{", "{\"extra\":1,"),
      replaced(good, "\"schema\":1", "\"schema\":2"),
      replaced(good, "\"schema\":1", "\"schema\":\"1\""),
      replaced(good, "\"size\":5", "\"size\":-5"),
      replaced(good, "\"size\":5", "\"size\":5.5"),
      replaced(good, "\"size\":5", "\"size\":5,\"x\":1"),
      replaced(good, std::string(64, 'a'), std::string(64, 'A')),
      replaced(good, std::string(64, 'a'), std::string(63, 'a')),
      replaced(good, "vmlinuz", "../vmlinuz"),
      replaced(good, "\"test\"", "\"" + std::string(2000, 'x') + "\""),
      replaced(good, "\"test\"", "\"a\\u0007b\""),
      replaced(good, "\"test\"", std::string(100, '[') + std::string(100, ']')),
      good + std::string(kMaxManifestBytes, ' '),
  };
  for (const std::string& text : bad) {
    const auto result = parse_manifest(text);
    ASSERT_FALSE(result) << text.substr(0, 200);
    EXPECT_EQ(result.error().code, Errc::kDamaged);
  }
}

TEST(Verified, SurvivesARoundTripAndRefusesGarbage) {
  const SeenFile file{.size = 1, .inode = 2, .ctime_ns = 3};
  const Verified verified{
      .manifest_sha256 = std::string(64, 'b'),
      .files = {{"rootfs.erofs", file}, {"vmlinuz", file}, {"initramfs", file}}};
  const auto again = parse_verified(verified_text(verified));
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(*again, verified);
  EXPECT_FALSE(parse_verified("{}"));
  EXPECT_FALSE(parse_verified(replaced(verified_text(verified), "\"inode\":2", "\"inode\":[]")));
}

TEST(Sha256, MatchesKnownValues) {  // FIPS 180-4 examples
  EXPECT_EQ(sha256_hex("abc").value_or(""),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256_hex("").value_or(""),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

}  // namespace
}  // namespace pyro::image
