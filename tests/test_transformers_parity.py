"""GPT-2, BERT and Llama with our parts give what transformers' own give, for any config that ours can express."""

import pytest
import torch
import torch.nn.functional as F
import transformers
from torch import nn
from transformers import BertConfig, GPT2Config, LlamaConfig

from transformer_lab import from_hf, record_attention, record_residual_stream
from transformer_lab.pretrained.conversion import convert, our_config, our_weights

GPT2_SIZES = dict(vocab_size=37, n_positions=19, n_embd=24, n_layer=2, n_head=3, bos_token_id=None, eos_token_id=None)
LLAMA_SIZES = dict(
    vocab_size=37, hidden_size=24, intermediate_size=31, num_hidden_layers=2, num_attention_heads=4, head_dim=6
)
BERT_SIZES = dict(
    vocab_size=37,
    hidden_size=24,
    intermediate_size=31,
    num_hidden_layers=2,
    num_attention_heads=3,
    max_position_embeddings=19,
)
GPT2 = [
    dict(),
    dict(n_embd=35, n_head=5, n_layer=3, n_inner=17, activation_function="relu", layer_norm_epsilon=1e-2),
    dict(n_head=1, n_inner=41, activation_function="gelu", tie_word_embeddings=False),
    dict(n_embd=16, n_head=8, vocab_size=101, activation_function="gelu_pytorch_tanh"),
]
LLAMA = [
    dict(),
    dict(num_key_value_heads=2, attention_bias=True, mlp_bias=True, rms_norm_eps=1e-2),
    dict(num_attention_heads=6, num_key_value_heads=1, head_dim=10, tie_word_embeddings=True),
    dict(head_dim=14, num_key_value_heads=4, rope_parameters={"rope_type": "default", "rope_theta": 50.0}),
]
BERT = [
    dict(),
    dict(hidden_size=35, num_attention_heads=5, hidden_act="relu", layer_norm_eps=1e-2, type_vocab_size=3),
    dict(num_hidden_layers=1, num_attention_heads=8, hidden_act="gelu_new", intermediate_size=50),
]


def random_model(model_class, config, **arguments):
    """A model of theirs in which no parameter has a value that could hide a mistake."""
    config._attn_implementation = "eager"
    model = model_class(config, **arguments).eval()
    for p in model.parameters():
        nn.init.normal_(p, mean=0.1, std=0.3)
    return model


def random_batch(vocab_size, padding):
    """ids, mask, and the positions that ours counts: from each row's first real token."""
    ids, lengths = torch.randint(1, vocab_size, (3, 11)), torch.tensor([[11], [7], [4]])
    mask = torch.arange(11) < lengths
    if padding == "left":
        mask = mask.flip(1)
    if padding == "none":
        mask = torch.ones_like(mask)
    return ids, mask, (mask.cumsum(1) - 1).clamp(min=0)


def assert_equal(ours, theirs, tolerance, floor=0.0):
    """Equal relative to the largest number in theirs (or to a floor, where theirs is zero but for rounding)."""
    assert ours.shape == theirs.shape and ours.dtype == theirs.dtype
    assert (ours - theirs).abs().max() <= tolerance * max(theirs.abs().max(), floor)


def assert_same_inside(ours, stream, maps, theirs, mask, tolerance, final_norm=None):
    """Hidden states and attention weights, where there are real tokens."""
    for i, (x, expected) in enumerate(zip(stream, theirs.hidden_states, strict=True)):
        if final_norm is not None and i == len(stream) - 1:
            x = final_norm(x)  # theirs records the last state behind the final norm
        assert_equal(x[mask], expected[mask], tolerance)
    for weights, expected in zip(maps, theirs.attentions, strict=True):
        assert_equal(weights.transpose(1, 2)[mask], expected.transpose(1, 2)[mask], tolerance)


def assert_same_gradients(ours, theirs, architecture, tolerance):
    gradients = {name: p.grad for name, p in theirs.named_parameters()}
    expected = our_weights(architecture, gradients, ours.config.tie_embeddings)
    largest = max(gradient.abs().max() for gradient in expected.values())
    for name, p in ours.named_parameters():
        # A bias of the keys adds the same to all scores of a query, so its gradient is zero but for rounding.
        assert_equal(p.grad, expected.pop(name), tolerance, floor=1e-3 * largest)
    assert not expected


