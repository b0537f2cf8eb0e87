"""A gRPC server whose one method, /flare.Echo/Call, answers with the bytes that it was sent.

Its figures, {"requests": N}, are told over HTTP at another address. No protoc: bytes are the message.

usage: grpc_server.py LISTEN FIGURES
"""

import concurrent.futures
import http.server
import json
import sys
import threading

import grpc

requests = 0
counting = threading.Lock()


def echo(message, _context):
    global requests
    with counting:
        requests += 1
    return message


class Figures(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps({"requests": requests}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def main():
    listen, figures = sys.argv[1:]
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(max_workers=8))
    method = grpc.unary_unary_rpc_method_handler(echo)
    server.add_generic_rpc_handlers(
        [grpc.method_handlers_generic_handler("flare.Echo", {"Call": method})]
    )
    if not server.add_insecure_port(listen):
        sys.exit(f"cannot listen on {listen}")
    server.start()
    address, port = figures.rsplit(":", 1)
    http.server.HTTPServer((address, int(port)), Figures).serve_forever()


main()
