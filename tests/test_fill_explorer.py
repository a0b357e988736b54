"""FillExplorer: what is shown is what the model expects of hidden words, which it does not see."""

import re
import threading
from pathlib import Path

import pytest
import tokenizers
import torch
from matplotlib.figure import Figure
from tokenizers import models, pre_tokenizers, processors

from browser import eventually
from test_accessibility_browser import violations
from test_decoding_explorer import WITHOUT_AN_ANSWER
from test_model_tour import made
from transformer_lab import BERT, GPT, TransformerConfig
from transformer_lab.data.tokenizers import Tokenizer
from transformer_lab.filling import fill_masks
from transformer_lab.viz import FillExplorer
from transformer_lab.viz.fill_explorer import MOST_RECORDS, expected

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS = ["the", "with", "statement", "is", "used", "to", "wrap", "a", "block", "of", ".", "file", "class", "##s", "<b>"]
WORDS += ["code", "function"]
TEXT = "The class is used to wrap a block."


def bert_tokenizer():
    """Word pieces in lower case, as BERT has them."""
    vocabulary = {token: i for i, token in enumerate([*SPECIAL, *WORDS])}
    tokenizer = tokenizers.Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = tokenizers.normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.add_special_tokens(SPECIAL)
    ends = [("[CLS]", 2), ("[SEP]", 3)]
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ends)
    return Tokenizer(tokenizer, dict(zip(("pad", "unk", "cls", "sep", "mask"), SPECIAL, strict=True)))


def bert(**changes):
    tokenizer = bert_tokenizer()
    sizes = dict(d_model=24, n_heads=2, n_layers=2, d_ff=32, max_len=20, masked_lm_head=True)
    config = TransformerConfig.preset("minilm", vocab_size=len(tokenizer), **sizes | changes)
    generator = torch.Generator().manual_seed(3)
    model = BERT(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.4)
    return model, tokenizer


def fill(text=TEXT, hidden=(), **changes):
    return FillExplorer(*bert(**changes), text, hidden)


@torch.no_grad()
def slow(model, tokenizer, text, hidden):
    """The probabilities (n, V) in the hidden places, one text at a time, with [MASK] written into its ids."""
    ids = tokenizer.encode(text, special=True)
    for n in hidden:
        ids[n + 1] = tokenizer.mask_id
    model.eval()
    hidden_states = model(torch.tensor([ids]))
    return model.masked_lm_logits(hidden_states)[0, [n + 1 for n in hidden]].softmax(-1)


def check_places(explorer, text, hidden):
    model, tokenizer = bert()
    wanted, ids = slow(model, tokenizer, text, hidden), tokenizer.encode(text, special=True)
    assert list(explorer.places) == hidden
    for shares, (n, place) in zip(wanted, explorer.places.items(), strict=True):
        best = shares.sort(descending=True).values[:8].tolist()
        assert [share for _, share in explorer.answers[n]] == pytest.approx(best, abs=1e-4)
        for label, share in explorer.answers[n]:
            assert share == pytest.approx(float(shares[tokenizer.tokenizer.token_to_id(label)]), abs=1e-4)
        own = ids[n + 1]
        if own == tokenizer.mask_id:
            assert place["own"] is None
        else:
            label, share, rank = place["own"]
            assert tokenizer.tokenizer.token_to_id(label) == own
            assert share == pytest.approx(float(shares[own]), abs=1e-4)
            assert rank == int((shares > shares[own]).sum()) + 1
        assert place["n"] == len(tokenizer)


@pytest.mark.parametrize("hidden", [[0], [1, 4], [8], [0, 2, 3, 6, 7]])
def test_what_is_shown_is_what_the_model_expects(hidden):
    explorer = fill()
    explorer.hidden = hidden[::-1]  # in any order
    assert explorer.hidden == hidden
    check_places(explorer, TEXT, hidden)
    assert all(probability == pytest.approx(float(slow(*bert(), TEXT, [n])[0, bert_tokenizer().encode(TEXT)[n + 1]]),
                                            abs=1e-4) for n, (_, probability) in enumerate(explorer.alone))  # fmt: skip


def test_a_written_mask_stays_hidden_beside_what_is_clicked():
    text = "The [MASK] is used to wrap a block."
    explorer = fill(text)
    assert explorer.hidden == [1] and explorer.reading["tokens"][1] == "[MASK]"
    check_places(explorer, text, [1])
    explorer.hidden = [6]
    assert explorer.hidden == [1, 6] and explorer.alone[1] == ("[MASK]", 0.0)
    check_places(explorer, text, [1, 6])
    assert explorer.answers[1] == fill("The class is used to wrap a block.", (1, 6)).answers[1]


def test_the_answers_are_those_of_fill_masks():
    explorer, text = fill(hidden=(1, 4)), "The [MASK] is used [MASK] wrap a block."
    for ours, theirs in zip(explorer.answers.values(), fill_masks(*bert(), text, k=8), strict=True):
        assert [token for token, _ in ours] == [token for token, _ in theirs]
        assert [share for _, share in ours] == pytest.approx([share for _, share in theirs], abs=1e-4)


