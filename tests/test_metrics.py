"""metrics.py: every number against a slow count of its own, and no average of averages."""

import math
import random
from collections import Counter
from contextlib import contextmanager

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from transformer_lab import GPT, Transformer, TransformerConfig, load, metrics, optional, record_attention, switch_off
from transformer_lab.data import dates
from transformer_lab.data.pairs import Pair
from transformer_lab.data.tokenizers import WordTokenizer
from transformer_lab.generation import translate
from transformer_lab.optional import MissingPackageError


@pytest.fixture(scope="module")
def dates_model():
    return load("dates")


def grids(rng):
    """Predicted and gold tokens out of three, and a mask with rows of every length, one of them empty."""
    lengths = [0, *(rng.randint(1, 6) for _ in range(6))]
    predicted, gold = ([[rng.randrange(3) for _ in range(6)] for _ in lengths] for _ in range(2))
    for row in range(0, len(gold), 2):  # half of the rows are right
        predicted[row] = list(gold[row])
    return predicted, gold, [[t < length for t in range(6)] for length in lengths]


def test_tokens_and_rows_are_counted_where_the_mask_is_true():
    rng = random.Random(7)
    for _ in range(20):
        predicted, gold, mask = grids(rng)
        rows = [[p == g for p, g, m in zip(*row, strict=True) if m] for row in zip(predicted, gold, mask, strict=True)]
        tokens = [right for row in rows for right in row]
        given = torch.tensor(predicted), torch.tensor(gold), torch.tensor(mask)
        assert math.isclose(metrics.token_accuracy(*given), sum(tokens) / len(tokens))
        assert math.isclose(metrics.sequence_accuracy(*given), sum(all(row) for row in rows if row) / 6)


@pytest.mark.parametrize("accuracy", [metrics.token_accuracy, metrics.sequence_accuracy])
def test_grids_that_do_not_match_get_a_sentence(accuracy):
    grid, mask = torch.zeros(2, 3, dtype=torch.int64), torch.ones(2, 3, dtype=torch.bool)
    with pytest.raises(ValueError, match=r"one shape \(B, T\); got \(2, 3\), \(2, 2\), \(2, 3\)\.$"):
        accuracy(grid, grid[:, :2], mask)
    with pytest.raises(ValueError, match=r"one shape \(B, T\); got \(3,\), \(3,\), \(3,\)\.$"):
        accuracy(grid[0], grid[0], mask[0])
    with pytest.raises(ValueError, match="The mask is True nowhere"):
        accuracy(grid, grid, ~mask)


def test_perplexity_is_over_tokens_and_not_over_batches():
    """Of k equally likely tokens it is k; batches of different sizes count by their tokens."""
    logits = torch.zeros(5, 7)
    loss = torch.nn.functional.cross_entropy(logits, torch.arange(5), reduction="sum").item()
    assert math.isclose(metrics.perplexity(loss, 5), 7, rel_tol=1e-6)
    batches = [(3.0, 1), (0.5, 9)]  # nats summed, tokens
    total, n = (sum(column) for column in zip(*batches, strict=True))
    of_means = math.exp(sum(nats / tokens for nats, tokens in batches) / len(batches))
    # The geometric mean of one over each token's probability, written as a product.
    assert math.isclose(metrics.perplexity(total, n), (math.exp(3.0) * math.exp(0.5 / 9) ** 9) ** 0.1)
    assert not math.isclose(metrics.perplexity(total, n), of_means, rel_tol=0.5)
    assert metrics.perplexity(1e6, 10) == math.inf and math.isnan(metrics.perplexity(math.nan, 10))


def test_bits_per_character_do_not_depend_on_the_tokens():
    """A text of 12 letters, each one of 8: three bits each, told letter by letter or in four tokens of three."""
    for n_tokens, choices in ((12, 8), (4, 8**3)):
        assert math.isclose(metrics.bits_per_character(n_tokens * math.log(choices), 12), 3)
    with pytest.raises(ValueError, match=r"^Bits per character need at least one character; got 0\.$"):
        metrics.bits_per_character(1.0, 0)
    assert metrics.bits_per_character(math.log(8), 1) == pytest.approx(3)
    with pytest.raises(ValueError, match=r"^Perplexity needs at least one token; got 0\.$"):
        metrics.perplexity(1.0, 0)


def grams(tokens, n):
    return Counter(tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1))


