#include "escape/runner.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <set>
#include <thread>

#include "base/text.h"
#include "net/link_addresses.h"
#include "policy/special_ranges.h"
#include "world/places.h"

namespace pyro::escape {

namespace {

constexpr std::chrono::milliseconds kGlance{10};

std::string mac_text(const net::MacAddress& m) {
  return fmt::format("{:02x}:{:02x}:{:02x}:{:02x}:{:02x}:{:02x}", m[0], m[1], m[2], m[3], m[4],
                     m[5]);
}

void replace(std::string& text, std::string_view what, std::string_view by) {
  for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + by.size()))
    text.replace(at, what.size(), by);
}

// What pyro-probe prints.
struct Line {
  static constexpr const char* kName = "pyro-probe's line";
  bool ok = false;
  std::string error, rcode, said;
  std::int64_t ms = 0;
  template <class M>
  void map(M& m) {
    m.required("ok", ok);
    m.required("ms", ms);
    m.optional("error", error);
    m.optional("rcode", rcode);
    m.optional("said", said);
  }
};

// The engine's own questions, of which the name server says what they were about.
bool is_resolving(const world::Arrival& a) {
  constexpr std::uint16_t kDnsPort = 53;
  return a.where == "world" && a.address == world::kNameServer && a.port == kDnsPort &&
         (a.protocol == "udp" || a.protocol == "tcp");
}

}  // namespace

// ---- words

std::vector<std::string> Runner::words(const std::string& text) const {
  using policy::Family;
  const auto& v4 = policy::link_of(Family::kIpv4);
  const auto& v6 = policy::link_of(Family::kIpv6);
  std::string all = text;
  replace(all, "{frame}", "frame {mac} {guest}");
  replace(all, "{frame6}", "frame {mac} {guest6}");
  replace(all, "{mac}", mac_text(net::kEngineMac));
  replace(all, "{engine}", v4.engine.text());
  replace(all, "{engine6}", v6.engine.text());
  replace(all, "{guest}", v4.guest.text());
  replace(all, "{guest6}", v6.guest.text());
  replace(all, "{port}", std::to_string(port_));
  std::vector<std::string> out;
  for (std::size_t at = 0; at <= all.size();) {
    const auto end = std::min(all.find(' ', at), all.size());
    out.push_back(all.substr(at, end - at));
    replace(out.back(), "_", " ");
    at = end + 1;
  }
  return out;
}

Rules Runner::rules(const Rules& in) const {
  Rules out = in;
  for (std::string& rule : out.allow) replace(rule, "{port}", std::to_string(port_));
  return out;
}

Result<Runner::Said> Runner::read(const std::string& line) {
  PYRO_TRY(const auto object, proto::parse_object(line));
  PYRO_TRY(const auto m, proto::decode<Line>(object));
  return Said{.ok = m.ok,
              .text = !m.error.empty()   ? m.error
                      : !m.rcode.empty() ? m.rcode
                                         : m.said,
              .said = m.said,
              .ms = m.ms};
}

Result<Runner::Said> Runner::ask(const std::string& text) {
  PYRO_TRY(const std::string line, guest_.probe(words(text)));
  return read(line);
}

// ---- a probe

Outcome Runner::run(const Probe& probe) {
  Outcome out{.name = probe.name, .attempt = probe.attempt};
  const auto note = [&](const char* when, const Result<void>& done) {
    if (!done) out.problems.push_back(std::string(when) + ": " + done.error().message);
  };
  Result<void> attacked;
  switch (probe.scenario) {
    case Scenario::kNone:
      attacked = attack(probe, out);
      break;
    case Scenario::kRuleRemoved:
      attacked = rule_removed(probe, out);
      break;
    case Scenario::kEngineKilled:
      attacked = engine_killed(probe, out);
      break;
    case Scenario::kSynFlood:
      attacked = syn_flood(probe, out);
      break;
    case Scenario::kTunnelRate:
      attacked = tunnel_rate(probe, out);
      break;
    default:
      attacked = elsewhere(probe, out);
      break;
  }
  note("the attempt could not be made", attacked);
  if (probe.scenario != Scenario::kRun && probe.scenario != Scenario::kOff)
    note("the control could not be made", control(probe, out));
  out.passed = out.problems.empty();
  return out;
}

Outcome Runner::decide(const Probe& probe) {
  constexpr int kTries = 3;
  Outcome out = run(probe);
  // Others leave something behind: a snapshot, the deaths of an engine.
  if (probe.scenario != Scenario::kNone) return out;
  for (int tries = 2; !out.passed && out.late == out.problems.size() && tries <= kTries; ++tries) {
    out = run(probe);
    out.tries = tries;
  }
  return out;
}

Result<void> Runner::tidy() {
  PYRO_CHECK(guest_.events());
  events_.clear();
  PYRO_TRY(drops_, guest_.drops());
  PYRO_CHECK(world_.arrivals());
  return {};
}

