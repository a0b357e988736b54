"""Models and tokenizers of Hugging Face's transformers in our views: what works, and the sentence where it cannot."""

import base64
import io
from functools import cache

import numpy as np
import pytest
import torch
import transformers as hf
from matplotlib.image import imread

from test_attention_view import hf_tokenizer
from transformer_lab import from_hf, load
from transformer_lab.data.tokenizers import BPETokenizer, Tokenizer
from transformer_lab.viz import AttentionView, LiveAttention, WhatIf
from transformer_lab.viz.bertviz import head_view, model_view, neuron_view

SIZES = dict(hidden_size=16, intermediate_size=16, num_attention_heads=2, num_hidden_layers=2)
LAYERS = {**SIZES, "num_hidden_layers": 4, "num_key_value_heads": 1}
T5 = dict(vocab_size=5, d_model=12, d_kv=6, d_ff=8, num_layers=2, num_heads=2)
WHISPER = dict(d_model=16, encoder_layers=1, decoder_layers=2, encoder_attention_heads=2, decoder_attention_heads=2,
               encoder_ffn_dim=16, decoder_ffn_dim=16, num_mel_bins=8, max_source_positions=6, max_target_positions=9,
               pad_token_id=0, bos_token_id=1, eos_token_id=2, decoder_start_token_id=1, begin_suppress_tokens=None,
               suppress_tokens=None)  # fmt: skip
MAKERS = {
    "vit": lambda: hf.ViTModel(hf.ViTConfig(**SIZES, image_size=8, patch_size=4)),
    "whisper": lambda: hf.WhisperForConditionalGeneration(hf.WhisperConfig(vocab_size=10, **WHISPER)),
    "t5": lambda: hf.T5Model(hf.T5Config(**T5)),
    "t5 encoder": lambda: hf.T5EncoderModel(hf.T5Config(**T5)),
    "clip": lambda: hf.CLIPModel(hf.CLIPConfig(text_config={"vocab_size": 5, **SIZES},
                                               vision_config={**SIZES, "image_size": 8, "patch_size": 4})),
    "mamba": lambda: hf.MambaModel(hf.MambaConfig(vocab_size=5, hidden_size=16, num_hidden_layers=2, state_size=4)),
    "longformer": lambda: hf.LongformerModel(hf.LongformerConfig(vocab_size=5, **SIZES, attention_window=4)),
    "swin": lambda: hf.SwinModel(hf.SwinConfig(image_size=16, patch_size=2, embed_dim=8, depths=[1, 1],
                                               num_heads=[2, 2], window_size=2)),
    "jamba": lambda: hf.JambaModel(hf.JambaConfig(vocab_size=5, **LAYERS, attn_layer_period=2, attn_layer_offset=1,
                                                  num_experts=2, mamba_d_state=4, mamba_dt_rank=4)),
    "lfm2": lambda: hf.Lfm2Model(hf.Lfm2Config(vocab_size=5, **LAYERS,
                                               layer_types=["conv", "full_attention", "full_attention", "conv"])),
    "gpt2": lambda: hf.GPT2LMHeadModel(hf.GPT2Config(vocab_size=5, n_embd=16, n_layer=2, n_head=2, n_positions=6)),
    "roberta": lambda: hf.RobertaModel(hf.RobertaConfig(vocab_size=5, **SIZES, max_position_embeddings=6)),
}  # fmt: skip
PIXELS = torch.randn(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))


@cache
def make(name):
    torch.manual_seed(0)
    return MAKERS[name]().eval()


def show(name, *arguments, **options) -> AttentionView:
    return AttentionView.from_model(make(name), *arguments, **options)


@pytest.mark.parametrize("pixels", [PIXELS, PIXELS[0], PIXELS.numpy(), {"pixel_values": PIXELS}])
def test_a_model_of_images_shows_its_patches(pixels):
    view = show("vit", None, pixels)
    assert view.query_tokens == view.key_tokens == ["[CLS]", "patch 0", "patch 1", "patch 2", "patch 3"]
    model = make("vit")
    model.set_attn_implementation("eager")
    wanted = model(PIXELS, output_attentions=True).attentions
    np.testing.assert_allclose(view.attention, torch.cat(wanted).detach(), atol=1e-6)


def test_patches_are_not_guessed_where_a_model_adds_other_tokens():
    config = hf.DeiTConfig(**SIZES, image_size=8, patch_size=4)  # which has a second token beside [CLS]
    view = AttentionView.from_model(hf.DeiTModel(config), None, PIXELS)
    assert view.query_tokens == ["0", "1", "2", "3", "4", "5"]


