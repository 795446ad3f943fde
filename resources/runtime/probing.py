"""A model that was just loaded, tried once: what it cannot do at all is said now, and not of every picture."""

from collections.abc import Callable

from resources.errors import MachineFault, ModelUnavailable, first_line
from resources.runtime.batches import is_out_of_memory
from resources.runtime.device import Device


def probe(what: str, device: Device, run: Callable[[], object]) -> None:
    """Call ``run`` and throw its answer away.

    Raises:
        ModelUnavailable: it raised, in a precision that some layer may lack on the device; the message says so.
        Exception: as ``run`` raised it, in float32 or for want of memory.
    """
    try:
        run()
    except MachineFault:
        raise
    except RuntimeError as error:
        if device.dtype == "float32" or is_out_of_memory(error):
            raise
        reason = first_line(error)
        raise ModelUnavailable(
            f"{what} does not compute in {device.dtype} on {device.name} ({reason}): set its dtype to auto or float32."
        ) from error
