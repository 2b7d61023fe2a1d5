"""The promises of deploy: whole releases, nothing sent twice, and a way back."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import standin_payload
from loopback_device import HOST, LoopbackDevice, is_whole

from edgepatho.deploy import ssh
from edgepatho.deploy.probe import Device, check_room, probe
from edgepatho.deploy.release import Release, build
from edgepatho.deploy.releases import list_releases, rollback
from edgepatho.deploy.ssh import Remote, ScriptFailed
from edgepatho.deploy.steps import Outcome
from edgepatho.errors import DeviceUnfit, RolledBack

Deployed = Callable[[Release], Outcome]
Named = Callable[[str], Release]


def answer(device: LoopbackDevice) -> str:
    """Return what the runtime prints when called as a user would."""
    command = [device.home / ".local/bin/edgepatho-run", "selftest", device.store / "current/model.epb"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_a_first_deploy_leaves_a_complete_working_release(
    device: LoopbackDevice, deployed: Deployed, release: Named
):
    wanted = release("first")
    outcome = deployed(wanted)
    assert outcome.changed
    assert device.current() == wanted.id
    assert is_whole(device.store / "releases" / wanted.id)
    assert answer(device) == "self-test passed: first"


def test_equal_content_changes_nothing_and_sends_nothing(
    device: LoopbackDevice, deployed: Deployed, release: Named
):
    deployed(release("first"))
    before = sorted((path, path.lstat().st_mtime_ns) for path in device.store.rglob("*"))
    outcome = deployed(release("first"))
    assert not outcome.changed
    assert list(outcome.seconds) == ["switch"]
    assert sorted((path, path.lstat().st_mtime_ns) for path in device.store.rglob("*")) == before


def test_only_missing_parts_are_sent(device: LoopbackDevice, deployed: Deployed, release: Named):
    deployed(release("first"))
    sent = [name for name in deployed(release("second")).seconds if name.startswith("upload")]
    assert sent == ["upload model.epb", "upload baseline.epb", "upload release.json", "upload MANIFEST"]


def test_a_failed_self_test_leaves_an_empty_device_empty(
    device: LoopbackDevice, deployed: Deployed, release: Named
):
    with pytest.raises(RolledBack, match=r"self-test of release .* failed"):
        deployed(release("broken"))
    assert device.current() == ""


def test_a_failed_self_test_leaves_the_old_release(
    device: LoopbackDevice, deployed: Deployed, release: Named
):
    deployed(release("first"))
    with pytest.raises(RolledBack, match="nothing was switched"):
        deployed(release("broken"))
    assert answer(device) == "self-test passed: first"


def test_a_failed_health_check_returns_to_the_old_release(
    device: LoopbackDevice, deployed: Deployed, release: Named
):
    deployed(release("zeroth"))
    deployed(release("first"))
    with pytest.raises(RolledBack, match=r"health check of release .* failed"):
        deployed(release("sick"))
    assert device.current() == release("first").id
    assert (device.store / "previous").resolve().name == release("zeroth").id
    assert answer(device) == "self-test passed: first"


def test_rollback_goes_back_and_forth(device: LoopbackDevice, deployed: Deployed, release: Named):
    deployed(release("first"))
    deployed(release("second"))
    first, second = release("first").id, release("second").id
    with Remote(HOST) as remote:
        assert rollback(remote) == (second, first)
        assert answer(device) == "self-test passed: first"
        assert rollback(remote) == (first, second)
    assert device.current() == second


def test_rollback_without_a_previous_release_is_refused(
    device: LoopbackDevice, deployed: Deployed, release: Named
):
    deployed(release("first"))
    with Remote(HOST) as remote, pytest.raises(ScriptFailed, match="no previous release"):
        rollback(remote)
    assert device.current() == release("first").id


def test_a_damaged_release_is_not_rolled_back_to(device: LoopbackDevice, deployed: Deployed, release: Named):
    deployed(release("first"))
    deployed(release("second"))
    (device.store / "releases" / release("first").id / "model.epb").write_text("something else")
    with Remote(HOST) as remote, pytest.raises(DeviceUnfit, match="missing or damaged"):
        rollback(remote)
    assert device.current() == release("second").id


def test_ls_shows_current_previous_and_damaged(device: LoopbackDevice, deployed: Deployed, release: Named):
    for name in ("first", "second", "third"):
        deployed(release(name))
    (device.store / "releases" / release("first").id / "baseline.epb").unlink()
    with Remote(HOST) as remote:
        shown = {entry.id: (entry.mark, entry.state) for entry in list_releases(remote)}
    assert shown == {
        release("third").id: ("current", "whole"),
        release("second").id: ("previous", "whole"),
        release("first").id: ("-", "damaged"),
    }


def test_rm_removes_old_releases_only(device: LoopbackDevice, deployed: Deployed, release: Named):
    for name in ("first", "second", "third"):
        deployed(release(name))
    with Remote(HOST) as remote:
        remote.run("remove", release("first").id)
        for name in ("second", "third"):
            with pytest.raises(ScriptFailed, match="cannot be removed"):
                remote.run("remove", release(name).id)
        for bad in ("../current", "", "releases", "no such"):
            with pytest.raises(ScriptFailed, match="is not a release id"):
                remote.run("remove", bad)
    kept = {path.name for path in (device.store / "releases").iterdir()}
    assert kept == {release("second").id, release("third").id}


def test_rm_makes_room_but_leaves_what_other_releases_share(
    device: LoopbackDevice, deployed: Deployed, release: Named
):
    for name in ("first", "second", "third"):
        deployed(release(name))
    with Remote(HOST) as remote:
        remote.run("remove", release("first").id)
    parts = {path.name for path in (device.store / "parts").iterdir()}
    first = {part.name: part.sha256 for part in release("first").parts}
    assert not parts & {first["model.epb"], first["baseline.epb"]}
    assert {part.sha256 for part in release("second").parts} <= parts


def test_pruning_keeps_three_and_always_the_previous(
    device: LoopbackDevice, deployed: Deployed, release: Named
):
    names = ["a", "b", "c", "d", "e"]
    for age, name in enumerate(names):
        deployed(release(name))
        os.utime(device.store / "releases" / release(name).id, (age, age))  # 1970: no clock on the device
    with Remote(HOST) as remote:
        rollback(remote)
    deployed(release("f"))
    kept = {path.name for path in (device.store / "releases").iterdir()}
    assert kept == {release(name).id for name in ("d", "e", "f")}
    assert (device.store / "previous").resolve().name == release("d").id


def test_pruning_leaves_other_files_alone(device: LoopbackDevice, deployed: Deployed, release: Named):
    notes = device.store / "releases" / "my notes"
    notes.mkdir(parents=True)
    for name in ("first", "second", "third", "fourth"):
        deployed(release(name))
    assert notes.is_dir()
    assert len(list((device.store / "releases").iterdir())) == 4


def test_leftovers_of_interrupted_deploys_are_removed(
    device: LoopbackDevice, deployed: Deployed, release: Named
):
    deployed(release("first"))
    stale = [device.store / "parts" / "abc.1.part", device.store / "parts" / ("0" * 64)]
    for file in stale:
        file.write_text("left over")
        os.utime(file, (0, 0))
    fresh = device.store / "parts" / ("1" * 64)
    fresh.write_text("another deploy is uploading this")
    half = device.store / "releases" / (release("second").id + ".part")
    half.mkdir()
    (half / "model.epb").write_text("half")
    deployed(release("second"))
    assert not any(file.exists() for file in stale)
    assert fresh.exists()
    assert not half.exists()
    assert is_whole(device.store / "releases" / release("second").id)


def test_a_release_deleted_by_hand_is_installed_again(
    device: LoopbackDevice, deployed: Deployed, release: Named
):
    deployed(release("first"))
    shutil.rmtree(device.store / "releases" / release("first").id)
    assert deployed(release("first")).changed
    assert answer(device) == "self-test passed: first"


def test_a_release_deleted_by_hand_never_becomes_the_previous_one(
    device: LoopbackDevice, deployed: Deployed, release: Named
):
    deployed(release("first"))
    deployed(release("second"))
    shutil.rmtree(device.store / "releases" / release("second").id)
    assert deployed(release("third")).previous == "none"
    assert (device.store / "previous").resolve().name == release("first").id
    with Remote(HOST) as remote:
        rollback(remote)
    assert answer(device) == "self-test passed: first"


def test_the_command_is_restored_although_the_release_is_unchanged(
    device: LoopbackDevice, deployed: Deployed, release: Named
):
    """As after a power cut between the switch and the command's link."""
    deployed(release("first"))
    (device.home / ".local/bin/edgepatho-run").unlink()
    assert not deployed(release("first")).changed
    assert answer(device) == "self-test passed: first"