def test_an_encoder_decoder_that_hears_shows_its_three_kinds():
    sound = torch.randn(1, 8, 12, generator=torch.Generator().manual_seed(0))
    view = show("whisper", hf_tokenizer(), sound, target="cat sat")
    assert [part["name"] for part in view._parts] == ["cross", "encoder", "decoder"]
    assert view.query_tokens == ["cat", "sat"] and view.key_tokens == ["0", "1", "2", "3", "4", "5"]
    written = show("whisper", None, sound)
    assert written.query_tokens == [str(i) for i in range(len(written.query_tokens))]


def test_an_encoder_decoder_without_a_head_reads_a_target():
    view = show("t5", hf_tokenizer(), "the cat", target="sat the cat")
    assert {part["name"]: part["shape"][2:] for part in view._parts} == {
        "cross": [3, 2], "encoder": [2, 2], "decoder": [3, 3]
    }  # fmt: skip
    assert view.query_tokens == ["sat", "the", "cat"] and view.key_tokens == ["the", "cat"]
    assert show("t5", None, [2, 3], target=[4, 2]).key_tokens == ["0", "1"]
    assert show("t5 encoder", hf_tokenizer(), "the cat").attention.shape == (2, 2, 2, 2)


@pytest.mark.parametrize(("name", "places"), [("jamba", [1, 3]), ("lfm2", [1, 2])])
def test_layers_keep_their_number_where_others_have_no_attention(name, places):
    view = show(name, hf_tokenizer(), "the cat sat")
    rows = view.attention.sum(-1)
    assert len(rows) == 4 and np.flatnonzero(rows.sum((1, 2))).tolist() == places
    np.testing.assert_allclose(rows[places], 1, atol=1e-5)


SENTENCES = [
    ("mamba", hf_tokenizer(), "the cat", "A MambaModel gives no attention weights: there is nothing to show."),
    (
        "longformer",
        hf_tokenizer(),
        "the cat",
        "A LongformerModel computes attention in windows, of the shape (1, 2, 2, ",
    ),
    ("swin", None, torch.randn(1, 3, 16, 16), "A SwinModel computes attention in windows, of the shape (4, 2, 4, 4); "),
    ("t5", hf_tokenizer(), "the cat", "A T5Model cannot write by itself: give the target that its decoder reads."),
    (
        "clip",
        None,
        [2, 3],
        "This CLIPModel could not read its input_ids ('NoneType' object has no attribute 'shape'): ",
    ),
    ("vit", None, "a cat", "A ViTModel reads pixel_values, not a text: give from_model(model, None, pixel_values)."),
    ("vit", None, PIXELS.repeat(2, 1, 1, 1), "pixel_values must have the shape (1, channels, height, width), of one"),
    ("vit", None, None, "pixel_values must be a tensor, as the model's processor returns it; got a NoneType."),
    ("vit", None, {"input_ids": torch.ones(1, 2)}, "A ViTModel reads pixel_values; got input_ids."),
    ("gpt2", hf_tokenizer(), "cat " * 7, "The context of this GPT2LMHeadModel holds 6 tokens; got 7: give a shorter"),
    ("roberta", hf_tokenizer(), "cat " * 6, "The context of this RobertaModel holds fewer tokens; got 6: give a"),
    ("gpt2", hf_tokenizer(), ["the", "cat"], "text must be a string; got ['the', 'cat']. One text at a time."),
    ("gpt2", None, ["the", "cat"], "ids must be a row of whole numbers, such as [3, 1, 4]; got ['the', 'cat']."),
    ("gpt2", None, [1, 9], "The model knows the ids 0 to 4; the text has 9: is it another's tokenizer?"),
    ("gpt2", None, [], "There is nothing to attend to: the text is empty."),
    ("gpt2", None, "the cat", "A GPT2LMHeadModel reads a text only with its tokenizer: give from_model(model, tok"),
]


@pytest.mark.parametrize(("name", "tokenizer", "text", "sentence"), SENTENCES)
def test_what_cannot_be_shown_gets_a_sentence(name, tokenizer, text, sentence):
    with pytest.raises(ValueError) as error:
        show(name, tokenizer, text)
    assert str(error.value).startswith(sentence) and "\n" not in str(error.value)


# Their tokenizers


