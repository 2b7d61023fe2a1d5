"""Errors that are the user's to mend, one sentence each: what was found, what was expected, what to do."""

# Exit codes of `edgepatho-run` (docs/device-cli.md).
DONE = 0
FAILED = 1
USAGE = 2
BAD_INPUT = 3
UNFIT = 5
INTERRUPTED = 130


class BundleError(ValueError):
    """A file that is not a bundle, or a damaged or foreign one.

    `refusal` is the name of the reason in docs/bundle-format.md, None if the file itself was never read.
    """

    def __init__(self, sentence: str, refusal: str | None = None) -> None:
        super().__init__(sentence)
        self.refusal = refusal


class ImageError(ValueError):
    """A picture that cannot be read, or not without guessing."""


class UnfitError(RuntimeError):
    """This device cannot do what was asked, or computes it wrongly."""


class BusyError(RuntimeError):
    """Another benchmark runs on this device."""
