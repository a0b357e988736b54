"""What a card says of an answer with full marks: a sentence for each question, true of the answer; and the way on."""

import copy
import functools
import json
import math
import random
import re
from importlib import import_module
from pathlib import Path

import pytest
import tokenizers
import torch
from tokenizers import models, pre_tokenizers, trainers
from torch import nn
from torch.nn import functional as F

from test_diagnoses import snippets, translators_observed
from transformer_lab import GPT, MultiHeadAttention, exact_match, load
from transformer_lab.blocks import Block
from transformer_lab.config import TransformerConfig
from transformer_lab.data.dates import held_out_pairs
from transformer_lab.exercise_files import PRISTINE
from transformer_lab.experiments import recorded
from transformer_lab.grading import grade
from transformer_lab.grading.checks.encoder_decoder.diagnose import DIAGNOSIS
from transformer_lab.grading.onward import next_lesson, onward
from transformer_lab.grading.outline import outlines
from transformer_lab.models import Transformer

ROOT = Path(__file__).resolve().parents[1]
MODULES = {name: import_module(f"transformer_lab.grading.checks.{name}") for name in outlines()}
QUESTIONS = [(name, question) for name, outline in outlines().items() for question in outline.questions]


@functools.cache
def solved(lesson: str) -> dict:
    """The names of an exercise's solutions: its imports and its answer cells, run."""
    names: dict = {}
    cells = re.split(r"^# %%", (ROOT / "source/exercises" / f"{lesson}.py").read_text("utf-8"), flags=re.MULTILINE)
    imports = next(cell for cell in cells if re.match(r"\n(import|from) ", cell))
    kept = re.compile(r"^ answer=|\ndef (broken_|words_of)")
    for cell in [imports, *filter(kept.search, cells)]:
        exec("#" + cell, names)
    return names


def near(got, wanted, tolerance=1e-4):
    return torch.allclose(torch.as_tensor(got), torch.as_tensor(wanted).to(torch.as_tensor(got)), atol=tolerance)


# a sentence for each ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name, question", QUESTIONS)
def test_each_question_has_a_sentence_and_a_way_on(name, question):
    way = onward(MODULES[name], question)
    assert 8 <= len(way.insight.split()) <= 30 and way.insight[-1] == "."
    assert not re.search(r"\bM\d\d\b", way.insight) and way.insight.count("`") % 2 == 0
    if way.link.startswith("#"):
        notebook = json.loads((PRISTINE / f"{MODULES[name].LESSON}.ipynb").read_text("utf-8"))
        texts = ["".join(cell["source"]) for cell in notebook["cells"]]
        assert any(text.startswith(f"## {way.words}\n") for text in texts)
        assert way.link == f"#{way.words}".replace(" ", "-")
    else:
        assert (PRISTINE.parents[1] / "exercises" / MODULES[name].LESSON / way.link).resolve().exists()


def test_no_sentence_stands_twice_or_for_no_question():
    sentences = [text for module in MODULES.values() for text in getattr(module, "INSIGHTS", {}).values()]
    assert len(sentences) == len(set(sentences)) == len(QUESTIONS)


def test_the_way_leads_through_the_questions_and_then_to_the_next_lesson():
    assert onward(MODULES["attention"], "softmax").words == "Question 2: scaled dot-product attention"
    last = onward(MODULES["attention"], "mix")
    assert (last.words, last.link) == ("Lesson 03: masks", "../../notebooks/03_masks.ipynb")
    assert next_lesson(list(MODULES.values())[-1].LESSON)[0] == "Lesson 00: start here"


def test_only_full_marks_show_it():
    card = grade("02_attention.softmax", solved("02_attention")["softmax"])
    html = card._repr_mimebundle_()["text/html"]
    assert 'href="#Question-2:-scaled-dot-product-attention">Next: Question 2' in html and "nearly chooses" in html
    assert str(card).splitlines()[-2:] == [card.onward.insight, "Next: Question 2: scaled dot-product attention"]
    worse = grade("02_attention.softmax", lambda x, dim=-1: x.softmax(dim))
    assert worse.onward is None and "Next:" not in str(worse) + worse._repr_mimebundle_()["text/html"]


# and it is true ----------------------------------------------------------------------------------------------------


