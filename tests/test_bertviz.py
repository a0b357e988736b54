"""bertviz' views without a browser: the data in their HTML, what they refuse, and that a page fetches nothing."""

import json
import math
import re
from html.parser import HTMLParser
from unittest import mock

import bertviz
import numpy as np
import pytest
import torch
from IPython.display import HTML

from transformer_lab.config import TransformerConfig
from transformer_lab.data.tokenizers import WordTokenizer
from transformer_lab.models import BERT, GPT, Transformer
from transformer_lab.viz import attention_picture
from transformer_lab.viz.bertviz import head_view, model_view, neuron_view
from transformer_lab.viz.bertviz_html import D3

VIEWS = [head_view, model_view]
TEXT = "the cat sat on the mat"
HOSTILE = ["</script>", "<!--", "\"'`${1}\\", "שלום", "e\u0301", "x" * 10_000, "", "a\nb", "\u2028\u2029",
           "PYTHON_PARAMS", "\n</script>\n", "const params = {};", "bertviz-" + "0" * 32, "%s%(d3)s"]  # fmt: skip


def random(*shape):
    return torch.randn(shape, dtype=torch.float64).softmax(dim=-1)


def names(letter, n):
    return [f"{letter}{i}" for i in range(n)]


def params(view) -> dict:
    """The data that the page's script draws."""
    found = re.findall(r"^const params = (.*);$", view.html, re.M)
    assert len(found) == 1
    return json.loads(found[0])


def drawn(view) -> dict:
    (data,) = params(view)["attention"]
    return data


def a_model(cls=GPT, **config):
    tokenizer = WordTokenizer.train([TEXT], spaces=True)
    config = TransformerConfig(vocab_size=len(tokenizer), d_model=24, n_layers=2, n_heads=4, **config)
    model = cls(config).double()
    with torch.no_grad():  # fresh weights attend to everything alike
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.3)
    return model, tokenizer


def arrays(view):
    """Weights, queries and keys of a neuron view's page."""
    data = params(view)["attention"]["all"]
    return tuple(np.array(data[name]) for name in ("attn", "queries", "keys"))


@pytest.mark.parametrize("view", VIEWS)
def test_the_page_holds_the_weights_once_to_three_decimals(view):
    weights = random(3, 2, 4, 4)
    shown = view(weights, names("q", 4))
    data = drawn(shown)
    np.testing.assert_allclose(data["attn"], weights, atol=5.001e-4)
    assert data["left_text"] == data["right_text"] == names("q", 4)
    assert shown.html.count(json.dumps(data["attn"][0][0], separators=(",", ":"))) == 1
    assert len(json.dumps(data["attn"], separators=(",", ":"))) <= 6 * weights.numel() + 100


@pytest.mark.parametrize("view", VIEWS)
def test_queries_stand_on_the_left_and_keys_on_the_right(view):
    weights = random(2, 3, 4, 6)
    data = drawn(view(weights, names("q", 4), names("k", 6)))
    np.testing.assert_allclose(data["attn"], weights, atol=5.001e-4)
    assert (data["left_text"], data["right_text"]) == (names("q", 4), names("k", 6))
    data = drawn(view(weights[..., :4], names("q", 4), names("k", 4)))  # square, and still of other tokens
    assert (data["left_text"], data["right_text"]) == (names("q", 4), names("k", 4))


@pytest.mark.parametrize("view", VIEWS)
def test_whatever_attention_view_takes_gives_the_same_page(view):
    weights = random(2, 3, 4, 4).float()
    wanted = view(weights, names("q", 4)).html
    as_hugging_face = tuple(layer[None].requires_grad_() for layer in weights)
    for same in (weights.numpy(), as_hugging_face, [layer.numpy() for layer in weights]):
        assert view(same, names("q", 4)).html == wanted


def test_layers_and_heads_that_are_left_out_keep_the_others_names():
    weights = random(4, 5, 3, 3)
    chosen = {"include_layers": [1, 3], "include_heads": [0, 4]}
    wanted = weights[[1, 3]][:, [0, 4]]
    model, head = (
        model_view(weights, list("abc"), **chosen),
        head_view(weights, list("abc"), **chosen, layer=3, heads=[4]),
    )
    for view in (model, head):
        np.testing.assert_allclose(drawn(view)["attn"], wanted, atol=5.001e-4)
        assert params(view)["include_layers"] == [1, 3]
    assert params(model)["include_heads"] == [0, 4]
    assert "Heads, from the left: 0, 4." in head.html
    assert (params(head)["layer"], params(head)["heads"]) == (3, [1])  # the second of those that are there
    assert (head.layer, head.head) == (3, 4)


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize(
    "arguments, options, message",
    [
        ((random(2, 2, 3, 3), ["a", "b"]), {}, "query_tokens must name all 3 queries"),
        ((random(2, 2, 3, 4), list("abc")), {}, "key_tokens must be given"),
        ((random(2, 3, 3), list("abc")), {}, "attention must be"),
        ((-random(2, 2, 3, 3), list("abc")), {}, "from 0 to 1"),
        ((random(2, 2, 3, 3), list("abc")), {"include_layers": [2]}, r"include_layers must be chosen from \[0, 1\]"),
        ((random(2, 2, 3, 3), list("abc")), {"include_layers": []}, "include_layers"),
        ((random(2, 2, 3, 3), list("abc")), {"include_heads": [0, 0]}, "include_heads .* at most once; got"),
        ((random(2, 2, 3, 3), list("abc")), {"include_heads": [True]}, "include_heads"),
        ((random(12, 12, 80, 80), names("q", 80)), {}, r"take 5\.5 MB and draw .*include_layers=\[0, 1\]"),
    ],
)
def test_a_wrong_argument_gets_one_sentence(view, arguments, options, message):
    with pytest.raises(ValueError, match=message) as caught:
        view(*arguments, **options)
    assert "\n" not in str(caught.value) and str(caught.value).endswith(".")