def check_language_model(theirs, padding, tolerance):
    ours = from_hf(theirs)
    ids, mask, positions = random_batch(ours.config.vocab_size, padding)
    labels = ids.masked_fill(~mask, -100)
    labels[positions == 0] = -100  # what stands before a row's first token is nothing, or padding
    expected = theirs(
        input_ids=ids,
        attention_mask=mask.long(),
        position_ids=positions,
        labels=labels,
        output_hidden_states=True,
        output_attentions=True,
    )
    with record_residual_stream(ours) as stream, record_attention(ours) as maps:
        logits = ours(ids, mask)
    norm = ours.decoder.norm
    assert_same_inside(ours, stream["decoder"], maps["decoder"], expected, mask, tolerance, norm)
    assert_equal(logits[mask], expected.logits[mask], tolerance)
    losses = [
        F.cross_entropy(logits[:, :-1].flatten(end_dim=1), labels[:, 1:].flatten())
        for logits in (ours(ids, mask), expected.logits)
    ]
    assert_equal(losses[0].float(), expected.loss, 1e-5)  # they compute it in float32, so gradients come from ours
    for loss in losses:
        loss.backward()
    assert_same_gradients(ours, theirs, type(theirs).__name__, tolerance)


@pytest.mark.parametrize("padding", ["none", "right", "left"])
@pytest.mark.parametrize("dtype, tolerance", [(torch.float32, 1e-4), (torch.float64, 1e-10)])
@pytest.mark.parametrize("changes", GPT2)
def test_gpt2(changes, dtype, tolerance, padding):
    config = GPT2Config(**{**GPT2_SIZES, **changes})
    check_language_model(random_model(transformers.GPT2LMHeadModel, config).to(dtype), padding, tolerance)


@pytest.mark.parametrize("padding", ["none", "right", "left"])
@pytest.mark.parametrize("changes", LLAMA)
def test_llama(changes, padding):
    config = LlamaConfig(**{**LLAMA_SIZES, **changes})
    check_language_model(random_model(transformers.LlamaForCausalLM, config), padding, tolerance=1e-4)


@pytest.mark.parametrize("padding", ["none", "right", "left"])
@pytest.mark.parametrize("dtype, tolerance", [(torch.float32, 1e-4), (torch.float64, 1e-10)])
@pytest.mark.parametrize("changes", BERT)
@pytest.mark.parametrize("pooler", [True, False])
def test_bert(changes, dtype, tolerance, padding, pooler):
    config = BertConfig(**{**BERT_SIZES, **changes})
    theirs = random_model(transformers.BertModel, config, add_pooling_layer=pooler).to(dtype)
    ours = from_hf(theirs)
    ids, mask, positions = random_batch(37, padding)
    segments = torch.randint(config.type_vocab_size, ids.shape)
    expected = theirs(
        ids, mask.long(), segments, position_ids=positions, output_hidden_states=True, output_attentions=True
    )
    with record_residual_stream(ours) as stream, record_attention(ours) as maps:
        hidden = ours(ids, mask, segments)
    assert_same_inside(ours, stream["encoder"], maps["encoder"], expected, mask, tolerance)
    assert_equal(hidden[mask], expected.last_hidden_state[mask], tolerance)
    assert ours.config.pooler == pooler
    weights = torch.randn(hidden.shape, dtype=dtype)[mask]
    losses = [(x[mask] * weights).sum() for x in (ours(ids, mask, segments), expected.last_hidden_state)]
    if pooler:  # it reads each row's first token, which must be a real one
        real = mask[:, 0]
        assert_equal(ours.pool(hidden)[real], expected.pooler_output[real], tolerance)
        losses[0] = losses[0] + ours.pool(ours(ids, mask, segments))[real].sum()
        losses[1] = losses[1] + expected.pooler_output[real].sum()
    for loss in losses:
        loss.backward()
    assert_same_gradients(ours, theirs, "BertModel", tolerance)