def toolkit():
    names = solved("01_toolkit")
    x, w_q, w_k, targets = torch.randn(5, 6), torch.randn(6, 4), torch.randn(6, 4), torch.tensor([0, 2])
    yield near(names["scores"](x, w_q, x @ w_k), (x @ w_q) @ (x @ w_k).T)
    yield near(names["cross_entropy"](torch.full((2, 7), 3.0), targets), math.log(7))
    yield near(names["cross_entropy_gradient"](torch.randn(2, 7), targets).sum(-1), torch.zeros(2))
    yield not names["softmax_jacobian"](torch.tensor([1.0, 0.0, 0.0])).any()
    yield round(names["lead"](0.1, 50_000) - names["lead"](0.1, 5), 1) == 9.4


def attention():
    names = solved("02_attention")
    scores, q, k, v = torch.randn(4, 6), torch.randn(7, 8), torch.randn(7, 8), torch.randn(7, 3)
    chosen = F.one_hot(scores.argmax(-1), 6)
    yield near(names["softmax"](100 * scores), chosen, 0.1) and near(names["softmax"](0 * scores), torch.ones(4, 6) / 6)
    attend = names["scaled_dot_product_attention"]
    yield near(attend(q[-1:], k, v)[0], F.scaled_dot_product_attention(q, k, v, is_causal=True)[-1:])
    yield near(names["entropy"](torch.tensor([[0.2] * 5 + [0.0] * 3])).exp(), 5.0)
    layer, x = MultiHeadAttention(12, 3), torch.randn(1, 5, 12)
    before = layer(x)
    torch.nn.init.zeros_(layer.w_k.bias)
    yield near(layer(x), before) and names["shift_choice"] == "b_K"
    weights = torch.tensor([0.5, 0.3, 0.2])
    longer = names["duplicate"](weights, 1)
    yield near(longer[1] + longer[3], 2 * 0.3 / 1.3)
    output, weights = attend(q, k, v)
    away, values = torch.cdist(output, v), names["needless"](torch.tensor([0.2, 0.5, 0.3]))
    moves = names["missed"](torch.tensor([[0.2, 0.5, 0.3]]), values, True)
    yield near(names["missed"](weights, v, True), weights / (1 - weights) * away) and near(moves[0, 1], 0.0)
    query = torch.linalg.pinv(k[:4]) @ torch.tensor([40 + math.log(3), 40, 0.0, 0.0]) * math.sqrt(8)
    yield near(attend(query[None], k[:4], v[:4])[0], (3 * v[:1] + v[1:2]) / 4, 1e-2)


def masks():
    names = solved("03_masks")
    yield names["causal_mask"](1, 9).all()
    q, k, v = torch.randn(6, 8), torch.randn(6, 8), torch.randn(6, 3)
    causal = names["masked_attention"](q, k, v, names["causal_mask"](6, 6))[0]
    yield near(causal, F.scaled_dot_product_attention(q, k, v, is_causal=True))
    convolution = nn.Conv1d(4, 4, 3, padding=1)
    yield names["leaks"](lambda x: (convolution(x.T).T, None), torch.randn(6, 4)) == [1, 2, 3, 4, 5]
    padding = torch.tensor([[True, True, False, True]])
    yield torch.equal(names["combine"](padding, 1), padding[:, None, None])
    yield names["to_allowed"](-0.5 * torch.arange(5.0)).all()
    yield abs(names["allowed_cells"](2000, 2000) / 2000**2 - 0.5) < 0.001


@torch.no_grad()
def shares_of_heads(contributions) -> list[float]:
    """Each head's share of what the translator's cross-attention in block 2 says where it writes the first 1 of 11."""
    model, tokenizer = load("dates")
    layer, said = model.decoder.blocks[1].cross_attention, []
    hook = layer.w_o.register_forward_pre_hook(lambda _, inputs: said.append(layer.split(inputs[0])))
    source, _ = tokenizer.batch(["Sunday, November 22, 2026"])
    written, _ = tokenizer.batch(["2026年"], bos=True)
    model(source, written)
    hook.remove()
    return contributions(said[0], layer.w_o.weight.T)[1][0, :, -1].tolist()


