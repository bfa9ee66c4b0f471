// Workspaces of real guests: a baseline, and the requests to the agent with how long each takes.
#pragma once

#include <string>
#include <vector>

#include "guest/machines.h"
#include "proto/workspace_messages.h"
#include "wire/tree_stream.h"

namespace pyro::testing {

using Step = io::Task<void>;

struct Carried {
  wire::TreeEntry entry;
  std::string content;
  bool complete = true;
};
struct Fetched {
  std::vector<Carried> items;
  proto::TreeCounts counts;
  // "kind path", kind being d, f, l, o or -, as they came: what most tests look at.
  [[nodiscard]] std::vector<std::string> names() const;
  // The first of that path; null.
  [[nodiscard]] const Carried* find(const std::string& path) const;
};

// Prints what took how many ms.
void report(const std::string& what, double ms);

// A request without data.
io::Task<boost::json::object> ask(core::Guest& guest, std::string method,
                                  boost::json::object params);
// Mounts and says what became of an interrupted sync.
io::Task<std::string> mount(core::Guest& guest);
// What `folder` is as a tree stream.
Result<std::string> stream_of(const std::string& folder);
io::Task<proto::TreeCounts> sync_tree(core::Guest& guest, std::string tree,
                                      std::string destination);
// An export or a diff.
io::Task<Fetched> fetch(core::Guest& guest, std::string method, boost::json::object params);

// A file on the host, with the folders above it.
void put(const std::string& path, const std::string& content, mode_t mode = 0644);

// Has a baseline: some files, links and folders, and set/000 to set/299 which say "old".
class WorkspaceTest : public GuestTest {
 protected:
  void SetUp() override;
  // In a clone on the layers whose workspace is mounted; what became of a sync before it is
  // checked.
  void expect_in_workspace(std::vector<std::string> layers, Work work);
  // A path on the host for what is to be synced, by that name.
  [[nodiscard]] std::string tree(const std::string& name) const { return dir_ + "/" + name; }
  Step sync_folder(core::Guest& guest, std::string name, std::string destination) const;

  std::string baseline_;

 private:
  static Step mounted(core::Guest& guest, Work work);
};

}  // namespace pyro::testing
