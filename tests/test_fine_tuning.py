"""Fine-tuning: each method learns what it should and nothing else, begins as the old model, and fits peft's."""

import copy

import numpy as np
import peft
import pytest
import torch
import transformers
from torch import nn
from transformers import BertConfig

from transformer_lab import GPT, Settings, TransformerConfig, from_hf, generate, record_attention, train
from transformer_lab.adapters import Adapter, add_adapters
from transformer_lab.analysis.journey import record_journeys
from transformer_lab.analysis.reading import text_attention
from transformer_lab.attention import MultiHeadAttention
from transformer_lab.classifiers import Classifier, Tagger
from transformer_lab.data.docstring_modules import Example
from transformer_lab.data.entities import TAGS, training_sentences
from transformer_lab.data.tokenizers import BPETokenizer, Tokenizer
from transformer_lab.fine_tuning import METHODS, prepare
from transformer_lab.lora import LoRALinear, add_lora, lora_state, merge_lora
from transformer_lab.models import BERT
from transformer_lab.prompts import Prefix, add_prefix, add_prompt
from transformer_lab.tasks.labelling import Classification, Tagging
from transformer_lab.viz import AttentionView, ModelTour

SIZES = dict(vocab_size=300, d_model=24, n_heads=3, n_layers=2, d_ff=31, max_len=64)
BEGINS_AS_THE_OLD_MODEL = ["everything", "last block", "head", "biases", "lora", "adapters"]


def tiny_bert(**changes) -> BERT:
    return BERT(TransformerConfig.preset("bert-base", **{**SIZES, **changes})).eval()