def multi_head():
    names = solved("04_multi_head")
    x = torch.randn(2, 5, 12)
    yield all(torch.equal(names["merge"](names["split"](x, heads)), x) for heads in (1, 2, 3, 4, 6, 12))
    yield [round(share, 2) for share in shares_of_heads(names["contributions"])[2:]] == [0.47, 0.08]
    yield math.factorial(8) == 40_320
    q, k, v = torch.randn(1, 4, 5, 8), torch.randn(1, 4, 5, 8), torch.randn(1, 4, 5, 8)
    yield near(names["grouped_query_attention"](q, k, v), F.scaled_dot_product_attention(q, k, v))
    shared = F.scaled_dot_product_attention(q, k[:, :1].expand_as(q), v[:, :1].expand_as(q))
    yield near(names["grouped_query_attention"](q, k[:, :1], v[:, :1]), shared)
    yield all(names["pieces_that_agree"](T, H) == 2 for T, H in ((8, 4), (6, 3), (5, 4)))


def feed_forward():
    names = solved("05_feed_forward")
    x, w_1, b_1, w_2, b_2 = (torch.randn(size) for size in ((3, 4), (16, 4), (16,), (4, 16), (4,)))
    plain = names["feed_forward"](x, w_1, b_1, w_2, b_2, lambda hidden: hidden)
    yield near(plain, x @ (w_2 @ w_1).T + w_2 @ b_1 + b_2, 1e-3)
    yield all(near(names[name](x) - names[name](-x), x) for name in ("gelu", "gelu_tanh"))
    convolution = nn.Conv1d(4, 4, 3, padding=1)
    yield names["mixes_positions"](lambda x: convolution(x.transpose(1, 2)).transpose(1, 2), torch.randn(2, 5, 4))
    _, core, layer = names["count_flops"](512, 768, 3072, False)
    yield 6 * core == layer
    wide = torch.full((1, 4), 3.0), torch.ones(5, 4), torch.rand(5, 4), torch.rand(4, 5)
    ratio = names["swiglu"](10 * wide[0], *wide[1:]) / names["swiglu"](*wide)
    yield near(ratio, torch.full_like(ratio, 100.0), 0.01)
    yield names["gated_width"](4 * 4096, 256) == 11008


def residual():
    names = solved("06_residual")
    sublayer = nn.Linear(6, 6)
    nn.init.zeros_(sublayer.weight), nn.init.zeros_(sublayer.bias)
    x = torch.randn(2, 3, 6)
    yield torch.equal(names["PreNorm"](nn.LayerNorm(6), sublayer, 0.1)(x), x)
    yield all(names["variance"]("halved", L, 1) == 1 for L in (1, 12, 100))
    skips = (lambda x: x.detach() + x.sin()), (lambda x: x + x.sin())
    checked = [torch.autograd.gradcheck(f, x.double().requires_grad_(), raise_exception=False) for f in skips]
    yield checked == [False, True]
    yield near(names["jacobian"](x[0, 0], torch.randn(6, 9), torch.zeros(9, 6)), torch.eye(6))
    yield all(math.isclose(names["variance"]("parallel", L, 0.7 / math.sqrt(2 * L)), 1.49) for L in (1, 12, 100))
    gains = [names["skip_gain"](L, 0.5, share) for L in (1, 10, 1000) for share in (0.01, 0.5, 1.0)]
    yield math.isclose(max(gains), math.sqrt(0.75))


def layer_norm():
    names = solved("07_layer_norm")
    x, gamma, beta, grad = 2 + torch.randn(3, 8), torch.rand(8) + 0.5, torch.randn(8), torch.randn(3, 8)
    norm = names["layer_norm"]
    yield near(norm(100 * x, gamma, beta), norm(x, gamma, beta)) and near(
        norm(x + 7, gamma, beta), norm(x, gamma, beta)
    )
    grad_x = names["layer_norm_backward"](grad, x, gamma)[0]
    yield near(grad_x.sum(-1), torch.zeros(3)) and near((grad_x * x).sum(-1), torch.zeros(3), 1e-3)
    centred = x - x.mean(-1, keepdim=True)
    yield near(names["rms_norm"](centred, gamma), norm(x, gamma, torch.zeros(8)))
    yield [claim for claim in ("shift", "scale", "negate") if names["counterexample"](claim) == "holds"] == [
        "shift",
        "scale",
    ]


