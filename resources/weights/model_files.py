"""Which files of a model's repository are needed, by kind of model; and what kind a repository is, from its list."""

from collections.abc import Collection

from resources.errors import ModelUnavailable
from resources.weights.hub import Weights
from resources.weights.licences import CARD
from resources.weights.pipeline_files import needed

BIREFNET = ("config.json", "*.py", "model.safetensors")
VITMATTE = ("config.json", "model.safetensors")
OPEN_CLIP = ("open_clip_config.json", "open_clip_model.safetensors")
VAE = ("config.json", "diffusion_pytorch_model.safetensors")
HALF_UNET = ("config.json", "diffusion_pytorch_model.fp16.safetensors")

_TOKENIZERS = tuple(
    name
    for folder in ("tokenizer", "tokenizer_2")
    for name in (
        f"{folder}/tokenizer_config.json",
        # As they were first published, or as transformers writes them since its fifth edition.
        f"{folder}/vocab.json|{folder}/tokenizer.json",
        f"{folder}/merges.txt|{folder}/tokenizer.json",
    )
)
SDXL_OPTIONAL = ("tokenizer/special_tokens_map.json", "tokenizer_2/special_tokens_map.json")


def sdxl(variant: str, *, own_vae: bool) -> tuple[str, ...]:
    """The files of an SDXL pipeline in diffusers' layout."""
    dot = f".{variant}" if variant else ""
    parts = ["unet", *(["vae"] if own_vae else [])]
    return (
        "model_index.json",
        "scheduler/scheduler_config.json",
        *_TOKENIZERS,
        *(f"{part}/config.json" for part in ("text_encoder", "text_encoder_2", *parts)),
        *(f"{part}/model{dot}.safetensors" for part in ("text_encoder", "text_encoder_2")),
        *(f"{part}/diffusion_pytorch_model{dot}.safetensors" for part in parts),
    )


def recognised(source: str, revision: str, there: Collection[str], variant: str | None = None) -> Weights:
    """The files to fetch of a repository that no setting speaks of.

    Args:
        source: the repository's name.
        revision: its commit.
        there: the names of its files.
        variant: which files where there are several kinds; None for fp16 where there is that.

    Raises:
        ModelUnavailable: it holds none of the kinds of models that are used here.
    """
    if "model_index.json" in there:
        if not {"unet/config.json", "text_encoder_2/config.json"} <= set(there):
            return Weights(source, revision, needed(there, variant or ""))
        if variant is None:
            variant = "fp16" if "unet/diffusion_pytorch_model.fp16.safetensors" in there else ""
        files = sdxl(variant, own_vae="vae/config.json" in there)
        return Weights(source, revision, files, SDXL_OPTIONAL)
    kinds = (OPEN_CLIP, OPEN_CLIP[-1:], BIREFNET, HALF_UNET, VAE, VITMATTE)
    for files in kinds:
        if all(any(name.endswith(".py") for name in there) if file == "*.py" else file in there for file in files):
            return Weights(source, revision, files, (CARD,))
    raise ModelUnavailable(
        f"{source} at {revision} holds no model that is used here: neither a pipeline in diffusers' layout, nor "
        "a config.json with model.safetensors, diffusion_pytorch_model.safetensors or open_clip_model.safetensors."
    )
