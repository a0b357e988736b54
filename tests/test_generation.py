"""Generation against slow, obvious loops, transformers' filters and beam search, and searches through every text."""

import subprocess
import sys
import warnings
from inspect import signature
from itertools import product
from unittest import mock

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import GPT2Config, GPT2LMHeadModel
from transformers.generation.logits_process import MinPLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

from transformer_lab import BERT, GPT, Transformer, TransformerConfig, generate, load, make_task, stream, translate
from transformer_lab.generation import translate_ids
from transformer_lab.generation.reader import check_request
from transformer_lab.generation.sampling import Sampler, keep_min_p, keep_top_k, keep_top_p

V = 13
SIZES = dict(vocab_size=V, d_model=16, n_heads=4, n_layers=2, d_ff=24, max_len=24)
POSITIONS = ["none", "sinusoidal", "learned", "rotary", "alibi"]
LLAMA = dict(positions="rotary", n_kv_heads=2, norm="rms", activation="swiglu", bias=False, tie_embeddings=False)
VARIANTS = [*(dict(positions=name) for name in POSITIONS), LLAMA]
seeds = st.integers(0, 10**6)


def scramble(model):
    """Weights far from zero, so that a next token depends on all that was read; biases near it, lest one token win."""
    for name, p in model.named_parameters():
        scale = 0.5 if p.ndim == 2 else 0.1 if name.endswith(("bias", "beta")) else 1.0
        torch.nn.init.normal_(p, std=scale)
    return model.eval()


def random_model(family=GPT, seed=None, **changes):
    if seed is not None:
        torch.manual_seed(seed)
    return scramble(family(TransformerConfig(**{**SIZES, **changes})))


def inputs_for(model, B=3, T=4):
    """Prompts, and for an encoder-decoder a padded source."""
    ids, source = torch.randint(V, (B, T)), torch.randint(V, (B, 5))
    if isinstance(model, GPT):
        return ids, {}
    return ids, dict(source=source, source_mask=torch.arange(5) < torch.randint(2, 6, (B, 1)))


@torch.no_grad()
def next_logits(model, ids, source=None, source_mask=None):
    """What follows ids, from one plain forward pass."""
    whole = model(ids) if source is None else model(source, ids, source_mask)
    return whole[:, -1]


def obvious_greedy(model, ids, n, **more):
    for _ in range(n):
        ids = torch.cat((ids, next_logits(model, ids, **more).argmax(-1, keepdim=True)), dim=1)
    return ids


def row_of(more, i):
    return {name: tensor[i : i + 1] for name, tensor in more.items()}


# -- greedy, the cache, padding


@pytest.mark.parametrize("use_cache", [True, False])
@pytest.mark.parametrize("family", [GPT, Transformer])
@pytest.mark.parametrize("variant", VARIANTS)
def test_greedy_is_the_most_probable_token_again_and_again(variant, family, use_cache):
    model = random_model(family, **variant)
    ids, more = inputs_for(model)
    assert torch.equal(generate(model, ids, 8, use_cache=use_cache, **more), obvious_greedy(model, ids, 8, **more))


