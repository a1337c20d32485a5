"""core/yaml against PyYAML, which Home Assistant loads with: every form of a scalar, and random texts."""
import json
import os
import random
import subprocess

import pytest
import yaml

from conftest import ROOT

MARKERS = ("!secret", "!input", "!env_var", "!include", "!include_dir_list", "!include_dir_merge_list",
           "!include_dir_named", "!include_dir_merge_named")


class Loader(yaml.CSafeLoader):
    """As annotatedyaml makes it: mappings as they come, tags of Home Assistant's."""


def mapping(loader, node):
    loader.flatten_mapping(node)
    pairs = loader.construct_pairs(node, deep=True)
    return dict(pairs)


Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, mapping)


def marker(loader, node):
    if not isinstance(node, yaml.ScalarNode) or not node.value:
        raise yaml.constructor.ConstructorError(None, None, f"{node.tag} needs an argument", node.start_mark)
    return {"!": node.tag, "text": node.value}


for tag in MARKERS:
    Loader.add_constructor(tag, marker)


class Timestamp(str):
    pass


def timestamp(loader, node):
    loader.construct_yaml_timestamp(node)  # ValueError when it is none
    return Timestamp(node.value)


Loader.add_constructor("tag:yaml.org,2002:timestamp", timestamp)


class Unordered(dict):
    """Of a set."""


INEXACT = object()  # a key that has no text on which both agree


def is_exact(key):
    return not isinstance(key, float) and not (isinstance(key, int) and abs(key) >= 2**63)


def key_text(key):
    if isinstance(key, bytes):
        raise TypeError("no key of core/yaml")
    if not is_exact(key):
        return INEXACT
    if key is None or isinstance(key, bool):
        return json.dumps(key)
    return str(key)


def as_json(value):
    """What the tree of core/yaml must be."""
    if isinstance(value, dict):
        return {key_text(key): as_json(member) for key, member in value.items()}
    if isinstance(value, list):
        return [as_json(member) for member in value]
    if isinstance(value, set):
        return Unordered((key_text(key), None) for key in value)
    if isinstance(value, bytes):
        return {"!": "!!binary"}
    if isinstance(value, Timestamp):
        return {"!": "!!timestamp", "text": str(value)}
    return value


def same(got, wanted):
    if isinstance(wanted, dict):
        if any(key is INEXACT for key in wanted):
            return isinstance(got, dict)
        if wanted.get("!") == "!!binary":
            return isinstance(got, dict) and got.get("!") == "!!binary"
        ordered = sorted if isinstance(wanted, Unordered) else list
        return isinstance(got, dict) and ordered(got) == ordered(wanted) and \
            all(same(got[key], wanted[key]) for key in wanted)
    if isinstance(wanted, list):
        return isinstance(got, list) and len(got) == len(wanted) and all(map(same, got, wanted))
    if isinstance(wanted, float) or isinstance(wanted, int) and abs(wanted) >= 2**63:
        return isinstance(got, float) and (repr(got) == repr(float(wanted)) or abs(got - wanted) <= 1e-9 * abs(wanted))
    return type(got) is type(wanted) and got == wanted


@pytest.fixture(scope="module")
def driver():
    subprocess.run(["make", "-s", "MODE=asan", "build/asan/drivers/yaml"], cwd=ROOT, check=True)
    return ROOT / "build/asan/drivers/yaml"


