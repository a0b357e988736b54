"""The glossary: every term once, a syllable for each Chinese character, one list in two orders, lessons that exist."""

import re
import unicodedata

import pytest

import build
from transformer_lab.glossary import NOTEBOOKS, TERMS, by_english, by_pinyin, table

HAN = re.compile(r"[\u4e00-\u9fff]")
# What Chinese texts leave in Latin letters, whole or in part.
LATIN = {
    *("AdamW", "ALiBi", "BERT", "BLEU", "chrF", "F1", "GPT", "KV", "logits", "sigmoid", "SiLU", "softmax", "SwiGLU"),
    *("min-p", "top-k", "Transformer", "n"),
}
LAST_LESSON = 21
SOURCE = (build.ROOT / "source" / "lessons" / "glossary.py").read_text(encoding="utf-8")
# Terms that lessons 01 to 09 set in bold where they introduce them.
INTRODUCED = """
    softmax, score, cross-entropy, dot product, gradient, Jacobian, loss, variance, attention, query, key, value,
    entropy, attention weight, mask, causal mask, padding mask, KV cache, head, feature, output projection, hidden unit,
    ReLU, GELU, SiLU, gating, feed-forward layer, sub-layer, skip connection, branch, residual stream, pre-norm,
    post-norm, final norm, warm-up, permutation equivariance, sinusoidal positions, learned positions, rotary positions,
    logits, weight tying, core of attention, residual connection
"""
# And what the coming lessons cannot do without.
COMING = """
    token, tokeniser, byte-pair encoding, embedding, teacher forcing, beam search, perplexity, fine-tuning, LoRA,
    induction head, ablation, label smoothing, distillation, quantisation, named entity recognition
"""


def names(text):
    return {name.strip() for name in text.split(",")}


def syllables(term):
    return term.pinyin.split()


def without_tones(text):
    return "".join(c for c in unicodedata.normalize("NFD", text) if unicodedata.category(c) != "Mn").lower()


def test_every_term_stands_once():
    english = [term.english.casefold() for term in TERMS]
    assert len(english) == len(set(english)) > 150
    chinese = [term.chinese for term in TERMS]
    assert len(chinese) == len(set(chinese))
    assert [by_english(term) for term in TERMS] == sorted(by_english(term) for term in TERMS)


@pytest.mark.parametrize("term", TERMS, ids=lambda term: term.english)
def test_an_entry_is_complete(term):
    left = HAN.sub("", term.chinese).strip(" -")
    assert not left or left in LATIN, f"{left} is neither Chinese nor known to stay in Latin letters"
    spoken = [HAN.fullmatch(c) is not None for c in re.findall(r"[\u4e00-\u9fff]|[A-Za-z][\w-]*", term.chinese)]
    assert len(syllables(term)) == len(spoken), "a syllable for each character"
    for syllable, han in zip(syllables(term), spoken, strict=True):
        marks = [c for c in unicodedata.normalize("NFD", syllable) if c in "\u0300\u0301\u0304\u030c"]
        assert len(marks) == (han and syllable != "zi"), "one tone mark a syllable (the zi of 种子 and 钩子 has none)"
    assert 8 < len(term.meaning) <= 120 and term.meaning.endswith(".")
    assert "|" not in term.meaning and "*" not in term.meaning, "it would break the table"
    assert 0 <= term.lesson <= LAST_LESSON


def test_a_character_sounds_the_same_everywhere():
    sounds = {}
    for term in TERMS:
        if not re.search(r"[A-Za-z-]", term.chinese):
            for character, syllable in zip(term.chinese, syllables(term), strict=True):
                sounds.setdefault(character, set()).add(syllable)
    several = {character: found for character, found in sounds.items() if len(found) > 1}
    # 种子 and 子层, 微调 and 调度, 权重 and 多重比较
    assert several == {"子": {"zi", "zǐ"}, "调": {"tiáo", "diào"}, "重": {"zhòng", "chóng"}}


def test_both_orders_hold_the_same_terms_and_are_sorted():
    english, pinyin = table(by="english").terms, table(by="pinyin").terms
    assert sorted(english) == sorted(pinyin) == sorted(TERMS)
    assert [by_english(term) for term in english] == sorted(map(by_english, TERMS))
    spelled = [without_tones(term.pinyin).split() for term in pinyin]
    assert spelled == sorted(spelled) and by_pinyin(pinyin[0])[0] == spelled[0]
    with pytest.raises(ValueError, match="by must be one of english, pinyin; got 'stroke'"):
        table(by="stroke")


def test_the_order_of_pinyin_on_known_cases():
    order = [term.chinese for term in table(by="pinyin").terms]
    for earlier, later in [
        ("残差连接", "参数"),
        ("层", "查询"),
        ("词表", "词元"),
        ("因果", "因果掩码"),
        ("值", "置换矩阵"),
    ]:
        assert order.index(earlier) < order.index(later), (earlier, later)


@pytest.mark.parametrize("by", ["english", "pinyin"])
def test_a_table_shows_a_row_for_each_term_with_its_lesson(by):
    shown = table(by)._repr_markdown_().split("\n")
    assert len(shown) == 2 + len(TERMS) and all(row.count("|") == 6 for row in shown)
    for term, row in zip(table(by).terms, shown[2:], strict=True):
        assert term.english in row and term.chinese in row and term.pinyin in row and term.meaning in row
        home = f"[{term.lesson:02}]({NOTEBOOKS[term.lesson]})" if term.lesson in NOTEBOOKS else f"{term.lesson:02}"
        assert row.endswith(f"| {home} |")


def test_every_lesson_that_exists_is_linked():
    written = {path.stem for path in (build.ROOT / "source" / "lessons").glob("[0-9][0-9]_*.py")}
    assert written == {name.removesuffix(".ipynb") for name in NOTEBOOKS.values()}
    assert all(int(name[:2]) == lesson for lesson, name in NOTEBOOKS.items())


def test_every_letter_of_the_course_is_there():
    rows = re.findall(r"^# \| ([^|]+) \|", SOURCE, re.M)
    letters = {letter.strip() for row in rows for letter in row.split(",")}
    assert letters >= {f"${letter}$" for letter in "BTSDHL"} | {r"$d_\text{head}$", r"$d_\text{ff}$"}
    for name in ("d_model", "n_heads", "n_kv_heads", "n_layers", "max_len", "d_head", "d_ff", "vocab_size"):
        assert f"`{name}`" in SOURCE, name


def test_what_lessons_introduce_is_there():
    missing = (names(INTRODUCED) | names(COMING)) - {term.english for term in TERMS}
    assert not missing


def in_bold(source):
    """What stands in bold in the prose of a lesson, in small letters."""
    prose = "".join(cell for cell in re.split(r"^# %%", source, flags=re.M) if cell.startswith(" [markdown]"))
    return {" ".join(words.split()).casefold() for words in re.findall(r"\*\*([^*]+)\*\*", prose.replace("\n#", "\n"))}


def test_a_terms_lesson_is_the_one_where_it_first_stands_in_bold():
    folder = build.ROOT / "source" / "lessons"
    bold = {n: in_bold((folder / name).with_suffix(".py").read_text(encoding="utf-8")) for n, name in NOTEBOOKS.items()}
    for term in TERMS:
        name = term.english.casefold()
        first = next((n for n, words in bold.items() if words & {name, name + "s"}), term.lesson)
        assert term.lesson == first, f"{term.english} first stands in bold in lesson {first:02}"
