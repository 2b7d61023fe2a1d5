"""A TCP proxy in front of a server that can break connections, at once or at a chosen byte."""

from __future__ import annotations

import socket
import struct
import threading

LINGER_0 = struct.pack("ii", 1, 0)  # close sends RST, as a vanished peer's router would


class CuttingProxy:
    """Forwards `port` on the loopback to `target`; thread-safe. Use as a context manager."""

    def __init__(self, target: tuple[str, int]):
        self._target = target
        self._lock = threading.Lock()
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._upload_budget: int | None = None
        self._down = False
        self.bytes_up = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> CuttingProxy:
        return self

    def __exit__(self, *exception: object) -> None:
        self.cut()
        self._listener.close()

    def cut(self) -> None:
        """Reset all connections and refuse new ones until `heal`."""
        with self._lock:
            self._down = True
            pairs, self._pairs = self._pairs, []
        for pair in pairs:
            for end in pair:
                _reset(end)

    def cut_after(self, upload_bytes: int) -> None:
        """Cut once this many more bytes have gone to the server."""
        self._upload_budget = upload_bytes

    def heal(self) -> None:
        """Accept and forward again."""
        with self._lock:
            self._down, self._upload_budget = False, None

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                if self._down:
                    _reset(client)
                    continue
                server = socket.create_connection(self._target)
                self._pairs.append((client, server))
            threading.Thread(target=self._forward, args=(client, server, True), daemon=True).start()
            threading.Thread(target=self._forward, args=(server, client, False), daemon=True).start()

    def _forward(self, source: socket.socket, sink: socket.socket, up: bool) -> None:
        try:
            while data := source.recv(1 << 16):
                if up:
                    self._forward_up(sink, data)
                else:
                    sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            _reset(source)
            _reset(sink)

    def _forward_up(self, sink: socket.socket, data: bytes) -> None:
        if self._upload_budget is not None and len(data) >= self._upload_budget:
            sink.sendall(data[: self._upload_budget])
            self._upload_budget = None
            self.cut()
            raise OSError("cut")
        if self._upload_budget is not None:
            self._upload_budget -= len(data)
        self.bytes_up += len(data)
        sink.sendall(data)


def _reset(end: socket.socket) -> None:
    try:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_0)
        end.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
    end.close()
