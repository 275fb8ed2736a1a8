//! The configuration of the released 3B models, for folders that leave parts of it to the hub.
//!
//! Source: the files of Efficient-Large-Model/SANA1.5_1.6B_1024px_diffusers and the arguments of TA-Tok as the
//! BLIP3o-NEXT code and paper give them.

use serde_json::{Value, json};

pub fn transformer() -> Value {
    json!({
        "in_channels": 32, "out_channels": 32, "num_layers": 20, "num_attention_heads": 70, "attention_head_dim": 32,
        "num_cross_attention_heads": 20, "cross_attention_head_dim": 112, "cross_attention_dim": 2240, "caption_channels": 2304,
        "mlp_ratio": 2.5, "sample_size": 32, "interpolation_scale": null, "qk_norm": "rms_norm_across_heads", "norm_eps": 1e-6,
        "attention_bias": false, "guidance_embeds": false, "patch_size": 1, "norm_elementwise_affine": false
    })
}

pub fn vae() -> Value {
    let (res, vit) = ("ResBlock", "EfficientViTBlock");
    let (types, channels) = (json!([res, res, res, vit, vit, vit]), json!([128, 256, 512, 512, 1024, 1024]));
    let multiscales = json!([[], [], [], [5], [5], [5]]);
    json!({
        "in_channels": 3, "latent_channels": 32, "attention_head_dim": 32, "encoder_block_types": types, "decoder_block_types": types,
        "encoder_block_out_channels": channels, "decoder_block_out_channels": channels,
        "encoder_layers_per_block": [2, 2, 2, 3, 3, 3], "decoder_layers_per_block": [3, 3, 3, 3, 3, 3],
        "encoder_qkv_multiscales": multiscales, "decoder_qkv_multiscales": multiscales,
        "downsample_block_type": "Conv", "upsample_block_type": "interpolate", "scaling_factor": 0.41407
    })
}

/// SigLIP so400m at 384 pixels.
pub fn vision() -> Value {
    json!({
        "hidden_size": 1152, "intermediate_size": 4304, "num_hidden_layers": 27, "num_attention_heads": 16,
        "image_size": 384, "patch_size": 14, "layer_norm_eps": 1e-6
    })
}

/// Arguments of TA-Tok.
pub fn ta_tok_args() -> Value {
    json!({
        "bottleneck": {"args": {"bottleneck_dim": 1536, "regularizer": {"args": {"codebook_size": 65536, "l2_normalized": true}}}},
        "bottleneck_token_num": 729, "input_size": 384, "select_layer_id": -2
    })
}
