#include "packet_case.h"

#include <iterator>
#include <stdexcept>
#include <utility>

namespace flare::test {

PacketCase passes(std::string fixture, std::string what, std::string reason, Make make,
                  Given given) {
  PacketCase row;
  row.fixture = std::move(fixture);
  row.what = std::move(what);
  row.reason = std::move(reason);
  row.given = given;
  row.frame = [make = std::move(make)](const Scene& scene) { return make(scene).bytes(); };
  return row;
}

PacketCase spills(std::string fixture, std::string what, Make make) {
  PacketCase row = passes(std::move(fixture), std::move(what), "spill-new", make);
  row.becomes = [make = std::move(make)](const Scene& scene) {
    return scene.to_backend(make(scene)).bytes();
  };
  return row;
}

PacketCase follows(std::string fixture, std::string what, Given given, Make make) {
  PacketCase row = spills(std::move(fixture), std::move(what), std::move(make));
  row.reason = "spill-known";
  row.given = given;
  return row;
}

PacketCase returns(std::string fixture, std::string what, Given given, Make make) {
  PacketCase row = passes(std::move(fixture), std::move(what), "spill-reply", make, given);
  row.becomes = [make = std::move(make)](const Scene& scene) {
    return scene.to_client(make(scene)).bytes();
  };
  return row;
}

PacketCase answers(std::string fixture, std::string what, std::string reason, Given given,
                   Make make, std::function<Packet(const Scene&, const Packet&)> answer) {
  PacketCase row = passes(std::move(fixture), std::move(what), std::move(reason), make, given);
  row.becomes = [make = std::move(make), answer = std::move(answer)](const Scene& scene) {
    return answer(scene, make(scene)).bytes();
  };
  return row;
}

PacketCase only_v4(PacketCase row) {
  row.only = Family::kV4;
  return row;
}

PacketCase only_v6(PacketCase row) {
  row.only = Family::kV6;
  return row;
}

PacketCases all_packet_cases() {
  PacketCases all;
  for (auto* part : {network_cases, fragment_cases, icmp_cases, transport_cases, tier_cases}) {
    PacketCases rows = part();
    all.insert(all.end(), std::make_move_iterator(rows.begin()),
               std::make_move_iterator(rows.end()));
  }
  return all;
}

std::uint32_t reason_of(const std::string& word) {
  for (std::uint32_t reason = 0; reason < FLARE_REASONS_COUNT; ++reason)
    if (reason_word(reason) == word) return reason;
  throw std::runtime_error("no such reason: " + word);
}

}  // namespace flare::test
