"""A wire to a server that breaks now and then: a request is lost on its way, or the answer to it is."""

import random
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

ABRUPTLY = struct.pack("ii", 1, 0)


@contextmanager
def breaking_wire(port: int, chance: float) -> Iterator[str]:
    """Lend the address of a proxy to *port* that breaks a connection at each piece with a *chance*."""
    with socket.create_server(("127.0.0.1", 0)) as door:
        threading.Thread(target=_accept, args=(door, port, chance), daemon=True).start()
        yield f"http://127.0.0.1:{door.getsockname()[1]}"
        door.shutdown(socket.SHUT_RDWR)


def _accept(door: socket.socket, port: int, chance: float) -> None:
    while True:
        try:
            near, _ = door.accept()
            far = socket.create_connection(("127.0.0.1", port))
        except OSError:
            return
        for source, sink in ((near, far), (far, near)):
            threading.Thread(target=_carry, args=(source, sink, chance), daemon=True).start()


def _carry(source: socket.socket, sink: socket.socket, chance: float) -> None:
    try:
        while piece := source.recv(65_536):
            if random.random() < chance:
                for end in (source, sink):
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABRUPTLY)
                break
            sink.sendall(piece)
    except OSError:
        pass
    for end in (source, sink):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
        end.close()