def test_what_is_shown_first_must_be_there():
    arguments = random(3, 3, 2, 2), ["a", "b"]
    with pytest.raises(ValueError, match=r"layer must be chosen from \[0, 2\].*got \[1\]"):
        head_view(*arguments, include_layers=[0, 2], layer=1)
    with pytest.raises(ValueError, match=r"heads must be chosen from \[0, 2\].*got \[1\]"):
        head_view(*arguments, include_heads=[0, 2], heads=[1])
    with pytest.raises(ValueError, match='display_mode must be "light" or "dark"; got \'night\''):
        model_view(*arguments, display_mode="night")


def test_a_view_that_is_too_large_fits_when_layers_are_left_out():
    weights = random(12, 12, 80, 80).numpy()
    view = model_view(weights, names("q", 80), include_layers=[11], include_heads=range(3))
    assert len(view.html) < 4e6
    np.testing.assert_allclose(drawn(view)["attn"], weights[11:, :3], atol=5.001e-4)
    # The head view draws one layer at a time, so it takes more layers.
    weights = random(20, 2, 64, 64)
    head_view(weights, names("q", 64))
    with pytest.raises(ValueError, match="1.0 MB and draw 163,840 shapes .* 150,000"):
        model_view(weights, names("q", 64))


class Loaded(HTMLParser):
    """What a page would fetch, and its scripts."""

    def __init__(self, text):
        super().__init__()
        self.addresses, self.scripts, self.inside = [], [], False
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.inside = tag == "script"
        self.addresses += [value for name, value in attributes if name in ("src", "href", "srcset", "data")]

    def handle_endtag(self, tag):
        self.inside = False

    def handle_data(self, text):
        if self.inside:
            self.scripts.append(text)


def every_view():
    model, tokenizer = a_model()
    return [view(random(2, 2, 3, 3), list("abc")) for view in VIEWS] + [neuron_view(model, tokenizer, TEXT)]


def test_a_saved_page_fetches_nothing(tmp_path):
    for i, view in enumerate(every_view()):
        page = view.save(tmp_path / f"{i}.html").read_text(encoding="utf-8")
        loaded = Loaded(page)
        assert all(address.startswith("data:") for address in loaded.addresses)
        (script,) = loaded.scripts
        code = re.sub(r"/\*.*?\*/|//.*", "", script.replace("http://www.w3.org/", ""), flags=re.S)
        assert not re.search(r"https?:|\bimport\b|require\b|fetch\(|cdnjs|window\.bertviz", code)
        assert view.html in page and repr(view) in page


def test_saving_is_all_or_nothing(tmp_path):
    path = tmp_path / "view.html"
    path.write_text("old")
    view = head_view(random(1, 1, 2, 2), ["a", "b"])
    with mock.patch("os.replace", side_effect=OSError("full")), pytest.raises(OSError, match="full"):
        view.save(path)
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("view", VIEWS)
def test_hostile_tokens_stay_inside_the_data(view):
    n = len(HOSTILE)
    shown = view(random(1, 1, n, n), HOSTILE)
    labels = drawn(shown)["left_text"]
    assert labels[:5] == ["</script>", "<!--", "\"'`${1}\\", "שלום", "e\u0301"]
    assert labels[5] == "x" * 10 + "…" and labels[6:8] == ["∅", "a↵b"] and labels[8] == "<U+2028>¶"
    (script,) = Loaded(shown.html).scripts
    assert "<!--" not in script and "</script" not in script
    assert shown.html.count("\u2028") == 0 and shown.html.count("</script") == 1


def test_the_same_view_is_the_same_byte_for_byte_and_another_is_not():
    weights = random(1, 2, 3, 3)
    once, again, other = (head_view(w, list("abc")).html for w in (weights, weights, random(1, 2, 3, 3)))
    identity = r'<div id="(bertviz-\w+)"'
    assert once == again and re.search(identity, once)[1] != re.search(identity, other)[1]


def test_where_no_script_runs_there_is_the_picture():
    view = head_view(random(2, 3, 4, 4), names("q", 4), layer=1, heads=[2])
    bundle = view._repr_mimebundle_()
    assert set(bundle) == {"text/html", "text/plain"}
    assert bundle["text/plain"] == "bertviz head view: 2 layers, 3 heads, 4 queries, 4 keys"
    without = re.sub(r"<script>.*</script>", "", bundle["text/html"], flags=re.S)
    (picture,) = Loaded(without).addresses
    assert picture == f"data:image/png;base64,{view.picture()._repr_mimebundle_()[0]['image/png'].strip()}".replace(
        "\n", ""
    )
    assert view.picture().data == attention_picture.picture(view.attention, names("q", 4), names("q", 4), 1, 2)