def test_a_switch_that_lost_power_before_its_health_check_is_checked_by_the_next_deploy(
    device: LoopbackDevice, deployed: Deployed, release: Named
):
    deployed(release("first"))
    with pytest.raises(RolledBack):
        deployed(release("sick"))
    for link, name in (("previous", "first"), ("current", "sick")):
        (device.store / link).unlink(missing_ok=True)
        (device.store / link).symlink_to(f"releases/{release(name).id}")
    with pytest.raises(RolledBack, match=r"is in use and fails its health check; .*rollback"):
        deployed(release("sick"))
    with Remote(HOST) as remote:
        rollback(remote)
    assert answer(device) == "self-test passed: first"


def test_damaged_byte_code_is_detected_and_rebuilt(
    device: LoopbackDevice, deployed: Deployed, release: Named
):
    wanted = release("first")
    deployed(wanted)
    (compiled,) = (device.store / "current" / "lib").rglob("__main__*.pyc")
    os.truncate(compiled, 10)
    assert deployed(wanted).changed
    assert answer(device) == "self-test passed: first"


@pytest.mark.parametrize("with_its_part", [False, True])
def test_a_damaged_release_is_repaired(
    device: LoopbackDevice, deployed: Deployed, release: Named, with_its_part: bool
):
    """A bundle is a hard link to its part, so writing to it damages both."""
    wanted = release("first")
    deployed(wanted)
    bundle = device.store / "releases" / wanted.id / "model.epb"
    if not with_its_part:
        bundle.unlink()
    bundle.write_text("first and something else")
    assert deployed(wanted).changed
    assert is_whole(device.store / "releases" / wanted.id)


