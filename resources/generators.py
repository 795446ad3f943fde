"""Who makes backgrounds on this machine."""

from typing import Literal, cast

from resources.sdxl import SDXL

Generator = Literal["sdxl", "backdrop"]


def choose_generator(asked: str, sdxl: SDXL) -> tuple[Generator, str]:
    """The generator that ``asked`` of the settings means on this machine, and a sentence why.

    ``auto`` is SDXL where it can be used, else the drawn backdrop. What is asked for by name is never another: where
    SDXL cannot be had, its first use says so and stops the step.
    """
    if asked != "auto":
        return cast("Generator", asked), f"Backgrounds by {asked}, as the settings ask."
    if reason := sdxl.unusable():
        return "backdrop", f"Backgrounds by the drawn backdrop. {reason}"
    where = "a GPU of this machine" if sdxl.device == "auto" else f"{sdxl.device}, as the settings ask"
    return "sdxl", f"Backgrounds by SDXL on {where}: its weights are here."