Result<void> Runner::prepare(const Probe& probe) {
  PYRO_TRY(const auto policy, policy_of(rules(probe.rules)));
  PYRO_CHECK(guest_.set_policy(policy));
  PYRO_CHECK(world_.begin_anew());
  if (!probe.first.empty()) {
    PYRO_TRY(const Said said, ask(probe.first));
    if (!said.ok)
      return fail(Errc::kUnavailable, "what comes before it did not work: " + said.text);
  }
  return tidy();
}

Result<void> Runner::attack(const Probe& probe, Outcome& out) {
  PYRO_CHECK(prepare(probe));
  PYRO_CHECK(attack_as_it_is(probe, out));
  if (out.late == 0) return {};
  // What is late for the guest and the engine may be late for the world.
  std::this_thread::sleep_for(patience_);
  PYRO_CHECK(arrived(probe.arrives, out));
  return {};
}

Result<void> Runner::attack_as_it_is(const Probe& probe, Outcome& out) {
  PYRO_CHECK(tidy());
  PYRO_TRY(const Said said, ask(probe.words));
  guest_saw(said, probe, out);
  PYRO_CHECK(engine_says(probe.why, out));
  return nothing_arrived(probe.arrives, out);
}

void Runner::guest_saw(const Said& said, const Probe& probe, Outcome& out) const {
  out.saw = said.text;
  out.why = probe.why;
  out.refused_ms = said.ms;
  if (said.text != probe.sees)
    out.add(fmt::format("the guest saw \"{}\" instead of \"{}\"", said.text, probe.sees),
            said.text == "ETIMEDOUT" || said.text == "none");
  // What works tells what there is, and may take its time: a scan does.
  if (!said.ok && said.ms > patience_.count())
    out.add(fmt::format("it took {} ms to be refused", said.ms), true);
}

Result<void> Runner::engine_says(const std::string& why, Outcome& out) {
  constexpr std::string_view kDropped = "dropped: ";
  if (why.empty()) return {};  // there is no engine
  const auto end = std::chrono::steady_clock::now() + patience_;
  for (;;) {
    if (why.starts_with(kDropped)) {
      const std::string reason = why.substr(kDropped.size());
      PYRO_TRY(auto now, guest_.drops());
      if (now[reason] > drops_[reason]) return {};
    } else {
      PYRO_TRY(auto news, guest_.events());
      events_.insert(events_.end(), news.begin(), news.end());
      const bool said = std::ranges::any_of(events_, [&](const proto::NetEvent& e) {
        return e.reason == why && (!e.allow || e.kind == "end");
      });
      if (said) return {};
    }
    if (std::chrono::steady_clock::now() > end) break;
    std::this_thread::sleep_for(kGlance);
  }
  out.add(fmt::format("the engine did not say \"{}\" within {} ms", why, patience_.count()), true);
  return {};
}

Result<std::set<std::string>> Runner::arrived(const std::vector<std::string>& but, Outcome& out) {
  PYRO_TRY(const auto arrivals, world_.arrivals());
  std::set<std::string> all;
  for (const world::Arrival& a : arrivals.list) {
    if (is_resolving(a)) continue;
    const std::string what = text(a);
    all.insert(what);
    if (std::ranges::find(but, what) == but.end())
      out.problems.push_back(
          fmt::format("\"{}\" arrived ({} packets, {} bytes)", what, a.packets, a.bytes));
  }
  if (arrivals.lost > 0) out.problems.emplace_back("more arrived than the world can note");
  return all;
}

Result<void> Runner::nothing_arrived(const std::vector<std::string>& but, Outcome& out) {
  PYRO_TRY(const auto all, arrived(but, out));
  for (const std::string& what : but) {
    if (!all.contains(what))
      out.add(fmt::format("\"{}\" did not arrive, which is allowed", what), true);
  }
  return {};
}

Result<void> Runner::control(const Probe& probe, Outcome& out) {
  PYRO_TRY(const auto policy, policy_of(rules(probe.control.rules)));
  PYRO_CHECK(guest_.set_policy(policy));
  PYRO_CHECK(world_.begin_anew());
  const std::string& words = probe.control.words.empty() ? probe.words : probe.control.words;
  PYRO_TRY(Said said, ask(words));
  const bool limited =
      probe.scenario == Scenario::kTunnelRate || probe.scenario == Scenario::kSynFlood;
  const auto end = std::chrono::steady_clock::now() + patience_;
  while (!said.ok && limited && std::chrono::steady_clock::now() < end) {
    std::this_thread::sleep_for(kGlance);  // what was used up comes back with time
    PYRO_TRY(said, ask(words));
  }
  out.control = said.ok ? said.said.empty() ? "works" : said.said : said.text;
  if (!said.ok || (!probe.control.says.empty() && said.said != probe.control.says)) {
    // What worked was somebody else's.
    out.add(
        fmt::format("the control said \"{}\"{}", said.text,
                    probe.control.says.empty() ? "" : " instead of \"" + probe.control.says + "\""),
        !said.ok);
  }
  return {};
}

}  // namespace pyro::escape
