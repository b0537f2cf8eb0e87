#include "kernel/attach_plan.h"

#include <cerrno>
#include <cstring>

namespace flare {
namespace {

/// Why tc suits this device better than XDP; empty where it does not. A device with a kind is made
/// by software, and its packets may have an unfinished checksum or be 64 KiB super-packets.
std::string why_software(const Device& device) {
  if (device.loopback) return device.name + " is the loopback device: tc sees its packets complete";
  if (device.kind.empty()) return "";
  return device.name + " is a " + device.kind +
         " device: its packets may have unfinished checksums, which only tc handles";
}

}  // namespace

Result<AttachPlan> plan_attach(const Device& device, flare_attach_mode requested,
                               const std::string& holder) {
  if (!device.ethernet) {
    return Error("cannot attach to " + device.name +
                 (device.kind.empty() ? "" : " (" + device.kind + ")") +
                 ": its packets have no Ethernet header; name the device below it");
  }
  if (requested == FLARE_ATTACH_TC) {
    return AttachPlan{FLARE_ATTACH_TC, false, "the configuration asks for tc"};
  }
  if (requested == FLARE_ATTACH_XDP) {
    return AttachPlan{FLARE_ATTACH_XDP, false, "the configuration asks for xdp"};
  }
  std::string software = why_software(device);
  if (!software.empty()) return AttachPlan{FLARE_ATTACH_TC, false, software};
  if (!holder.empty()) {
    return AttachPlan{FLARE_ATTACH_TC, false, "the XDP hook is held by " + holder};
  }
  return AttachPlan{FLARE_ATTACH_XDP, true,
                    device.name + " is a NIC and its driver runs XDP natively"};
}

std::string xdp_refusal(const Device& device, int errno_value, const std::string& holder) {
  if (errno_value == EBUSY || errno_value == EEXIST) {
    return "the XDP hook is held by " + (holder.empty() ? "another program" : holder);
  }
  if (errno_value == EOPNOTSUPP) {
    return "the driver of " + device.name +
           " refuses native XDP (no support, or an offload such as LRO is in the way)";
  }
  std::string text = "the driver of " + device.name + " refuses XDP: " + std::strerror(errno_value);
  bool may_be_size = errno_value == EINVAL || errno_value == ERANGE || errno_value == EMSGSIZE;
  if (may_be_size) text += " (its MTU is " + std::to_string(device.mtu) + ")";
  return text;
}

}  // namespace flare
