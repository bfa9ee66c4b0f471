#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include "capi/handles.h"

namespace {

using pyro::Errc;
using pyro::Result;
using namespace pyro::capi;  // NOLINT(google-build-using-namespace)

// Runs `change` on the options of a builder.
template <class F>
pyro_status with_options(pyro_policy_builder* builder, pyro_error** error, F change) {
  return guarded(error, [&]() -> Result<void> {
    PYRO_TRY(const auto object, object_of(builder, "builder"));
    return change(object->options);
  });
}

pyro_status add_rule(pyro_policy_builder* builder, const char* text, pyro::RuleKind kind,
                     pyro_error** error) {
  std::size_t position = 0;
  return guarded(
      error,
      [&]() -> Result<void> {
        PYRO_TRY(const auto object, object_of(builder, "builder"));
        PYRO_TRY(const std::string rule, required(text, "rule"));
        PYRO_CHECK(pyro::check_rule(rule, kind, &position));
        auto& options = object->options;
        (kind == pyro::RuleKind::kAllow ? options.allow : options.deny).push_back(rule);
        return {};
      },
      &position);
}

boost::json::array texts(const std::vector<std::string>& values) {
  boost::json::array list;
  for (const std::string& value : values) list.emplace_back(value);
  return list;
}

}  // namespace

pyro_status pyro_policy_builder_new(pyro_policy_builder** builder, pyro_error** error) {
  return guarded(error, [&]() -> Result<void> {
    if (builder == nullptr) return pyro::fail(Errc::kInvalid, "builder is NULL");
    *builder = Registry<pyro_policy_builder>::get().add(std::make_shared<pyro_policy_builder>());
    return {};
  });
}

pyro_status pyro_policy_builder_policy(pyro_policy_builder* builder, const char* policy,
                                       pyro_error** error) {
  return with_options(builder, error, [&](auto& options) -> Result<void> {
    PYRO_TRY(const std::string name, required(policy, "policy"));
    pyro::client::NetworkOptions alone;
    alone.policy = name;
    PYRO_CHECK(pyro::check_policy(alone));
    options.policy = name;
    return {};
  });
}

pyro_status pyro_policy_builder_net_allow(pyro_policy_builder* builder, const char* rule,
                                          pyro_error** error) {
  return add_rule(builder, rule, pyro::RuleKind::kAllow, error);
}

pyro_status pyro_policy_builder_net_deny(pyro_policy_builder* builder, const char* rule,
                                         pyro_error** error) {
  return add_rule(builder, rule, pyro::RuleKind::kDeny, error);
}

pyro_status pyro_policy_builder_allow_udp(pyro_policy_builder* builder, int allowed,
                                          pyro_error** error) {
  return with_options(builder, error, [&](auto& options) -> Result<void> {
    options.allow_udp = allowed != 0;
    return {};
  });
}

pyro_status pyro_policy_builder_allow_icmp(pyro_policy_builder* builder, int allowed,
                                           pyro_error** error) {
  return with_options(builder, error, [&](auto& options) -> Result<void> {
    options.allow_icmp = allowed != 0;
    return {};
  });
}

pyro_status pyro_policy_builder_check(const pyro_policy_builder* builder, pyro_result** result,
                                      pyro_error** error) {
  if (result != nullptr) *result = nullptr;
  return guarded(error, [&]() -> Result<void> {
    PYRO_TRY(const auto object, object_of(builder, "builder"));
    PYRO_TRY(const pyro::PolicyInfo info, pyro::check_policy(object->options));
    give(boost::json::object{{"allow", texts(info.allow)},
                             {"allow_icmp", info.allow_icmp},
                             {"allow_udp", info.allow_udp},
                             {"deny", texts(info.deny)},
                             {"hash", info.hash},
                             {"policy", info.policy},
                             {"warnings", texts(info.warnings)}},
         result);
    return {};
  });
}