def slow_bleu(outputs, references):
    """BLEU as in the paper, of lists of tokens; an order without a hit counts half, a quarter ... of one."""
    precisions, smoothing = [], 1
    for n in range(1, 5):
        ours, theirs = ([grams(text, n) for text in side] for side in (outputs, references))
        hits = sum((a & b).total() for a, b in zip(ours, theirs, strict=True))
        if not hits:
            smoothing /= 2
        precisions.append((hits or smoothing) / sum(map(Counter.total, ours)))
    n_output, n_reference = (sum(map(len, side)) for side in (outputs, references))
    brevity = 1 if n_output >= n_reference else math.exp(1 - n_reference / n_output)
    return 100 * brevity * math.prod(precisions) ** (1 / 4)


def slow_chrf(outputs, references):
    """chrF2 as in the paper: the mean of six precisions and of six recalls, recall twice as important."""
    precisions, recalls = [], []
    for n in range(1, 7):
        ours, theirs = ([grams("".join(text.split()), n) for text in side] for side in (outputs, references))
        hits = sum((a & b).total() for a, b in zip(ours, theirs, strict=True))
        precisions.append(hits / sum(map(Counter.total, ours)))
        recalls.append(hits / sum(map(Counter.total, theirs)))
    precision, recall = sum(precisions) / 6, sum(recalls) / 6
    return 100 * 5 * precision * recall / (4 * precision + recall)


def test_bleu_and_chrf_are_those_of_the_papers():
    rng = random.Random(7)
    words = ["der", "Hund", "schläft", "nicht", "hier", "Der"]
    for size in (3, 6):  # with three words long n-grams agree by chance; with six, smoothing is at work too
        for shorter in (0, 3):
            references = [rng.choices(words[:size], k=rng.randint(8, 15)) for _ in range(5)]
            outputs = [[rng.choice([w, w, rng.choice(words[:size])]) for w in text[shorter:]] for text in references]
            texts = [[" ".join(text) for text in side] for side in (outputs, references)]
            assert math.isclose(metrics.bleu(*texts), slow_bleu(outputs, references), rel_tol=1e-9)
            assert math.isclose(metrics.chrf(*texts), slow_chrf(*texts), rel_tol=1e-9)
            letters = [[list(text.replace(" ", "")) for text in side] for side in texts]
            assert math.isclose(metrics.bleu(*texts, tokenize="char"), slow_bleu(*letters), rel_tol=1e-9)


def test_scores_of_perfect_hopeless_and_partly_right_texts():
    reference = ["the cat sat on the mat ."]
    for score in (metrics.bleu, metrics.chrf):
        assert math.isclose(score(reference, reference), 100)
    assert metrics.bleu(["x y z q w"], reference) < 15 and metrics.chrf(["x y z"], reference) == 0
    # Six of seven words, four of six pairs, two of five triples, one of four quadruples.
    by_hand = 100 * (6 / 7 * 4 / 6 * 2 / 5 * 1 / 4) ** (1 / 4)
    assert math.isclose(metrics.bleu(["the cat sat on a mat ."], reference), by_hand)
    # Whole set and not the mean of its sentences.
    outputs, references = ["the cat sat on the mat .", "a dog lay there"], [*reference, "no dog was ever there today"]
    mean = sum(metrics.bleu([o], [r]) for o, r in zip(outputs, references, strict=True)) / 2
    assert not math.isclose(metrics.bleu(outputs, references), mean, rel_tol=0.05)


def test_what_has_no_score_is_not_scored_as_a_bad_one():
    """Single words and phrases of three have no n-grams of four; a bad translation of four words has."""
    short = ["der Hund", "drei kleine Hunde", "ja"]
    assert math.isnan(metrics.bleu(short, short)) and metrics.chrf(short, short) == 100
    assert metrics.bleu(["x", "y"], ["der Hund ist da", "ja"]) == 0
    assert math.isnan(metrics.bleu(["der Hund ist hier nicht"], ["der Hund"]))  # whose best score would be none
    assert math.isclose(metrics.bleu(["der Hund ist da", "ja"], ["der Hund ist da", "ja"]), 100)
    assert math.isnan(metrics.chrf(["a", ""], ["", "  "])) and metrics.chrf(["a", "b"], ["", "x"]) == 0


