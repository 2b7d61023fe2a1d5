"""The releases on a device."""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass

from edgepatho.deploy.release import PROGRAMS
from edgepatho.deploy.ssh import Remote, ScriptFailed
from edgepatho.deploy.steps import explained
from edgepatho.errors import DeviceUnfit


@dataclass(frozen=True)
class Installed:
    """One release on a device; `mark` is current, previous or -.

    `state` is whole, damaged, or no-python if the Python that it was installed with is gone.
    `parts` maps the name of each part to its SHA-256.
    """

    id: str
    size_bytes: int
    installed_at: int
    state: str
    mark: str
    parts: dict[str, str]

    def __str__(self) -> str:
        day = time.strftime("%Y-%m-%d %H:%M", time.gmtime(self.installed_at))
        parts = ", ".join(_short(name) for name in self.parts if name not in PROGRAMS)
        return (
            f"{self.id}  {self.mark:8s}  {self.state:9s}  {self.size_bytes / 1e6:6.1f} MB  {day} UTC  {parts}"
        )


def list_releases(remote: Remote) -> list[Installed]:
    """Return the releases on the device, newest first, after verifying each of them there."""
    releases = []
    for line in remote.run("list").splitlines():
        fields = re.fullmatch(r"([0-9a-f]+) ([0-9]{1,12}) ([0-9]{1,11}) (\S+) (\S+) (.*)", line)
        if fields is None:
            raise DeviceUnfit(
                f"{remote.destination} listed something that is not a release: {line[:80]!r}; deploy again."
            )
        identity, kib, installed_at, state, mark, text = fields.groups()
        releases.append(Installed(identity, int(kib) * 1024, int(installed_at), state, mark, _parts(text)))
    return sorted(releases, key=lambda release: release.installed_at, reverse=True)


def rollback(remote: Remote) -> tuple[str, str]:
    """Switch to the previous release; return the ids before and after.

    Raises RolledBack if the previous release fails its health check; the device then stays where it was.
    """
    try:
        answer = remote.run("rollback")
    except ScriptFailed as error:
        raise explained(error) from error
    switched = re.fullmatch(r"switched (none|[0-9a-f]+)\nnow ([0-9a-f]+)\n", answer)
    if switched is None:
        raise DeviceUnfit(
            f"{remote.destination} did not report which release it switched to; see `edgepatho ls`."
        )
    return switched[1], switched[2]


def _parts(text: str) -> dict[str, str]:
    """Return the parts in a release.json, {} if it is invalid; the device may send anything."""
    try:
        return {str(part["name"]): str(part["sha256"]) for part in json.loads(text)["parts"]}
    except (ValueError, TypeError, KeyError, RecursionError):
        return {}


def _short(name: str) -> str:
    """Return the name of a part; for a wheel, only its name and version."""
    return " ".join(name.split("-")[:2]) if name.endswith(".whl") else name
