"""The web process: uvicorn on a socket the supervisor has bound.

The supervisor keeps the listening socket open, so a connection made while web is being started again waits in its
queue instead of being refused, and nobody else can take the port meanwhile.

    python -m fubini.supervisor.web --fd N
"""

from __future__ import annotations

import argparse
import socket
import sys

import uvicorn

GRACEFUL_SHUTDOWN_S = 5


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m fubini.supervisor.web")
    parser.add_argument("--fd", type=int, required=True, help="an inherited, listening socket")
    options = parser.parse_args(argv)
    listener = socket.socket(fileno=options.fd)
    config = uvicorn.Config(
        "fubini.asgi:application",
        log_level="info",
        access_log=False,
        lifespan="off",
        server_header=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=GRACEFUL_SHUTDOWN_S,
        backlog=2048,
    )
    uvicorn.Server(config).run(sockets=[listener])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
