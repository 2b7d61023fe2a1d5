"""A script's answer, told apart from whatever the account's start-up files print around it.

A `.bashrc` may print anything anywhere, also text without a newline: what counts stands between two lines
that hold a number nobody could have known before, on standard output and standard error alike.
"""

from __future__ import annotations

import re
import secrets
import shlex
from dataclasses import dataclass, field

TAIL_BYTES = 1 << 17  # where the end is looked for; more than comes in at a time
# First line: where a start-up file started another shell, that one reads this as its own commands and stops.
# The marks are lines of their own, whatever was printed before.
SCRIPT = """\
[ "$edgepatho" = {nonce} ] || exit 1
printf '\\n%s\\n' 'edgepatho {nonce} begins'
printf '\\n%s\\n' 'edgepatho {nonce} begins' >&2
(
set -- {arguments}
{script})
code=$?
printf '\\n%s\\n' "edgepatho {nonce} ends $code"
printf '\\n%s\\n' "edgepatho {nonce} ends $code" >&2
"""


@dataclass(frozen=True)
class Frame:
    """One question to a device; `nonce` marks its answer."""

    nonce: str = field(default_factory=lambda: secrets.token_hex(8))

    def text(self, script: str, arguments: tuple[str, ...]) -> bytes:
        """Return what to send to the standard input of `command`; a script's own input comes after it."""
        return SCRIPT.format(nonce=self.nonce, arguments=shlex.join(arguments), script=script).encode()

    def command(self, text: bytes) -> str:
        """Return the command that runs `text`: words that every login shell reads alike, csh and fish too.

        `sh -s` will not do where data follow the script: some shells read ahead.
        """
        return f"sh -c 'edgepatho={self.nonce}; eval \"$(head -c {len(text)})\"'"

    def answer(self, said: bytes | bytearray) -> bytes | None:
        """Return what the script has printed so far, None if it has not begun."""
        begin = f"\nedgepatho {self.nonce} begins\n".encode()
        start = said.find(begin)
        if start < 0:
            return None
        body = bytes(said[start + len(begin) :])
        end = self._end(body)
        return body[: end.start()] if end else body

    def exit_code(self, said: bytes | bytearray) -> int | None:
        """Return the script's exit code, None while it has not ended."""
        end = self._end(said)
        return int(end[1]) if end else None

    def _end(self, said: bytes | bytearray) -> re.Match[bytes] | None:
        mark = re.compile(rb"\nedgepatho %s ends ([0-9]{1,3})\n" % self.nonce.encode())
        return mark.search(said, max(0, len(said) - TAIL_BYTES))
