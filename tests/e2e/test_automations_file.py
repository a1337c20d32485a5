"""What HA would lose by rewriting an automations.yaml: the scanner against PyYAML, which is what HA reads and writes
these files with."""
import os
import random
import subprocess

import pytest
import yaml

from conftest import ROOT

WORDS = ["light", "door # not a comment", "#1", "a#b", "!secret", "!include x", "don't", 'say "hi"', "it's # 5",
         "50%", "a: b", "- x", "{{ states('a.b') }}", "[1, 2]", "{x}", "*", "&a", "|", ">", "---", "", " lead", "trail ",
         "ü", "on", "07:00:00", "1e3", "\\", "tab\there", "two\nlines", "two\n# lines", "x\n\n  y # z\n", "'", '"', "' #",
         "https://x/#y", "?", ":", "%", "@", "`", "key:", ", 'x", "null", "~"]


@pytest.fixture(scope="module")
def scan(tmp_path_factory):
    """Answers for a list of texts."""
    subprocess.run(["make", "-s", "MODE=asan", "build/asan/drivers/automations_file"], cwd=ROOT, check=True)
    folder = tmp_path_factory.mktemp("automations")

    def run(texts):
        paths = []
        for number, text in enumerate(texts):
            paths.append(folder / f"{number}.yaml")
            paths[-1].write_text(text)
        answer = subprocess.run([ROOT / "build/asan/drivers/automations_file"], capture_output=True, text=True,
                                input="".join(f"{path}\n" for path in paths))
        assert answer.returncode == 0, answer.stderr
        return answer.stdout.splitlines()
    return run


@pytest.fixture
def rng():
    seed = int(os.environ.get("SEED") or random.randrange(10**9))
    print(f"SEED={seed}")
    return random.Random(seed)


def random_text(rng):
    return rng.choice(("", " ", "-", ": ")).join(rng.choice(WORDS) for _ in range(rng.choice((1, 1, 2, 5, 30))))


def random_value(rng, depth=0):
    kind = rng.random()
    if depth > 3 or kind < 0.6:
        return rng.choice((random_text(rng), random_text(rng), random_text(rng), 7, 1.5, True, None, [], {}))
    if kind < 0.8:
        return [random_value(rng, depth + 1) for _ in range(rng.randint(0, 3))]
    return {random_text(rng)[:60]: random_value(rng, depth + 1) for _ in range(rng.randint(0, 3))}


def random_automations(rng):
    return [{"id": str(n), "alias": random_text(rng), "triggers": random_value(rng), "actions": [random_value(rng)]}
            for n in range(rng.randint(0, 3))]


def as_ha_writes(value):
    return yaml.safe_dump(value, default_flow_style=False, allow_unicode=True, sort_keys=False)


def as_somebody_writes(rng, value):
    return yaml.safe_dump(value, allow_unicode=rng.random() < 0.5, sort_keys=False, width=rng.choice((20, 80, 1000)),
                          default_flow_style=rng.choice((False, None, True)), indent=rng.choice((2, 4)),
                          default_style=rng.choice((None, None, None, '"', "'", "|", ">")))


def events(text):
    """What YAML sees: comments are gone."""
    return [(type(event), getattr(event, "value", None)) for event in yaml.parse(text, yaml.CSafeLoader)]


def test_what_was_written_by_a_program_is_safe(scan, rng):
    texts = [as_ha_writes(random_automations(rng)) for _ in range(600)]
    texts += [as_somebody_writes(rng, random_automations(rng)) for _ in range(600)]
    for text, answer in zip(texts, scan(texts)):
        assert answer == "safe", text


def test_a_comment_is_what_does_not_change_the_value(scan, rng):
    """" # x" behind any line: a comment when YAML sees no difference, text of an automation otherwise."""
    texts, comments = [], []
    while len(texts) < 1500:
        text = as_somebody_writes(rng, random_automations(rng))
        lines = text.split("\n")
        number = rng.choice([i for i, line in enumerate(lines) if line.strip()])
        lines[number] += " # x" if rng.random() < 0.8 else "#x"
        changed = "\n".join(lines)
        try:
            is_comment = events(changed) == events(text)
        except yaml.YAMLError:
            continue  # not a file that HA could have loaded
        texts.append(changed)
        comments.append(is_comment)
    assert 200 < sum(comments) < 1450
    for text, is_comment, answer in zip(texts, comments, scan(texts)):
        assert (answer != "safe") == is_comment, f"{answer}: {text}"


def test_written_by_hand(scan):
    cases = {
        "": "safe",
        "[]\n": "safe",
        "# mine\n[]\n": "1 comment would be lost (first in line 1)",
        "- alias: A  # the first\n  mode: single\n# end\n": "2 comments would be lost (first in line 1)",
        "- alias: 'A # B'\n  description: C#D\n": "safe",
        "- alias: !secret name\n": "uses !secret (first such line: 1): HA refuses",
        "- !include one.yaml\n- !include two.yaml\n": "2 !include would be replaced",
        "!include_dir_list automations/\n": "1 !include would be replaced",
        "- alias: beware of !secret things\n": "safe",
        "- actions:\n  - variables:\n      text: |\n        # not a comment\n        !include x\n    # one\n": "1 comment",
        "- alias: >-\n    # text\n  mode: single # comment\n": "1 comment",
        "- {alias: a#b, list: [1, 'x # y', 3]} # c\n": "1 comment",
        "- alias: it isn't # c\n": "1 comment",
        "- alias: long\n    text # c\n": "1 comment",
        "\ufeff# c\n[]\n": "1 comment",
        "---\n- alias: x\r\n  mode: y\r\n": "safe",
    }
    for (text, wanted), answer in zip(cases.items(), scan(list(cases))):
        assert wanted in answer, f"{text!r}: {answer}"
