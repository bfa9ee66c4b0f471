// Which paths of the host the arguments of a call may name, where whoever gives them is not who the
// host belongs to.
#pragma once

#include <boost/json/object.hpp>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "api/arguments.h"
#include "base/result.h"

namespace pyro::api {

class HostFolders {
 public:
  HostFolders() = default;  // none: no path may be given
  // Absolute, and without a link in them.
  explicit HostFolders(std::vector<std::string> folders) : folders_(std::move(folders)) {}

  // Puts in the place of each host path what it leads to now: absolute, without `..` and without a
  // link, so that nothing which becomes a link later leads elsewhere. kDenied: one leads out of the
  // folders. What is no path at all is left for the check of the arguments.
  Result<void> confine(const proto::Operation& operation, boost::json::object& arguments) const;

  // For people; empty when there is none.
  [[nodiscard]] std::string names() const;

 private:
  Result<void> each(std::span<const proto::Argument> known, boost::json::object& given,
                    const std::string& where) const;
  Result<void> one(boost::json::value& value, const std::string& name) const;
  [[nodiscard]] bool holds(const std::filesystem::path& path) const;

  std::vector<std::string> folders_;
};

}  // namespace pyro::api