def positions():
    names = solved("08_positions")
    table = names["sinusoidal_table"](200, 16)
    yield near(table.norm(dim=-1), torch.full((200,), math.sqrt(8)))
    x, places = torch.randn(4, 8), torch.arange(4)
    turned = names["rotate"](x, places)
    yield near(names["rotate"](turned, -places), x) and near(turned.norm(dim=-1), x.norm(dim=-1))
    periods = [2 * math.pi * 10_000 ** (2 * i / 16) for i in (0, 7)]
    yield round(periods[0], 1) == 6.3 and round(periods[1]) == 19_869
    attend = solved("02_attention")["scaled_dot_product_attention"]
    yield names["is_equivariant"](lambda x: attend(x, x, x)[0], x)
    bias = names["alibi_bias"](8, 20, 20)
    yield near(bias[[0, 7], 19, 11], torch.tensor([-4.0, -1 / 32]))
    q, k, v, keys, values, rows = *torch.randn(3, 4, 8), torch.empty(0, 8), torch.empty(0, 8), []
    for t in range(4):
        row, keys, values = names["cached_step"](q[t : t + 1], k[t : t + 1], v[t : t + 1], keys, values)
        rows.append(row)
    at_once = F.scaled_dot_product_attention(names["rotate"](q, places), names["rotate"](k, places), v, is_causal=True)
    yield near(torch.cat(rows), at_once)


def clocks():
    """The translator with its own clock, with the speeds of question 1 in its order of columns, and with halves."""
    model, tokenizer = load("dates")
    halves = solved("08_positions")["sinusoidal_table"](64, 64)
    right = []
    for rows in (model.embedding.positions.table, torch.stack(halves.chunk(2, dim=1), dim=-1).flatten(1), halves):
        model.embedding.positions.table = rows
        right.append(exact_match(model, tokenizer, held_out_pairs(100)))
    yield right[0] == right[1] > 0.98
    yield right[2] == 0


def order_of_a_model_with_positions():
    config = TransformerConfig(vocab_size=11, d_model=8, n_heads=2, n_layers=1, d_ff=16, max_len=8, positions="learned")
    yield solved("08_positions")["swap_effect"](GPT(config).eval(), torch.tensor([[1, 2, 3, 4]]), 0, 2) > 1e-4


def block():
    names = solved("09_block")
    gpt2, smollm2 = TransformerConfig.preset("gpt2"), TransformerConfig.preset("smollm2-135m")
    parameters = names["count_parameters"](gpt2, "GPT")
    yield parameters == 124_439_808
    own = TransformerConfig(**{**vars(smollm2), "n_kv_heads": 9})
    yield 3 * names["cache_bytes"](smollm2, 1, 100, 2) == names["cache_bytes"](own, 1, 100, 2) and smollm2.n_heads == 9
    yield abs(names["forward_flops"](gpt2, 1) / (2 * parameters) - 1) < 0.01
    yield (gpt2.n_layers, gpt2.d_model) == (12, 768)
    config = TransformerConfig(vocab_size=11, positions="learned", scale_embeddings=False, tie_embeddings=False)
    gpt = GPT(config)
    mine = names["LanguageModel"](config, lambda: Block(config))
    with torch.no_grad():
        for ours, theirs in zip(parameters_of(mine), parameters_of(gpt), strict=True):
            ours.copy_(theirs)
    texts = [torch.tensor([[3, 1, 4]]), torch.tensor([[3, 1, 4]])]
    for _ in range(20):
        texts = [
            torch.cat((ids, model(ids)[:, -1:].argmax(-1)), 1) for ids, model in zip(texts, (mine, gpt), strict=True)
        ]
    yield torch.equal(*texts) and texts[0].unique().numel() > 3


def parameters_of(model):
    """The parameters of a language model in one order, whether it is ours or the package's."""
    embedding, stack = (model.embedding, model.decoder) if isinstance(model, GPT) else (model, model)
    parts = embedding.tokens, embedding.positions, stack.blocks, stack.norm, model.output
    return [parameter for part in parts for parameter in part.parameters()]


