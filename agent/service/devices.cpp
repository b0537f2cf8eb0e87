#include "service/devices.h"

#include <net/if.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>

namespace flare {

Result<Devices::Names> KernelDevices::present() const {
  const std::unique_ptr<struct if_nameindex, void (*)(struct if_nameindex*)> list(
      ::if_nameindex(), ::if_freenameindex);
  if (!list) return Error::from_errno("cannot list the network interfaces", errno);
  Names names;
  for (const struct if_nameindex* one = list.get(); one->if_index != 0; ++one) {
    names.emplace(one->if_index, one->if_name);
  }
  return names;
}

Result<Devices::Names> KernelDevices::recorded() const {
  Names names;
  auto walked = datapath_.maps().interfaces.for_each([&names](std::uint32_t ifindex,
                                                              const flare_interface& entry) {
    std::array<char, IF_NAMESIZE> living{};
    if (::if_indextoname(ifindex, living.data()) != nullptr) {
      names.emplace(ifindex, living.data());
    } else {
      names.emplace(ifindex, std::string(entry.name, ::strnlen(entry.name, sizeof(entry.name))));
    }
  });
  if (!walked) return walked.error();
  return names;
}

}  // namespace flare
