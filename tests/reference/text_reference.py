#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tokenizers, tiny text encoders and complete tiny pipelines of FLUX and SD3, written by diffusers and transformers.

pip install torch==2.11.0 diffusers==0.42.1 transformers==5.23.0 tokenizers sentencepiece safetensors==0.8.0, then
text_reference.py [FOLDER]                      writes tests/golden/text (needs the other goldens)
text_reference.py --tokenizers ENGINE_TEST      10,000 strings against the program's tokenizer (see tokenizer_test.cpp)
"""
import json
import os
import random
import shutil
import sys
import tempfile

import sentencepiece
import torch
from diffusers import (AutoencoderKL, FlowMatchEulerDiscreteScheduler, FluxPipeline, FluxTransformer2DModel,
                       SD3Transformer2DModel, StableDiffusion3Pipeline)
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers, Regex, decoders
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer, T5Config, T5EncoderModel

GOLDEN = os.path.join(os.path.dirname(__file__), "..", "golden")
FOLDER = sys.argv[1] if len(sys.argv) > 1 else os.path.join(GOLDEN, "text")
WORDS = ("a photo of the red blue green cat dog sitting on wooden table chair beside small large white black house tree river "
         "mountain in an oil painting style highly detailed sharp don't it's we're you'll they've i'm he'd 1 2 3 2024 "
         "café naïve über 日本語 猫 — “quoted” ! ? . , ; : ( ) [ ] #hash @at").split()


def sentences(count, seed):
    draw = random.Random(seed)
    for _ in range(count):
        text = " ".join(draw.choice(WORDS) for _ in range(draw.randint(1, 12)))
        if draw.random() < 0.3:
            text = text.title()
        if draw.random() < 0.3:
            text = "".join(c + draw.choice(["", "", "", " ", "\n", "\t", "e\u0301", "\u00a0", "😀", "\u200b"]) for c in text)
        yield text


def clip_tokenizer(folder):
    """A vocabulary of CLIP's kind, learned from the words above."""
    letters = pre_tokenizers.ByteLevel.alphabet()
    tokenizer = Tokenizer(models.BPE(unk_token="<|endoftext|>", end_of_word_suffix="</w>"))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"),
                             behavior="removed", invert=True),
        pre_tokenizers.ByteLevel(add_prefix_space=False)])
    trainer = trainers.BpeTrainer(vocab_size=900, initial_alphabet=sorted(letters), end_of_word_suffix="</w>", show_progress=False)
    tokenizer.train_from_iterator(list(sentences(3000, 1)), trainer)
    learned = json.loads(tokenizer.to_str())["model"]
    order = [chr(b) for b in [*range(33, 127), *range(161, 173), *range(174, 256)]]
    order += [chr(256 + i) for i in range(256 - len(order))]
    pairs = [m if isinstance(m, list) else m.split(" ") for m in learned["merges"]]
    vocab = order + [c + "</w>" for c in order] + ["".join(p) for p in pairs]
    vocab = list(dict.fromkeys(vocab)) + ["<|startoftext|>", "<|endoftext|>"]
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "vocab.json"), "w") as file:
        json.dump({symbol: i for i, symbol in enumerate(vocab)}, file, ensure_ascii=False)
    with open(os.path.join(folder, "merges.txt"), "w") as file:
        file.write("#version: 0.2\n" + "\n".join(" ".join(p) for p in pairs) + "\n")
    return len(vocab)


def hf_clip(folder, pad=None):
    with open(os.path.join(folder, "vocab.json")) as file:
        vocab = json.load(file)
    with open(os.path.join(folder, "merges.txt")) as file:
        merges = [tuple(line.split(" ")) for line in file.read().split("\n")[1:] if line]
    kind = dict(pad_token=pad) if pad else {}
    return CLIPTokenizer(vocab=vocab, merges=merges, **kind)


