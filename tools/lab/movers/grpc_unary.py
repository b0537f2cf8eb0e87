"""python grpcio: as many workers as connections were asked for, on a quarter as many channels, each
with a connection of its own. The library's defaults hold: a call that never reached the wire, as its
connection had been told to go away, is made on the next one. See tally.py."""

from urllib.parse import urlsplit

import grpc

from tally import BODY, Arguments, run_workers

arguments = Arguments()
options = [("grpc.use_local_subchannel_pool", 1)]
channels = [grpc.insecure_channel(urlsplit(arguments.url).netloc, options)
            for _ in range(max(1, arguments.connections // 4))]
methods = [channel.unary_unary("/flare.Lab/Ask") for channel in channels]


def make_ask(number):
    method = methods[number % len(methods)]
    return lambda: (200, method(BODY, timeout=5))


run_workers(arguments, make_ask)
