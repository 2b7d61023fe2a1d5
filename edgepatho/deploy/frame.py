"""A script's answer, separated from whatever the account's start-up files print around it.

A `.bashrc` may print anything, even without a newline: the answer is framed by two lines with an
unpredictable number, on standard output and on standard error.
"""

from __future__ import annotations

import re
import secrets
import shlex
from dataclasses import dataclass, field

TAIL_BYTES = 1 << 17  # searched for the end mark; more than arrives at a time
# First line: if a start-up file started another shell, that shell reads the script as commands and stops.
# The marks are on their own lines, whatever was printed before.
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
        """Return the text for the standard input of `command`; the script's own input follows it."""
        return SCRIPT.format(nonce=self.nonce, arguments=shlex.join(arguments), script=script).encode()

    def command(self, text: bytes) -> str:
        """Return the command that runs `text`, in words that every login shell, even csh, reads alike.

        `sh -s` does not work when data follow the script, because some shells read ahead.
        """
        return f"sh -c 'edgepatho={self.nonce}; eval \"$(head -c {len(text)})\"'"

    def answer(self, said: bytes | bytearray) -> bytes | None:
        """Return what the script has printed so far, None if it has not started."""
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