def t5_tokenizer(folder, rule):
    os.makedirs(folder, exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        text = os.path.join(place, "text")
        with open(text, "w") as file:
            file.write("\n".join(s.replace("\n", " ") for s in sentences(3000, 2)))
        sentencepiece.SentencePieceTrainer.train(
            input=text, model_prefix=os.path.join(place, "m"), vocab_size=300, model_type="unigram", pad_id=0, eos_id=1, unk_id=2,
            bos_id=-1, normalization_rule_name=rule, character_coverage=0.999, minloglevel=2)
        shutil.copy(os.path.join(place, "m.model"), os.path.join(folder, "spiece.model"))


def t5_ids(folder, text, length):
    model = sentencepiece.SentencePieceProcessor(os.path.join(folder, "spiece.model"))
    ids = model.encode("".join(" " if ord(c) < 32 or ord(c) == 127 else c for c in text))[: length - 1] + [1]
    return ids + [0] * (length - len(ids))


def randomise(model, seed):
    g = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, p in model.named_parameters():
            p.copy_(torch.randn(p.shape, generator=g) * (0.3 if p.dim() == 1 else p[0].numel() ** -0.5))
            if "norm" in name and p.dim() == 1 and name.endswith("weight"):
                p.add_(1)
    return model.eval()


def load(cls, name):
    with open(os.path.join(GOLDEN, name + ".config.json")) as file:
        model = cls(**json.load(file))
    model.load_state_dict(load_file(os.path.join(GOLDEN, name + ".safetensors")))
    return model.eval()


def clip(cls, vocab, width, act, seed, **more):
    return randomise(cls(CLIPTextConfig(vocab_size=vocab, hidden_size=width, intermediate_size=2 * width, num_hidden_layers=3,
                                        num_attention_heads=2, max_position_embeddings=77, hidden_act=act, bos_token_id=vocab - 2,
                                        eos_token_id=vocab - 1, pad_token_id=vocab - 1, **more)), seed)


def main():
    shutil.rmtree(FOLDER, ignore_errors=True)
    tokens = os.path.join(FOLDER, "tokenizer")
    vocab = clip_tokenizer(tokens)
    pieces = os.path.join(FOLDER, "tokenizer_2")
    t5_tokenizer(pieces, "identity")
    prompt, negative = "A red cat sitting ON the wooden table, don't!  2024 café", "blue dog"
    g = torch.Generator().manual_seed(4)

    def state(model, folder):
        model.save_pretrained(os.path.join(FOLDER, folder), safe_serialization=True)

    t5 = randomise(T5EncoderModel(T5Config(vocab_size=320, d_model=12, d_kv=4, d_ff=20, num_layers=2, num_heads=3,
                                           feed_forward_proj="gated-gelu", pad_token_id=0, eos_token_id=1)), 21)
    expected = {}
    # FLUX: CLIP without projection, pooled width 8; T5 of width 12.
    flux_clip = clip(CLIPTextModel, vocab, 8, "quick_gelu", 22)
    hf = hf_clip(tokens)
    ids = hf(prompt, padding="max_length", max_length=77, truncation=True, return_tensors="pt").input_ids
    with torch.no_grad():
        pooled = flux_clip(ids).pooler_output
        words = t5(torch.tensor([t5_ids(pieces, prompt, 512)]))[0]
        pipe = FluxPipeline(transformer=load(FluxTransformer2DModel, "flux_tiny"), vae=None, text_encoder=None, tokenizer=None,
                            text_encoder_2=None, tokenizer_2=None,
                            scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0, use_dynamic_shifting=True, base_shift=0.5,
                                                                      max_shift=1.15, base_image_seq_len=256, max_image_seq_len=4096))
        noise = torch.randn(1, 2, 6, 8, generator=g)
        latents = pipe(prompt_embeds=words, pooled_prompt_embeds=pooled, num_inference_steps=3, guidance_scale=3.5, height=48,
                       width=64, latents=FluxPipeline._pack_latents(noise, 1, 2, 6, 8), output_type="latent").images
    expected.update(clip_ids=ids[0].int(), clip_pooled=pooled, t5_words=words[:, :32],
                    t5_ids=torch.tensor(t5_ids(pieces, prompt, 512)).int(), flux_noise=noise,
                    flux_latents=latents.view(1, 3, 4, 2, 2, 2).permute(0, 3, 1, 4, 2, 5).reshape(1, 2, 6, 8))
    state(flux_clip, "clip_flux")
    state(t5, "t5")
    # SD3: two CLIPs with projections (4 + 4 = 8 pooled), states 4 + 6 wide, filled to 12; the second pads with "!".
    first = clip(CLIPTextModelWithProjection, vocab, 4, "quick_gelu", 23, projection_dim=4)
    second = clip(CLIPTextModelWithProjection, vocab, 6, "gelu", 24, projection_dim=4)
    bang = os.path.join(FOLDER, "tokenizer_bang")
    shutil.copytree(tokens, bang)
    with open(os.path.join(bang, "tokenizer_config.json"), "w") as file:
        json.dump({"pad_token": "!"}, file)
    pipe = StableDiffusion3Pipeline(transformer=load(SD3Transformer2DModel, "sd35_tiny"), vae=load(AutoencoderKL, "vae_tiny"),
                                    scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0), text_encoder=first, tokenizer=hf,
                                    text_encoder_2=second, tokenizer_2=hf_clip(bang, "!"), text_encoder_3=None, tokenizer_3=None)
    pipe.set_progress_bar_config(disable=True)

    def embed(text):
        states, pooled = [], []
        for which, tokenizer, model in ((0, hf, first), (1, hf_clip(bang, "!"), second)):
            i = tokenizer(text, padding="max_length", max_length=77, truncation=True, return_tensors="pt").input_ids
            o = model(i, output_hidden_states=True)
            states.append(o.hidden_states[-2])
            pooled.append(o.text_embeds)
        both = torch.nn.functional.pad(torch.cat(states, -1), (0, 2))
        return torch.cat([both, t5(torch.tensor([t5_ids(pieces, text, 256)]))[0]], 1), torch.cat(pooled, -1)

    with torch.no_grad():
        words, pooled = embed(prompt)
        other, other_pooled = embed(negative)
        noise = torch.randn(1, 4, 6, 8, generator=g)
        latents = pipe(prompt_embeds=words, pooled_prompt_embeds=pooled, negative_prompt_embeds=other,
                       negative_pooled_prompt_embeds=other_pooled, latents=noise.clone(), num_inference_steps=3, guidance_scale=4.0,
                       height=6 * pipe.vae_scale_factor, width=8 * pipe.vae_scale_factor, output_type="latent").images
        picture = pipe.vae.decode(latents / pipe.vae.config.scaling_factor).sample
    expected.update(sd3_pooled=pooled, sd3_noise=noise, sd3_latents=latents,
                    sd3_picture=((picture / 2 + 0.5).clamp(0, 1) * 255).round())
    state(first, "clip_l")
    state(second, "clip_g")
    save_file({k: v.contiguous() for k, v in expected.items()}, os.path.join(FOLDER, "expected.safetensors"))
    with open(os.path.join(FOLDER, "prompts.json"), "w") as file:
        json.dump({"prompt": prompt, "negative": negative}, file, ensure_ascii=False)
    strings = list(sentences(120, 7)) + ["", " ", "<|endoftext|> x", "a" * 300, "ＦＵＬＬ width ﬁ", "it'S WE'RE", "👩‍👩‍👧 x\u0301y"]
    hf_ids = [hf(s, padding="max_length", max_length=77, truncation=True).input_ids for s in strings]
    with open(os.path.join(FOLDER, "strings.json"), "w") as file:
        json.dump({"text": strings, "clip": [i[: i.index(vocab - 1) + 1] for i in hf_ids],
                   "t5": [t5_ids(pieces, s, 256)[: t5_ids(pieces, s, 256).index(1) + 1] for s in strings]}, file, ensure_ascii=False)


def ten_thousand(folder):
    """Strings and their numbers for the program's own comparison."""
    vocab = clip_tokenizer(folder)
    t5_tokenizer(folder, "nmt_nfkc")
    hf = hf_clip(folder)
    strings = list(sentences(10_000, 11))
    ids = [hf(s, padding="max_length", max_length=77, truncation=True).input_ids for s in strings]
    with open(os.path.join(folder, "strings.json"), "w") as file:
        json.dump({"text": strings, "clip": [i[: i.index(vocab - 1) + 1] for i in ids],
                   "t5": [t5_ids(folder, s, 256)[: t5_ids(folder, s, 256).index(1) + 1] for s in strings]}, file, ensure_ascii=False)


if len(sys.argv) > 2 and sys.argv[1] == "--tokenizers":
    ten_thousand(sys.argv[2])
else:
    main()
