"""python grpcio: as many workers as connections were asked for, on a quarter as many channels, each
with a connection of its own; no retries. See tally.py."""

from urllib.parse import urlsplit

import grpc

from tally import BODY, Arguments, run_workers

arguments = Arguments()
options = [("grpc.use_local_subchannel_pool", 1), ("grpc.enable_retries", 0)]
channels = [grpc.insecure_channel(urlsplit(arguments.url).netloc, options)
            for _ in range(max(1, arguments.connections // 4))]
methods = [channel.unary_unary("/flare.Lab/Ask") for channel in channels]


def make_ask(number):
    method = methods[number % len(methods)]
    return lambda: (200, method(BODY, timeout=5))


run_workers(arguments, make_ask)
