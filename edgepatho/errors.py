"""Errors that the user can fix: one sentence each and a documented exit code."""

USAGE = 2
INTERRUPTED = 130


class UserError(Exception):
    """A condition the user can fix: what was found, where, what was expected, what to do."""

    exit_code = 1


class UsageError(UserError):
    """Invalid or incompatible options."""

    exit_code = USAGE


class InputError(UserError):
    """A file or folder that is missing, damaged or of the wrong kind."""

    exit_code = 3


class DeviceUnreachable(UserError):  # noqa: N818 - reads as the condition it is
    """The device did not answer, or it refused the key."""

    exit_code = 4


class DeviceUnfit(UserError):  # noqa: N818
    """The device answered but cannot run the runtime: 32-bit, no Python, no space."""

    exit_code = 5


class RolledBack(UserError):  # noqa: N818
    """The new release failed its checks; the device is back on its previous one."""

    exit_code = 6
