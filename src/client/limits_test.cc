// What the texts of operations say about limits is what holds.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>

#include "base/text.h"
#include "client/diff_reader.h"
#include "client/export_writer.h"
#include "core/exec_output.h"
#include "proto/limits.h"
#include "proto/operations.h"
#include "seed/seed.h"

namespace pyro::client {
namespace {

std::string text_of(const char* operation) {
  std::string all;
  for (const std::string_view paragraph : proto::find_operation(operation)->description)
    all += std::string(paragraph) + "\n";
  return all;
}

// "1,000,000"
std::string with_commas(std::int64_t number) {
  std::string text = std::to_string(number);
  for (std::size_t at = text.size(); at > 3; at -= 3) text.insert(at - 3, ",");
  return text;
}

// "8 GiB"; the limits are whole numbers of their unit.
std::string size(std::uint64_t bytes) {
  std::string text = human_bytes(bytes);
  if (const std::size_t at = text.find(".0 "); at != std::string::npos) text.erase(at, 2);
  return text;
}

void expect_said(const char* operation, const std::vector<std::string>& limits) {
  const std::string text = text_of(operation);
  for (const std::string& limit : limits)
    EXPECT_NE(text.find(limit), std::string::npos) << operation << " does not say " << limit;
}

TEST(Limits, AreThoseOfTheTexts) {
  const std::vector<std::string> seeds{
      with_commas(seed::kMaxEntries) + " entries", size(seed::kMaxBytes) + " in files",
      size(seed::kMaxNameBytes) + " in names", fmt::format("{} components", seed::kMaxDepth)};
  expect_said("workspace.create", seeds);
  expect_said("workspace.sync.push", seeds);
  expect_said("workspace.export", {with_commas(kMostExportEntries), size(kMostExportBytes),
                                   size(kMostExportNames) + " in names"});
  expect_said("workspace.diff", {with_commas(kMostDiffEntries) + " paths",
                                 "patch has at most " + size(kMostPatch), size(kMostDiffContent)});
  expect_said("workspace.patch.apply", {"at most " + size(proto::kMaxWriteBytes)});
  expect_said("workspace.file.write", {size(proto::kMaxWriteBytes) + " at most"});
  expect_said("workspace.logs", {size(core::kKeptOutput), "first " + size(core::kKeptOutput / 2)});
}

}  // namespace
}  // namespace pyro::client