def read(driver, folder, texts):
    paths = []
    for i, text in enumerate(texts):
        paths.append(folder / f"{i}.yaml")
        paths[-1].write_text(text, newline="")
    answer = subprocess.run([driver], input="".join(f"{path}\n" for path in paths), capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr
    return answer.stdout.splitlines()


def compare(text, got):
    """1 = both read it, 0 = both refuse it."""
    try:
        wanted = as_json(yaml.load(text, Loader))
    except (yaml.YAMLError, ValueError, TypeError, KeyError, IndexError, AttributeError):
        assert got.startswith("error "), f"{text!r}: {got}, but PyYAML refuses it"
        return 0
    assert not got.startswith("error "), f"{text!r}: {got}, but PyYAML reads {wanted}"
    value = json.loads(got)
    assert same(value, wanted), f"{text!r}: {value}, but PyYAML reads {wanted}"
    return 1


SCALARS = """yes No TRUE on OFF y n oN tRue ~ null Null NULL nULL 0 -0 +0 00 007 08 09 1_000 _1 1__2 1_ 0_ 0_7 0b 0b1 0b12 0x
0xg 0xFF 0X1 -0x1f +0b1_0 1:2 1:60 1:5 01:02 7:30 07:30 7:30:00 07:30:00 23:59:59 24:00 190:20:30 0:30 -1:30 +5:30 1_2:30
1:2_3 1:2:3.5 1:60.5 .5 5. +.5 -.5 ._1 . .. 1.5 1_0.5 1.5e3 1.5e+3 1e3 1e+3 12e03 1.e+3 .5e-2 .inf -.inf +.INF .Inf .iNf .nan
-.nan .NaN 2026-11-25 2026-1-2 2026-02-29 2024-02-29 2026-13-01 0000-01-01 2026-11-25T07:00:00 2026-11-25t7:00:00Z
2026-11-25T07:00 2026-11-25T25:00:00 2026-11-25T07:00:00.5+01:00 2026-11-25T07:00:00-1 = << - ? ! & * -- --- ... a-b a:b a#b
99999999999999999999 -99999999999999999999 9223372036854775807 0x10000000000000000 1.7976931348623157e+308 1.0e+400""".split() + [
    "'5'", '"on"', "''", '""', "!!str 5", "!!str", "!!int '0x10'", "!!int 08", "!!int x", "!!float 5", "!!float x", "!!bool 'Yes'",
    "!!bool x", "!!null x", "! 5", "! '5'", "!<tag:yaml.org,2002:int> '7'", "!!timestamp 2026-01-02", "!!timestamp x",
    "!!binary aGk=", "!foo x", "!!foo x", "!!set {a, b}", "!!map {a: 1}", "!!seq [1]", "!!map [1]", "!!str [1]", "!!seq {a: 1}",
    "2026-11-25 07:00:00", "2026-11-25  7:00:00 +01:00", "2026-11-25 07:00:00 Z", *(f"{tag} x" for tag in MARKERS),
    *(f"{tag} " for tag in MARKERS), "!include {a: 1}", "[]", "{}", "[1, 2", "{a}", "{a, b: }", "[a: 1]", "? a", "\tx", "x\ty"]


def test_every_scalar_as_pyyaml(driver, tmp_path):
    # As a value, in a list, and as a key.
    texts = [text for scalar in SCALARS for text in (f"a: {scalar}\n", f"- {scalar}\n", f"{scalar}: 1\n", scalar)]
    good = sum(compare(text, got) for text, got in zip(texts, read(driver, tmp_path, texts), strict=True))
    assert 300 < good < len(texts)


STRUCTURES = """a: 1\nb: 2\na: 3
<<: {a: 1}\na: 2
a: 2\n<<: {a: 1, b: 3}
<<: [{a: 1, c: 1}, {a: 2, b: 3}]\nd: 1
<<: 5
<<: [5]
<<: [[{a: 1}]]
a: &x {b: 1}\nc: {<<: *x, d: 2}
a: &x {b: 1}\nc: &y {<<: *x, b: 3}\nd: {<<: *y}\ne: {<<: [*x, *y]}
'<<': {a: 1}
a: &x 1\nb: *x\n*x : 2
a: &x [*x]
a: *x
a: &x 1\nb: &x 2
--- 1\n--- 2
---\n---
--- 1\n...
%YAML 1.1\n--- 1
%YAML 1.2\n--- 1
%TAG !e! tag:yaml.org,2002:\n---\na: !e!int '5'
? [1]\n: 2
? {a: 1}\n: 2
? |\n  a\n: 2
a: |\n  b\n\n  c\n
a: >-\n  b\n  c\n\n  d
a: "b\\\n  c\\x41\\u00e9\\U0001F600"
a: 'it''s'
{"a": [1, true, null, "x\\/y", 1.5]}
- - - 1\n    - 2\n  - 3
-\n- \n-
a:\n- 1\n- 2\nb:\n  - 3
a: b: c
a:\n  b\n c
# nothing
"""


def test_structures_as_pyyaml(driver, tmp_path):
    texts = [line.replace("\\n", "\n") for line in STRUCTURES.splitlines()]
    good = sum(compare(text, got) for text, got in zip(texts, read(driver, tmp_path, texts), strict=True))
    assert 15 < good < len(texts)


def random_text(rng, depth=0):
    kind = rng.random()
    if depth > 3 or kind < 0.5:
        return rng.choice(SCALARS)
    items = [random_text(rng, depth + 1) for _ in range(rng.randint(0, 4))]
    if kind < 0.75:
        return "[" + ", ".join(items) + "]"
    return "{" + ", ".join(f"{rng.choice('abcde')}: {item}" for item in items) + "}"


def test_random_texts_as_pyyaml(driver, tmp_path):
    seed = int(os.environ.get("SEED") or random.randrange(10**9))
    print(f"SEED={seed}")
    rng = random.Random(seed)
    texts = [random_text(rng) for _ in range(4000)]
    good = sum(compare(text, got) for text, got in zip(texts, read(driver, tmp_path, texts), strict=True))
    assert 500 < good < len(texts)
