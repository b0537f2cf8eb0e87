"""A gRPC server with one unary method, which answers the same whatever it is asked.

usage: grpc_server.py ADDRESS:PORT
"""

import sys
from concurrent import futures

import grpc

ANSWER = b"flare" * 20

method = grpc.unary_unary_rpc_method_handler(lambda request, context: ANSWER)
server = grpc.server(futures.ThreadPoolExecutor(max_workers=32))
server.add_generic_rpc_handlers(
    (grpc.method_handlers_generic_handler("flare.Lab", {"Ask": method}),))
if not server.add_insecure_port(sys.argv[1]):
    sys.exit(f"cannot listen on {sys.argv[1]}")
server.start()
server.wait_for_termination()
