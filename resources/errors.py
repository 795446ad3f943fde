"""Faults of the machine, as opposed to faults of a picture.

A picture that cannot be processed is a row with ``status = failed``. What is raised from here means that
no picture could be processed, so the step fails, loudly, and what was finished before stays finished.
"""


class MachineFault(RuntimeError):
    """The machine cannot do the work: no memory at batch 1, a dead device, a lost store."""


class TakenOver(MachineFault):
    """Another run took over what this one worked on while it stood still."""


class ModelUnavailable(MachineFault):
    """A model cannot be loaded. The message names the command that gets it, or the setting to change."""


class DamagedTable(MachineFault):
    """A table's file is there but cannot be read. What it held can be made again; the message says which."""


def first_line(error: BaseException) -> str:
    """The first line of what a library's error says; its kind where it says nothing."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