def test_their_tokenizer_comes_with_their_model():
    theirs, words = make("gpt2"), hf_tokenizer()
    model, tokenizer = from_hf(theirs, words)
    assert isinstance(tokenizer, Tokenizer) and type(from_hf(theirs)) is type(model)
    assert (tokenizer.pad_id, tokenizer.eos_id) == (words.pad_token_id, words.eos_token_id)
    assert WhatIf(model, tokenizer, "the cat").query_tokens == ["the", "cat"]
    small = hf.GPT2LMHeadModel(hf.GPT2Config(vocab_size=2, n_embd=8, n_layer=1, n_head=2))
    with pytest.raises(ValueError, match=r"^The tokenizer has ids up to 4; the model's vocab_size is 2\.$"):
        from_hf(small, words)
    with pytest.raises(ValueError, match=r"^tokenizer must be one of transformer_lab or a fast one .* got a str\.$"):
        from_hf(theirs, "gpt2")


def test_every_view_of_our_models_takes_their_tokenizer():
    model, words = from_hf(make("gpt2")), hf_tokenizer()
    ours = Tokenizer(words.backend_tokenizer)
    for view in (AttentionView.from_model, WhatIf, neuron_view):
        np.testing.assert_array_equal(view(model, words, "the cat").attention, view(model, ours, "the cat").attention)
    assert WhatIf(model, words, "the cat")._outcome == WhatIf(model, ours, "the cat")._outcome
    assert neuron_view(model, words, "the cat").labels == (["the", "cat"], ["the", "cat"])


def test_labels_of_their_byte_level_tokenizers_are_joined_too():
    words = hf.PreTrainedTokenizerFast(tokenizer_object=BPETokenizer.train(["the cat"], 260).tokenizer)
    model = hf.GPT2LMHeadModel(hf.GPT2Config(vocab_size=260, n_embd=16, n_layer=1, n_head=2))
    for shown in (model, from_hf(model)):
        assert AttentionView.from_model(shown, words, "a我").query_tokens == ["a", "我", "我₂", "我₃"]


def test_a_translator_takes_their_tokenizer():
    model, ours = load("dates")
    special = {f"{role}_token": token for role, token in ours.special.items()}
    words = hf.PreTrainedTokenizerFast(tokenizer_object=ours.tokenizer, **special)
    wanted = AttentionView.from_model(model, ours, "May 3, 1931")
    view = AttentionView.from_model(model, words, "May 3, 1931")
    assert (view.query_tokens, view.key_tokens) == (wanted.query_tokens, wanted.key_tokens)


# No tokenizer


def test_without_tokens_labels_are_indices_in_every_view():
    weights = torch.full((1, 2, 2, 3), 1 / 3)
    view = AttentionView(weights)
    assert (view.query_tokens, view.key_tokens) == (["0", "1"], ["0", "1", "2"])
    for draw in (head_view, model_view):
        assert draw(weights).labels == (["0", "1"], ["0", "1", "2"])
    assert LiveAttention(lambda text: (weights, None), "the").key_tokens == ["0", "1", "2"]


def test_without_a_tokenizer_a_text_is_its_ids():
    model, ids = from_hf(make("gpt2")), [3, 1, 4]
    for shown in (model, make("gpt2")):
        for given in (ids, torch.tensor(ids), torch.tensor([ids]), np.array(ids)):
            assert AttentionView.from_model(shown, None, given).query_tokens == ["0", "1", "2"]
    assert neuron_view(model, None, ids).labels[0] == ["0", "1", "2"]
    view = WhatIf(model, None, ids)
    assert view.text == "3 1 4" and view._outcome["rows"][0]["token"].startswith("id ")
    view.text = "3 1"
    assert view.query_tokens == ["0", "1"] and not view.message
    with pytest.raises(ValueError, match=r"^A Transformer needs a tokenizer: its \[BOS\] begins .* got None\.$"):
        AttentionView.from_model(load("dates")[0], None, ids)


def test_an_image_is_shown_with_its_patches_rescaled_and_a_text_has_none():
    view = AttentionView.from_model(make("vit"), None, PIXELS)
    assert {name: view._image[name] for name in ("rows", "columns", "first")} == {"rows": 2, "columns": 2, "first": 1}
    image = imread(io.BytesIO(base64.b64decode(view._image["src"].partition(",")[2])))[..., :3]
    assert image.shape == (8, 8, 3)
    pixels = PIXELS[0].permute(1, 2, 0).numpy()
    wanted = (pixels - pixels.min()) / (pixels.max() - pixels.min() or 1)
    np.testing.assert_allclose(image, wanted, atol=0.01)
    view.update(np.full((1, 1, 2, 2), 0.5))
    assert view._image == {}  # other attention
    assert AttentionView.from_model(make("gpt2"), hf_tokenizer(), "the cat")._image == {}