def encoder_decoder():
    names = solved("11_encoder_decoder")
    ids, is_real = torch.randint(3, 9, (3, 5)), torch.arange(5) < torch.tensor([[5], [2], [0]])
    counts = names["shift"](ids, is_real, 1, 2, 0)[2]
    yield counts.sum(-1).tolist() == [6, 3, 1]
    x, memory, is_real, order = torch.randn(2, 3, 4), torch.randn(2, 6, 5), torch.arange(6) < 5, torch.randperm(6)
    weights = torch.randn(7, 4), torch.randn(7, 5), torch.randn(2, 5)
    read, is_real = names["cross_attention"], is_real.expand(2, 6)
    yield near(read(x, memory[:, order], is_real[:, order], *weights)[0], read(x, memory, is_real, *weights)[0])
    yield names["alignment_accuracy"]([torch.eye(5, 6)[None]], [[0, 1, 2, None]]) == 1
    table = {1: 5, 5: 4, 4: 2}  # what follows each id: no model behind it

    def follow(ids, *_):
        return F.one_hot(torch.tensor([[table[i] for i in row] for row in ids.tolist()]), 9)

    yield names["greedy"](lambda *_: None, follow, ids[:1], is_real[:1], 1, 2, 0, 9).tolist() == [[1, 5, 4, 2]]
    ways = snippets("11_encoder_decoder")
    ways["model"] = Transformer(ways["model"].config).eval()  # untrained
    observed = translators_observed(ways)
    seen = [(observed[what], ways[f"broken_{name}"]) for name, (_, what, _) in DIAGNOSIS.snippets.items()]
    yield all(holds(broken) and not holds(ways["right"]) for holds, broken in seen)
    said = {(): 4, (4,): 6, (4, 5): 6, (4, 6): 5, (4, 6, 5): 2}  # wrong at place 1
    forced, free = names["forced_and_free"](lambda prefix: said.get(tuple(prefix[1:]), 2), [4, 5, 6], 1, 2)
    yield (forced, free) == (0.75, 0.5)
    yield all(0.9 < math.log(V) - names["floor"](V) < 1 for V in (30, 55, 50_257))
    yield all(dates_follow(names["exchanged"], *case) for case in DATES_THAT_DIFFER)


# A date, another one, and the place of the token in which they differ.
DATES_THAT_DIFFER = (
    ("Sunday, November 22, 2026", "Sunday, September 22, 2026", 2),
    ("Sunday, November 22, 2026", "Monday, November 22, 2026", 0),
    ("Sunday, November 22, 2026", "Sunday, November 12, 2026", 3),
    ("Friday, March 13, 1908", "Friday, March 16, 1908", 4),
    ("May 10, 1965", "Jun 10, 1965", 0),
)


@torch.no_grad()
def dates_follow(exchanged, one, other, place) -> bool:
    """Whether both texts follow that token's vector, and no other one."""
    model, tokenizer = load("dates")
    sources, is_real = tokenizer.batch([one, other])

    def decode(ids, memory, is_real):
        return model.logits(model.decode(ids, memory=memory, memory_mask=is_real))

    ends = tokenizer.bos_id, tokenizer.eos_id, 14
    words = [exchanged(model.encode, decode, sources, is_real, [p], *ends) for p in range(sources.shape[1])]
    return words == [["follows"] * 2 if p == place else ["stays"] * 2 for p in range(len(words))]


def owls_answers() -> tuple[str, str]:
    """What lesson 10's notebook prints of the model of question 7: its answers, and the right ones."""
    text = (ROOT / "source" / "exercises" / "10_tokens.py").read_text(encoding="utf-8")
    return tuple(re.search(rf'^{name} = "(\w+)"', text, re.MULTILINE)[1] for name in ("said", "right"))