def test_byte_code_in_a_wheel_is_left_out(device: LoopbackDevice, deployed: Deployed, tmp_path: Path):
    """numpy's wheel ships some, under the name that the device's own gets."""
    content = standin_payload.compress_folder(tmp_path / "compressed", "first")
    wheel = standin_payload.wheel(tmp_path)
    name = Path(importlib.util.cache_from_source("edgepatho_runtime/__main__.py"))
    with zipfile.ZipFile(wheel, "a") as archive:
        for tag in (name.name, name.name.replace(sys.implementation.cache_tag or "", "cpython-27")):
            archive.writestr(str(name.with_name(tag)), b"of another Python")
    wanted = build([content / "model.epb"], [wheel])
    assert deployed(wanted).changed
    assert is_whole(device.store / "releases" / wanted.id)
    assert not deployed(wanted).changed
    assert answer(device) == "self-test passed: first"


def test_two_concurrent_deploys_both_succeed(device: LoopbackDevice, deployed: Deployed, release: Named):
    releases = [release("left"), release("right")]
    errors: list[Exception] = []

    def work(wanted: Release) -> None:
        try:
            deployed(wanted)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(wanted,)) for wanted in releases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert device.current() in {wanted.id for wanted in releases}
    assert {path.name for path in (device.store / "releases").iterdir()} == {wanted.id for wanted in releases}
    assert all(is_whole(device.store / "releases" / wanted.id) for wanted in releases)


# Another deploy, which records what it sees and ends once a second deploy waits for it.
OTHER_DEPLOY = """
while [ ! -e waiting ]; do sleep 0.02; done
ls > seen
"""


def test_a_deploy_waits_for_another_one(
    device: LoopbackDevice, deployed: Deployed, release: Named, monkeypatch: pytest.MonkeyPatch
):
    original = ssh.device_script
    telling = lambda name: original(name).replace("flock -w", 'touch "$EDGEPATHO_ROOT/waiting"; flock -w')  # noqa: E731
    monkeypatch.setattr(ssh, "device_script", telling)
    device.store.mkdir(parents=True)
    holder = subprocess.Popen(["flock", "lock", "sh", "-c", OTHER_DEPLOY], cwd=device.store)
    deployed(release("first"))
    assert holder.wait() == 0
    assert "current" not in (device.store / "seen").read_text().split()
    assert device.current() == release("first").id


