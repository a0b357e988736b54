"""What lesson 10 reads from experiments: every case is there once, and a slice gives what was recorded."""

import pytest
import torch

import letters
import long_contexts
import rows
import tables
from transformer_lab import load
from transformer_lab.baselines import CharacterNgrams, ngram_bits
from transformer_lab.experiments import recorded

TABLES, LETTERS, ROWS = (recorded(name)["result"] for name in ("tables", "letters", "rows"))
N = 5


def test_tables_have_every_case_once():
    assert [int(n) for n in TABLES["characters"]] == [*tables.LENGTHS]
    assert [int(size) for size in TABLES["pairs"]] == [*tables.VOCABULARIES]
    assert all(len(runs) == N for part in TABLES.values() for runs in part.values())


def test_tables_counted_again_give_about_what_was_recorded():
    """About, because each Python has a manual of its own."""
    for seed in (0, 1):
        again, kept = tables.characters(3, seed), TABLES["characters"]["3"][seed]
        assert again["bits"] == pytest.approx(kept["bits"], abs=0.25)
    again, kept = tables.pairs(1000, 0), TABLES["pairs"]["1000"][0]
    assert again["bits"] == pytest.approx(kept["bits"], abs=0.25)
    assert again["characters a token"] == pytest.approx(kept["characters a token"], abs=0.25)


def test_the_bits_are_the_packages():
    training, validation = tables.texts(0)
    assert tables.characters(2, 0)["bits"] == pytest.approx(ngram_bits(training, validation, 2), abs=1e-4)


def test_what_a_table_writes_follows_its_probabilities():
    table = CharacterNgrams("abababacab", 2)
    written = tables.write(table, 20_000)
    after_a = [right for left, right in zip(written, written[1:], strict=False) if left == "a"]
    for character in "abc":
        wanted = table.probability(character, "a")
        # the sampler gives the unknown character's share to the known ones
        assert after_a.count(character) / len(after_a) == pytest.approx(wanted, abs=0.03)


def test_what_is_quoted():
    training = "The quick brown fox jumps over the lazy dog and goes home to sleep. " + "-" * 100
    assert tables.quoted(training[:40], training) == 1
    assert tables.quoted("-" * 60, training) == 0 and tables.quoted(training[:40][::-1], training) == 0
    assert tables.quoted(training[:40] + 40 * "x", training) == 0.5


def test_the_long_contexts_are_those_of_the_tables():
    kept = recorded("long_contexts")["result"]
    assert len(kept) == N
    for n in tables.LENGTHS:
        wanted = [run["bits"] for run in TABLES["characters"][str(n)]]
        assert [run["bits"][str(n)] for run in kept] == pytest.approx(wanted, abs=1e-3)
    for run in kept:
        added = run["bits"]["12"] - run["bits"]["5"]
        assert sum(run["share of the characters"].values()) == pytest.approx(1, abs=1e-3)
        assert sum(run["bits that n = 12 adds"].values()) == pytest.approx(added, abs=1e-3)


def test_a_chain_of_contexts_has_the_tables_probabilities():
    text, training = "abracadabra", "abrabracadabbr" * 3
    for n in (1, 3, 5):
        table = CharacterNgrams(training, n)
        for i in range(len(text)):
            wanted = table.probability(text[i], text[max(0, i - n + 1) : i])
            assert long_contexts.chain(table, text, i)[-1] == pytest.approx(wanted)


def test_the_same_places_are_counted_once():
    """In this text x always stands after y: xa was counted where yxa was, so the longer context adds nothing."""
    table = CharacterNgrams("yxa" * 4 + "yxb", 3)
    usual, once = (long_contexts.chain(table, "yxa", 2, new_places_only) for new_places_only in (False, True))
    assert once[1] == once[2] == usual[1] < usual[2]


def test_kneser_and_neys_probabilities_sum_to_one():
    """Over the alphabet and one unknown character, after contexts that were counted, in part or not at all."""
    table = CharacterNgrams("abracadabra abba cadabra", 4)
    smoothed = long_contexts.KneserNey(table)
    for context in ("abr", "ra ", "zza", "zzz"):
        chains = [smoothed.chain(context + character, 3) for character in (*table.alphabet, "?")]
        assert [sum(column) for column in zip(*chains, strict=True)] == pytest.approx([1] * 4)


