"""Models with random weights in exactly the layouts that are published: small architectures, the
files, names and tokenizers of the real ones. `python tests/plugins/students/published.py KIND TO`
writes one, for trials by hand.
"""

from __future__ import annotations

import gzip
import io
import json
import shutil
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

SEED = 0
SIDE = 32  # pixels
WORDS = """A persona is somebody for whom we choose: a gift for a mother who loves gardening, a coat
for rain in the mountains, shoes for a child that grows, a lamp by which an old man reads, and a
dress for dancing. Each of them likes other colours, patterns, kinds of things; nobody likes all."""


def clip(folder: Path, side: int = SIDE, layers: int = 3) -> Path:
    """CLIP as transformers has it: FashionCLIP's files, and its old-fashioned end of text, 2."""
    import torch
    import transformers as hf

    vocabulary, merges = byte_pairs()
    words = hf.CLIPTokenizer(vocab={w: n for n, w in enumerate(vocabulary)}, merges=merges)
    words.model_max_length = 77
    words.save_pretrained(folder)
    text = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2}
    text |= {"num_attention_heads": 2, "eos_token_id": 2, "bos_token_id": 0, "pad_token_id": 1}
    vision = {"hidden_size": 96, "intermediate_size": 192, "num_hidden_layers": layers}
    vision |= {"num_attention_heads": 3, "image_size": side, "patch_size": 8}
    torch.manual_seed(SEED)
    config = hf.CLIPConfig(text_config=text, vision_config=vision, projection_dim=48)
    hf.CLIPModel(config).save_pretrained(folder)
    size = {"height": side, "width": side}
    scaler = hf.CLIPImageProcessorPil(size={"shortest_edge": side}, crop_size=size)
    scaler.save_pretrained(folder)
    return rename(folder)


def rename(folder: Path) -> Path:
    """What is published was written by older versions, whose name of the processor has no Pil."""
    path = folder / "preprocessor_config.json"
    config = json.loads(path.read_text())
    config["image_processor_type"] = config["image_processor_type"].removesuffix("Pil")
    path.write_text(json.dumps(config, indent=2))
    return folder


def siglip(folder: Path, side: int = SIDE, layers: int = 3) -> Path:
    """SigLIP as transformers has it, with a sentencepiece vocabulary of its own."""
    import transformers as hf

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "spiece.model").write_bytes(pieces())
    words = hf.SiglipTokenizer(str(folder / "spiece.model"))
    words.save_pretrained(folder)
    path = folder / "tokenizer_config.json"
    config = json.loads(path.read_text())
    of_5 = ("backend", "extra_special_tokens")  # which transformers 4 does not read
    older = {"model_input_names": ["input_ids"], "processor_class": "SiglipProcessor"}
    config = {name: value for name, value in config.items() if name not in of_5} | older
    path.write_text(json.dumps(config, indent=2))
    return _siglip(folder, len(words), side, layers)


def siglip2(folder: Path, side: int = SIDE, layers: int = 3) -> Path:
    """SigLIP 2 for pictures of one size: SigLIP with Gemma's tokenizer."""
    from tokenizers import Tokenizer, decoders, models, normalizers, processors

    letters = sorted({letter for letter in WORDS if letter.isalpha()} | set("\u2581.,:;-"))
    bytes_ = [f"<0x{number:02X}>" for number in range(256)]
    names = ["<pad>", "<eos>", "<bos>", "<unk>", *bytes_, *letters]
    raw = Tokenizer(
        models.BPE(
            {name: n for n, name in enumerate(names)},
            [],
            unk_token="<unk>",
            fuse_unk=True,
            byte_fallback=True,
        )
    )
    raw.normalizer = normalizers.Replace(" ", "\u2581")
    raw.decoder = decoders.Replace("\u2581", " ")
    raw.post_processor = processors.TemplateProcessing(
        single="$A <eos>", special_tokens=[("<eos>", 1)]
    )
    folder.mkdir(parents=True, exist_ok=True)
    raw.save(str(folder / "tokenizer.json"))
    special = {"pad_token": "<pad>", "eos_token": "<eos>", "bos_token": "<bos>"}
    config = {**special, "unk_token": "<unk>", "add_bos_token": False, "add_eos_token": True}
    config |= {"tokenizer_class": "GemmaTokenizer", "padding_side": "right"}
    config |= {"model_max_length": 64, "model_input_names": ["input_ids"]}
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2))
    return _siglip(folder, len(names), side, layers)


def _siglip(folder: Path, words: int, side: int, layers: int) -> Path:
    import torch
    import transformers as hf

    text = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2}
    text |= {"num_attention_heads": 2, "vocab_size": words, "max_position_embeddings": 64}
    text |= {"projection_size": 64}
    vision = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": layers}
    vision |= {"num_attention_heads": 2, "image_size": side, "patch_size": 8}
    torch.manual_seed(SEED)
    network = hf.SiglipModel(hf.SiglipConfig(text_config=text, vision_config=vision))
    spread(network)
    network.save_pretrained(folder)
    scaler = hf.SiglipImageProcessorPil(size={"height": side, "width": side})
    scaler.save_pretrained(folder)
    return rename(folder)