@settings(max_examples=40)
@given(
    variant=st.sampled_from(VARIANTS),
    family=st.sampled_from([GPT, Transformer]),
    pieces=st.lists(st.integers(1, 4), min_size=1, max_size=5),
    padded=st.booleans(),
    seed=seeds,
)
def test_reading_in_pieces_with_a_cache_is_reading_at_once(variant, family, pieces, padded, seed):
    model = random_model(family, seed, **variant)
    T = sum(pieces)
    ids, more = inputs_for(model, T=T)
    mask = torch.arange(T) >= torch.randint(0, T, (3, 1)) if padded else None
    memory = {}
    with torch.no_grad():
        if more:
            memory_mask = more["source_mask"]
            memory = dict(memory=model.encode(more["source"], memory_mask), memory_mask=memory_mask)
        at_once = model.logits(model.decode(ids, mask, **memory))
        cache, logits, read = model.decoder.new_cache(), [], 0
        for n in pieces:
            so_far = None if mask is None else mask[:, : read + n]
            hidden = model.decode(ids[:, read : read + n], so_far, cache=cache, **memory)
            logits.append(model.logits(hidden))
            read += n
    real = torch.ones(3, T, dtype=torch.bool) if mask is None else mask
    torch.testing.assert_close(torch.cat(logits, dim=1)[real], at_once[real], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("use_cache, read", [(True, 4 + 1 + 1 + 1 + 1), (False, 4 + 5 + 6 + 7 + 8)])
def test_with_a_cache_each_token_is_read_once_and_the_source_in_any_case(use_cache, read):
    model = random_model(Transformer)
    ids, more = inputs_for(model)
    with (
        mock.patch.object(model, "decode", wraps=model.decode) as decode,
        mock.patch.object(model, "encode", wraps=model.encode) as encode,
        mock.patch.object(model, "logits", wraps=model.logits) as logits,
    ):
        generate(model, ids, 5, use_cache=use_cache, **more)
    assert sum(call.args[0].shape[1] for call in decode.call_args_list) == read
    assert encode.call_count == 1
    assert {call.args[0].shape[1] for call in logits.call_args_list} == {1}  # of the last position only


@pytest.mark.parametrize("options", [dict(), dict(beams=3, stop=2), dict(use_cache=False)])
@pytest.mark.parametrize("family", [GPT, Transformer])
@pytest.mark.parametrize("variant", VARIANTS)
def test_padding_on_the_left_changes_nothing(variant, family, options):
    model = random_model(family, **variant)
    ids, more = inputs_for(model, B=4, T=6)
    n_padding = [5, 0, 2, 3]
    mask = torch.arange(6) >= torch.tensor(n_padding)[:, None]
    together = generate(model, ids, 6, mask=mask, pad_id=2, **more, **options)
    assert torch.equal(together[:, :6], ids)
    for i, n in enumerate(n_padding):
        alone = generate(model, ids[i : i + 1, n:], 6, pad_id=2, **row_of(more, i), **options)[0, 6 - n :].tolist()
        assert together[i, 6:].tolist() == alone + [2] * (together.shape[1] - 6 - len(alone))


def test_a_mask_that_hides_nothing_is_dropped():
    model = random_model()
    with mock.patch.object(model, "decode", wraps=model.decode) as decode:
        generate(model, torch.randint(V, (2, 3)), 2, mask=torch.ones(2, 3, dtype=torch.bool))
    assert all(call.args[1] is None for call in decode.call_args_list)


# -- stopping


@settings(max_examples=30)
@given(seed=seeds, stop=st.lists(st.integers(0, V - 1), min_size=1, max_size=3), pad_id=st.sampled_from([None, 5]))
def test_rows_end_at_a_stop_and_generation_with_the_last_row(seed, stop, pad_id):
    model = random_model(seed=seed)
    ids = torch.randint(V, (3, 4))
    rows = []
    for whole in obvious_greedy(model, ids, 8)[:, 4:].tolist():
        ends = [i + 1 for i, token in enumerate(whole) if token in stop]
        rows.append(whole[: min(ends, default=8)])
    longest = max(map(len, rows))
    fill = stop[0] if pad_id is None else pad_id
    expected = [row + [fill] * (longest - len(row)) for row in rows]
    assert generate(model, ids, 8, stop=stop, pad_id=pad_id)[:, 4:].tolist() == expected
    if len(stop) == 1:
        assert generate(model, ids, 8, stop=stop[0], pad_id=pad_id)[:, 4:].tolist() == expected


# -- sampling

VALUES = [
    *((keep_top_k, TopKLogitsWarper, k) for k in (1, 3, 11, 50)),
    *((keep_top_p, TopPLogitsWarper, p) for p in (1e-9, 0.01, 0.5, 0.9, 1.0)),
    *((keep_min_p, MinPLogitsWarper, p) for p in (0.0, 0.05, 0.3, 1.0)),
]


@pytest.mark.parametrize("ours, theirs, value", VALUES)
def test_filters_keep_what_transformers_keeps(ours, theirs, value):
    logits = 3 * torch.randn(200, 11)
    logits[::2] = logits[::2].round()  # rows with equally probable tokens
    logits[::5, :4] = -torch.inf  # and with tokens that an earlier filter took
    assert torch.equal(ours(logits, value), theirs(value)(None, logits))


def test_draws_follow_the_filters_in_their_order():
    n, filters = 4000, dict(top_k=6, top_p=0.75, min_p=0.15)
    logits = 2 * torch.randn(12, V)
    expected = logits / 0.8
    for warper in (TopKLogitsWarper(6), TopPLogitsWarper(0.75), MinPLogitsWarper(0.15)):
        expected = warper(None, expected)
    expected = expected.softmax(dim=-1)
    draws = Sampler(temperature=0.8, **filters)(logits.repeat_interleave(n, dim=0)).view(12, n)
    found = torch.nn.functional.one_hot(draws, V).float().mean(dim=1)
    assert not found[expected == 0].any()
    assert ((found - expected).abs() <= 6 * (expected * (1 - expected) / n).sqrt() + 1e-9).all()


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_tokens_are_as_frequent_as_softmax_says(temperature):
    model, n = random_model(), 20_000
    ids = torch.randint(V, (1, 4))
    expected = (next_logits(model, ids)[0] / temperature).softmax(dim=-1)
    drawn = generate(model, ids.expand(n, -1), 1, temperature=temperature)[:, -1]
    found = torch.bincount(drawn, minlength=V) / n
    assert ((found - expected).abs() <= 6 * (expected * (1 - expected) / n).sqrt() + 1e-4).all()


def test_a_seed_repeats_the_draws_and_leaves_the_global_generator_alone():
    model, ids = random_model(), torch.randint(V, (4, 3))

    def sample(seed=None):
        return generate(model, ids, 15, temperature=3.0, seed=seed)

    state = torch.get_rng_state()
    assert torch.equal(sample(1), sample(1)) and not torch.equal(sample(1), sample(2))
    assert torch.equal(torch.get_rng_state(), state)
    first = sample()
    assert not torch.equal(sample(), first)
    torch.set_rng_state(state)
    assert torch.equal(sample(), first)


# -- beams


def gpt2_with_our_twin(seed):
    torch.manual_seed(seed)
    sizes = dict(n_positions=24, n_embd=16, n_layer=2, n_head=2, resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0)
    theirs = scramble(GPT2LMHeadModel(GPT2Config(vocab_size=V, bos_token_id=None, eos_token_id=None, **sizes)))
    ours = GPT(
        TransformerConfig(
            **{**SIZES, "n_heads": 2, "d_ff": 64},
            positions="learned",
            activation="gelu_tanh",
            scale_embeddings=False,
        )
    )

    def copy_linear(our, weight, bias):  # transformers keeps GPT-2's matrices transposed
        our.weight.data, our.bias.data = weight.data.T, bias.data

    def copy_norm(our, their):
        our.gamma.data, our.beta.data = their.weight.data, their.bias.data

    ours.embedding.tokens.weight.data = theirs.transformer.wte.weight.data
    ours.embedding.positions.table.data = theirs.transformer.wpe.weight.data
    for our, their in zip(ours.decoder.blocks, theirs.transformer.h, strict=True):
        packed = zip(their.attn.c_attn.weight.chunk(3, dim=1), their.attn.c_attn.bias.chunk(3), strict=True)
        for linear, (weight, bias) in zip(
            (our.attention.w_q, our.attention.w_k, our.attention.w_v), packed, strict=True
        ):
            copy_linear(linear, weight, bias)
        copy_linear(our.attention.w_o, their.attn.c_proj.weight, their.attn.c_proj.bias)
        copy_linear(our.feed_forward.w_1, their.mlp.c_fc.weight, their.mlp.c_fc.bias)
        copy_linear(our.feed_forward.w_2, their.mlp.c_proj.weight, their.mlp.c_proj.bias)
        copy_norm(our.attention_residual.norm, their.ln_1)
        copy_norm(our.feed_forward_residual.norm, their.ln_2)
    copy_norm(ours.decoder.norm, theirs.transformer.ln_f)
    return theirs, ours.eval()


def check_beams_against_transformers(seed, beams, length_penalty, stop, n, n_padding=(0, 0, 0), use_cache=True):
    theirs, ours = gpt2_with_our_twin(seed)
    ids = torch.randint(V, (3, 5))
    mask = torch.arange(5) >= torch.tensor(n_padding)[:, None]
    common = dict(num_beams=beams, length_penalty=length_penalty, do_sample=False, max_new_tokens=n)
    expected = theirs.generate(ids, attention_mask=mask.long(), eos_token_id=stop or None, pad_token_id=V - 1, **common)
    options = dict(beams=beams, length_penalty=length_penalty, stop=stop, pad_id=V - 1, use_cache=use_cache)
    assert generate(ours, ids, n, mask=mask, **options).tolist() == expected.tolist()


@settings(max_examples=80)
@given(
    seed=seeds,
    beams=st.integers(2, 4),
    length_penalty=st.sampled_from([-1.0, 0.0, 0.6, 1.0, 2.0]),
    stop=st.lists(st.integers(0, V - 1), max_size=9, unique=True),
    n=st.integers(1, 12),
    n_padding=st.sampled_from([(0, 0, 0), (0, 4, 2)]),
    use_cache=st.booleans(),
)
def test_beam_search_finds_what_transformers_finds(seed, beams, length_penalty, stop, n, n_padding, use_cache):
    check_beams_against_transformers(seed, beams, length_penalty, stop, n, n_padding, use_cache)


@settings(max_examples=30)
@given(seed=seeds)
def test_where_most_tokens_stop_beams_stay_alive_all_the_same(seed):
    check_beams_against_transformers(seed, beams=3, length_penalty=4.0, stop=list(range(8)), n=8)


def best_text(model, ids, n, stop, length_penalty, **more):
    """Of all texts of at most n tokens that end at `stop` or at n, the one of the highest score."""
    texts = {}
    for text in product(range(model.config.vocab_size), repeat=n):
        text = text[: text.index(stop) + 1] if stop in text else text
        if text not in texts:
            whole = torch.cat((ids, torch.tensor([text])), dim=1)
            with torch.no_grad():
                logits = model(whole) if not more else model(more["source"], whole, more["source_mask"])
            log_probs = logits.log_softmax(dim=-1)[0, ids.shape[1] - 1 : -1]
            texts[text] = log_probs[range(len(text)), text].sum().item() / len(text) ** length_penalty
    return max(texts, key=texts.get)


@pytest.mark.parametrize("length_penalty", [0.0, 1.0])
@pytest.mark.parametrize("family", [GPT, Transformer])
def test_enough_beams_find_the_best_text_of_all(family, length_penalty):
    model = random_model(family, vocab_size=4)
    ids, more = inputs_for(model, T=2)
    ids, more = ids % 4, {name: t if t.dtype == torch.bool else t % 4 for name, t in more.items()}
    found = generate(model, ids, 3, beams=4**3, length_penalty=length_penalty, stop=1, pad_id=0, **more)[:, 2:]
    for i, row in enumerate(found.tolist()):
        best = best_text(model, ids[i : i + 1], 3, 1, length_penalty, **row_of(more, i))
        assert row == [*best, *[0] * (len(row) - len(best))]


def test_a_higher_length_penalty_never_prefers_a_shorter_text():
    lengths = []
    for _ in range(12):
        model, ids = random_model(vocab_size=3), torch.randint(3, (1, 2))
        all_beams = dict(beams=3**4, stop=1, pad_id=1)
        lengths.append([generate(model, ids, 4, length_penalty=p, **all_beams).shape[1] for p in (-2.0, 0.0, 1.0, 4.0)])
    assert all(row == sorted(row) for row in lengths)
    assert any(row[0] < row[-1] for row in lengths)


# -- streaming, and what is left behind


@pytest.mark.parametrize("options", [dict(), dict(temperature=1.5, top_k=7, seed=3), dict(stop=[1, 4], pad_id=0)])
@pytest.mark.parametrize("family", [GPT, Transformer])
def test_stream_gives_generates_new_columns(family, options):
    model = random_model(family)
    ids, more = inputs_for(model)
    columns = list(stream(model, ids, 9, **more, **options))
    assert torch.equal(torch.stack(columns, dim=1), generate(model, ids, 9, **more, **options)[:, 4:])


def test_stream_gives_a_token_as_soon_as_it_is_chosen():
    model, ids = random_model(), torch.randint(V, (2, 3))
    with mock.patch.object(model, "decode", wraps=model.decode) as decode:
        steps = stream(model, ids, 9)
        assert decode.call_count == 0
        next(steps)
        assert decode.call_count == 1


@pytest.mark.parametrize("options", [dict(), dict(beams=2)])
def test_dropout_is_off_and_each_module_is_left_as_it_was(options):
    model, ids = random_model(dropout=0.5), torch.randint(V, (2, 3))
    expected = generate(model, ids, 6, **options)
    model.train()
    model.decoder.blocks[0].eval()  # a frozen part stays frozen
    modes = [module.training for module in model.modules()]
    assert torch.equal(generate(model, ids, 6, **options), expected)
    assert [module.training for module in model.modules()] == modes


def test_a_stream_that_is_left_early_leaves_the_model_as_it_was():
    model, ids = random_model().train(), torch.randint(V, (2, 3))
    for _ in stream(model, ids, 6):
        assert model.training and torch.is_grad_enabled() and not torch.is_inference_mode_enabled()
        break
    assert model.training
    with mock.patch.object(model, "decode", side_effect=RuntimeError("broken")), pytest.raises(RuntimeError):
        generate(model, ids, 6)
    assert model.training


@pytest.mark.parametrize("options", [dict(), dict(temperature=1.0), dict(beams=2), dict(stop=1)])
def test_the_new_ids_can_be_trained_on(options):
    model, ids = random_model(), torch.randint(V, (2, 3))
    written = generate(model, ids, 4, **options)
    written[0, 0] = 1
    model(written).logsumexp(dim=-1).sum().backward()
    assert model.embedding.tokens.weight.grad.abs().sum() > 0
    assert not any(new_ids.is_inference() for new_ids in stream(model, ids, 3))


@pytest.mark.parametrize("beams", [1, 3])
def test_no_new_tokens_are_no_change(beams):
    ids = torch.randint(V, (2, 3))
    assert torch.equal(generate(random_model(), ids, 0, beams=beams), ids)


@pytest.mark.parametrize("options", [dict(), dict(use_cache=False), dict(temperature=0.01), dict(beams=2)])
@pytest.mark.parametrize("family", [GPT, Transformer])
def test_in_16_bits_the_choice_is_nearly_the_same(family, options):
    model = random_model(family, **LLAMA)
    ids, more = inputs_for(model)
    written = generate(model.bfloat16(), ids, 6, **more, **options)
    assert written.shape == (3, 10)
    if "beams" not in options:
        model.float()
        for t in range(4, 10):
            logits = next_logits(model, written[:, :t], **more)
            assert (logits.gather(1, written[:, t : t + 1])[:, 0] > logits.amax(dim=-1) - 1).all()


def test_translate_hands_on_its_options():
    model, tokenizer = load("dates")
    texts = ["May 3, 2021", "the 4th of July 1999"]
    with mock.patch("transformer_lab.generation.decoding.beam_search", side_effect=NotImplementedError("beams")):
        assert len(translate(model, tokenizer, texts)) == 2
        with pytest.raises(NotImplementedError):
            translate(model, tokenizer, texts, beams=4)


# -- what makes no sense

NAN, INFINITE = float("nan"), float("inf")
IDS = torch.ones(2, 20, dtype=torch.long)
SENTENCES = [
    (dict(temperature=-1.0), "temperature must be a number, at least 0; got -1.0."),
    (dict(temperature=1.0, top_k=0), "top_k must be a whole number, at least 1; got 0."),
    (dict(temperature=1.0, top_p=0.0), "top_p must be a number, more than 0 and at most 1; got 0.0."),
    (dict(temperature=1.0, top_p=1.5), "top_p must be a number, more than 0 and at most 1; got 1.5."),
    (dict(temperature=1.0, min_p=1.5), "min_p must be a number from 0 to 1; got 1.5."),
    (dict(temperature=NAN), "temperature must be a number, at least 0; got nan."),
    (dict(temperature=INFINITE), "temperature must be a number, at least 0; got inf."),
    (dict(temperature=1.0, top_p=NAN), "top_p must be a number, more than 0 and at most 1; got nan."),
    (dict(temperature=1.0, min_p=NAN), "min_p must be a number from 0 to 1; got nan."),
    (
        dict(temperature=1.0, seed=2**70),
        f"seed must be a whole number, at least 0 and at most 4294967295; got {2**70}.",
    ),
    (dict(temperature=1.0, seed=-1), "seed must be a whole number, at least 0 and at most 4294967295; got -1."),
    (dict(beams=2, length_penalty=NAN), "length_penalty must be a number from -20 to 20; got nan."),
    (dict(beams=2, length_penalty=-INFINITE), "length_penalty must be a number from -20 to 20; got -inf."),
    (dict(beams=2, length_penalty=400.0), "length_penalty must be a number from -20 to 20; got 400.0."),
    (dict(ids=IDS + 12), "ids must be from 0 to 12, as in the vocabulary; got 13."),
    (dict(ids=IDS - 2), "ids must be from 0 to 12, as in the vocabulary; got -1."),
    (dict(stop=-1), "stop must be a whole number, at least 0; got -1."),
    (dict(stop=3, pad_id=13), "pad_id must be an id of the vocabulary, which ends at 12; got 13."),
    (dict(ids=IDS[:0]), "ids are empty: give each row at least one token to begin with."),
    (dict(top_k=5), "top_k=5 acts on sampling: give a temperature above 0 too."),
    (dict(top_p=0.5), "top_p=0.5 acts on sampling: give a temperature above 0 too."),
    (dict(min_p=0.5), "min_p=0.5 acts on sampling: give a temperature above 0 too."),
    (dict(beams=0), "beams must be a whole number, at least 1; got 0."),
    (dict(beams=2, temperature=1.0), "Sampling needs beams=1; got beams=2 with temperature=1.0."),
    (dict(beams=2, top_k=5), "top_k=5 acts on sampling: give a temperature above 0 too."),
    (dict(max_new_tokens=-1), "max_new_tokens must be a whole number, at least 0; got -1."),
    (dict(source=IDS), "A decoder-only model reads no source: put the text into ids."),
    (dict(ids=IDS[:, :0]), "ids are empty: give each row at least one token to begin with."),
    (dict(mask=IDS.cumsum(1) < 20), "mask[:, -1] must be True in every row: pad on the left."),
    (dict(max_new_tokens=6), "20 tokens and 6 new ones need 25 positions; this model's max_len is 24."),
]


@pytest.mark.parametrize("change, sentence", SENTENCES)
def test_a_mistake_gets_one_sentence_before_any_work(change, sentence):
    model = random_model(positions="learned")
    with mock.patch.object(model, "decode") as decode, pytest.raises(ValueError) as error:
        generate(model, **{**dict(ids=IDS, max_new_tokens=2), **change})
    assert str(error.value) == sentence and not decode.called
    if "beams" not in change:
        with pytest.raises(ValueError) as error:
            stream(model, **{**dict(ids=IDS, max_new_tokens=2), **change})  # at once, not at the first token
        assert str(error.value) == sentence


@pytest.mark.parametrize(
    "model, sentence",
    [
        (Transformer, "An encoder-decoder needs a source."),
        (BERT, "Only a model with a decoder generates text; got BERT."),
    ],
)
def test_a_mistake_in_the_kind_of_model_too(model, sentence):
    with pytest.raises(ValueError) as error:
        stream(random_model(model), IDS, 2)
    assert str(error.value) == sentence


def test_stream_takes_generates_options_but_those_of_beam_search():
    of_both = [
        {name: (option.kind, option.default) for name, option in signature(function).parameters.items()}
        for function in (generate, stream)
    ]
    assert of_both[0].keys() - of_both[1].keys() == {"beams", "length_penalty"}
    assert of_both[1].items() <= of_both[0].items()


@pytest.mark.parametrize("mask", [IDS, IDS[:, 1:].bool()])
def test_a_mask_of_another_dtype_or_shape_is_refused(mask):
    with pytest.raises(ValueError, match=r"The mask must be bool of shape \(2, 20\)"):
        check_request(random_model(), IDS, 2, mask)


def test_a_source_of_another_number_of_rows_is_refused():
    with pytest.raises(ValueError, match="source and ids must have the same number of rows; got 1 and 2."):
        check_request(random_model(Transformer), IDS, 2, source=IDS[:1])


@pytest.mark.parametrize("positions", ["sinusoidal", "learned"])
def test_the_last_token_needs_no_position(positions):
    model = random_model(positions=positions)
    assert generate(model, IDS, 5).shape == (2, 25)
    with pytest.raises(ValueError, match="20 tokens and 6 new ones need 25 positions"):
        generate(model, IDS, 6)


@pytest.mark.parametrize("options", [dict(), dict(use_cache=False), dict(beams=2), dict(temperature=1.0)])
@pytest.mark.parametrize("positions", ["none", "rotary", "alibi"])
def test_beyond_the_trained_length_there_is_one_warning_and_up_to_it_none(positions, options):
    model = random_model(positions=positions)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert generate(model, IDS, 5, **options).shape == (2, 25)
    sentence = "^20 tokens and 6 new ones need 25 positions; this model's max_len is 24: what it makes of tokens"
    with pytest.warns(UserWarning, match=sentence) as told:
        assert generate(model, IDS, 6, **options).shape == (2, 26)
    assert len(told) == 1


@pytest.mark.parametrize("positions", ["sinusoidal", "rotary"])
def test_a_source_has_the_same_limit(positions):
    model = random_model(Transformer, positions=positions)
    start, source = torch.ones(1, 1, dtype=torch.long), torch.ones(1, 25, dtype=torch.long)
    generate(model, start, 2, source=source[:, :24])
    sentence = "^A source of 25 tokens needs 25 positions; this model's max_len is 24"
    with (
        pytest.warns(UserWarning, match=sentence)
        if positions == "rotary"
        else pytest.raises(ValueError, match=sentence)
    ):
        generate(model, start, 2, source=source)
    with pytest.raises(ValueError, match="^source must be from 0 to 12, as in the vocabulary; got 13.$"):
        generate(model, start, 2, source=source[:, :3] + 12)


# -- values that arithmetic cannot carry


@pytest.mark.parametrize("temperature", [1e-3, 1e-30, 1e-38, 1e-39, 1e-45, 1e-300, 5e-324])
@pytest.mark.parametrize("scale", [1, 1e4])
def test_the_smaller_the_temperature_the_more_probable_the_token(temperature, scale):
    logits = scale * torch.randn(50, V, generator=torch.Generator().manual_seed(5))
    logits[:, 3] = -torch.inf  # taken out before
    for filters in (dict(), dict(top_k=5), dict(top_p=0.9), dict(min_p=0.1)):
        assert torch.equal(Sampler(temperature, seed=1, **filters)(logits), logits.argmax(dim=-1))


def test_among_equally_probable_tokens_a_tiny_temperature_still_draws():
    logits = torch.tensor([[2.0, 5.0, 5.0, 1.0]]).expand(400, -1)
    assert set(Sampler(1e-39, seed=1)(logits).tolist()) == {1, 2}


@pytest.mark.parametrize("length_penalty", [-20.0, 20.0])
def test_the_strongest_length_penalties_are_carried(length_penalty):
    """An end at each step is in reach: one strength takes the shortest text, the other the longest."""
    model = random_model(vocab_size=3, seed=0, max_len=400, positions="rotary")
    ids = torch.ones(1, 2, dtype=torch.long)
    n = generate(model, ids, 300, beams=9, length_penalty=length_penalty, stop=[0, 1, 2]).shape[1] - 2
    assert n == 1
    n = generate(model, ids, 300, beams=2, length_penalty=length_penalty, stop=1).shape[1] - 2
    assert n == 300 if length_penalty > 0 else n < 100


@pytest.mark.parametrize("options", [dict(), dict(temperature=1.0), dict(beams=2)])
def test_a_model_that_has_diverged_says_so(options):
    model = random_model()
    with torch.no_grad():
        model.embedding.tokens.weight[3, 3] = torch.nan
    with pytest.raises(ValueError, match="^The model's output is NaN: it has diverged, or its weights are damaged.$"):
        generate(model, IDS, 2, **options)


OF_ANOTHER_TYPE = """
import numpy, torch
from transformer_lab import GPT, TransformerConfig, generate
model, ids = GPT(TransformerConfig(13)), torch.ones(1, 2, dtype=torch.long)
assert generate(model, ids, numpy.int64(3), temperature=numpy.float32(1), top_k=numpy.int64(2), seed=1).shape == (1, 5)
assert generate(model, ids, 3, temperature=1, stop=numpy.int64(5)).shape[0] == 1
assert generate(model, ids, 3, stop=torch.tensor([5, 6]).tolist()).shape[0] == 1
for changes in (
    dict(max_new_tokens=2.0), dict(max_new_tokens=True), dict(beams=2.0), dict(beams=True), dict(top_k=3.0),
    dict(top_k=True), dict(temperature="1"), dict(temperature=True), dict(temperature=None), dict(top_p="0.9"),
    dict(min_p=True), dict(seed=1.0), dict(seed=True), dict(length_penalty="1"), dict(stop=[1.0]), dict(stop="1"),
    dict(pad_id=1.0),
):
    try:
        generate(model, ids, **{"max_new_tokens": 2, "temperature": 1.0, **changes})
        print("nothing was said of", changes)
    except ValueError as error:
        print(error)
"""


def test_values_of_another_type_get_a_sentence():
    # In a Python of its own: the shape checks of this one would refuse them first, in other words.
    run = subprocess.run([sys.executable, "-c", OF_ANOTHER_TYPE], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines() == [
        "max_new_tokens must be a whole number, at least 0; got 2.0.",
        "max_new_tokens must be a whole number, at least 0; got True.",
        "beams must be a whole number, at least 1; got 2.0.",
        "beams must be a whole number, at least 1; got True.",
        "top_k must be a whole number, at least 1; got 3.0.",
        "top_k must be a whole number, at least 1; got True.",
        "temperature must be a number, at least 0; got '1'.",
        "temperature must be a number, at least 0; got True.",
        "temperature must be a number, at least 0; got None.",
        "top_p must be a number, more than 0 and at most 1; got '0.9'.",
        "min_p must be a number from 0 to 1; got True.",
        "seed must be a whole number, at least 0 and at most 4294967295; got 1.0.",
        "seed must be a whole number, at least 0 and at most 4294967295; got True.",
        "length_penalty must be a number from -20 to 20; got '1'.",
        "stop must be a whole number, at least 0; got 1.0.",
        "stop must be a whole number, at least 0; got '1'.",
        "pad_id must be a whole number, at least 0; got 1.0.",
    ]


# -- what is around a model, and what is no list of texts


@pytest.mark.parametrize("wrap", [torch.compile, torch.nn.DataParallel])
@pytest.mark.parametrize("options", [dict(), dict(beams=2)])
def test_a_wrapped_model_writes_what_it_writes_itself(wrap, options):
    for family in (GPT, Transformer):
        model = random_model(family)
        ids, more = inputs_for(model)
        assert torch.equal(generate(wrap(model), ids, 4, **more, **options), generate(model, ids, 4, **more, **options))
    columns = torch.stack(list(stream(wrap(model), ids, 4, **more)), dim=1)
    assert torch.equal(columns, generate(model, ids, 4, **more)[:, 4:])
    model, tokenizer = load("dates")
    assert translate(wrap(model), tokenizer, ["May 3, 2021"]) == translate(model, tokenizer, ["May 3, 2021"])


def test_texts_are_a_list_and_none_are_no_translation():
    model, tokenizer = load("dates")
    for function in (translate, translate_ids):
        with pytest.raises(ValueError, match=r"^texts must be a list of texts; got one text: 'Sunday, May 3'\.$"):
            function(model, tokenizer, "Sunday, May 3")
    assert translate(model, tokenizer, []) == [] and translate_ids(model, tokenizer, []).shape == (0, 1)
    two = ("May 3, 2021", "June 4, 2022")
    assert translate(model, tokenizer, two) == translate(model, tokenizer, list(two))
    with pytest.raises(ValueError, match="^Nothing to translate: a text is empty.$"):
        translate(model, tokenizer, ["May 3, 2021", " "])
    with pytest.raises(ValueError, match=r"^A text holds '\\udce9', which is not a character"):
        translate(model, tokenizer, ["caf\udce9"])


def test_a_translation_is_as_long_as_the_model_makes_it():
    task = make_task("copy", n=20, max_len=50)
    model, tokenizer = task.model, task.tokenizer
    with torch.no_grad():  # it never stops, and says one letter again and again
        model.output.weight.fill_(0.0)
        model.output.weight[5] = 1.0
        model.decoder.norm.beta.fill_(1.0)
    assert translate_ids(model, tokenizer, ["A B"]).shape == (1, 51)
    assert translate(model, tokenizer, ["A B"], 32) != translate(model, tokenizer, ["A B"])
    assert translate(model, tokenizer, (text for text in ["A", "B"])) == translate(model, tokenizer, ["A", "B"])


def test_two_streams_of_one_model_in_turn_draw_without_dropout():
    model = random_model(GPT, dropout=0.5)
    ids = IDS[:, :3]
    wanted = torch.stack(list(stream(model.eval(), ids, 6)))
    model.train()
    first, second = stream(model, ids, 6), stream(model, ids, 6)
    begun = [next(first), next(second)]
    for one, stream_of_it in zip(begun, (first, second), strict=True):  # the first ends while the second goes on
        assert torch.equal(torch.stack([one, *stream_of_it]), wanted)
    assert model.training
