"""Whether the diffusion model gave pictures."""

from concurrent.futures import ThreadPoolExecutor

from resources.scenes.generators import NOT_GENERATED
from vivid_assets.checks.check import Check, Context, Judged, named
from vivid_assets.imaging.io.codec import decode
from vivid_assets.rows.engine import Outcome
from vivid_assets.rows.stage import OK

_BLACK = 12


def judge_black(outcome: Outcome, context: Context) -> Judged:
    """Whether the diffusion model gave pictures: a safety filter, or a half-precision overflow, gives black ones."""
    generated = [row for row in outcome.with_status(OK) if row["generator"] not in NOT_GENERATED]
    noted = context.noted()
    if outcome.computed == 0 and "black" in noted:
        number, examples = int(noted["black"]), []
    else:
        files = list({row["file"]: None for row in generated})
        with ThreadPoolExecutor(8) as pool:
            shown = pool.map(lambda file: decode(context.store.read(file), longest=64).rgb.max(), files)
            black = {file for file, brightest in zip(files, shown, strict=True) if brightest < _BLACK}
        examples = [row for row in generated if row["file"] in black]
        number = len(examples)
    return Judged(
        passed=number <= context.limits.black_share * len(generated),
        sentence=f"{number} of {len(generated)} generated backgrounds are black{named('such as', examples)}",
        figures={"black": number},
    )


BLACK = Check("black", "No generated background is black.", judge_black)