def tokens():
    names = solved("10_tokens")
    text = "the end of the other then thence and hence on the hen, and the tenth of them often hents the honest nest"
    library = tokenizers.Tokenizer(models.BPE())
    library.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    library.train_from_iterator([text], trainers.BpeTrainer(vocab_size=60, show_progress=False))
    merges = [tuple(pair) for pair in json.loads(library.to_str())["model"]["merges"]]
    yield len(merges) > 20 and all(names["encode"](w, merges) == library.encode(w).tokens for w in text.split())
    words = {"ab": 13, "abc": 7, "xyz": 5, "yz": 4, "qr": 3}  # no two pairs are ever equally frequent
    library = tokenizers.Tokenizer(models.BPE())
    library.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    given = [word for word, count in words.items() for _ in range(count)]
    library.train_from_iterator(given, trainers.BpeTrainer(vocab_size=99, show_progress=False))
    yield names["learn"](words, 99) == [tuple(pair) for pair in json.loads(library.to_str())["model"]["merges"]]
    nothing = functools.partial(names["probability"], "", "abcdefgh")
    yield names["bits_per_character"]("hadbeefcafe", nothing, "abcdefgh") == 3
    text = "two  words, the end"
    pairs = [("e", "n"), ("t", "h"), ("th", "e")]
    yield [name for name in "abcde" if "".join(names[f"broken_{name}"](text, pairs)) != text] == ["e"]
    data = "十一月 naïve 😀".encode()
    yield "".join(names["shown"]([data[i : i + 1] for i in range(len(data))])) == data.decode()
    text, losses = "as many characters as you like", [3.0, 2.0]
    halves = [loss / 2 for loss in losses]
    yield math.isclose(names["per_character"](losses, [6, 4], text), names["per_character"](halves, [12, 8], text))
    answered = owls_answers()
    drawn = [tuple("".join(random.choices("abcd", k=9)) for _ in "12") for _ in range(50)]
    shares = [names["controls"](*texts) for texts in [answered, *drawn]]
    right_ones = sum(a == b for a, b in zip(*answered, strict=True)) / 60
    yield all(dealt <= always for always, dealt in shares) and shares[0][1] + 0.1 < right_ones < shares[0][0]


def decoding():
    names = solved("12_decoding")
    scores, order = torch.tensor([[2.0, 0.5, 1.0, 1.0, -1.0], [0.0, 3.0, 0.0, 1.0, 1.0]]), torch.randperm(5)
    filtered = names["distribution"](scores, 1.5, 3, 0.6)
    yield near(names["distribution"](scores[:, order], 1.5, 3, 0.6), filtered[:, order])
    totals, ended, tokens = torch.zeros(1, 1), torch.zeros(1, 1, dtype=torch.bool), []
    for log_probs in torch.tensor([[0.2, 0.5, 0.3], [0.1, 0.2, 0.7], [0.6, 0.3, 0.1]]).log():
        totals, _, token, ended = names["beam_step"](totals, ended, log_probs[None, None], 2)
        tokens.append(token.item())
    yield tokens == [1, 2, 2]
    yield [names["blame"]((-4.0, 8), (-3.0, 4), penalty) for penalty in (0, 1)] == ["search", "model"]
    names |= snippets("12_decoding")
    runs = [(names[table], penalty) for table in ("fork", "lengths", "always") for penalty in (0, 1)]

    def alone(search):
        return [search(follow, 1, penalty, 3) for follow, penalty in runs]

    yield [name for name in "abcde" if alone(names[f"broken_{name}"]) == alone(names["repaired"])] == [*"abcd"]
    told = {"": {"a": 0.5, "b": 0.3, ".": 0.2}, "a": {".": 0.3, "c": 0.7}, "b": {".": 0.9, "c": 0.1}}
    yield names["likeliest"](lambda text: told.get(text, {".": 1.0}), 3) == "ac." and 0.5 * 0.7 > 0.3 * 0.9 > 0.2
    short, long = [-0.8, -0.6], [-0.5, -0.6, -0.5]
    yield 0 < names["crossing"](short, long) < 1 and sum(short) > sum(long) and sum(short) / 2 < sum(long) / 3
    yield names["pad_left"]([[4, 5], [6], [7, 8, 9]], 0)[0][:, -1].tolist() == [5, 6, 9]
    shares = [names["repeated"]([1, 2, 3] * n, 4) for n in (2, 5, 20, 100)]
    yield shares == sorted(shares) and shares[0] < 0.1 and shares[-1] > 0.98


