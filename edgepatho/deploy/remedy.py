"""Why ssh did not connect, and what to do about it, in one sentence."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

FINGERPRINT = "ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub"
Settings = dict[str, list[str]]


def remedy(said: str, host: str, ssh: list[str], *, interactive: bool) -> str:
    """Return the sentence for ssh's error about a host; `ssh` is the command with its options."""
    for symptom, explain in REMEDIES.items():
        if symptom in said:
            return explain(said, host, ssh, interactive)
    last = said.splitlines()[-1] if said else "the connection broke"
    works = f"ssh {shlex.quote(host)}"
    return f"ssh cannot reach it ({last}). Check that it is switched on and that `{works}` works."


def _changed(said: str, host: str, ssh: list[str], interactive: bool) -> str:
    settings = _settings(host, ssh)
    named = re.search(r"Offending .*key in (.+):[0-9]+", said)  # there may be several known_hosts files
    file = named[1] if named else settings["userknownhostsfile"][0].split()[0]
    forget = shlex.join(["ssh-keygen", "-f", file, "-R", _known_as(settings)])
    return (
        f"its host key is not the one in {file}. If its system was reinstalled, its key is "
        f"new too: compare fingerprints (on the device: {FINGERPRINT}), then run `{forget}`."
    )


def _unknown(said: str, host: str, ssh: list[str], interactive: bool) -> str:
    return (
        f"its host key is not known yet. Connect once with `ssh {shlex.quote(host)}` and compare the "
        f"fingerprint with `{FINGERPRINT}` on the device."
    )


def _refused(said: str, host: str, ssh: list[str], interactive: bool) -> str:
    copy = f"Put one there with `ssh-copy-id {shlex.quote(host)}`"
    open_to_all = re.search(r"Permissions 0?([0-7]+) for '(.+)' are too open", said)
    if open_to_all:
        mode, file = open_to_all.groups()
        return (
            f"ssh ignored your key {file}, which others can read (mode {mode}), and it accepts no other: "
            f"run `chmod 600 {shlex.quote(file)}`. {copy} if it still refuses."
        )
    locked = None if interactive else _locked_key(_settings(host, ssh))
    if locked:
        return (
            f"ssh ignored your key {locked}, whose passphrase could not be asked for, and it "
            f"accepts no other: run `ssh-add {shlex.quote(str(locked))}`. {copy} if it still refuses."
        )
    return f"it accepts none of your keys. {copy}."


def _too_many(said: str, host: str, ssh: list[str], interactive: bool) -> str:
    name = host.rpartition("@")[2]
    return (
        "ssh offered more keys than it allows (Too many authentication failures). Name the right "
        f"one in ~/.ssh/config: `Host {name}` with `IdentityFile FILE` and `IdentitiesOnly yes`."
    )


def _no_name(said: str, host: str, ssh: list[str], interactive: bool) -> str:
    return "no such host name; check the spelling and that the device is switched on."


REMEDIES: dict[str, Callable[[str, str, list[str], bool], str]] = {
    "REMOTE HOST IDENTIFICATION HAS CHANGED": _changed,
    "Host key verification failed": _unknown,
    "Too many authentication failures": _too_many,
    "Permission denied": _refused,
    "Could not resolve hostname": _no_name,
}


def _settings(host: str, ssh: list[str]) -> Settings:
    """Return ssh's effective configuration for a host, each setting with all its values."""
    done = subprocess.run([*ssh, "-G", "--", host], capture_output=True, text=True)
    settings: Settings = {}
    for line in done.stdout.splitlines():
        name, _, value = line.partition(" ")
        settings.setdefault(name, []).append(value)
    return settings


def _known_as(settings: Settings) -> str:
    """Return the name of a host's key in known_hosts: its alias, else its address with an unusual port."""
    if "hostkeyalias" in settings:
        return settings["hostkeyalias"][0]
    name, port = settings["hostname"][0], settings["port"][0]
    return name if port == "22" else f"[{name}]:{port}"


def _locked_key(settings: Settings) -> Path | None:
    """Return the first key file that needs a passphrase and is not in an agent."""
    environment = dict(os.environ)
    for agent in settings.get("identityagent", []):
        if agent.startswith("/"):
            environment["SSH_AUTH_SOCK"] = agent

    def ask(*command: str) -> str:
        done = subprocess.run(
            command, capture_output=True, text=True, env=environment, stdin=subprocess.DEVNULL
        )
        return done.stdout + done.stderr

    for name in settings.get("identityfile", []):
        file = Path(name).expanduser()
        if file.is_file() and "incorrect passphrase" in ask("ssh-keygen", "-y", "-P", "", "-f", str(file)):
            fingerprint = ask("ssh-keygen", "-lf", str(file)).split()[1:2]
            if not fingerprint or fingerprint[0] not in ask("ssh-add", "-l").split():
                return file
    return None
