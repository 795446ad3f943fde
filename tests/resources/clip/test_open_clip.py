"""OpenCLIP with a small random model and the real tokenizer: wiring, batches, gate, faults."""

import hashlib
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from pydantic import ValidationError

from resources.clip.clip_prompts import ATMOSPHERE, LIGHTING, QUESTIONS, SUBJECT
from resources.clip.open_clip import UNKNOWN, OpenClip
from resources.errors import MachineFault, ModelUnavailable

pytestmark = pytest.mark.slow


@pytest.fixture
def pictures():
    rng = np.random.default_rng(0)
    sizes = [(40, 60), (64, 32), (1, 1), (33, 200), (50, 50)]
    return [rng.integers(0, 256, (*size, 3), dtype=np.uint8) for size in sizes]


@pytest.fixture
def settings(tiny_clip):
    return {"model": f"local-dir:{tiny_clip}", "device": "cpu"}


def classify(settings, pictures):
    with OpenClip(**settings).lease() as classifier:
        return classifier.classify(pictures)


def test_each_question_is_answered_over_all_its_labels(settings, pictures):
    for scores in classify(settings, pictures):
        for question, answers in (
            (SUBJECT, scores.subject),
            (LIGHTING, scores.lighting),
            (ATMOSPHERE, scores.atmosphere),
        ):
            assert list(answers.probabilities) == list(QUESTIONS[question])
            assert sum(answers.probabilities.values()) == pytest.approx(1, abs=1e-5)
            assert answers.confidence == max(answers.probabilities.values())


def test_a_batch_gives_what_single_pictures_give(settings, pictures):
    together = classify(settings, pictures)
    for picture, scores in zip(pictures, together, strict=True):
        alone = classify(settings, [picture])[0]
        assert list(alone.subject.probabilities.values()) == pytest.approx(
            list(scores.subject.probabilities.values()), abs=1e-5
        )


def test_the_probabilities_are_open_clips_own(settings, pictures, tiny_clip):
    """Against open_clip's documented use: one prompt ensemble's mean, the model's logit scale, softmax."""
    import open_clip
    import torch
    from PIL import Image

    from resources.clip.clip_prompts import prompts_of

    module, _, preprocess = open_clip.create_model_and_transforms(f"local-dir:{tiny_clip}")
    module.eval()
    tokenizer = open_clip.get_tokenizer(f"local-dir:{tiny_clip}")
    with torch.no_grad():
        rows = []
        for prompts in prompts_of(SUBJECT).values():
            each = module.encode_text(tokenizer(prompts))
            mean = (each / each.norm(dim=-1, keepdim=True)).mean(dim=0)
            rows.append(mean / mean.norm())
        image = module.encode_image(preprocess(Image.fromarray(pictures[0])).unsqueeze(0))
        image = image / image.norm(dim=-1, keepdim=True)
        wanted = (module.logit_scale.exp() * image @ torch.stack(rows).T).softmax(dim=-1)[0].tolist()
    (scores,) = classify(settings, pictures[:1])
    assert list(scores.subject.probabilities.values()) == pytest.approx(wanted, abs=1e-5)


@pytest.mark.parametrize("bias", [-12.0, pytest.param(0.0, marks=pytest.mark.soak), 12.0])
def test_a_model_of_siglips_kind_is_asked_of_each_label_by_itself(settings, pictures, tiny_clip, tmp_path, bias):
    """Its sigmoids' shares: where all labels are true none is made unlikely, where none is, one still leads."""
    import torch
    from safetensors.torch import load_file, save_file

    folder = tmp_path / "siglip"
    shutil.copytree(tiny_clip, folder)
    weights = load_file(folder / "open_clip_model.safetensors")
    save_file(weights | {"logit_bias": torch.tensor(bias)}, folder / "open_clip_model.safetensors")
    config = json.loads((folder / "open_clip_config.json").read_text())
    config["model_cfg"]["init_logit_bias"] = -10.0
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    (plain,) = classify(settings, pictures[:1])
    (scores,) = classify({"model": f"local-dir:{folder}", "device": "cpu"}, pictures[:1])
    asked = scores.subject.probabilities
    # CLIP's own softmax tells the logits up to what they have in common; the network is the same.
    with OpenClip(**settings).lease() as classifier:
        classifier.classify(pictures[:1])
        with classifier._shared.use() as model, torch.inference_mode():
            features = model.module.encode_image(model._prepare(pictures[0])[None], normalize=True)
            logits = (model.module.logit_scale.exp() * features @ model.texts[SUBJECT].T)[0]
    sigmoids = torch.sigmoid(logits + bias)
    assert list(asked.values()) == pytest.approx((sigmoids / sigmoids.sum()).tolist(), abs=1e-5)
    assert sum(asked.values()) == pytest.approx(1, abs=1e-5)
    if bias < 0:  # the tail of a sigmoid is an exponential: the shares are CLIP's
        assert list(asked.values()) == pytest.approx(list(plain.subject.probabilities.values()), abs=0.01)


def test_the_gate(settings, pictures):
    (shut,) = classify(settings | {"min_confidence": 1.0}, pictures[:1])
    (open_,) = classify(settings | {"min_confidence": 0.0, "min_margin": 0.0}, pictures[:1])
    (near,) = classify(settings | {"min_confidence": 0.0, "min_margin": 0.9}, pictures[:1])
    for question in ("subject", "lighting", "atmosphere"):
        answer = getattr(open_, question)
        assert answer.label == max(answer.probabilities, key=answer.probabilities.get)
        assert getattr(shut, question) == replace(answer, label=UNKNOWN)
        assert getattr(near, question).label == UNKNOWN