def test_another_bertviz_is_refused_instead_of_drawn_wrongly():
    other = HTML("<div></div><script>draw()</script>")
    with mock.patch.object(bertviz, "head_view", return_value=other), pytest.raises(ValueError, match="bertviz==1.4.1"):
        head_view(random(1, 1, 2, 2), ["a", "b"])


@pytest.mark.parametrize(
    "cls, config",
    [
        (GPT, {}),
        (GPT, {"positions": "rotary", "n_kv_heads": 2}),
        (BERT, {"positions": "learned"}),
        (Transformer, {"positions": "rotary"}),
    ],
)
def test_the_neuron_views_numbers_give_its_weights(cls, config):
    """What bertviz' script computes from queries and keys is what the model attends with."""
    model, tokenizer = a_model(cls, **config)
    view = neuron_view(model, tokenizer, TEXT)
    weights, queries, keys = arrays(view)
    assert queries.shape == keys.shape == (2, 4, len(tokenizer.encode(TEXT)), 6)
    scores = queries @ keys.swapaxes(-1, -2) / math.sqrt(6)
    if cls is GPT:
        scores += np.triu(np.full(scores.shape[-2:], -np.inf), k=1)
    wanted = np.exp(scores) / np.exp(scores).sum(axis=-1, keepdims=True)
    assert np.ptp(wanted) > 0.5  # there is something to see
    np.testing.assert_allclose(weights, wanted, atol=2e-3)
    assert params(view)["bidirectional"] == (cls is not GPT)
    assert params(view)["attention"]["all"]["left_text"] == ["the", "␣cat", "␣sat", "␣on", "␣the", "␣mat"]


def test_the_neuron_views_vectors_are_those_of_the_model():
    """Of the first layer, computed here from the embeddings: before any rotation there is none to forget."""
    model, tokenizer = a_model(positions="sinusoidal")
    ids = torch.tensor([tokenizer.encode(TEXT)])
    block = model.decoder.blocks[0]
    x = block.attention_residual.norm(model.embedding(ids)[0])
    split = block.attention.split
    _, queries, keys = arrays(neuron_view(model, tokenizer, TEXT))
    np.testing.assert_allclose(queries[0], split(block.attention.w_q(x))[0].detach(), rtol=5.001e-4)
    np.testing.assert_allclose(keys[0], split(block.attention.w_k(x))[0].detach(), rtol=5.001e-4)


def test_the_neuron_view_leaves_the_model_as_it_was():
    model, tokenizer = a_model(dropout=0.5)
    model.train()
    before = [module.attend for module in model.modules() if hasattr(module, "attend")]
    once, again = (neuron_view(model, tokenizer, TEXT).html for _ in range(2))
    assert once == again  # dropout was off
    assert model.training and before == [module.attend for module in model.modules() if hasattr(module, "attend")]


def test_the_neuron_view_begins_where_it_is_told():
    model, tokenizer = a_model()
    shown = params(neuron_view(model, tokenizer, TEXT, layer=1, head=3, display_mode="dark"))
    assert (shown["layer"], shown["head"], shown["display_mode"]) == (1, 3, "dark")
    assert params(neuron_view(model, tokenizer, TEXT))["layer"] == 0


def test_the_neuron_views_mistakes_get_one_sentence():
    model, tokenizer = a_model()
    for arguments, message in [
        ((model, tokenizer, ""), "the text is empty"),
        ((torch.nn.Linear(2, 2), tokenizer, TEXT), "model must be a GPT, BERT or Transformer .* got a Linear"),
        ((model, tokenizer, TEXT, 2), r"layer must be chosen from \[0, 1\]"),
        ((model, tokenizer, TEXT, 0, 4), "head must be chosen"),
        ((model, tokenizer, TEXT, 0, 0, "night"), "display_mode"),
    ]:
        with pytest.raises(ValueError, match=message):
            neuron_view(*arguments)
    model, tokenizer = a_model(max_len=512)
    with pytest.raises(ValueError, match=r"take \d+\.\d MB .*: give a shorter text"):
        neuron_view(model, tokenizer, TEXT * 60)


def test_the_licence_names_every_module_of_the_bundle():
    entry = (D3.parents[3] / "source" / "bertviz_d3" / "entry.js").read_text()
    package = json.loads((D3.parents[3] / "source" / "bertviz_d3" / "package.json").read_text())
    licence = D3.with_name("bertviz_d3.LICENSE.txt").read_text()
    imported = set(re.findall(r'from "(d3-[a-z]+(?:-chromatic)?)', entry))
    assert imported and imported <= set(package["dependencies"])
    for module, number in package["dependencies"].items():
        assert f"{module} {number}\n" in licence
    assert licence.count("Redistribution and use in source and binary forms") >= len(package["dependencies"])