@pytest.mark.parametrize("padding", ["none", "right", "left"])
@pytest.mark.parametrize("dtype, tolerance", [(torch.float32, 1e-4), (torch.float64, 1e-10)])
@pytest.mark.parametrize("changes", BERT)
def test_bert_for_masked_lm(changes, dtype, tolerance, padding):
    config = BertConfig(**{**BERT_SIZES, **changes})
    theirs = random_model(transformers.BertForMaskedLM, config).to(dtype)
    ours = from_hf(theirs)
    ids, mask, positions = random_batch(37, padding)
    hidden_words = mask & (torch.rand(mask.shape) < 0.5)
    hidden_words[0, 5] = True
    labels = ids.masked_fill(~hidden_words, -100)
    expected = theirs(ids, mask.long(), position_ids=positions, labels=labels)
    logits = ours.masked_lm_logits(ours(ids, mask))
    assert_equal(logits[mask], expected.logits[mask], tolerance)
    loss = F.cross_entropy(logits.flatten(end_dim=1), labels.flatten())
    assert_equal(loss, expected.loss, tolerance)
    loss.backward()
    expected.loss.backward()
    assert_same_gradients(ours, theirs, "BertForMaskedLM", tolerance)


NO = "is not supported: it must be"
ACTIVATION = f"{NO} 'gelu_new' or 'gelu_pytorch_tanh' or 'gelu' or 'relu'."
CLASS = f"{NO} 'GPT2LMHeadModel' or 'LlamaForCausalLM' or 'BertModel' or 'BertForMaskedLM'."
LINEAR = {"rope_type": "linear", "factor": 2.0, "rope_theta": 1e4}
PARTIAL = {"rope_type": "default", "partial_rotary_factor": 0.5, "rope_theta": 1e4}
BIASES = "attention_bias=True with mlp_bias=False is not supported: they must be the same."


@pytest.mark.parametrize(
    "model_class, config, sentence",
    [
        ("GPT2LMHeadModel", dict(scale_attn_weights=False), f"scale_attn_weights=False {NO} True."),
        (
            "GPT2LMHeadModel",
            dict(scale_attn_by_inverse_layer_idx=True),
            f"scale_attn_by_inverse_layer_idx=True {NO} False.",
        ),
        ("GPT2LMHeadModel", dict(add_cross_attention=True), f"add_cross_attention=True {NO} False."),
        ("GPT2LMHeadModel", dict(activation_function="silu"), f"activation_function='silu' {ACTIVATION}"),
        ("LlamaForCausalLM", dict(rope_parameters=LINEAR), f"rope_type='linear' {NO} 'default'."),
        ("LlamaForCausalLM", dict(rope_parameters=PARTIAL), f"partial_rotary_factor=0.5 {NO} 1.0 or None."),
        ("LlamaForCausalLM", dict(hidden_act="gelu"), f"hidden_act='gelu' {NO} 'silu' or 'swish'."),
        ("LlamaForCausalLM", dict(attention_bias=True), BIASES),
        ("BertModel", dict(is_decoder=True), f"is_decoder=True {NO} False."),
        ("BertModel", dict(hidden_act="tanh"), f"hidden_act='tanh' {ACTIVATION}"),
        ("BertForMaskedLM", dict(tie_word_embeddings=False), f"tie_word_embeddings=False {NO} True."),
        ("BertForTokenClassification", dict(), f"class='BertForTokenClassification' {CLASS}"),
        ("GPT2Model", dict(), f"class='GPT2Model' {CLASS}"),
    ],
)
def test_what_ours_cannot_express_is_refused(model_class, config, sentence):
    model_class = getattr(transformers, model_class)
    sizes = {GPT2Config: GPT2_SIZES, LlamaConfig: LLAMA_SIZES, BertConfig: BERT_SIZES}[model_class.config_class]
    with pytest.raises(ValueError) as error:
        from_hf(model_class(model_class.config_class(**{**sizes, **config})))
    assert str(error.value) == sentence


def test_configurations_of_older_versions_are_read_or_refused():
    llama = LlamaConfig(**LLAMA_SIZES).to_dict()
    del llama["rope_parameters"]
    assert our_config("LlamaForCausalLM", {**llama, "rope_theta": 77.0}).rope_theta == 77.0
    with pytest.raises(ValueError, match=r"^rope_type='dynamic' is not supported: it must be 'default'\.$"):
        our_config("LlamaForCausalLM", {**llama, "rope_scaling": {"type": "dynamic", "factor": 2.0}})
    bert = BertConfig(**BERT_SIZES).to_dict()
    with pytest.raises(ValueError, match=r"^position_embedding_type='relative_key' is not supported"):
        our_config("BertModel", {**bert, "position_embedding_type": "relative_key"})
    with pytest.raises(ValueError, match=r"^quantization_config=.* is not supported: it must be None\.$"):
        our_config("BertModel", {**bert, "quantization_config": {"load_in_4bit": True}})


