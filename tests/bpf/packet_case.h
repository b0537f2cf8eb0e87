// The packet fixtures as data: what arrives, what was there before, and what must become of it. The
// suites run every row on each hook; packet_table.cpp writes the same rows into docs/packets.md.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "receiver_fixture.h"

namespace flare::test {

struct PacketCase {
  std::string fixture;  ///< a group of rows, "P3" or a word
  std::string what;     ///< the packet, as the table of docs/packets.md has it
  std::string reason;   ///< the word of XDP and tc
  std::function<Bytes(const Scene&)> frame;
  /// The frame afterwards, where it is sent or answered. The scene knows the NAT port by then.
  std::function<Bytes(const Scene&)> becomes{};
  Given given = Given::kNothing;
  Path path = Path::kPlain;
  std::function<void(flare_service&)> adjust{};
  std::string tc_reason{};  ///< where tc, which needs no companion, says another word than XDP
  std::optional<Family> only{};
  bool unread = false;  ///< its defect shows before its ports, so before anybody knows whose it is

  const std::string& reason_at(flare_hook hook) const {
    return hook == FLARE_HOOK_XDP || tc_reason.empty() ? reason : tc_reason;
  }
  bool runs_in(Family family) const { return !only || *only == family; }
};

using PacketCases = std::vector<PacketCase>;

/// Makes the packet of a row.
using Make = std::function<Packet(const Scene&)>;

/// A row whose packet passes as it is. `only` and the rest may be set afterwards.
PacketCase passes(std::string fixture, std::string what, std::string reason, Make make,
                  Given given = Given::kNothing);
/// A row whose packet opens a flow and leaves for the backend.
PacketCase spills(std::string fixture, std::string what, Make make);
/// A row whose packet follows the flow that is `given`, to the backend or back to the client.
PacketCase follows(std::string fixture, std::string what, Given given, Make make);
PacketCase returns(std::string fixture, std::string what, Given given, Make make);
/// A row whose packet is answered with what `answer` makes of it.
PacketCase answers(std::string fixture, std::string what, std::string reason, Given given,
                   Make make, std::function<Packet(const Scene&, const Packet&)> answer);
PacketCase only_v4(PacketCase row);
PacketCase only_v6(PacketCase row);

PacketCases network_cases();    ///< cases_network.cpp: P2 to P4, P6
PacketCases fragment_cases();   ///< cases_fragment.cpp: P5, P7
PacketCases icmp_cases();       ///< cases_icmp.cpp: P8
PacketCases transport_cases();  ///< cases_transport.cpp: P9, P10, P14 to P18, P20
PacketCases tier_cases();       ///< cases_tier.cpp: not ours, the VM tier, overload, the way out
/// All of them, in the order of the table.
PacketCases all_packet_cases();

/// The number of a reason's word.
std::uint32_t reason_of(const std::string& word);
/// The table of docs/packets.md, Markdown.
std::string packet_table();
/// What stands between the marks in the file at `path`, and its replacement by packet_table(). Both
/// throw where the file or its marks cannot be found.
std::string read_packet_table(const std::string& path);
void write_packet_table(const std::string& path);

}  // namespace flare::test