def training():
    names = solved("13_training")
    weight, gradients = torch.randn(4, 3), [torch.randn(4, 3) for _ in range(5)]
    larger = [1000 * gradient for gradient in gradients]
    moved = [names["adamw"](weight, g, [0.1] * 5, 0.1, 0.9, 0.99, eps) for g, eps in ((gradients, 0.01), (larger, 10))]
    yield near(*moved) and not near(moved[0], weight, 0.1)
    x, labels = torch.randn(6, 4, 3), torch.randint(5, (6, 4))
    found = []
    for sizes in ((6,), (1, 2, 3), (1,) * 6):
        model = copy.deepcopy(found[0][0]) if found else nn.Linear(3, 5)
        names["accumulate"](model, zip(x.split(sizes), labels.split(sizes), strict=True), 1e3)
        found.append((model, model.weight.grad))
    yield all(near(gradient, found[0][1], 1e-6) for _, gradient in found)
    ward = recorded("patients")["result"]["patients"]
    curves = [ward[name]["curve"]["held out"][-1] for name in ("Emil", "Ines")]
    yield [ward[name]["truth"]["right"] for name in ("Ines", "Emil")] == [0.95, 0.56] and curves == sorted(curves)
    ends = [ward[name]["curve"]["held out"][-1] for name in ("Gita", "Jona")]
    yield abs(ends[0] - ends[1]) < 0.01 and ward["Gita"]["truth"]["right"] == ward["Jona"]["truth"]["right"] == 0
    logits, labels = torch.randn(6, 4, 3), torch.randint(3, (6, 4))
    cuts = [zip(logits.split(size), labels.split(size), strict=True) for size in (6, 3, 1)]
    yield len({tuple(round(number, 4) for number in names["measures"](cut)) for cut in cuts}) == 1
    yield near(sum(names["schedule"](step, 1000, 1, 1.0, 0.0) for step in range(1000)), 500, 1)


def gpt():
    names = solved("14_gpt")
    costs = [names["perplexity"](lambda piece: [math.log(50)] * (len(piece) - 1), [*range(40)], W, stride)
             for W, stride in ((40, 3), (9, 8), (12, 1))]  # fmt: skip
    yield all(math.isclose(cost, 50) for cost in costs)
    table = torch.randn(13, 13)
    yield near(names["answers"](lambda ids: table[ids], [3, 5], [[i] for i in range(13)], 0).exp().sum(), 1.0)
    ways = snippets("14_gpt")
    first = {name: ways[f"broken_{name}"](ways["fresh"](), [[7, 1, 4, 9]], 1) for name in "abcde"}
    yield [name for name in "abcde" if first[name] == names["repaired"](ways["fresh"](), [[7, 1, 4, 9]], 1)] == [*"bcd"]
    model, prompts = ways["fresh"](), [[7, 1, 4, 9], [2, 9], [5, 11, 3, 8, 1]]

    def placed(ids, is_real, positions):
        return model.logits(model.decoder(model.embedding.at(positions, ids), positions, is_real))

    together = names["continued"](placed, prompts, 5, 0, 22)
    yield together == [names["continued"](placed, [prompt], 5, 0, 22)[0] for prompt in prompts]
    head = torch.randn(2, 1, 5, 8)  # two groups of three heads that are alike
    yield near(names["shared_keys"](head.expand(2, 3, 5, 8).reshape(30, 8), 6, 2), head.reshape(10, 8))
    counts = {"": {"a": 3, "b": 1, "c": 2}, "a": {"b": 1, "c": 1}}
    yield all(math.isclose(*(names["discounted"](counts, context, t, 1.0, 9) for context in ("a", ""))) for t in "abcd")
    verdicts = {}
    for task, row in recorded("in_context")["result"].items():
        cases = {1: "8 examples", 0: "0 examples", 2: "answers shuffled"}  # the five draws together, of 120
        n = {kind: sum(run["right"] for run in row["counts"][case]) for kind, case in cases.items()} | {3: 0}

        def right(page, i, n=n):
            kind = 0 if not page else 1 if ("a", "A") in page else 3 if page[0][1] == "x" else 2
            return "yes" if i < n[kind] else "no"

        lines, words = [(letter, letter.upper()) for letter in "abcd"], [(i, "yes") for i in range(120)]
        verdicts[task] = names["what_counts"](right, lines, words, ["x"] * 4)
    yield {task for task, verdict in verdicts.items() if verdict == "the pairs"} == {"opposites", "plurals", "kinds"}