def test_a_hidden_word_leaves_no_trace():
    words = ["class", "file", "code", "statement"]
    seen = [fill(f"The {word} is used to wrap a block.", (1, 7)).answers for word in words]
    assert all(one == seen[0] for one in seen)
    assert len({str(fill(f"The {word} is used to wrap a block.", (7,)).answers) for word in words}) == 4


def test_rows_of_a_batch_do_not_meet_and_training_mode_is_left_alone():
    model, tokenizer = bert(dropout=0.5)
    model.train()
    ids = tokenizer.encode(TEXT)
    sets = [[1], [2, 5], [9]]
    together = expected(model, ids, sets, tokenizer.mask_id)
    for one, logits in zip(sets, together, strict=True):
        torch.testing.assert_close(expected(model, ids, [one], tokenizer.mask_id)[0], logits, atol=1e-5, rtol=1e-5)
    assert model.training


def test_another_text_begins_anew_and_earlier_ones_are_kept():
    explorer = fill(hidden=(1, 2))
    explorer.text = "The file of the function."
    assert (explorer.heard, explorer.hidden, explorer.answers) == ("The file of the function.", [], {})
    explorer.hidden = [1]
    check_places(explorer, "The file of the function.", [1])
    explorer.text = TEXT
    assert [one["text"] for one in explorer.readings] == ["The file of the function.", TEXT]
    for n in range(9):
        explorer.text = "The file." + " the" * n
    assert len(explorer.readings) == MOST_RECORDS
    assert repr(explorer).endswith(": nothing is hidden)") and explorer.static_twin().startswith(b"\x89PNG")


def test_a_text_that_cannot_be_read_leaves_what_was_there():
    explorer = fill(hidden=(1,))
    for text, sentence in ((" ", "the text is empty"), ("the " * 19, "room for 18 tokens; got 19")):
        explorer.text = text
        assert sentence in explorer.message and explorer.heard == TEXT
        explorer.hidden = [2, 3]
        check_places(explorer, TEXT, [2, 3])
    explorer.text = TEXT
    assert explorer.message == ""


