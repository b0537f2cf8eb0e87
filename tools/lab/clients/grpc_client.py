"""Unary gRPC calls: so many connections, so many callers on each, all at once.

usage: grpc_client.py ADDRESS CONNECTIONS CALLERS CALLS BYTES
"""

import concurrent.futures
import sys

import grpc


def main():
    address = sys.argv[1]
    connections, callers, calls, size = map(int, sys.argv[2:])
    # Without its own pool, every channel to one address shares one connection.
    options = [("grpc.use_local_subchannel_pool", 1)]
    channels = [grpc.insecure_channel(address, options=options) for _ in range(connections)]
    message = b"x" * size

    def caller(channel):
        call = channel.unary_unary("/flare.Echo/Call")
        for _ in range(calls // (connections * callers)):
            if call(message, wait_for_ready=True) != message:
                raise ValueError("another message came back")

    with concurrent.futures.ThreadPoolExecutor(connections * callers) as pool:
        done = [pool.submit(caller, channel) for channel in channels for _ in range(callers)]
        for each in done:
            each.result()
    for channel in channels:
        channel.close()


main()