def test_kneser_and_ney_count_what_came_before():
    """In this text b follows often, but only after x; a comes seldom, after three different characters."""
    table = CharacterNgrams("xbxbxbxbxb.pa.qa.ra.", 2)
    smoothed = long_contexts.KneserNey(table)
    after_unseen = {character: smoothed.chain("?" + character, 1)[-1] for character in "ab"}
    assert table.probability("b", "?") > table.probability("a", "?")
    assert after_unseen["a"] > after_unseen["b"]


@pytest.fixture(scope="module")
def smollm2():
    return load("smollm2")


def test_every_word_of_letters_is_one_token(smollm2):
    assert all(len(smollm2[1].encode(" " + word)) == 1 for word in letters.WORDS)
    cases = {(row["answer"], row["spelling"], row["nonsense"]) for row in LETTERS}
    assert cases == set(letters.CASES) and len(LETTERS) == len(letters.CASES)
    assert all(len(row["right"]) == N for row in LETTERS)


@pytest.mark.parametrize("answer, spelling", [("first letter", "one token"), ("last letter", "with commas")])
def test_letters_asked_again_get_the_recorded_answers(smollm2, answer, spelling):
    row = next(row for row in LETTERS if (row["answer"], row["spelling"], row["nonsense"]) == (answer, spelling, False))
    said = letters.asked(*smollm2, answer, spelling, seed=0, n=10)
    assert sum(row["said"][word] == text for word, text in said.items()) >= 9  # another CPU may break a near tie


def test_words_shown_and_asked_are_different():
    for nonsense in (False, True):
        shown, asked = letters.words_of(3, nonsense)
        assert (
            not set(shown) & set(asked) and len(shown) == letters.N_SHOWN and len(shown + asked) == len(letters.WORDS)
        )


def test_a_probe_finds_what_is_there_and_nothing_in_noise():
    words = [a + b + c + d for a in "abcd" for b in "efgh" for c in "ijkl" for d in "mn"]
    told = torch.nn.functional.one_hot(torch.tensor([ord(word[0]) - 97 for word in words]), 26).float()
    assert rows.probe(told, words, 0, seed=0) == 1.0
    noise = torch.randn(len(words), 8, generator=torch.Generator().manual_seed(0))
    assert rows.probe(noise, words, 0, seed=0) < 0.6


def test_the_words_asked_for_are_read_off_the_others():
    words = [a + b + c + d for a in "abcd" for b in "efgh" for c in "ijkl" for d in "mn"]
    told = torch.nn.functional.one_hot(torch.tensor([ord(word[0]) - 97 for word in words]), 26).float()
    assert rows.probe_on(told, words, 0, ["aeim", "bfjn"]) == (1.0, 0.0)
    own_row_each = torch.eye(len(words))  # without relatives a row of its own tells nothing
    assert rows.probe_on(own_row_each, words, 0, ["aeim", "aein", "bfjm", "bfjn"])[0] <= 0.5


def test_only_a_words_own_relatives_are_left_out():
    """Of the words in -er only those in -ter are the relatives of winter; the others may teach the probe its r."""
    words = ["winter", "letter", "silver", "river", "under", "window", "yellow", "shadow", "narrow", "follow", "arrow"]
    told = torch.nn.functional.one_hot(torch.tensor([ord(word[-1]) - 97 for word in words]), 26).float()
    assert rows.probe_on(told, words, -1, ["winter", "silver"]) == (1.0, 0.0)  # among the others w is most frequent


def test_held_out_words_share_no_three_letters_with_the_others():
    words = ["walking", "talking", "walked", "window", "winter", "yellow", "silver", "summer"]
    for place, part in ((0, slice(3)), (-1, slice(-3, None))):
        is_new = rows.held_out(words, place, seed=1).tolist()
        new = {word[part] for word, one in zip(words, is_new, strict=True) if one}
        assert new and not new & {word[part] for word, one in zip(words, is_new, strict=True) if not one}


def test_rows_read_again_give_what_was_recorded(smollm2):
    words, table = rows.words_and_rows(*smollm2)
    assert [row["letter"] for row in ROWS] == [*rows.PLACES, rows.PLAIN]
    assert rows.probe(table, words, 0, seed=0) == pytest.approx(ROWS[0]["SmolLM2's rows"][0], abs=0.01)
    assert rows.most_frequent(words, -1, seed=2) == pytest.approx(ROWS[-2]["always the same"][2], abs=1e-3)