def test_choices_that_arrive_at_once_end_with_the_last():
    explorer = fill()
    threads = [threading.Thread(target=setattr, args=(explorer, "hidden", [n, 8])) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    check_places(explorer, TEXT, explorer.hidden)


def test_what_makes_no_sense_is_refused_in_a_sentence():
    explorer, (model, tokenizer) = fill(), bert()
    broken, _ = bert()
    with torch.no_grad():
        next(broken.parameters()).fill_(torch.nan)
    for wrong, sentence in (
        (lambda: FillExplorer(*made(GPT)), "model must be a BERT"),
        (lambda: FillExplorer(*bert(masked_lm_head=False)), "model must have a head for masked tokens"),
        (lambda: FillExplorer(model, made(GPT)[1]), "This tokenizer has no mask token"),
        (lambda: FillExplorer(model, None), "tokenizer must be"),
        (lambda: FillExplorer(broken, tokenizer), "logits are NaN"),
        (lambda: FillExplorer(model, tokenizer, ""), "the text is empty"),
        (lambda: FillExplorer(model, tokenizer, TEXT, (9,)), "hidden must be whole numbers from 0 to 8; got 9"),
        (lambda: setattr(explorer, "hidden", list(range(7))), "hidden must be at most 6 tokens; got 7"),
        (lambda: setattr(explorer, "hidden", ["a"]), "hidden must be whole numbers from 0 to 8; got 'a'"),
        (lambda: setattr(explorer, "text", "a\ud83d"), "not a character"),
    ):
        with pytest.raises(ValueError, match=re.escape(sentence)):
            wrong()
    assert (explorer.hidden, explorer.text) == ([], TEXT)


def test_readers_count_tokens_from_1():
    assert repr(fill(hidden=(0,))).endswith(" for token 1 of 9)")
    explorer = fill("The class is [MASK]")
    assert explorer.hidden == [3] and repr(explorer).endswith(" for token 4 of 4)")
    figure = Figure()
    explorer.draw(figure)
    assert [axes.get_title() for axes in figure.axes[1:]] == ["token 4 of 4"]


CARDS = """(cards) => cards.map((card) => [card.querySelector("h4").firstChild.textContent,
  [...card.querySelectorAll(".row")].map((row) => [".key", ".share"].map((e) => row.querySelector(e).textContent))])"""


def opened(page, tmp_path, explorer):
    page.goto(explorer.save(tmp_path / "fill.html").as_uri())
    page.wait_for_selector(".tl-fill .token")
    return page


def check_cards(page, explorer):
    cards = page.locator(".tl-fill .card").evaluate_all(CARDS)
    assert len(cards) == len(explorer.places)  # `eventually` waits for what is asserted
    for (title, rows), place in zip(cards, explorer.places.values(), strict=True):
        own = place["own"]
        assert title == (f"instead of “{own[0]}”" if own else "in the place of [MASK]")
        assert [key.removeprefix("▸ ") for key, _ in rows] == [label for label, _ in place["rows"]]
        assert [i for i, (key, _) in enumerate(rows) if key.startswith("▸ ")] == (
            [own[2] - 1] if own and own[2] <= 8 else []
        )
        for (_, number), (_, share) in zip(rows, place["rows"], strict=True):
            assert number in (">99.9 %", "<0.1 %") or abs(float(number.split()[0]) - 100 * share) < 0.06
    numbers = page.locator(".tl-fill .card h4 small").all_inner_texts()
    assert numbers == [f"token {n + 1} of {len(explorer.alone)}" for n in explorer.hidden]
    pressed = page.locator(".tl-fill .token").evaluate_all("(all) => all.map((e) => e.getAttribute('aria-pressed'))")
    assert [n for n, one in enumerate(pressed) if one == "true"] == explorer.hidden


@pytest.mark.browser
def test_the_saved_page_hides_each_word_and_what_was_hidden_before(page, tmp_path):
    explorer = fill("The <b> [MASK].")
    explorer.text = TEXT
    explorer.hidden = [1, 4]
    opened(page, tmp_path, explorer)
    assert page.locator(".tl-fill :is(input, textarea)").count() == 0
    check_cards(page, explorer)
    tokens = page.locator(".tl-fill .token")
    tokens.nth(6).click()  # not known together: this one alone
    explorer.hidden = [6]
    eventually(lambda: check_cards(page, explorer))
    page.keyboard.press("Home")
    page.get_by_text("show all words").click()
    tokens.nth(0).focus()
    for n in range(9):
        page.keyboard.press("Space")
        explorer.hidden = [n]
        eventually(lambda: check_cards(page, explorer))
        page.keyboard.press("Space")
        page.keyboard.press("ArrowRight")
    tokens.nth(1).click()
    tokens.nth(4).click()
    explorer.hidden = [1, 4]
    eventually(lambda: check_cards(page, explorer))
    shares = [float(text.split()[0]) for text in page.locator(".tl-fill .token small").all_inner_texts()]
    assert shares == pytest.approx([100 * share for _, share in explorer.alone], abs=0.06)
    page.get_by_label("texts so far").select_option("0")
    explorer.text = "The <b> [MASK]."
    eventually(lambda: check_cards(page, explorer))
    eventually(lambda: page.locator(".tl-fill .spoken").text_content().startswith("Expected: "))


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_violation_and_nothing_cut_off(page, tmp_path, scheme):
    page.emulate_media(color_scheme=scheme)
    explorer = fill("the " * 9 + "[MASK] " * 2 + "function. " * 2)
    explorer.text = "The class. [MASK]"
    explorer.hidden = [0, 1, 2]
    opened(page, tmp_path, explorer)
    for width in (1366, 900, 360):
        page.set_viewport_size({"width": width, "height": 800})
        assert violations(page, "html") == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.browser
def test_where_no_kernel_answers_the_reader_is_told_and_single_words_are_shown(page, tmp_path):
    explorer = fill(hidden=(1,))
    page.clock.install()
    opened(page, tmp_path, explorer)
    page.evaluate(WITHOUT_AN_ANSWER, str(explorer._module))
    tokens = page.locator(".tl-fill .token")
    tokens.nth(3).click()
    eventually(lambda: page.locator(".tl-fill.asking").count() == 1)
    page.clock.fast_forward(11_000)
    eventually(lambda: "No answer yet. If no other cell is running" in page.inner_text(".tl-fill"))
    tokens.nth(1).click()
    explorer.hidden = [3]
    eventually(lambda: page.locator(".tl-fill.asking").count() == 0)
    eventually(lambda: check_cards(page, explorer))


LIVE = """
from test_fill_explorer import fill
explorer = fill()
explorer
"""


@pytest.mark.browser
def test_a_live_explorer_answers_for_several_words_and_reads_what_is_typed(lab):
    page, explorer = lab.page, fill()
    lab.open("fill.ipynb", [f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})", LIVE])
    lab.run_all()
    page.wait_for_selector(".tl-fill .token")
    tokens = page.locator(".tl-fill .token")
    for n in (1, 4, 7):
        tokens.nth(n).click()
    explorer.hidden = [1, 4, 7]
    eventually(lambda: check_cards(page, explorer))
    assert lab.python("print(explorer.hidden)") == "[1, 4, 7]"
    for n in (0, 2, 3, 5):  # three more, and no seventh
        tokens.nth(n).click()
    eventually(lambda: lab.python("print(explorer.hidden)") == "[0, 1, 2, 3, 4, 7]")
    page.get_by_text("show all words").click()
    eventually(lambda: lab.python("print(explorer.hidden)") == "[]")
    page.get_by_label("text", exact=True).fill("the file is [MASK]")
    eventually(lambda: lab.python("print(explorer.heard, explorer.hidden)") == "the file is [MASK] [3]")
    explorer.text = "the file is [MASK]"
    eventually(lambda: check_cards(page, explorer))
    page.get_by_label("text", exact=True).fill("")
    eventually(lambda: "the text is empty" in page.inner_text(".tl-fill .message"))
    assert page.locator(".tl-fill .body").is_hidden()
    page.get_by_label("texts so far").select_option("0")
    explorer.text = TEXT
    eventually(lambda: check_cards(page, explorer))