def test_temperature_softens(settings, pictures):
    (sharp,) = classify(settings | {"temperature": 0.1}, pictures[:1])
    (soft,) = classify(settings | {"temperature": 10.0}, pictures[:1])
    assert sharp.subject.confidence > soft.subject.confidence
    assert soft.subject.confidence == pytest.approx(0.2, abs=0.05)
    with pytest.raises(ValidationError):
        OpenClip(temperature=0)


def test_texts_are_embedded_once_a_lease_and_the_model_loaded_once(settings, pictures, monkeypatch):
    import open_clip

    calls = []
    encode = open_clip.CLIP.encode_text
    monkeypatch.setattr(open_clip.CLIP, "encode_text", lambda *a, **k: calls.append(1) or encode(*a, **k))
    resource = OpenClip(**settings)
    with resource.lease() as first:
        first.classify(pictures)
        embedded = len(calls)
        with resource.lease() as second, OpenClip(**settings).lease() as third:
            second.classify(pictures)
            third.classify(pictures)
    assert embedded == sum(len(labels) for labels in QUESTIONS.values())
    assert len(calls) == embedded


def test_out_of_memory_at_the_second_batch_still_answers_all(settings, pictures, monkeypatch):
    import open_clip
    import torch

    sizes = []
    encode = open_clip.CLIP.encode_image

    def short_of_memory(self, image, normalize=False):
        sizes.append(len(image))
        if len(sizes) == 2:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return encode(self, image, normalize)

    monkeypatch.setattr(open_clip.CLIP, "encode_image", short_of_memory)
    scores = classify(settings | {"batch_size": 2}, pictures)
    assert sizes == [2, 2, 1, 1, 1]
    assert not any(isinstance(score, Exception) for score in scores)


def test_a_picture_that_breaks_is_alone(settings, pictures):
    broken = np.zeros((8, 8), np.uint8)  # grey where RGB is due is still a picture to PIL; a wrong type is not
    scores = classify(settings, [pictures[0], broken.astype(np.complex64), pictures[1]])
    assert isinstance(scores[1], Exception)
    assert not isinstance(scores[0], Exception)
    assert not isinstance(scores[2], Exception)


def test_cuda_on_a_machine_without_is_a_fault(settings, pictures, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(MachineFault, match="no CUDA device"):
        classify(settings | {"device": "cuda"}, pictures)


def test_missing_weights_name_the_command(pictures, monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ModelUnavailable, match="vivid models pull"):
        classify({"device": "cpu"}, pictures)
    with pytest.raises(ModelUnavailable, match="does not exist"):
        classify({"device": "cpu", "checkpoint": str(tmp_path / "none.safetensors")}, pictures)


def test_the_default_weights_are_where_open_clip_has_them(settings, monkeypatch, tmp_path):
    from resources.clip.clip_model import pretrained_weights

    default = OpenClip()
    assert default.weights() == pretrained_weights(default.model, default.pretrained, default.hub_revision)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    assert "vivid models pull" in OpenClip().missing()
    assert OpenClip(download=True).missing() is None
    assert OpenClip(**settings).missing() is None


def test_unknown_weights_are_listed(pictures):
    with pytest.raises(ModelUnavailable, match="laion2b_s34b_b79k"):
        classify({"device": "cpu", "pretrained": "nobody"}, pictures)


def test_weights_with_another_digest_or_of_another_architecture_are_refused(tiny_clip, pictures):
    file = tiny_clip / "open_clip_model.safetensors"
    checkpoint = {"device": "cpu", "checkpoint": str(file)}
    with pytest.raises(ModelUnavailable, match="SHA-256"):
        classify(checkpoint | {"checkpoint_sha256": "0" * 64}, pictures)
    right = hashlib.sha256(file.read_bytes()).hexdigest()
    with pytest.raises(ModelUnavailable, match="could not be loaded"):
        classify(checkpoint | {"checkpoint_sha256": right}, pictures)


def test_the_revision_follows_what_changes_the_scores(settings):
    revision = OpenClip(**settings).revision
    assert OpenClip(**settings, batch_size=1).revision == revision
    assert OpenClip(**settings, temperature=2.0).revision != revision
    assert OpenClip(**settings, min_margin=0.3).revision != revision
    assert OpenClip(pretrained="openai").revision != OpenClip().revision


def test_openais_weights_get_their_own_activation(monkeypatch):
    """open_clip 3 only warns when ViT-B-32 is loaded with weights trained with QuickGELU."""
    import open_clip

    from resources.clip.clip_model import load_clip
    from resources.runtime.device import Device

    asked = {}

    def create_model(model, **options):
        asked.update(options)
        raise RuntimeError("far enough")

    monkeypatch.setattr(open_clip, "create_model", create_model)
    for pretrained, quick in (("openai", True), ("laion2b_s34b_b79k", False)):
        with pytest.raises(RuntimeError, match="far enough"):
            load_clip("ViT-B-32", pretrained, "weights", Device("cpu", "float32", ""))
        assert asked["force_quick_gelu"] is quick
