// 500 services change in one file, and the agent is killed at any write on the way: what the
// datapath finds meanwhile, and what the next agent makes of it.
#include <fmt/format.h>

#include <set>

#include "service_set_fixture.h"

namespace flare::test {
namespace {

constexpr int kMany = 500;
/// Hardly more than both files have, so that ids are given again.
constexpr int kBackends = 1600;

/// Service `number` with the backends of `edition`; each edition has its own addresses.
ServiceConfig service(int number, int edition) {
  ServiceConfig made = web();
  made.name = fmt::format("s-{}", number);
  made.frontend = *Endpoint::parse(fmt::format("192.0.{}.{}:80", number / 250, number % 250));
  made.capacity_rps = 100 + edition;
  made.serverless.clear();
  for (int backend = 0; backend < 2; ++backend)
    made.serverless.push_back(
        {*Endpoint::parse(
             fmt::format("10.{}.{}.{}:80", edition, number / 250 * 2 + backend, number % 250)),
         1, FLARE_BACKEND_ACTIVE});
  return made;
}

/// The old file, and the new one: a tenth of the services is gone, as many are new, and every
/// second of the others has other backends and another capacity.
Config old_file() {
  std::vector<ServiceConfig> services;
  for (int i = 0; i < kMany; ++i) services.push_back(service(i, 1));
  return with(std::move(services));
}
Config new_file() {
  std::vector<ServiceConfig> services;
  for (int i = kMany / 10; i < kMany + kMany / 10; ++i)
    services.push_back(service(i, i % 2 == 0 && i < kMany ? 2 : i < kMany ? 1 : 3));
  return with(std::move(services));
}

/// What the datapath does with new flows of a frontend: limits, and addresses by slots of its
/// table.
struct Conduct {
  std::uint64_t interval_ns = 0;
  std::map<std::string, std::size_t> slots;
  bool operator==(const Conduct&) const = default;
};
using Picture = std::map<std::string, Conduct>;  ///< by frontend; retired services are not in it

Picture picture_of(FakeTables& tables) {
  Picture picture;
  const auto entries = tables.services();
  for (const auto& [key, value] : *entries) {
    if (value.retired != 0) continue;
    Conduct& conduct = picture[Address{key.addr}.text()];
    conduct.interval_ns = value.bucket_interval_ns;
    for (const std::uint32_t id : tables.table(value.id)) {
      const flare_backend backend = tables.backend(id);
      EXPECT_EQ(backend.service_id, value.id) << "a table with another service's backend";
      ++conduct.slots[Address{backend.addr}.text()];
    }
  }
  return picture;
}

/// By what flows know where they go.
struct Identity {
  std::uint32_t service = 0;
  std::uint32_t backend = 0;
  std::uint32_t generation = 0;
  bool operator==(const Identity&) const = default;
};
using Identities = std::map<std::string, Identity>;  ///< by frontend and address

Identities identities_of(FakeTables& tables) {
  Identities identities;
  const auto entries = tables.services();
  for (const auto& [key, value] : *entries) {
    if (value.retired != 0) continue;
    for (const std::uint32_t id : tables.ids_in_table(value.id)) {
      const flare_backend backend = tables.backend(id);
      identities[Address{key.addr}.text() + " " + Address{backend.addr}.text()] = {
          value.id, id, backend.generation};
    }
  }
  return identities;
}

/// What only the change is about may be known by something else than before.
void expect_same_for_others(const Identities& before, const Identities& now, const Picture& old,
                            const Picture& fresh) {
  std::size_t compared = 0;
  for (const auto& [name, identity] : before) {
    const std::string frontend = name.substr(0, name.find(' '));
    const auto was = old.find(frontend), is = fresh.find(frontend);
    if (is == fresh.end() || !(was->second == is->second)) continue;
    ++compared;
    const auto found = now.find(name);
    EXPECT_TRUE(found != now.end() && found->second == identity) << name;
  }
  EXPECT_GT(compared, 400U);
}

/// An id that was given to another address has another generation, so that old flows see it.
/// Returns how many were.
std::size_t expect_new_generations(const std::vector<flare_backend>& before,
                                   const std::vector<flare_backend>& now) {
  std::size_t count = 0;
  for (std::size_t id = 1; id < now.size(); ++id) {
    const bool other = before[id].port != 0 && now[id].port != 0 &&
                       Address{before[id].addr} != Address{now[id].addr};
    if (!other) continue;
    ++count;
    EXPECT_GT(now[id].generation, before[id].generation) << "backend " << id;
  }
  return count;
}

/// Nothing but what `picture` shows has a name or an address.
void expect_nothing_left_over(const FakeTables& tables, const Picture& picture) {
  std::size_t addresses = 0, used = 0, named = 0;
  for (const auto& [frontend, conduct] : picture) addresses += conduct.slots.size();
  for (const flare_backend& backend : tables.backends_) used += backend.port != 0 ? 1 : 0;
  for (const flare_service_info& info : tables.infos_) named += info.name[0] != '\0' ? 1 : 0;
  EXPECT_EQ(used, addresses);
  EXPECT_EQ(named, picture.size());
}

class KilledChange : public testing::Test {
 protected:
  /// The maps under the old file, and the agent dead before write `step` of the change; false where
  /// the change has fewer writes.
  bool die_at(std::size_t step) {
    tables_ = FakeTables(2 * kMany, kBackends);
    ServiceSet set(tables_, *log_, kKey);
    EXPECT_TRUE(set.apply(old_file(), {}, kStart));
    old_ = picture_of(tables_);
    known_ = identities_of(tables_);
    start_ = tables_.backends_;
    tables_.killing_write = tables_.steps + step;
    try {
      EXPECT_TRUE(set.apply(new_file(), set.state(), kStart + kSecond));
    } catch (const AgentKilled&) {
      return true;
    }
    return false;
  }
  Picture after_restart(const Config& config) {
    tables_.killing_write = 0;
    ServiceSet next(tables_, *log_, kKey);
    const auto applied = next.apply(config, {}, kStart + 2 * kSecond);
    EXPECT_TRUE(applied) << applied.error().message();
    for (std::uint64_t second = 3; second < 6; ++second)
      EXPECT_TRUE(next.tick(kStart + second * kSecond, 0));
    return picture_of(tables_);
  }
  static Picture applied_afresh(const Config& config) {
    FakeTables tables(2 * kMany, kBackends);
    const auto log = make_logger(-1, true);
    ServiceSet set(tables, *log, kKey);
    EXPECT_TRUE(set.apply(config, {}, kStart));
    return picture_of(tables);
  }

