"""TokenizerExplorer: tokens, ids and bytes are the tokenizers', merge by merge, in Python and in the browser."""

import threading
from pathlib import Path

import pytest
import tokenizers
from tokenizers import decoders, models, normalizers, pre_tokenizers, processors

from browser import eventually
from test_accessibility_browser import violations
from test_merge_history import TEXTS, cut
from transformer_lab.data.token_labels import bytes_of_signs
from transformer_lab.data.tokenizers import SPECIAL, BPETokenizer, CharacterTokenizer, Tokenizer, WordTokenizer
from transformer_lab.viz import TokenizerExplorer
from transformer_lab.viz.inputs import visible
from transformer_lab.viz.tokenizer_explorer import MOST_CHARACTERS

LEARNT = ["the cat sat on the mat, and the other cat sat on that", "naïve cats in 北京; 1234"]
NASTY = "the 👨‍👩‍👧 cat  in 北京 e\u0301\u0301, naïve ☃\n\n\t[EOS] "


def three():
    """Tokenizers of ours: one without merges, one that knows whole words, one of byte pairs."""
    return {
        "characters": CharacterTokenizer.train(LEARNT),
        "words": WordTokenizer.train(LEARNT),
        "byte pairs": BPETokenizer.train(LEARNT, 260 + 30),
    }


def with_cls():
    """As BERT's: it lowers capitals, and adds a token at either end."""
    tokenizer = tokenizers.Tokenizer(
        models.WordPiece({"[UNK]": 0, "[CLS]": 1, "[SEP]": 2, "the": 3, "cat": 4, "##s": 5}, unk_token="[UNK]")
    )
    tokenizer.normalizer, tokenizer.pre_tokenizer = normalizers.Lowercase(), pre_tokenizers.Whitespace()
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 2), ("[CLS]", 1))
    return tokenizer


def test_at_all_merges_the_tokens_are_the_tokenizers():
    given = three()
    for text in [*TEXTS, NASTY]:
        explorer = TokenizerExplorer(given, text)
        assert explorer.merges == {"byte pairs": 30}
        for name, tokenizer in given.items():
            ids = tokenizer.encode(text)
            assert explorer.ids[name] == ids and explorer.counts[name] == len(ids)
            assert explorer.tokens[name] == [visible(token) for token in tokenizer.tokens(ids)]


def test_with_fewer_merges_the_tokens_are_those_of_a_tokenizer_that_has_no_more():
    given = three()["byte pairs"]
    explorer = TokenizerExplorer({"byte pairs": given}, NASTY)
    for n in (0, 1, 4, 17, 30):
        explorer.merges = {"byte pairs": n}
        fewer = Tokenizer(cut(given.tokenizer, n))
        assert explorer.ids["byte pairs"] == fewer.encode(NASTY)
        assert explorer.tokens["byte pairs"] == [visible(token) for token in fewer.tokens(fewer.encode(NASTY))]
    assert explorer.counts["byte pairs"] < len(NASTY.encode())


def test_the_bytes_of_the_tokens_are_the_texts_and_each_knows_its_characters():
    explorer = TokenizerExplorer(three(), NASTY)
    for n in (0, 12, 30):
        explorer.merges = {"byte pairs": n}
        for name in ("characters", "byte pairs"):
            pieces = explorer.pieces[name]
            assert b"".join(piece.bytes for piece in pieces).decode() == NASTY
            for piece in pieces:
                assert piece.bytes in NASTY[piece.start : piece.end].encode()
    without_spaces = b"".join(piece.bytes for piece in explorer.pieces["words"]).decode()
    assert without_spaces == "".join(NASTY.split())


def test_what_is_unknown_or_lost_is_said_and_a_special_token_that_is_typed_is_only_its_signs():
    explorer = TokenizerExplorer(three(), "a ☃ [EOS] [UNK]")
    unknown = {name: [piece.start for piece in pieces if piece.is_unknown] for name, pieces in explorer.pieces.items()}
    assert 2 in unknown["characters"] and unknown["byte pairs"] == []
    assert not {"[EOS]"} & {label for labels in explorer.tokens.values() for label in labels}
    assert SPECIAL["unk"] in explorer.tokens["characters"]
    whole = {one["name"]: one["is_whole"] for one in explorer.readings}
    assert whole == {"characters": False, "words": False, "byte pairs": True}
    assert {one["name"]: one["is_whole"] for one in TokenizerExplorer(three(), "the cat").readings} == {
        "characters": True, "words": False, "byte pairs": True}  # fmt: skip