def test_a_weight_without_a_place_is_named():
    theirs = transformers.GPT2LMHeadModel(GPT2Config(**GPT2_SIZES))
    theirs.transformer.h[1].adapter = nn.Linear(24, 24)
    sentence = r"^The weight 'transformer\.h\.1\.adapter\.weight' is not supported: our model has no place for it\.$"
    with pytest.raises(ValueError, match=sentence):
        from_hf(theirs)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_ours_is_a_copy(dtype):
    theirs = random_model(transformers.GPT2LMHeadModel, GPT2Config(**GPT2_SIZES, resid_pdrop=0.2)).to(dtype).train()
    before = {name: tensor.clone() for name, tensor in theirs.state_dict().items()}
    ours = from_hf(theirs)
    assert not ours.training and theirs.training and ours.config.dropout == 0.2
    assert {p.dtype for p in ours.parameters()} == {dtype} and all(p.requires_grad for p in ours.parameters())
    with torch.no_grad():
        for p in ours.parameters():
            p.zero_()
    assert all(torch.equal(tensor, before[name]) for name, tensor in theirs.state_dict().items())


@pytest.mark.parametrize(
    "architecture, field",
    [("GPT2LMHeadModel", "vocab_size"), ("LlamaForCausalLM", "hidden_size"), ("BertModel", "vocab_size")],
)
def test_a_configuration_that_says_nothing_is_told_what_it_lacks(architecture, field):
    with pytest.raises(ValueError, match=rf"^The configuration lacks {field}\.$"):
        our_config(architecture, {})


def test_a_configuration_of_wrong_types_describes_no_model():
    fields = LlamaConfig(**LLAMA_SIZES).to_dict()
    with pytest.raises(ValueError, match=r"^The configuration describes no model: "):
        our_config("LlamaForCausalLM", {**fields, "head_dim": "6"})


@pytest.mark.parametrize(
    "name, value, sentence",
    [
        (
            "transformer.ln_f.scale",
            torch.ones(24),
            "The weight 'transformer.ln_f.scale' is not supported: our model has",
        ),
        (
            "transformer.h.0.attn.c_attn.bias",
            torch.ones(71),
            "The weight 'transformer.h.0.attn.c_attn.bias' holds no quer",
        ),
        (
            "transformer.h.0.attn.c_attn.bias",
            torch.ones(75),
            "The weight 'decoder.blocks.0.attention.w_q.bias' must have",
        ),
        ("transformer.wte.weight", torch.ones(36, 24), "vocab_size is"),
    ],
)
def test_weights_of_another_shape_or_name_are_named(name, value, sentence):
    config = GPT2Config(**GPT2_SIZES)
    weights = transformers.GPT2LMHeadModel(config).state_dict() | {name: value}
    fields = config.to_dict() | ({"vocab_size": 999} if sentence == "vocab_size is" else {})
    with pytest.raises(ValueError) as error:
        convert("GPT2LMHeadModel", fields, weights)
    assert str(error.value).startswith(sentence)


SMALL = dict(vocab_size=30, n_embd=8, n_layer=1, n_head=2, n_positions=8)


def test_an_output_layer_that_was_untied_by_hand_is_told():
    theirs = transformers.GPT2LMHeadModel(GPT2Config(**SMALL))
    theirs.lm_head.weight = nn.Parameter(torch.randn(30, 8))
    with pytest.raises(ValueError, match="lm_head.weight is not the same as transformer.wte.weight"):
        from_hf(theirs)


def test_a_bias_that_was_untied_by_hand_is_told():
    sizes = dict(vocab_size=30, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8)
    theirs = transformers.BertForMaskedLM(BertConfig(**sizes))
    theirs.cls.predictions.decoder.bias = nn.Parameter(torch.randn(30))
    with pytest.raises(ValueError, match="cls.predictions.decoder.bias is not the same as cls.predictions.bias"):
        from_hf(theirs)


def test_weights_that_are_nan_are_told():
    theirs = transformers.GPT2LMHeadModel(GPT2Config(**SMALL))
    theirs.transformer.wte.weight.data[3] = torch.nan
    with pytest.raises(ValueError, match="holds NaN or infinite numbers"):
        from_hf(theirs)