  std::unique_ptr<Logger> log_ = make_logger(-1, true);
  FakeTables tables_;
  Picture old_;
  Identities known_;
  std::vector<flare_backend> start_;
};

TEST_F(KilledChange, LeavesEachServiceAsItWasOrAsItIsToBeAndTheNextAgentFinishes) {
  const Picture before = applied_afresh(old_file()), after = applied_afresh(new_file());
  ASSERT_EQ(before.size(), std::size_t{kMany});
  ASSERT_EQ(after.size(), std::size_t{kMany});
  int kills = 0;
  for (std::size_t step = 1; !HasFailure(); step += 397) {
    SCOPED_TRACE(fmt::format("killed before write {}", step));
    if (!die_at(step)) break;
    ++kills;
    ASSERT_TRUE(old_ == before);
    // backends of both editions may be in one table's reach only where the table is not yet
    // switched
    for (const auto& [frontend, conduct] : picture_of(tables_)) {
      const auto was = before.find(frontend), is = after.find(frontend);
      const bool as_before = was != before.end() && conduct.slots == was->second.slots;
      const bool as_after = is != after.end() && conduct.slots == is->second.slots;
      EXPECT_TRUE(as_before || as_after) << frontend << " spills to neither";
    }
    const bool back = kills % 2 == 0;  // the operator may have put the old file back
    EXPECT_TRUE(after_restart(back ? old_file() : new_file()) == (back ? before : after));
    expect_same_for_others(known_, identities_of(tables_), before, after);
    expect_new_generations(start_, tables_.backends_);
    expect_nothing_left_over(tables_, back ? before : after);
  }
  // The last one was not killed: what the old file had is free, and given again.
  EXPECT_TRUE(after_restart(old_file()) == before);
  EXPECT_GT(expect_new_generations(start_, tables_.backends_), 100U);
  expect_nothing_left_over(tables_, before);
  EXPECT_GT(kills, 3) << "the change has that many writes";
  RecordProperty("kills", kills);
  RecordProperty("services", kMany);
}

}  // namespace
}  // namespace flare::test