def test_a_deploy_that_waited_too_long_fails(
    device: LoopbackDevice, deployed: Deployed, release: Named, monkeypatch: pytest.MonkeyPatch
):
    original = ssh.device_script
    monkeypatch.setattr(
        ssh, "device_script", lambda name: original(name).replace("flock -w 60", "flock -w 1")
    )
    device.store.mkdir(parents=True)
    holder = subprocess.Popen(["flock", device.store / "lock", "sleep", "infinity"])
    try:
        with pytest.raises(DeviceUnfit, match="another deploy is still running on this device; try again"):
            deployed(release("first"))
    finally:
        holder.kill()
        holder.wait()
    assert device.current() == ""


class TestSignatures:
    """A device with an allowed_signers file accepts only releases signed by one of those keys."""

    @pytest.fixture
    def keys(self, openssh: None, tmp_path: Path) -> dict[str, Path]:
        for name in ("ours", "theirs"):
            command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / name]
            subprocess.run(command, check=True)
        return {name: tmp_path / name for name in ("ours", "theirs")}

    def signed(self, folder: Path, key: Path | None) -> Release:
        content = standin_payload.compress_folder(folder / "compressed", "signed")
        wheels = [standin_payload.wheel(folder)]
        return build([content / "model.epb", content / "baseline.epb"], wheels, signing_key=key)

    def trust(self, device: LoopbackDevice, key: Path) -> None:
        device.store.mkdir(parents=True)
        public = key.with_suffix(".pub").read_text()
        (device.store / "allowed_signers").write_text(f"edgepatho {public}")

    def test_a_trusted_signature_is_accepted(
        self, device: LoopbackDevice, deployed: Deployed, tmp_path: Path, keys: dict[str, Path]
    ):
        self.trust(device, keys["ours"])
        wanted = self.signed(tmp_path, keys["ours"])
        deployed(wanted)
        assert device.current() == wanted.id

    @pytest.mark.parametrize("name", ["theirs", None])
    def test_other_signatures_are_refused(
        self,
        device: LoopbackDevice,
        deployed: Deployed,
        tmp_path: Path,
        keys: dict[str, Path],
        name: str | None,
    ):
        self.trust(device, keys["ours"])
        with pytest.raises(DeviceUnfit, match="has no signature"):
            deployed(self.signed(tmp_path, keys[name] if name else None))
        assert device.current() == ""

    def test_a_signature_does_not_change_the_release(self, tmp_path: Path, keys: dict[str, Path]):
        assert self.signed(tmp_path, keys["ours"]).id == self.signed(tmp_path, None).id

    def test_an_unsigned_release_is_accepted_once_signed(
        self, device: LoopbackDevice, deployed: Deployed, tmp_path: Path, keys: dict[str, Path]
    ):
        deployed(self.signed(tmp_path, None))
        (device.store / "current").unlink()
        device.store.joinpath("allowed_signers").write_text(
            f"edgepatho {keys['ours'].with_suffix('.pub').read_text()}"
        )
        wanted = self.signed(tmp_path, keys["ours"])
        deployed(wanted)
        assert device.current() == wanted.id


def test_the_device_is_probed_in_one_round_trip(device: LoopbackDevice, monkeypatch: pytest.MonkeyPatch):
    calls: list[str] = []
    original = Remote._ask
    monkeypatch.setattr(
        Remote, "_ask", lambda self, *rest, **more: calls.append("") or original(self, *rest, **more)
    )
    with Remote(HOST) as remote:
        probe(remote)
    assert len(calls) == 1


def test_a_full_disk_is_refused_before_anything_is_sent(
    device: LoopbackDevice,
):
    with Remote(HOST) as remote:
        facts = probe(remote)
    with pytest.raises(DeviceUnfit, match=r"MB free under .* needs .* MB"):
        check_room(facts, HOST, facts.free_bytes)


def test_leftovers_of_an_interrupted_deploy_count_as_free_space():
    """Otherwise a disk with just enough space for one deploy would have none for the next."""
    cut_short = Device({"free_kib": "180", "leftover_kib": "80"})
    check_room(cut_short, "pi", needed_bytes=100 * 1024, there_bytes=40 * 1024)
    with pytest.raises(DeviceUnfit, match="make room there"):
        check_room(cut_short, "pi", needed_bytes=100 * 1024, there_bytes=39 * 1024)


def test_the_probe_reports_leftovers_of_interrupted_deploys(device: LoopbackDevice):
    half = device.store / "releases" / "0123456789ab.part"
    half.mkdir(parents=True)
    (half / "model.epb").write_bytes(os.urandom(100 * 1024))
    with Remote(HOST) as remote:
        assert 100 <= probe(remote).number("leftover_kib") < 200
