"""A loaded OpenCLIP model and its embedded questions."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from resources.clip.clip_prompts import QUESTIONS, prompts_of
from resources.errors import ModelUnavailable
from resources.runtime.device import Device, assert_placed
from resources.weights.hub import Weights

# open_clip's "pure" precisions keep no part in float32, so what was asked for can be asserted of every part.
_PRECISION = {"float32": "fp32", "float16": "pure_fp16", "bfloat16": "pure_bf16"}


@dataclass
class ClipModel:
    """An OpenCLIP model on its device, with the text of every question embedded once."""

    module: Any
    preprocess: Any
    """open_clip's own transform for these weights: PIL picture to tensor."""
    labels: dict[str, list[str]]
    texts: dict[str, Any]
    """Unit text embeddings of each question, float32, a row per label."""
    device: Device

    def ask(self, images: Sequence[np.ndarray], temperature: float) -> list[dict[str, dict[str, float]]]:
        """For each picture (uint8 H×W×3 sRGB) and question, the probability of each label."""
        import torch

        with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
            pixels = torch.stack(list(pool.map(self._prepare, images)))
        with torch.inference_mode():
            pixels = pixels.to(self.device.name, self.device.torch_dtype)
            features = self.module.encode_image(pixels, normalize=True).float()
            scale = self.module.logit_scale.exp().float() / temperature
            answers = {
                question: self._probabilities(scale * features @ texts.T).cpu().tolist()
                for question, texts in self.texts.items()
            }
        return [
            {question: dict(zip(self.labels[question], rows[i], strict=True)) for question, rows in answers.items()}
            for i in range(len(images))
        ]

    def _probabilities(self, logits: Any) -> Any:
        """Of the labels in each row; they sum to 1.

        A model of SigLIP's kind (Zhai et al. 2023) has learned for each label by itself whether it is true: of two that
        are both true neither is then made unlikely. CLIP has learned which of them is the likeliest.
        """
        import torch

        if (bias := getattr(self.module, "logit_bias", None)) is not None:
            # Each sigmoid's share of their sum, in logarithms: of labels that are all most unlikely it is right too.
            logits = torch.nn.functional.logsigmoid(logits + bias.float())
        return logits.softmax(dim=-1)

    def _prepare(self, image: np.ndarray) -> Any:
        from PIL import Image

        return self.preprocess(Image.fromarray(image))


def pretrained_weights(model: str, pretrained: str, revision: str) -> Weights:
    """Where the hub has the weights that open_clip knows as ``pretrained`` for the architecture ``model``.

    Raises:
        ModelUnavailable: open_clip knows no such pair, or has it from elsewhere than the hub.
    """
    from open_clip.pretrained import get_pretrained_cfg, list_pretrained_tags_by_model

    known = get_pretrained_cfg(model, pretrained)
    if not known:
        names = ", ".join(list_pretrained_tags_by_model(model)) or "none"
        raise ModelUnavailable(f"open_clip has no weights {pretrained!r} for {model!r}; it has: {names}.")
    repository, _, file = known.get("hf_hub", "").rpartition("/")
    if not repository:
        raise ModelUnavailable(
            f"open_clip's weights {model}/{pretrained} are not on the hub: download {known.get('url')} "
            "and name the file as checkpoint in the settings."
        )
    return Weights(repository, revision, (file or "open_clip_model.safetensors",))


def load_clip(model: str, pretrained: str, weights_file: Path, device: Device) -> ClipModel:
    """Make the architecture, load its weights and embed the questions.

    Args:
        model: open_clip's name, or ``local-dir:…``.
        pretrained: open_clip's name of the weights, for the preprocessing and activation they were trained with.
        weights_file: the checkpoint; with ``local-dir:`` it is the folder's own.
        device: where and in which precision.

    Raises:
        MachineFault: a part is not where it was asked to be.
        Exception: whatever open_clip raises when there is no such architecture or the file is not its weights.
    """
    import open_clip
    from open_clip.pretrained import get_pretrained_cfg
    from open_clip.transform import PreprocessCfg, image_transform_v2

    local_dir = model.startswith("local-dir:")
    known = {} if local_dir else get_pretrained_cfg(model, pretrained)
    trained_with = {name: known[name] for name in ("mean", "std", "interpolation", "resize_mode") if name in known}
    module = open_clip.create_model(
        model,
        pretrained=None if local_dir else str(weights_file),
        precision=_PRECISION[device.dtype],
        device=device.name,
        # OpenAI's weights were trained with QuickGELU; open_clip only warns and then computes with another.
        force_quick_gelu=bool(known.get("quick_gelu")),
        force_preprocess_cfg=trained_with,
        pretrained_text=False,
        require_pretrained=True,
    )
    tokenize = open_clip.get_tokenizer(model)
    module.eval()
    assert_placed(module, device, f"OpenCLIP {model}")
    transform = image_transform_v2(PreprocessCfg(**module.visual.preprocess_cfg), is_train=False)
    labels = {question: list(answers) for question, answers in QUESTIONS.items()}
    texts = {question: _embed(module, tokenize, question, device) for question in QUESTIONS}
    return ClipModel(module, transform, labels, texts, device)


def _embed(module: Any, tokenize: Any, question: str, device: Device) -> Any:
    """One unit vector per label: the mean of its prompts' unit vectors, made unit again."""
    import torch

    rows = []
    with torch.inference_mode():
        for prompts in prompts_of(question).values():
            each = module.encode_text(tokenize(prompts).to(device.name), normalize=True).float()
            rows.append(torch.nn.functional.normalize(each.mean(dim=0), dim=0))
    return torch.stack(rows)