def bert():
    names, table = solved("15_bert"), torch.randn(11, 6)
    text, V = [3, 1, 4, 1, 5], 11
    once, twice = names["text_vectors"](lambda ids, is_real: table[ids], [text, text + text], 4, 0)
    yield near(once, twice)
    costs = names["word_costs"](lambda ids: torch.zeros(*ids.shape, V), [1, 2, 3, 4, 5], [None, 0, 1, 1, None], 0)
    yield near(costs, math.log(V) * torch.tensor([1.0, 2.0]))
    gold, predicted = [["B-A", "I-A", "O", "B-B"]], [["B-A", "I-A", "B-A", "I-B"]]
    one, other = names["entity_report"](gold, predicted), names["entity_report"](predicted, gold)
    yield one["A"][0] != one["A"][1]
    yield all(one[name] == (other[name][1], other[name][0], other[name][2]) for name in ("A", "B", "all"))
    ways = snippets("15_bert")
    model, passage, question = ways["fresh"](), [7, 1, 4, 9], [2, 9, 1, 5]
    wanted = torch.cosine_similarity(*(model(torch.tensor([one]))[0].mean(0) for one in (passage, question)), dim=0)
    yield [name for name in "abcde" if near(ways[f"broken_{name}"](model, [passage], question), wanted)] == [*"abd"]
    for right, predicted_n, there in ((24, 60, 50), (72, 96, 120), (1, 1, 9)):
        pair, f1 = (right / predicted_n, right / there), 2 * right / (predicted_n + there)
        yield min(pair) <= f1 <= max(pair)
    yield round(names["optimism"](200, 0.8, 50), 2) == 0.06


def fine_tuning():
    names = solved("16_fine_tuning")
    x, weight, bias, A, B = (torch.randn(*shape) for shape in ((5, 3, 6), (4, 6), (4,), (3, 2, 6), (3, 4, 2)))
    which, order = torch.tensor([2, 0, -1, 2, 1]), torch.randperm(5)
    together = names["served"](x[order], weight, bias, A, B, 8, which[order])
    alone = [names["served"](x[n : n + 1], weight, bias, A, B, 8, which[n : n + 1])[0] for n in order]
    yield near(together, torch.stack(alone))
    before, product = torch.randn(40, 30), torch.randn(40, 3) @ torch.randn(3, 30)
    yield len(names["extracted"](before, before + product, 0.9999)[0]) == 3
    start, answer = {"user": 0, "assistant": 1}, ("assistant", [7, 8])
    labels = [
        names["answer_labels"]([[("user", ids), answer], [("user", ids[:2]), answer]], start, 2, 2)[1]
        for ids in ([5, 6, 7], [9, 4, 8])
    ]
    yield torch.equal(*labels)
    ways = snippets("16_fine_tuning")
    new = [ways[f"Broken{letter}"](ways["fresh"](), 2, 6) for letter in "ABCDE"]
    x = torch.randn(9, 6)
    yield all(torch.equal(layer(x), ways["fresh"]()(x)) for layer in new)
    student, teacher, T = torch.randn(7, 5).double(), torch.randn(7, 5).double(), 1000.0
    loss = names["distilled"](student, teacher, torch.full((7,), -100), T, 1.0)
    apart = [logits - logits.mean(-1, keepdim=True) for logits in (student, teacher)]
    yield near(loss, F.mse_loss(*apart) / 2, 1e-2)
    logits, ids = torch.randn(2, 5, 6, 7), torch.randint(7, (2, 5, 6))
    ids[0, :, 4:] = -100
    yield all(near(names["preferred"](logits, logits, ids, beta), math.log(2)) for beta in (0.1, 5))


CLAIMS = (
    *(toolkit, attention, masks, multi_head, feed_forward, residual, layer_norm, positions, block),
    *(encoder_decoder, tokens, decoding, training, gpt, bert, fine_tuning),
)


@pytest.mark.parametrize(
    "claims", [*CLAIMS, clocks, order_of_a_model_with_positions], ids=lambda claims: claims.__name__
)
def test_what_it_says_is_so(claims):
    torch.manual_seed(0)
    assert [number for number, true in enumerate(claims(), start=1) if not true] == []