def shaken(model):
    """The model, with parameters that hide no mistake."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0.1, 0.3)
    return model


def tiny_gpt(**changes) -> GPT:
    return shaken(GPT(TransformerConfig(**{**SIZES, "positions": "rotary", **changes}))).eval()


@pytest.fixture
def tagger():
    return Tagger.on(shaken(tiny_bert()), TAGS)


@pytest.fixture
def batch():
    """Ids and mask: three texts of different lengths."""
    return torch.randint(SIZES["vocab_size"], (3, 11)), torch.arange(11) < torch.tensor([[11], [7], [4]])


def logits(model, batch):
    with torch.no_grad():
        return model(*batch)


# ---- All methods


def test_a_labeller_on_a_bert_is_that_bert_and_a_new_head(batch):
    base = shaken(tiny_bert(masked_lm_head=True))
    before = copy.deepcopy(base.state_dict())
    model = Tagger.on(base, TAGS)
    torch.testing.assert_close(logits(model, batch), model.head(logits(base, batch)))
    shaken(model)  # a copy: the base does not move
    assert all(torch.equal(before[name], tensor) for name, tensor in base.state_dict().items())


@pytest.mark.parametrize("method", METHODS)
def test_a_step_moves_what_is_learnt_and_nothing_else(tagger, batch, method):
    learnt = prepare(tagger, method)
    before = copy.deepcopy(tagger.state_dict())
    for step in (0.01, 0.003):  # after the first one B, and W_up, are no longer zero, and all the rest has a gradient
        tagger.zero_grad()
        tagger(*batch)[batch[1]].square().sum().backward()
        for parameter in learnt.values():
            parameter.data -= step * parameter.grad.sign()
    moved = {name for name, tensor in tagger.state_dict().items() if not torch.equal(before[name], tensor)}
    # A row of a table that was not read stays; a bias of the keys changes no softmax, so it has no gradient but noise.
    assert moved <= set(learnt) and {name for name in learnt if not name.endswith("w_k.bias")} <= moved
    assert {"head.weight", "head.bias"} <= moved
    assert all(p.grad is None for name, p in tagger.named_parameters() if name not in learnt)


@pytest.mark.parametrize("method", BEGINS_AS_THE_OLD_MODEL)
def test_it_begins_as_the_old_model(tagger, batch, method):
    before = logits(tagger, batch)
    prepare(tagger, method)
    torch.testing.assert_close(logits(tagger, batch), before)


@pytest.mark.parametrize("method", [name for name in METHODS if name not in BEGINS_AS_THE_OLD_MODEL])
def test_what_stands_in_front_changes_the_model_at_once(tagger, batch, method):
    before = logits(tagger, batch)
    prepare(tagger, method)
    assert (logits(tagger, batch) - before)[batch[1]].abs().max() > 1e-4


@pytest.mark.parametrize("method", METHODS)
def test_padding_and_copies_change_nothing(tagger, batch, method):
    prepare(tagger, method)
    ids, mask = batch
    copied = copy.deepcopy(tagger)
    shaken(tagger)
    together = logits(tagger, batch)
    for row, real in enumerate(mask.sum(dim=1).tolist()):
        torch.testing.assert_close(together[row, :real], logits(tagger, (ids[row : row + 1, :real], None))[0])
    assert not torch.allclose(logits(copied, batch), together)  # a copy has vectors of its own
    copied.load_state_dict(tagger.state_dict())
    torch.testing.assert_close(logits(copied, batch), together)


D, FF, BLOCKS, HEAD = 24, 31, 2, 24 * 7 + 7
NUMBERS = {
    "head": HEAD,
    "last block": 4 * (D * D + D) + D * FF + FF + FF * D + D + 4 * D + HEAD,
    "biases": BLOCKS * (4 * D + FF + D + 2 * D) + D + HEAD,
    "lora": BLOCKS * 2 * 8 * (D + D) + HEAD,
    "adapters": BLOCKS * 2 * (D * 16 + 16 + 16 * D + D) + HEAD,
    "prefix": BLOCKS * 2 * 16 * D + HEAD,
    "prompt": 16 * D + HEAD,
}


@pytest.mark.parametrize("method", NUMBERS)
def test_how_many_numbers_are_learnt(tagger, method):
    assert sum(parameter.numel() for parameter in prepare(tagger, method).values()) == NUMBERS[method]


@pytest.mark.parametrize(
    "method, options, words",
    [
        ("qlora", {}, "method is 'qlora'; wanted one of everything, last block, head"),
        ("lora", dict(rank=0), "rank must be a whole number, at least 1; got 0"),
        ("lora", dict(targets=("query",)), "no linear layer called query"),
        ("adapters", dict(width=0), "width must be a whole number, at least 1; got 0"),
        ("prefix", dict(n=0), "n must be a whole number, at least 1; got 0"),
        ("prompt", dict(n=0), "n must be a whole number, at least 1; got 0"),
    ],
)
def test_a_wrong_method_or_option_is_one_sentence(tagger, method, options, words):
    with pytest.raises(ValueError, match=words):
        prepare(tagger, method, **options)


def test_what_cannot_be_tuned_is_one_sentence(tagger):
    add_lora(tagger)
    with pytest.raises(ValueError, match="it has been replaced already"):
        add_lora(tagger)
    with pytest.raises(ValueError, match="nothing to learn in this GPT"):
        prepare(tiny_gpt(), "head")
    with pytest.raises(ValueError, match="is for a BERT, .* got a GPT"):
        prepare(tiny_gpt(), "prompt")


# ---- LoRA

THEIR_NAMES = {"w_q": "attention.self.query", "w_v": "attention.self.value", "w_1": "intermediate.dense"}


@pytest.mark.parametrize("targets, rank, alpha", [(("w_q", "w_v"), 3, 7.0), (("w_1",), 5, 1.0)])
def test_lora_is_pefts(batch, targets, rank, alpha):
    sizes = dict(vocab_size=300, hidden_size=24, intermediate_size=31, num_hidden_layers=2, num_attention_heads=3)
    theirs = shaken(transformers.BertModel(BertConfig(**sizes)).eval())
    ours = from_hf(theirs)
    names = [THEIR_NAMES[name].rpartition(".")[2] if name != "w_1" else "intermediate.dense" for name in targets]
    config = peft.LoraConfig(r=rank, lora_alpha=alpha, target_modules=names, lora_dropout=0.0)
    theirs = peft.get_peft_model(theirs, config).eval()
    add_lora(ours, rank, alpha, targets)
    shaken_state = {name: torch.randn_like(tensor) for name, tensor in lora_state(ours).items()}
    ours.load_state_dict(shaken_state, strict=False)
    where = theirs.base_model.model.encoder.layer
    for name, tensor in shaken_state.items():
        block, target, matrix = name.split(".")[2], name.split(".")[-2], name[-1]
        layer = where[int(block)].get_submodule(THEIR_NAMES[target])
        getattr(layer, f"lora_{matrix}")["default"].weight.data = tensor.clone()
    ids, mask = batch
    for p in theirs.parameters():
        p.grad = None
    expected = theirs(input_ids=ids, attention_mask=mask.long()).last_hidden_state
    hidden = ours(ids, mask)
    torch.testing.assert_close(hidden[mask], expected[mask], rtol=1e-4, atol=1e-5)
    expected[mask].square().sum().backward()
    hidden[mask].square().sum().backward()
    layer = where[0].get_submodule(THEIR_NAMES[targets[0]])
    module = next(m for m in ours.modules() if isinstance(m, LoRALinear))
    for matrix in "AB":
        theirs_grad = getattr(layer, f"lora_{matrix}")["default"].weight.grad
        torch.testing.assert_close(getattr(module, matrix).grad, theirs_grad, rtol=1e-3, atol=1e-4)
    merge_lora(ours)
    merged = theirs.merge_and_unload()
    torch.testing.assert_close(logits(ours, batch)[mask], hidden.detach()[mask], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(
        logits(ours, batch)[mask],
        merged(input_ids=ids, attention_mask=mask.long()).last_hidden_state[mask],
        rtol=1e-4,
        atol=1e-4,
    )


def test_a_loras_change_has_its_rank_and_both_matrices_are_needed_to_begin():
    layer = LoRALinear(nn.Linear(13, 17), rank=3, alpha=6.0)
    assert not layer.B.any() and layer.A.any() and layer.scale == 2.0
    layer(torch.randn(5, 13)).sum().backward()
    assert layer.B.grad.any() and not layer.A.grad.any()  # B moves first; with both zero nothing would
    nn.init.normal_(layer.B)
    assert torch.linalg.matrix_rank(layer.change()) == 3
    expected = layer.linear.weight + 2.0 * sum(torch.outer(b, a) for a, b in zip(layer.A, layer.B.T, strict=True))
    for _ in range(2):  # the second time, too
        torch.testing.assert_close(layer.merged().weight, expected)


def test_a_gpt_with_lora_writes_the_same_with_a_cache_and_merged():
    gpt = tiny_gpt(n_kv_heads=1)
    add_lora(gpt, rank=2)
    shaken(gpt)
    ids = torch.randint(300, (1, 5))
    written = generate(gpt, ids, 8)
    merge_lora(gpt)
    assert torch.equal(generate(gpt, ids, 8), written)
    assert not lora_state(gpt) and all(p.ndim for p in gpt.parameters())


# ---- Adapters


def test_adapters_stand_where_houlsby_puts_them(batch):
    sizes = dict(vocab_size=300, hidden_size=24, intermediate_size=31, num_hidden_layers=2, num_attention_heads=3)
    theirs = shaken(transformers.BertModel(BertConfig(**sizes)).eval())
    ours = from_hf(theirs)
    add_adapters(ours, width=5)
    adapters = [module for module in ours.modules() if isinstance(module, Adapter)]
    for adapter in adapters:
        shaken(adapter)
    dense = [place.output.dense for layer in theirs.encoder.layer for place in (layer.attention, layer)]
    for linear, adapter in zip(dense, adapters, strict=True):

        def behind(module, inputs, output, adapter=adapter):  # written out, on transformers' own BERT
            inner = torch.einsum("btd,wd->btw", output, adapter.down.weight) + adapter.down.bias
            inner = inner * 0.5 * (1 + torch.erf(inner / 2**0.5))
            return output + torch.einsum("btw,dw->btd", inner, adapter.up.weight) + adapter.up.bias

        linear.register_forward_hook(behind)
    ids, mask = batch
    expected = theirs(input_ids=ids, attention_mask=mask.long()).last_hidden_state
    torch.testing.assert_close(logits(ours, batch)[mask], expected[mask], rtol=1e-4, atol=1e-5)


# ---- Prefix and prompt


@pytest.mark.parametrize("masked", ["nothing", "keys", "bias", "causal"])
def test_a_prefix_is_keys_and_values_that_every_query_sees(masked):
    attention = MultiHeadAttention(24, n_heads=4, n_kv_heads=2)
    prefix = shaken(Prefix(attention, n=3))
    q, k, v = torch.randn(2, 4, 5, 6), torch.randn(2, 2, 5, 6), torch.randn(2, 2, 5, 6)
    mask = {
        "nothing": None,
        "causal": None,
        "keys": torch.tensor([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]], dtype=torch.bool)[:, None, None],
        "bias": torch.randn(4, 5, 5),
    }[masked]
    output, weights = prefix.attend(q, k, v, mask, is_causal=masked == "causal")
    for b in range(2):
        for h in range(4):
            for t in range(5):
                scores, rows = [], []
                for key, value in zip(prefix.keys[h // 2], prefix.values[h // 2], strict=True):
                    scores.append(q[b, h, t] @ key / 6**0.5)
                    rows.append(value)
                for s in range(5):
                    if (masked == "causal" and s > t) or (masked == "keys" and not mask[b, 0, 0, s]):
                        continue
                    scores.append(q[b, h, t] @ k[b, h // 2, s] / 6**0.5 + (mask[h, t, s] if masked == "bias" else 0))
                    rows.append(v[b, h // 2, s])
                chances = torch.stack(scores).softmax(dim=0)
                torch.testing.assert_close(output[b, h, t], chances @ torch.stack(rows))
                torch.testing.assert_close(weights[b, h, t].sum(), chances[3:].sum())


def test_a_gpt_with_a_prefix_writes_the_same_with_a_cache():
    gpt = tiny_gpt()
    add_prefix(gpt, n=4)
    shaken(gpt)
    ids = torch.randint(300, (1, 5))
    one_by_one = ids
    for _ in range(8):
        one_by_one = torch.cat((one_by_one, logits(gpt, (one_by_one,))[:, -1:].argmax(dim=-1)), dim=1)
    assert torch.equal(generate(gpt, ids, 8), one_by_one)


def test_attention_on_the_text_can_be_recorded_beside_a_prefix(tagger, batch):
    add_prefix(tagger, n=4)
    with record_attention(tagger) as maps:
        logits(tagger, batch)
    sums = maps["encoder"][0].sum(dim=-1)
    assert maps["encoder"][0].shape == (3, 3, 11, 11) and ((sums > 0) & (sums < 1)).all()
    assert tagger.encoder.blocks[0].attention.attend == tagger.encoder.blocks[0].attention.prefix.attend


def test_a_prompt_is_vectors_in_front_of_the_text(batch):
    sizes = dict(vocab_size=300, hidden_size=24, intermediate_size=31, num_hidden_layers=2, num_attention_heads=3)
    theirs = shaken(transformers.BertModel(BertConfig(**sizes)).eval())
    ours = from_hf(theirs)
    add_prompt(ours, n=3)
    shaken(ours.encoder.prompt)
    ids, mask = batch
    hidden = torch.cat((ours.encoder.prompt.vectors.expand(3, -1, -1), theirs.embeddings(ids)), dim=1)
    seen = torch.cat((torch.ones(3, 3, dtype=torch.bool), mask), dim=1)[:, None, None].expand(-1, -1, 14, -1)
    expected = theirs.encoder(hidden, attention_mask=torch.zeros(seen.shape).masked_fill(~seen, -1e9))
    torch.testing.assert_close(logits(ours, batch)[mask], expected.last_hidden_state[:, 3:][mask], rtol=1e-4, atol=1e-5)


# ---- Training


@pytest.fixture(scope="module")
def sentences():
    return training_sentences(40)


@pytest.fixture(scope="module")
def tokenizer(sentences):
    return BPETokenizer.train([word for one in sentences for word in one.words], vocab_size=300)


@pytest.mark.parametrize("method", METHODS)
def test_train_moves_the_head_and_leaves_what_is_frozen(sentences, tokenizer, method):
    torch.manual_seed(0)
    model = Tagger.on(tiny_bert(dropout=0.0), TAGS)
    before = copy.deepcopy(model.state_dict())
    learnt = set(prepare(model, method))
    task = Tagging(model, tokenizer, sentences[:8], {"seen": sentences[:8]})
    history = train(task, Settings(steps=12, batch_size=8, lr=1e-2, evaluate_every=12, log_every=1), progress=False)
    assert set(history.evaluations[0]["metrics"]) == {"seen"} and task.metric == "seen"
    after = model.state_dict()
    assert not torch.equal(before["head.weight"], after["head.weight"])
    assert all(torch.equal(before[name], after[name]) for name in before.keys() & after.keys() - learnt)


def test_classes_on_a_base_are_learnt_by_the_ordinary_train(tokenizer):
    torch.manual_seed(0)
    examples = [Example(f"{word} {n}", label) for n in range(8) for label, word in enumerate(("Shares", "It", "Who"))]
    model = Classifier.on(tiny_bert(dropout=0.0), ("money", "rain", "question"))
    prepare(model, "lora", rank=4)
    task = Classification(model, tokenizer, examples, examples)
    history = train(task, Settings(steps=60, batch_size=12, lr=2e-2, evaluate_every=60), progress=False)
    assert history.evaluations[-1]["metrics"]["accuracy"] == 1.0


def test_a_sentence_stands_between_cls_and_sep_and_an_empty_word_is_o(tagger, sentences, tokenizer):
    roles = {**tokenizer.special, "cls": "[BOS]", "sep": "[EOS]"}
    task = Tagging(tagger, Tokenizer(tokenizer.tokenizer, roles), sentences, {"seen": sentences[:3]})
    words, tags = ("Lee", "", "fell"), ("B-PER", "O", "O")
    ids, labels = task.encode(words, tags)
    assert ids[0] == tokenizer.bos_id and ids[-1] == tokenizer.eos_id
    assert labels[0] == labels[-1] == -100 and [one for one in labels if one != -100] == [TAGS.index("B-PER"), 0]
    predicted = task.predict([words])[0]
    best = [TAGS[i] for i in logits(task.model, (torch.tensor([ids]), None))[0].argmax(dim=-1)]
    assert predicted == [best[1], "O", best[[n for n, one in enumerate(labels) if one != -100][1]]]


# ---- What is refused


def test_a_layer_that_the_model_lacks_is_named_before_anything_is_frozen(tagger):
    with pytest.raises(ValueError, match="no linear layer called w_gate, or"):
        add_lora(tagger, targets=("w_q", "w_gate"))
    with pytest.raises(ValueError, match="must be a list of texts"):
        add_lora(tagger, targets="w_q")
    assert all(parameter.requires_grad for parameter in tagger.parameters())


@pytest.mark.parametrize("alpha", [float("nan"), float("inf"), 0.0, -1.0])
def test_an_alpha_that_makes_no_sense_is_one_sentence(tagger, alpha):
    with pytest.raises(ValueError, match="alpha must be a number, more than 0"):
        add_lora(tagger, alpha=alpha)


def test_a_rank_has_a_largest_value(tagger):
    with pytest.raises(ValueError, match="rank must be at most that of the matrix, 24; got 25"):
        add_lora(tagger, rank=25)


@pytest.mark.parametrize("add", [add_prefix, add_prompt])
def test_what_has_been_learnt_in_front_is_not_replaced(tagger, add):
    add(tagger)
    before = copy.deepcopy(tagger.state_dict())
    with pytest.raises(ValueError, match="already"):
        add(tagger)
    assert before.keys() == tagger.state_dict().keys()


def test_a_view_of_a_model_with_a_prompt_shows_the_text(tagger):
    add_prompt(tagger, n=5)
    weights, queries, keys = text_attention(tagger, None, [3, 1, 4])
    with record_attention(tagger) as maps, torch.no_grad():
        tagger(torch.tensor([[3, 1, 4]]))
    assert queries == keys == ["0", "1", "2"]
    assert torch.allclose(weights[1], maps["encoder"][1][0, :, 5:, 5:], atol=1e-6)


def test_views_show_a_model_with_a_prompt_without_its_vectors(tagger):
    add_prompt(tagger, n=5)
    shaken(tagger.encoder.prompt)
    view = AttentionView.from_model(tagger, None, [3, 1, 4])
    weights, _, _ = text_attention(tagger, None, [3, 1, 4])
    assert np.allclose(view.attention, weights, atol=1e-6) and view.attention.sum(axis=-1).max() < 1
    assert view._record.scores is None or np.isnan(view._record.scores).all()
    (journey,) = record_journeys(tagger, None, [3, 1, 4]).values()
    with torch.no_grad():
        wanted = BERT.forward(tagger, torch.tensor([[3, 1, 4]]))[0]
    assert torch.allclose(journey.norm(journey.after[-1]), wanted, atol=1e-5)
    assert journey.after.shape[1] == 3 and ModelTour(tagger, None, [3, 1, 4])


@pytest.mark.parametrize("labels", ["abc", [], ["a", "a"], [0, 1], None])
def test_labels_are_different_texts(labels):
    with pytest.raises(ValueError, match="labels must be"):
        Classifier(TransformerConfig(**SIZES), labels)
