// TCP sockets of either family, non-blocking.
#pragma once

#include <optional>

#include "base/result.h"
#include "base/unique_fd.h"
#include "model/address.h"

namespace flare::lab {

/// Listens on `endpoint` with the largest backlog that net.core.somaxconn allows. An IPv6 socket
/// takes IPv6 alone.
Result<UniqueFd> listen_on(const Endpoint& endpoint);

/// The port that a listening socket got, for tests that ask for port 0.
std::uint16_t port_of(int fd);

/// A connection waiting at `listener`, if there is one; nothing where there is none. An error
/// where the process is out of descriptors.
Result<std::optional<UniqueFd>> accept_from(int listener);

/// Starts to connect: the socket is writable when that is done. `source`, where given, is the
/// address to connect from; the port is chosen when the destination is known, so that the whole
/// ephemeral range is there for each destination. Returns the errno of a failure in `failed`.
UniqueFd connect_to(const Endpoint& target, const std::optional<Address>& source, int& failed);

/// Raises the limit of open descriptors as far as we may.
void raise_descriptor_limit();

}  // namespace flare::lab
