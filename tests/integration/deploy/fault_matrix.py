"""Every fault at every step of a deploy and a rollback: is the promise kept?

    python tests/integration/deploy/fault_matrix.py [--every N] [--jobs N]

The promise: whenever deploy is interrupted, `current` is a whole release, old or new, and the next deploy
succeeds. A case starts from a device on an old release, breaks the operation once, checks, lets
everything work again, deploys and checks again. The server is a real sshd behind a proxy; see
faulty_device.py for how programs fail and power is lost. Prints a table of cases; exit code 1 if one broke.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import IO, Any

import standin_payload
from cutting_proxy import CuttingProxy
from faulty_device import FaultyDevice
from loopback_device import HOST, is_whole

from edgepatho.deploy.probe import probe
from edgepatho.deploy.releases import rollback
from edgepatho.deploy.ssh import Remote
from edgepatho.deploy.steps import deploy
from edgepatho.errors import UserError

FAULTS = ("cut before", "cut at a byte", "reply lost", "command fails", "disk full", "reboot", "power cut")
FREE_KIB = (0, 4, 16)  # left on the disk when it is "full"
UPLOAD_SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)  # of a step's bytes, where the connection is cut


class WatchedRemote(Remote):
    """Records each remote command: a script's name, or the hash of an upload.

    Calls `before` with the number of the command about to start.
    """

    def __init__(self, destination: str, before: Callable[[int], None] = lambda step: None):
        super().__init__(destination)
        self.names: list[str] = []
        self._before = before

    def _ask(self, script: str, arguments: tuple[str, ...], *data: IO[bytes], **options: Any) -> str:
        self.names.append(arguments[0] if script == "receive" else script)
        self._before(len(self.names))
        return super()._ask(script, arguments, *data, **options)


@dataclass(frozen=True)
class StepFacts:
    """A step of an undisturbed operation: the bytes it sends and the programs it calls."""

    name: str
    bytes_up: int
    calls: int


@dataclass(frozen=True)
class Case:
    """One fault in one step; `where` is a byte, a call or KiB, depending on the fault."""

    operation: str
    step: int
    fault: str
    where: int


class Laboratory:
    """A device on an old release behind a proxy; every case starts from this state."""

    def __init__(self, folder: Path, device: FaultyDevice, proxy: CuttingProxy):
        self.device, self.proxy = device, proxy
        self.old = standin_payload.release(folder, "old", kilobytes=64)
        self.new = standin_payload.release(folder, "new", kilobytes=64)
        self.snapshot = folder / "snapshot"
        for release in (self.new, self.old):  # so that the old release has one to roll back to
            with Remote(HOST) as remote:
                deploy(remote, release, probe(remote))
        shutil.copytree(device.home, folder / "rollback", symlinks=True)
        device.empty()
        with Remote(HOST) as remote:
            deploy(remote, self.old, probe(remote))
        shutil.copytree(device.home, folder / "deploy", symlinks=True)
        self.starts = {"deploy": folder / "deploy", "rollback": folder / "rollback", "first deploy": None}

    def restart(self, operation: str) -> None:
        """Restore the state that the operation starts from."""
        self.device.empty()
        start = self.starts[operation]
        if start is not None:
            shutil.copytree(start, self.device.home, symlinks=True, dirs_exist_ok=True)
        self.proxy.heal()
        self.device.repair()

    def perform(self, operation: str, remote: Remote) -> None:
        if operation == "rollback":
            rollback(remote)
        else:
            deploy(remote, self.new, probe(remote))

    def survey(self, operation: str) -> list[StepFacts]:
        """Run the operation undisturbed and return its steps."""
        self.restart(operation)
        self.device.count_calls()
        marks: list[tuple[int, int]] = []

        def mark(step: int = 0) -> None:
            marks.append((self.proxy.bytes_up, self.device.calls()))

        with WatchedRemote(HOST, mark) as remote:
            self.perform(operation, remote)
            mark()
        sent = [after[0] - before[0] for before, after in pairwise(marks)]
        calls = [count for _, count in marks[1:]]
        uploads = {part.sha256: f"upload {part.name.split('-')[0]}" for part in self.new.parts}
        names = [uploads.get(name, name) for name in remote.names]
        return [StepFacts(*facts) for facts in zip(names, sent, calls, strict=True)]

    def check(self, case: Case) -> None:
        """Run one case; AssertionError if the promise is broken."""
        self.restart(case.operation)
        if case.fault == "power cut":
            self.device.watch_disk()
        before = self.device.current()
        with suppress(UserError), WatchedRemote(HOST, lambda step: self._arm(case, step)) as remote:
            self.perform(case.operation, remote)
        if case.fault == "power cut":
            self.device.lose_power()
        (self.device.home / "ballast").unlink(missing_ok=True)
        self._assert_whole({before, self.old.id, self.new.id} if before else {"", self.new.id})
        self.proxy.heal()
        self.device.repair()
        with Remote(HOST) as remote:
            deploy(remote, self.new, probe(remote))
        self._assert_whole({self.new.id})

    def _arm(self, case: Case, step: int) -> None:
        if step != case.step:
            return
        if case.fault == "cut before":
            self.proxy.cut()
        elif case.fault == "cut at a byte":
            self.proxy.cut_after(case.where)
        elif case.fault == "reply lost":
            self.device.hold(step)
            threading.Thread(target=self._cut_when_done, args=(step,)).start()
        elif case.fault == "disk full":
            _fill(self.device.home, case.where)
        else:
            self.device.break_at(step, case.where, "fail" if case.fault == "command fails" else "stop")

    def _cut_when_done(self, step: int) -> None:
        while self.device.done() < step:
            time.sleep(0.01)
        self.proxy.cut()

    def _assert_whole(self, allowed: set[str]) -> None:
        current = self.device.current()
        assert current in allowed, f"current is {current or 'absent'}, allowed: {allowed}"
        for link in ("current", "previous"):
            if (self.device.store / link).is_symlink():
                release = (self.device.store / link).resolve()
                assert is_whole(release), f"{link} is not a whole release: {release.name}"
        if current:
            store = self.device.store / "current"
            command = [store / "bin" / "edgepatho-run", "selftest", store / "model.epb"]
            subprocess.run(command, check=True, capture_output=True)


def cases(operation: str, steps: list[StepFacts]) -> Iterator[Case]:
    """Yield every case of an operation whose undisturbed steps are known."""
    for number, step in enumerate(steps, 1):
        # The probe changes nothing on the device: a few of its programs represent all.
        calls = range(1, step.calls + 1, 16 if step.name == "probe" else 1)
        bytes_up = sorted({max(1, int(step.bytes_up * share)) for share in UPLOAD_SHARES})
        wheres = {
            "cut before": [0],
            "cut at a byte": bytes_up,
            "reply lost": [0],
            "command fails": calls,
            "disk full": FREE_KIB,
            "reboot": calls,
            "power cut": calls,
        }
        for fault in FAULTS:
            for where in wheres[fault]:
                yield Case(operation, number, fault, where)


@contextmanager
def laboratory(folder: Path) -> Iterator[Laboratory]:
    """Yield a laboratory on its own small disk, which needs root."""
    device = FaultyDevice(folder / "device")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "edgepatho", device.home], check=True)
    path = os.environ["PATH"]
    try:
        with device, CuttingProxy((device.address, device.port)) as proxy:
            device.point_client_at(proxy.port)
            os.environ["PATH"] = device.client_path
            yield Laboratory(folder, device, proxy)
    finally:
        os.environ["PATH"] = path
        subprocess.run(["umount", "--lazy", device.home], check=True)


def _fill(folder: Path, free_kib: int) -> None:
    facts = os.statvfs(folder)
    blocks = facts.f_bavail - free_kib * 1024 // facts.f_frsize
    (folder / "ballast").write_bytes(b"\0" * (blocks * facts.f_frsize))


def check_share(every: int, share: int, shares: int) -> None:
    """Check one share of every `every`-th case and print each as a line of JSON when done."""
    with tempfile.TemporaryDirectory(prefix="edgepatho-matrix-") as folder, laboratory(Path(folder)) as lab:
        surveys = {operation: lab.survey(operation) for operation in lab.starts}
        chosen = [case for operation in surveys for case in cases(operation, surveys[operation])]
        for case in chosen[::every][share::shares]:
            name = surveys[case.operation][case.step - 1].name
            row = (case.operation, case.step, name)
            print(json.dumps({"row": row, "fault": case.fault, "kept": _keeps(lab, case, name)}), flush=True)


def _keeps(lab: Laboratory, case: Case, step: str) -> bool:
    try:
        lab.check(case)
    except (AssertionError, UserError, subprocess.CalledProcessError) as error:
        print(f"BROKEN: {step}: {case}: {error}", file=sys.stderr, flush=True)
        return False
    return True


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--every", type=int, default=1, help="check only every N-th case")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="number of devices at once")
    parser.add_argument("--share", type=int, help=argparse.SUPPRESS)  # what one of these processes checks
    options = parser.parse_args()
    if options.share is not None:
        check_share(options.every, options.share, options.jobs)
        return 0
    started = time.monotonic()
    command = [sys.executable, __file__, f"--every={options.every}", f"--jobs={options.jobs}"]
    workers = [
        subprocess.Popen([*command, f"--share={share}"], stdout=subprocess.PIPE, text=True)
        for share in range(options.jobs)
    ]
    done: list[dict[str, Any]] = []

    def collect(worker: subprocess.Popen[str]) -> int:
        for line in worker.stdout or ():
            done.append(json.loads(line))
            if len(done) % 100 == 0:
                print(f"{len(done)} cases", file=sys.stderr, flush=True)
        return worker.wait()

    with ThreadPoolExecutor(options.jobs) as pool:
        codes = list(pool.map(collect, workers))
    _print_table(done)
    kept = sum(case["kept"] for case in done)
    print(f"{kept} of {len(done)} cases kept the promise, in {time.monotonic() - started:.0f} s")
    return int(kept < len(done) or any(codes))


def _print_table(done: list[dict[str, Any]]) -> None:
    print(f"{'operation':13s} {'step':28s}" + "".join(f"{fault:>14s}" for fault in FAULTS))
    operations = ("deploy", "rollback", "first deploy")
    rows = {tuple(case["row"]) for case in done}
    for row in sorted(rows, key=lambda row: (operations.index(row[0]), row[1])):
        cells = []
        for fault in FAULTS:
            here = [case["kept"] for case in done if (tuple(case["row"]), case["fault"]) == (row, fault)]
            cells.append(f"{sum(here)}/{len(here)}")
        print(f"{row[0]:13s} {row[2]:28s}" + "".join(f"{cell:>14s}" for cell in cells))


if __name__ == "__main__":
    sys.exit(main())
