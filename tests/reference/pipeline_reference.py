#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Pictures that diffusers' FLUX and SD3 pipelines make of tests/golden's tiny models, from given embeddings and noise.

pip install torch==2.11.0 diffusers==0.42.1 transformers==5.23.0 safetensors==0.8.0, then: pipeline_reference.py [FOLDER]
"""
import json
import os
import sys

import torch
from diffusers import (AutoencoderKL, FlowMatchEulerDiscreteScheduler, FlowMatchHeunDiscreteScheduler, FluxPipeline,
                       FluxTransformer2DModel, SD3Transformer2DModel, StableDiffusion3Pipeline)
from safetensors.torch import load_file, save_file

GOLDEN = os.path.join(os.path.dirname(__file__), "..", "golden")
FOLDER = sys.argv[1] if len(sys.argv) > 1 else GOLDEN
FLUX_SCHEDULE = dict(shift=3.0, use_dynamic_shifting=True, base_shift=0.5, max_shift=1.15, base_image_seq_len=256,
                     max_image_seq_len=4096)


def load(cls, name):
    with open(os.path.join(GOLDEN, name + ".config.json")) as file:
        model = cls(**json.load(file))
    model.load_state_dict(load_file(os.path.join(GOLDEN, name + ".safetensors")))
    return model.eval()


g = torch.Generator().manual_seed(9)
out = {}
noise = torch.randn(1, 4, 6, 8, generator=g)
text, pooled = torch.randn(1, 5, 12, generator=g), torch.randn(1, 8, generator=g)
negative, negative_pooled = torch.randn(1, 5, 12, generator=g), torch.randn(1, 8, generator=g)

vae = load(AutoencoderKL, "vae_tiny")
sd3 = load(SD3Transformer2DModel, "sd35_tiny")
for name, scheduler in (("euler", FlowMatchEulerDiscreteScheduler(shift=3.0)), ("heun", FlowMatchHeunDiscreteScheduler(shift=3.0))):
    pipe = StableDiffusion3Pipeline(transformer=sd3, scheduler=scheduler, vae=vae, text_encoder=None, tokenizer=None,
                                    text_encoder_2=None, tokenizer_2=None, text_encoder_3=None, tokenizer_3=None)
    pipe.set_progress_bar_config(disable=True)
    latents = pipe(prompt_embeds=text, pooled_prompt_embeds=pooled, negative_prompt_embeds=negative,
                   negative_pooled_prompt_embeds=negative_pooled, latents=noise.clone(), num_inference_steps=5,
                   guidance_scale=4.0, height=6 * pipe.vae_scale_factor, width=8 * pipe.vae_scale_factor,
                   output_type="latent").images
    out["sd3_" + name] = latents
with torch.no_grad():
    picture = vae.decode(out["sd3_euler"] / vae.config.scaling_factor).sample
out["sd3_euler_picture"] = ((picture / 2 + 0.5).clamp(0, 1) * 255).round()

flux_noise = torch.randn(1, 2, 6, 8, generator=g)
pipe = FluxPipeline(transformer=load(FluxTransformer2DModel, "flux_tiny"), scheduler=FlowMatchEulerDiscreteScheduler(**FLUX_SCHEDULE),
                    vae=None, text_encoder=None, tokenizer=None, text_encoder_2=None, tokenizer_2=None)
pipe.set_progress_bar_config(disable=True)
packed = FluxPipeline._pack_latents(flux_noise, 1, 2, 6, 8)
for name, more in (("flux_euler", {}), ("flux_true", dict(true_cfg_scale=3.0, negative_prompt_embeds=negative,
                                                        negative_pooled_prompt_embeds=negative_pooled))):
    latents = pipe(prompt_embeds=text, pooled_prompt_embeds=pooled, latents=packed.clone(), num_inference_steps=4,
                   guidance_scale=2.5, height=6 * 8, width=8 * 8, output_type="latent", **more).images
    out[name] = latents.view(1, 3, 4, 2, 2, 2).permute(0, 3, 1, 4, 2, 5).reshape(1, 2, 6, 8)
save_file({"encoder_hidden_states": text, "pooled_projections": pooled, "negative_encoder_hidden_states": negative,
           "negative_pooled_projections": negative_pooled, "noise": noise},
          os.path.join(FOLDER, "pipelines.safetensors"))
save_file({"noise": flux_noise}, os.path.join(FOLDER, "pipelines_flux_noise.safetensors"))
save_file({k: v.contiguous() for k, v in out.items()}, os.path.join(FOLDER, "pipelines.expected.safetensors"))
print({k: (tuple(v.shape), float(v.abs().max())) for k, v in out.items()})