def spread(network: Any) -> None:
    """Larger weights than a fresh network has: else all pictures look alike to it."""
    import torch

    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.ndim > 1:
                parameter.normal_(std=0.15)


def open_clip(folder: Path, side: int = SIDE, layers: int = 3) -> Path:
    """open_clip with its own vision transformer and its own tokenizer, as laion publishes it."""
    vision = {"image_size": side, "layers": layers, "width": 64, "patch_size": 8, "head_width": 32}
    text = {"context_length": 77, "vocab_size": 49408, "width": 64, "heads": 2, "layers": 2}
    config = {"embed_dim": 48, "vision_cfg": vision, "text_cfg": text}
    return _open_clip(folder, config, {"interpolation": "bicubic", "resize_mode": "shortest"})


def open_siglip(folder: Path) -> Path:
    """SigLIP in open_clip, as Marqo-FashionSigLIP: timm's tower, a tokenizer of transformers."""
    import transformers as hf

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "spiece.model").write_bytes(pieces())
    words = hf.SiglipTokenizer(str(folder / "spiece.model"))
    words.save_pretrained(folder)
    vision = {"image_size": 160, "timm_model_name": "test_vit", "timm_pool": "map"}
    vision |= {"timm_model_pretrained": False, "timm_proj": "none"}
    text = {"context_length": 64, "vocab_size": len(words), "width": 64, "heads": 2, "layers": 2}
    text |= {"hf_tokenizer_name": "Marqo/marqo-fashionSigLIP", "no_causal_mask": True}
    text |= {"tokenizer_kwargs": {"clean": "canonicalize"}, "proj_bias": True, "pool_type": "last"}
    text |= {"norm_kwargs": {"eps": 1e-6}}
    config = {"embed_dim": 64, "init_logit_bias": -10, "custom_text": True}
    config |= {"vision_cfg": vision, "text_cfg": text}
    half = {"mean": [0.5] * 3, "std": [0.5] * 3}
    return _open_clip(folder, config, {**half, "interpolation": "bicubic", "resize_mode": "squash"})


def open_resnet(folder: Path, side: int = SIDE) -> Path:
    """A tower that is no stack of equal blocks, and has batch norm."""
    vision = {"image_size": side, "layers": [1, 1, 1, 1], "width": 16, "patch_size": None}
    text = {"context_length": 77, "vocab_size": 49408, "width": 64, "heads": 2, "layers": 1}
    return _open_clip(folder, {"embed_dim": 48, "vision_cfg": vision, "text_cfg": text}, {})


def _open_clip(folder: Path, config: dict[str, Any], seen: dict[str, Any]) -> Path:
    import open_clip
    import torch
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    described = {"model_cfg": config, "preprocess_cfg": seen}
    (folder / "open_clip_config.json").write_text(json.dumps(described, indent=2))
    torch.manual_seed(SEED)
    model = open_clip.create_model(f"local-dir:{folder}", load_weights=False)
    save_file(model.state_dict(), folder / "open_clip_model.safetensors")
    return folder


@cache
def byte_pairs() -> tuple[list[str], list[tuple[str, ...]]]:
    """CLIP's vocabulary and merges, which open_clip brings along."""
    from open_clip.tokenizer import bytes_to_unicode, default_bpe

    lines = gzip.decompress(Path(default_bpe()).read_bytes()).decode().split("\n")
    merges = [tuple(line.split()) for line in lines[1 : 49152 - 256 - 2 + 1]]
    letters = list(bytes_to_unicode().values())
    words = [*letters, *(letter + "</w>" for letter in letters), *map("".join, merges)]
    return [*words, "<|startoftext|>", "<|endoftext|>"], merges


@cache
def pieces() -> bytes:
    """A small sentencepiece model."""
    import sentencepiece

    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(WORDS.replace("\n", " ").split(". ")),
        model_writer=model,
        vocab_size=100,
        hard_vocab_limit=False,
        eos_id=1,
        unk_id=2,
        bos_id=-1,
        pad_id=-1,
        minloglevel=2,
    )
    return model.getvalue()


KINDS: dict[str, Callable[..., Path]] = {
    "clip": clip,
    "siglip": siglip,
    "siglip2": siglip2,
    "open_clip": open_clip,
    "open_siglip": open_siglip,
    "open_resnet": open_resnet,
}

if __name__ == "__main__":
    kind, to = sys.argv[1:]
    shutil.rmtree(to, ignore_errors=True)
    print(KINDS[kind](Path(to)))