def test_one_text_is_not_taken_for_a_list_of_its_letters(dates_model):
    for score in (metrics.bleu, metrics.chrf):
        with pytest.raises(ValueError, match=r"^outputs must be a list of texts; got one text: 'der Hund'\.$"):
            score("der Hund", "der Hund")
        with pytest.raises(ValueError, match=r"^references must be a list of texts; got one text: 'der Hund'\.$"):
            score(["der Hund"], "der Hund")
        assert score(("der Hund da ist",), ("der Hund da ist",)) == pytest.approx(100)
    with pytest.raises(ValueError, match=r"^The tags of sentence 1 must be a list of texts; got one text: 'OO'\.$"):
        metrics.entity_f1([["O"], "OO"], [["O"], ["O", "O"]])
    with pytest.raises(ValueError, match=r"^Exact match needs at least one pair; got none\.$"):
        metrics.exact_match(*dates_model, [])


@pytest.mark.parametrize("measure", [metrics.exact_match, metrics.alignment_accuracy])
def test_a_measure_leaves_each_module_as_it_was(dates_model, measure):
    model, tokenizer = dates_model
    pairs = dates.held_out_pairs(5)
    expected = measure(model, tokenizer, pairs)
    model.train()
    model.encoder.blocks[0].eval()  # a frozen part stays frozen
    modes = [module.training for module in model.modules()]
    try:
        assert measure(model, tokenizer, pairs) == expected
        assert [module.training for module in model.modules()] == modes and True in modes and False in modes
        assert all(p.grad is None for p in model.parameters())
    finally:
        model.eval()


def test_dropout_is_off_while_alignment_is_measured():
    pairs = dates.held_out_pairs(10)
    tokenizer = WordTokenizer.train([text for pair in pairs for text in (pair.source, pair.target)])
    torch.manual_seed(0)
    model = Transformer(TransformerConfig.preset("nano", vocab_size=len(tokenizer), dropout=0.5))
    assert len({metrics.alignment_accuracy(model, tokenizer, pairs) for _ in range(4)}) == 1 and model.training


@pytest.mark.parametrize("wrap", [torch.compile, torch.nn.DataParallel])
def test_what_is_around_a_model_does_not_matter(dates_model, wrap):
    model, tokenizer = dates_model
    pairs = dates.held_out_pairs(5)
    for measure in (metrics.exact_match, metrics.alignment_accuracy):
        assert measure(wrap(model), tokenizer, pairs) == measure(model, tokenizer, pairs)


@pytest.mark.parametrize("accuracy", [metrics.token_accuracy, metrics.sequence_accuracy])
def test_accuracy_needs_no_float_that_a_device_may_lack(accuracy, monkeypatch):
    """Apple's GPU has no float64."""
    for name in ("double", "mean"):
        monkeypatch.setattr(torch.Tensor, name, lambda *_: pytest.fail("a number in 64 bits"))
    grid = torch.tensor([[1, 2, 3], [1, 2, 3]])
    mask = torch.tensor([[True, True, False], [True, False, False]])
    other = torch.tensor([[1, 0, 0], [1, 0, 0]])
    assert accuracy(other, grid, mask) == (2 / 3 if accuracy is metrics.token_accuracy else 1 / 2)


def test_case_counts_and_chinese_has_its_own_tokens():
    assert metrics.bleu(["The cat sat on the mat."], ["the cat sat on the mat."]) < 100
    assert metrics.chrf(["The Cat Sat"], ["the cat sat"]) < 100
    ours, theirs = ["2026年11月22日星期日"], ["2026年11月22日星期六"]
    assert metrics.bleu(ours, theirs, tokenize="zh") > 50 and math.isnan(metrics.bleu(ours, theirs))


@pytest.mark.parametrize("score", [metrics.bleu, metrics.chrf])
def test_texts_that_do_not_match_get_a_sentence(score):
    for outputs, references in (([], []), (["a"], []), (["a"], ["a", "b"])):
        found = f"got {len(outputs)} outputs, {len(references)} references"
        with pytest.raises(ValueError, match=f"^Every output needs one reference; {found}[.]$"):
            score(outputs, references)


def test_an_unknown_tokenizer_gets_a_sentence():
    with pytest.raises(ValueError, match="^tokenize must be one of .*13a.*; got 'words'[.]$"):
        metrics.bleu(["a"], ["a"], tokenize="words")