def test_the_librarys_own_tokenizers_and_those_of_transformers_are_read():
    from transformers import PreTrainedTokenizerFast

    fast = PreTrainedTokenizerFast(tokenizer_object=three()["byte pairs"].tokenizer, unk_token="[UNK]")
    digits = cut(three()["byte pairs"].tokenizer, 30)  # as SmolLM2 has it: every digit alone
    digits.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True),
                                                    pre_tokenizers.ByteLevel(add_prefix_space=False)])  # fmt: skip
    explorer = TokenizerExplorer({"BERT": with_cls(), "fast": fast, "digits": digits}, "The Cats 1234")
    assert explorer.tokens["BERT"] == ["[CLS]", "the", "cat", "##s", "[UNK]", "[SEP]"]
    assert [piece.bytes for piece in explorer.pieces["BERT"]] == [b"", b"The", b"Cat", b"s", b"1234", b""]
    assert [piece.is_unknown for piece in explorer.pieces["BERT"]] == [False, False, False, False, True, False]
    assert explorer.merges == {"fast": 30, "digits": 30}
    assert explorer.tokens["digits"][-4:] == ["1", "2", "3", "4"]


def test_a_vocabulary_of_characters_that_falls_back_on_bytes():
    vocabulary = {"▁": 0, "a": 1, **{f"<0x{byte:02X}>": byte + 2 for byte in range(256)}}
    tokenizer = tokenizers.Tokenizer(models.BPE(vocabulary, [], byte_fallback=True))
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    explorer = TokenizerExplorer({"fallback": tokenizer}, "a é")
    assert explorer.tokens["fallback"] == ["a", "␣", "é", "é₂"] and explorer.merges == {}
    assert [piece.bytes for piece in explorer.pieces["fallback"]][2:] == [b"\xc3", b"\xa9"]


def test_an_added_word_is_beyond_the_merges_and_has_no_slider():
    tokenizer = cut(three()["byte pairs"].tokenizer, 30)
    tokenizer.add_tokens(["on the"])
    explorer = TokenizerExplorer({"byte pairs": tokenizer}, "cat on the mat")
    assert "on␣the".replace("␣", " ") in explorer.tokens["byte pairs"]
    assert explorer.readings[0]["n_merges"] == 0 and explorer.readings[0]["joins"] == []
    explorer.text = "the cat"
    assert explorer.readings[0]["n_merges"] == 30


def test_another_text_is_read_and_one_that_is_too_long_leaves_what_was_there():
    explorer = TokenizerExplorer(three(), "the cat")
    explorer.merges = {"byte pairs": 3}
    before = explorer.tokens
    explorer.text = "a" * (MOST_CHARACTERS + 1)
    assert explorer.message == "There is room for 1,000 characters; got 1,001: shorten the text."
    assert explorer.tokens == before and explorer.heard == "the cat"
    explorer.text = ""
    assert (explorer.message, explorer.heard, explorer.merges) == ("", "", {"byte pairs": 3})
    assert explorer.tokens == {"characters": [], "words": [], "byte pairs": []}
    assert explorer.static_twin().startswith(b"\x89PNG")


def test_what_cannot_be_read_is_refused_in_a_sentence():
    explorer = TokenizerExplorer(three(), "the cat")
    for wrong, sentence in (
        (lambda: setattr(explorer, "text", "a\ud83d"), r"A text holds '\\ud83d', which is not a character"),
        (lambda: TokenizerExplorer(three(), "\ud83d"), r"which is not a character"),
        (lambda: TokenizerExplorer(three(), 3), "A text must be a str; got int"),
        (lambda: TokenizerExplorer({}), "a dict of one to three, by name; got {}"),
        (lambda: TokenizerExplorer([CharacterTokenizer]), "a dict of one to three, by name"),
        (lambda: TokenizerExplorer({str(i): with_cls() for i in range(4)}), "a dict of one to three"),
        (lambda: TokenizerExplorer({"a": len}), "tokenizer must be"),
        (lambda: setattr(explorer, "merges", {"byte pairs": 31}), r"merges\['byte pairs'\] must be .* 0 to 30; got 31"),
        (lambda: setattr(explorer, "merges", {"words": 1}), "merges must have a number for 'byte pairs'; got"),
    ):
        with pytest.raises(ValueError, match=sentence):
            wrong()
    assert explorer.text == "the cat" and explorer.merges == {"byte pairs": 30}


