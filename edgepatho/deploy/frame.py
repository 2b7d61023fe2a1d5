"""A script's answer, separated from whatever the account's start-up files print around and into it.

A `.bashrc` may print anything, even without a newline, and a job that it leaves running may print at any
time. So each line of the answer, on standard output as on standard error, begins with an unpredictable
number.
"""

from __future__ import annotations

import re
import secrets
import shlex
from dataclasses import dataclass, field

TAIL_BYTES = 1 << 17  # searched for the end mark; more than arrives at a time
# First line: if a start-up file started another shell, that shell reads the script as commands and stops.
# `grep` puts the number before each line and writes the line at once, so that nothing gets inside (in lines
# of up to 4 kB; `sed -u` would do the same, but reads byte by byte). An empty line says that we have started.
SCRIPT = """\
[ "$edgepatho" = {nonce} ] || exit 1
marked() {{ LC_ALL=C grep -aH --line-buffered --label={nonce} ''; }}
exec 4>&1
{{
{{
echo
echo >&2
(
set -- {arguments}
{script})
code=$?
printf '\\n%s\\n' "{nonce} ends $code"
printf '\\n%s\\n' "{nonce} ends $code" >&2
}} 2>&3 3>&- 4>&- | marked >&4
}} 3>&1 | marked >&2
"""


@dataclass(frozen=True)
class Frame:
    """One question to a device; `nonce` marks its answer."""

    nonce: str = field(default_factory=lambda: secrets.token_hex(8))

    def text(self, script: str, arguments: tuple[str, ...]) -> bytes:
        """Return the text for the standard input of `command`; the script's own input follows it."""
        return SCRIPT.format(nonce=self.nonce, arguments=shlex.join(arguments), script=script).encode()

    def command(self, text: bytes) -> str:
        """Return the command that runs `text`, in words that every login shell, even csh, reads alike.

        `sh -s` does not work when data follow the script, because some shells read ahead.
        """
        return f"sh -c 'edgepatho={self.nonce}; eval \"$(head -c {len(text)})\"'"

    def answer(self, said: bytes | bytearray) -> bytes | None:
        """Return the lines that the script has printed so far, None if it has not started."""
        lines = re.findall(rb"%s:([^\n]*\n)" % self.nonce.encode(), said)
        if not lines:
            return None
        end = rb"\n?%s ends [0-9]{1,3}\n\Z" % self.nonce.encode()
        return re.sub(end, b"", b"".join(lines[1:]))

    def exit_code(self, said: bytes | bytearray) -> int | None:
        """Return the script's exit code, None while it has not ended."""
        mark = re.compile(rb"%b:%b ends ([0-9]{1,3})\n" % (2 * (self.nonce.encode(),)))
        end = mark.search(said, max(0, len(said) - TAIL_BYTES))
        return int(end[1]) if end else None