def spans(rows):
    """Every entity (sentence, type, first, last): a run of one type, cut in front of each B-."""
    found = set()
    for i, tags in enumerate(rows):
        for first, tag in enumerate(tags):
            begins = tag != "O" and (tag[0] == "B" or first == 0 or tags[first - 1][2:] != tag[2:])
            if begins:
                last = first
                while last + 1 < len(tags) and tags[last + 1] == "I-" + tag[2:]:
                    last += 1
                found.add((i, tag[2:], first, last))
    return found


TAGGED = st.lists(
    st.lists(st.tuples(*[st.sampled_from(["O", "B-PER", "I-PER", "B-LOC", "I-LOC"])] * 2), min_size=1, max_size=8),
    min_size=1,
    max_size=4,
)


@given(TAGGED)
def test_entity_f1_is_that_of_whole_spans(rows):
    predicted, gold = ([[pair[side] for pair in row] for row in rows] for side in (0, 1))
    ours, theirs = spans(predicted), spans(gold)
    found = metrics.entity_f1(predicted, gold)
    if ours or theirs:
        assert math.isclose(found, 2 * len(ours & theirs) / (len(ours) + len(theirs)))
    else:
        assert math.isnan(found)


def test_entity_f1_by_hand():
    gold = [["B-PER", "I-PER", "O", "B-LOC"], ["B-ORG", "O"]]
    # One right; one too short; a type mistaken: 1 of 3 each way.
    assert math.isclose(metrics.entity_f1([["B-PER", "O", "O", "B-LOC"], ["B-PER", "O"]], gold), 1 / 3)
    # All three, and one that is none: precision 3/4, recall 1.
    assert math.isclose(metrics.entity_f1([["B-PER", "I-PER", "O", "B-LOC"], ["B-ORG", "B-LOC"]], gold), 6 / 7)
    assert math.isnan(metrics.entity_f1([["O"]], [["O"]]))  # nothing to be found, and nothing was
    assert metrics.entity_f1([["O"]], [["B-LOC"]]) == metrics.entity_f1([["B-LOC"]], [["O"]]) == 0


def test_tags_that_do_not_match_get_a_sentence():
    for predicted, gold in (([], []), ([["O"]], [])):
        with pytest.raises(ValueError, match="^Every sentence needs predicted and gold tags; got"):
            metrics.entity_f1(predicted, gold)
    with pytest.raises(ValueError, match="^Sentence 1 has 2 tokens; got 1 predicted tags[.]$"):
        metrics.entity_f1([["O"], ["O"]], [["O"], ["O", "O"]])


def test_exact_match_counts_targets_right_to_the_last_character(dates_model):
    pairs = dates.held_out_pairs(30)
    outputs = [translate(*dates_model, [pair.source])[0] for pair in pairs]
    right = [Pair(pair.source, output) for pair, output in zip(pairs, outputs, strict=True)]
    assert metrics.exact_match(*dates_model, right) == 1
    # Cut by a token each: wrong, though the longest, stopped at its target's own length, would look right.
    tokenizer = dates_model[1]
    cut = [Pair(pair.source, tokenizer.decode(tokenizer.encode(pair.target)[:-1])) for pair in right]
    assert metrics.exact_match(*dates_model, cut) == 0
    wrong = random.Random(7).randint(1, 29)
    mixed = [Pair(pair.source, pair.target + "日") for pair in right[:wrong]] + right[wrong:]
    assert math.isclose(metrics.exact_match(*dates_model, mixed), 1 - wrong / 30)


def test_without_a_cache_exact_match_notices_a_missing_causal_mask(dates_model):
    """With one, no old token is computed again, so none can see what was written after it."""
    pairs = dates.held_out_pairs(100)
    whole = metrics.exact_match(*dates_model, pairs)
    assert metrics.exact_match(*dates_model, pairs, use_cache=False) == whole
    with switch_off(dates_model[0], "causal mask"):
        assert metrics.exact_match(*dates_model, pairs) == whole
        assert 0.6 < metrics.exact_match(*dates_model, pairs, use_cache=False) < 0.9


def slow_alignment(model, tokenizer, pairs):
    """Pair by pair, without padding: (hits, tokens) of each."""
    counts = []
    for pair in pairs:
        source = torch.tensor([tokenizer.encode(pair.source)])
        target = torch.tensor([[tokenizer.bos_id, *tokenizer.encode(pair.target)]])
        with record_attention(model) as maps:
            model(source, target, torch.ones_like(source, dtype=torch.bool), torch.ones_like(target, dtype=torch.bool))
        rows = sum(maps["cross"][-1][0]).tolist()
        gold = [(row, index) for row, index in zip(rows, pair.alignment, strict=False) if index is not None]
        counts.append((sum(row.index(max(row)) == index for row, index in gold), len(gold)))
    return counts


