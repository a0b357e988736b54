import itertools
import random

import pytest
import torch

from transformer_lab import BERT, GPT, Transformer, TransformerConfig
from transformer_lab.viz import FamilyExplorer, parameters_by_part
from transformer_lab.viz.family_explorer import FAMILIES, PARTS, RATIOS, VOCABULARIES, WIDTHS, block_rows, divisor_near

MODELS = {"Transformer": Transformer, "GPT": GPT, "BERT": BERT}
SIZES = ("d_model", "n_layers", "n_heads", "n_kv_heads", "ff_ratio", "vocab_size", "tied")


def built(config, model):
    with torch.device("meta"):
        return MODELS[model](config)


def part_of(name):
    """Which part a parameter belongs to, by its name in a model that is really built."""
    if name == "embedding.tokens.weight":
        return "token embedding"
    if name.startswith(("embedding.positions", "embedding.segments")):
        return "positions and segments"
    if name.startswith(("output", "pooler", "masked_lm_head")):
        return "output layer and heads"
    if "attention." in name:
        return "attention"
    return "feed-forward" if "feed_forward." in name else "norms"


def random_config(seed):
    pick = random.Random(seed)
    n_heads, d_head = pick.choice((2, 4, 6)), pick.choice((4, 6, 8))
    return TransformerConfig(
        vocab_size=pick.randint(5, 90), d_model=n_heads * d_head, n_heads=n_heads, n_layers=pick.randint(1, 4),
        d_ff=pick.randint(5, 70), max_len=pick.randint(4, 40), n_kv_heads=pick.choice((None, 1, 2)),
        d_head=pick.choice((None, 10)), norm=pick.choice(("layer", "rms")), norm_position=pick.choice(("pre", "post")),
        activation=pick.choice(("relu", "gelu", "swiglu")), bias=pick.random() < 0.5,
        tie_embeddings=pick.random() < 0.5,
        positions=pick.choice(("none", "sinusoidal", "learned", "rotary", "alibi")), n_segments=pick.choice((0, 2)),
        norm_embeddings=pick.random() < 0.5, pooler=pick.random() < 0.5, masked_lm_head=pick.random() < 0.5,
    )  # fmt: skip


@pytest.mark.parametrize(("seed", "model"), [*itertools.product(range(25), MODELS)])
def test_every_part_is_what_a_model_really_holds(seed, model):
    config = random_config(seed)
    wanted = dict.fromkeys(PARTS, 0)
    for name, parameter in built(config, model).named_parameters():
        wanted[part_of(name)] += parameter.numel()
    assert parameters_by_part(config, model) == wanted


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_is_its_preset(family):
    preset, model, _ = FAMILIES[family]
    explorer, published = FamilyExplorer(family), TransformerConfig.preset(preset)
    same = TransformerConfig.preset(preset, n_kv_heads=published.n_kv_heads or published.n_heads)
    assert explorer.config == same
    assert explorer.total == sum(p.numel() for p in built(published, model).parameters())


def test_what_python_reads_follows_the_traits():
    explorer = FamilyExplorer()
    before = explorer.total
    explorer.tied = False
    assert explorer.total - before == 768 * 50_257
    explorer.d_model = 64  # 12 heads do not divide 64: the nearest number that does
    assert explorer.config.n_heads == 8 and explorer.config.n_kv_heads == 8
    explorer.n_heads, explorer.n_kv_heads = 16, 5
    assert (explorer.config.n_heads, explorer.config.n_kv_heads) == (16, 4)


def test_the_divisor_nearest_to_the_one_wanted():
    for n, wanted in itertools.product(range(1, 40), repeat=2):
        found = divisor_near(n, wanted, 16)
        divisors = [d for d in range(1, 17) if n % d == 0]
        assert found in divisors and all(abs(found - wanted) <= abs(d - wanted) for d in divisors)


def test_the_drawn_block_has_a_norm_and_an_addition_for_each_part():
    for preset, model, _ in FAMILIES.values():
        config = TransformerConfig.preset(preset)
        kinds = [kind for kind, _ in block_rows(config, model)]
        parts = 3 if model == "Transformer" else 2
        assert kinds.count("norm") == kinds.count("add") == parts
        assert (kinds[1] == "norm") == (config.norm_position == "pre")


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (lambda: FamilyExplorer("GPT-5"), "family must be one of 2017"),
        (lambda: FamilyExplorer(d_model=700), "d_model must be one of 64, .*; got 700"),
        (lambda: FamilyExplorer(ff_ratio=3.0), "ff_ratio must be one of 1, 2, 2.667"),
        (lambda: FamilyExplorer(n_layers=0), "n_layers must be between 1 and 96; got 0"),
        (lambda: FamilyExplorer(n_kv_heads=0), "n_kv_heads must be between 1 and 128; got 0"),
        (lambda: parameters_by_part(random_config(0), "Llama"), "model must be .*; got 'Llama'"),
    ],
)
def test_errors_are_one_sentence_that_names_the_argument(wrong, says):
    with pytest.raises(ValueError, match=says):
        wrong()


def shown(page):
    """The parts' parameters and their total, as a reader sees them."""
    numbers = page.locator(".tl-family td.number").all_inner_texts()
    return [int(number.replace(",", "")) for number in numbers]


@pytest.mark.browser
def test_the_page_shows_what_python_counts(page, tmp_path):
    pick = random.Random(0)
    for family in FAMILIES:
        explorer = FamilyExplorer(family)
        page.goto(explorer.save(tmp_path / "family.html").as_uri())
        page.wait_for_selector(".tl-family td.number")
        assert shown(page) == [*explorer.parameters.values(), explorer.total]
        for _ in range(4):  # other sizes, some of which the heads must be fitted to
            sizes = (pick.choice(WIDTHS), pick.randint(1, 96), pick.randint(1, 64), pick.randint(1, 64),
                     pick.choice(RATIOS), pick.choice(VOCABULARIES), pick.random() < 0.5)  # fmt: skip
            explorer = FamilyExplorer(family, **dict(zip(SIZES, sizes, strict=True)))
            page.goto(explorer.save(tmp_path / "family.html").as_uri())
            page.wait_for_selector(".tl-family td.number")
            assert shown(page) == [*explorer.parameters.values(), explorer.total]


@pytest.mark.browser
def test_the_questions_of_the_lesson_can_be_answered_by_moving_it(page, tmp_path):
    page.goto(FamilyExplorer().save(tmp_path / "family.html").as_uri())
    page.wait_for_selector(".tl-family td.number")
    layers = page.get_by_label("layers L")
    for n_layers, under in ((50, False), (51, True)):
        layers.evaluate("(e, v) => { e.value = v; e.dispatchEvent(new Event('input')); }", str(n_layers))
        numbers = shown(page)
        assert ((numbers[0] + numbers[1]) / numbers[-1] < 0.1) == under
    page.get_by_label("output tied").click()
    assert shown(page)[5] == 768 * 50_257
    page.get_by_label("family").select_option("SmolLM2 (Llama's style)")
    assert shown(page)[-1] == 134_515_008