def test_texts_that_arrive_at_once_end_with_the_last():
    explorer = TokenizerExplorer(three(), "the cat")
    threads = [threading.Thread(target=setattr, args=(explorer, "text", "cat " * n)) for n in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert explorer.heard == explorer.text and explorer.ids["words"] == three()["words"].encode(explorer.text)
    assert explorer.readings[0]["name"] == "characters" and len(explorer.characters) == len(explorer.text)


CHIPS = """(sections) => sections.map((section) => [...section.querySelectorAll(".chip")].map((chip) => (
  [chip.querySelector(".label").textContent, Number(chip.querySelector(".id").textContent)])))"""
SET = "(input, value) => { input.value = value; input.dispatchEvent(new Event('input', { bubbles: true })); }"
AS_SENT = (
    "HTMLCanvasElement.prototype.getContext = () => ({ fillText() {}, getImageData: () => ({ data: Math.random() }) })"
)


def opened(page, tmp_path, explorer):
    page.add_init_script(AS_SENT)  # as if the browser's fonts could draw everything
    page.goto(explorer.save(tmp_path / "tokens.html").as_uri())
    page.wait_for_selector(".tl-tokens .chips", state="attached")
    return page


def shown(page):
    return page.locator(".tl-tokens section").evaluate_all(CHIPS)


def wanted(explorer):
    return [[list(pair) for pair in zip(explorer.tokens[name], explorer.ids[name], strict=True)]
            for name in explorer.tokens]  # fmt: skip


@pytest.mark.browser
@pytest.mark.parametrize("text", [NASTY, "the cat", ""])
def test_the_page_shows_what_python_has_at_every_stop_of_the_slider(page, tmp_path, text):
    explorer = TokenizerExplorer(three(), text)
    opened(page, tmp_path, explorer)
    slider = page.locator(".tl-tokens input[type=range]")
    stops = sorted({0, 30, *(merges for merges, _, _ in explorer.readings[2]["joins"])})
    assert slider.get_attribute("max") == str(len(stops) - 1)
    for i, merges in enumerate(stops):
        slider.evaluate(SET, str(i))
        explorer.merges = {"byte pairs": merges}
        assert shown(page) == wanted(explorer)
        counts = page.locator(".tl-tokens .count strong").all_inner_texts()
        assert [int(count.split()[0]) for count in counts] == list(explorer.counts.values())
        assert page.inner_text(".tl-tokens output") == f"{merges} of 30"
    assert page.locator(".tl-tokens .told").inner_text().endswith("the other merges join nothing here")


@pytest.mark.browser
def test_the_merge_that_comes_next_is_named(page, tmp_path):
    explorer = TokenizerExplorer({"byte pairs": three()["byte pairs"]}, "the cat")
    opened(page, tmp_path, explorer)
    slider, told = page.locator(".tl-tokens input[type=range]"), page.locator(".tl-tokens .told")
    slider.evaluate(SET, "0")
    tokenizer = explorer.tokenizers["byte pairs"].tokenizer
    number, start, i = explorer.readings[0]["joins"][0]
    whole = bytes_of_signs(tokenizer.id_to_token(i)).decode()
    assert "the cat"[start : start + len(whole)] == whole
    left, right = (visible(part) for part in (whole[0], whole[1:]))  # the first join is of two bytes
    assert told.inner_text().splitlines() == ["nothing is joined: each token is a byte",
                                              f"next: merge {number}, ‘{left}’ + ‘{right}’"]  # fmt: skip
    slider.focus()
    page.keyboard.press("ArrowRight")
    assert told.inner_text().splitlines()[0] == f"last joined here: merge {number}, ‘{left}’ + ‘{right}’"


@pytest.mark.browser
def test_a_token_is_chosen_by_mouse_or_keyboard_and_its_letters_are_framed_everywhere(page, tmp_path):
    explorer = TokenizerExplorer(three(), "the ☃ cat")
    opened(page, tmp_path, explorer)
    page.keyboard.press("Tab")
    page.keyboard.press("End")
    read_out = page.locator(".tl-tokens .read-out")
    last = explorer.pieces["characters"][-1]
    assert read_out.inner_text() == f"characters: ‘t’ has the id {last.id}; 1 byte, 74; character 9 of the text."
    framed = page.locator(".tl-tokens .linked .label").all_inner_texts()
    assert framed == ["t", "cat", explorer.tokens["byte pairs"][-1]]
    eventually(lambda: "‘t’ has the id" in page.locator(".tl-tokens .spoken").text_content())
    page.locator(".tl-tokens .unknown").first.hover()
    assert "‘[UNK]’ has the id 3; 3 bytes, E2 98 83; character 5 of the text" in read_out.inner_text()
    assert "it stands for ‘☃’, which this tokenizer does not know." in read_out.inner_text()
    assert page.locator(".tl-tokens section").nth(2).locator(".linked .label").all_inner_texts() == ["☃", "☃₂", "☃₃"]
    assert page.locator(".tl-tokens .count").first.inner_text().endswith("1 unknown; decodes to another text")
    assert page.locator("[aria-activedescendant]").first.evaluate(
        "(list) => document.getElementById(list.getAttribute('aria-activedescendant')).role"
    ) == "option"  # fmt: skip


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("text", [NASTY, ""])
def test_no_violation_with_a_chosen_token_an_unknown_one_and_none(page, tmp_path, scheme, text):
    page.emulate_media(color_scheme=scheme)
    opened(page, tmp_path, TokenizerExplorer(three(), text))
    if text:
        page.locator(".tl-tokens .unknown").first.click()
    for width in (1366, 900, 360):
        page.set_viewport_size({"width": width, "height": 800})
        assert violations(page, "html") == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.browser
def test_a_long_text_without_a_space_fits_and_is_quick(page, tmp_path):
    explorer = TokenizerExplorer(three(), "京" * MOST_CHARACTERS)
    opened(page, tmp_path, explorer)
    assert shown(page) == wanted(explorer)
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280
    page.locator(".tl-tokens .chips").last.focus()
    page.keyboard.press("End")
    assert page.locator(".tl-tokens [aria-selected=true]").is_visible()


LIVE = """
from test_tokenizer_explorer import three
from transformer_lab.viz import TokenizerExplorer
explorer = TokenizerExplorer(three(), "the cat")
explorer
"""


@pytest.mark.browser
def test_a_live_explorer_reads_what_is_typed(lab):
    page = lab.page
    lab.open("tokens.ipynb", [f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})", LIVE])
    lab.run_all()
    page.wait_for_selector(".tl-tokens .chip")
    field, message = page.get_by_label("text", exact=True), page.locator(".tl-tokens .message")
    assert field.input_value() == "the cat"
    field.fill("on that mat")
    eventually(lambda: shown(page) == wanted(TokenizerExplorer(three(), "on that mat")))
    page.get_by_label("merges").evaluate(SET, "0")
    eventually(lambda: lab.python("print(explorer.merges, explorer.counts['byte pairs'])") == "{'byte pairs': 0} 11")
    field.fill("a" * (MOST_CHARACTERS + 1))
    eventually(lambda: "There is room for 1,000 characters" in message.inner_text())
    assert page.locator(".tl-tokens .body").is_hidden()
    field.evaluate("(one) => { one.value = 'a\\ud83d'; one.dispatchEvent(new Event('change')); }")
    eventually(lambda: "half a character" in message.inner_text())
    field.fill("")
    eventually(lambda: "an empty text" in page.inner_text(".tl-tokens .about") and message.inner_text() == "")
    assert page.locator(".tl-tokens .chip").count() == 0
    lab.python("explorer.text, explorer.merges = 'cat', {'byte pairs': 30}")
    eventually(lambda: page.locator(".tl-tokens section").nth(1).locator(".chip").count() == 1)
    assert lab.python("explorer.text = 'a\\ud83d'").startswith("ValueError: A text holds '\\ud83d'")