def test_alignment_accuracy_is_over_tokens_of_all_pairs(dates_model):
    pairs = dates.held_out_pairs(40)
    hits, tokens = map(sum, zip(*slow_alignment(*dates_model, pairs), strict=True))
    assert hits / tokens > 0.5 and math.isclose(metrics.alignment_accuracy(*dates_model, pairs), hits / tokens)


def test_alignment_is_read_from_the_last_layer_all_heads_and_the_row_that_predicts(monkeypatch):
    weights = torch.zeros(2, 2, 3, 2)  # (B, H, T, S): rows are [BOS] and two tokens
    weights[:, :, 0, 1] = weights[:, :, 1, 0] = 0.6  # token 0 from source token 1, token 1 from source token 0
    weights[:, 0, :, 0] += 0.7  # alone, this head always chooses source token 0
    weights[:, 1, :, 1] += 0.7  # and this one source token 1

    @contextmanager
    def recorded(model):
        yield {"cross": [weights.flip(-1), weights]}

    monkeypatch.setattr(metrics, "record_attention", recorded)

    class Model(torch.nn.Linear):
        def forward(self, *batch):
            return batch

    pairs = [Pair("a b", "c d", (1, 0)), Pair("a b", "c d", (1, None))]
    score = metrics.alignment_accuracy(Model(1, 1), WordTokenizer.train(["a b c d"]), pairs)
    assert score == 1
    pairs[1] = Pair("a b", "c d", (0, None))
    assert math.isclose(metrics.alignment_accuracy(Model(1, 1), WordTokenizer.train(["a b c d"]), pairs), 2 / 3)


def test_pairs_without_alignment_are_left_out(dates_model):
    aligned = dates.held_out_pairs(20)
    bare = [Pair(pair.source, pair.target) for pair in dates.held_out_pairs(40)[20:]]
    mixed = [pair for two in zip(bare, aligned, strict=True) for pair in two]
    assert metrics.alignment_accuracy(*dates_model, mixed) == metrics.alignment_accuracy(*dates_model, aligned)
    nothing = [Pair("May 1, 2000", "2000年", (None,) * 5)]
    for pairs in (bare, nothing, []):
        wanted = f"^Alignment accuracy needs a pair with a gold alignment; got {len(pairs)} pairs without one[.]$"
        with pytest.raises(ValueError, match=wanted):
            metrics.alignment_accuracy(*dates_model, pairs)


@pytest.mark.parametrize(
    "measure, given, package",
    [
        (metrics.bleu, ["a b c d"], "sacrebleu"),
        (metrics.chrf, ["a b c d"], "sacrebleu"),
        (metrics.entity_f1, [["B-LOC"]], "seqeval"),
    ],
)
def test_a_missing_package_is_named(measure, given, package, monkeypatch):
    monkeypatch.setattr(optional, "find_spec", lambda name: None)
    with pytest.raises(MissingPackageError, match=rf"needs the package {package}: pip install {package}$"):
        measure(given, given)


@pytest.mark.parametrize("alignment", [(0, 1, 1, 1, 1), (9, None), (-1, 0)])
def test_an_alignment_that_does_not_fit_is_one_sentence(alignment):
    tokenizer = WordTokenizer.train(["a b"])
    model = Transformer(TransformerConfig(vocab_size=len(tokenizer), d_model=8, n_heads=2, n_layers=1))
    with pytest.raises(ValueError, match="An alignment needs one of the 2 source tokens, or None, for each of the 2"):
        metrics.alignment_accuracy(model, tokenizer, [Pair("a b", "b a", alignment)])


def test_the_alignment_of_a_gpt_is_one_sentence():
    tokenizer = WordTokenizer.train(["a b"])
    model = GPT(TransformerConfig(vocab_size=len(tokenizer), d_model=8, n_heads=2, n_layers=1))
    with pytest.raises(ValueError, match="needs an encoder-decoder; got a GPT"):
        metrics.alignment_accuracy(model, tokenizer, (pair for pair in [Pair("a b", "b a", (1, 0))]))
