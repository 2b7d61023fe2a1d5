"""A real OpenSSH server on the loopback interface that acts as the device, with its own home folder."""

from __future__ import annotations

import getpass
import hashlib
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

HOST = "device"  # the alias in the client's configuration


class LoopbackDevice:
    """sshd on 127.0.0.1 with temporary keys; `ssh` found first on `client_path` knows it as HOST.

    `home` is its home folder, `store` is where releases go. The login is the user who runs the test, or
    `account`, whose home folder must be `home`. Use as a context manager.
    """

    def __init__(
        self,
        folder: Path,
        *,
        address: str = "127.0.0.1",
        device_path: str = "/usr/bin:/bin",
        account: str = "",
    ):
        self.folder = folder
        self.home = folder / "home of lab user"  # so that every test has a space in its paths
        self.store = self.home / ".local" / "share" / "edgepatho"
        self.address = address
        self.user = account or getpass.getuser()
        self.port = _free_port(address)
        self.home.mkdir(parents=True)
        self._make_keys()
        self._write_configuration(f'{"" if account else f""""HOME={self.home}" """}PATH={device_path}')
        self._server: subprocess.Popen[bytes] | None = None

    @property
    def client_path(self) -> str:
        """Return a PATH whose first ssh uses this device's client configuration."""
        return f"{self.folder / 'client'}:{os.environ['PATH']}"

    def __enter__(self) -> LoopbackDevice:
        if os.getuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)  # required by a root server
        sshd = shutil.which("sshd") or "/usr/sbin/sshd"
        with (self.folder / "sshd.log").open("wb") as log:
            self._server = subprocess.Popen([sshd, "-D", "-e", "-f", self.folder / "sshd_config"], stderr=log)
        while True:
            try:
                socket.create_connection((self.address, self.port), timeout=1).close()
                return self
            except OSError:
                if self._server.poll() is not None:
                    break
                time.sleep(0.02)
        raise RuntimeError(f"sshd did not start: {(self.folder / 'sshd.log').read_text()}")

    def __exit__(self, *exception: object) -> None:
        assert self._server is not None
        self._server.kill()
        self._server.wait()

    def point_client_at(self, port: int, address: str | None = None) -> None:
        """Make the client reach HOST through another port, such as a proxy's."""
        address = address or self.address
        options = {
            "HostName": address,
            "Port": port,
            "User": self.user,
            "HostKeyAlias": HOST,
            "IdentityFile": self.folder / "client_key",
            "IdentitiesOnly": "yes",
            "UserKnownHostsFile": self.folder / "known_hosts",
            "GlobalKnownHostsFile": "/dev/null",
            "LogLevel": "ERROR",
        }
        lines = [f"    {name} {value}" for name, value in options.items()]
        (self.folder / "ssh_config").write_text("\n".join([f"Host {HOST}* {address}", *lines]) + "\n")

    def empty(self) -> None:
        """Start with an empty home folder."""
        for entry in self.home.iterdir():
            shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()

    def current(self) -> str:
        """Return the id of the current release, "" if there is none."""
        link = self.store / "current"
        return link.readlink().name if link.is_symlink() else ""

    def _make_keys(self) -> None:
        for name in ("host_key", "client_key"):
            command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", self.folder / name]
            subprocess.run(command, check=True)
        shutil.copy(self.folder / "client_key.pub", self.folder / "authorized_keys")
        host_key = (self.folder / "host_key.pub").read_text()
        (self.folder / "known_hosts").write_text(f"{HOST} {host_key}")

    def _write_configuration(self, environment: str) -> None:
        lines = [
            f"ListenAddress {self.address}",
            f"Port {self.port}",
            f"HostKey {self.folder / 'host_key'}",
            f"AuthorizedKeysFile {self.folder / 'authorized_keys'}",
            "PidFile none",
            "StrictModes no",
            "UsePAM no",
            "PasswordAuthentication no",
            "KbdInteractiveAuthentication no",
            "PermitRootLogin yes",
            "MaxStartups 100",
            "MaxSessions 100",
            f"SetEnv {environment}",
        ]
        (self.folder / "sshd_config").write_text("\n".join(lines) + "\n")
        client = self.folder / "client" / "ssh"
        client.parent.mkdir()
        ssh = shutil.which("ssh") or "ssh"
        client.write_text(f'#!/bin/sh\nexec {ssh} -F {self.folder / "ssh_config"} "$@"\n')
        client.chmod(0o755)
        self.point_client_at(self.port)


def is_whole(release: Path) -> bool:
    """Return whether a release folder matches its name, checked independently."""
    manifest = release / "MANIFEST"
    if not manifest.is_file() or not hashlib.sha256(manifest.read_bytes()).hexdigest().startswith(
        release.name
    ):
        return False
    listed = dict(line.split("  ", 1)[::-1] for line in manifest.read_text().splitlines())
    for path, expected in listed.items():
        file = release / path
        if not file.is_file() or hashlib.sha256(file.read_bytes()).hexdigest() != expected:
            return False
    files = {str(path.relative_to(release)) for path in release.rglob("*") if path.is_file()}
    made_there = {path for path in files if "__pycache__" in path}
    return files - made_there - {"BYTECODE", "MANIFEST", "MANIFEST.sig", "python"} == set(listed)


def _free_port(address: str) -> int:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as listener:
        listener.bind((address, 0))
        return listener.getsockname()[1]
