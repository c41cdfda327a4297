#!/usr/bin/env python3
"""test_schema.py SPEC-GEN SOURCE - the JSON Schemas say what the parser says

An editor that checks a file by our schema must not complain about what phoenix takes, and should
complain about most of what phoenix refuses. Speaks TAP."""

import glob
import json
import os
import re
import subprocess
import sys
import tempfile

try:
    import jsonschema
    import yaml
except ImportError as e:
    print(f"1..0 # SKIP {e.name} is missing (python3-jsonschema, python3-yaml)")
    sys.exit(0)

GEN, SOURCE = sys.argv[1:3]
KINDS = ["desktop", "host", "recipe"]


class Loader(yaml.SafeLoader):
    """YAML 1.2's core types, as editors read them; PyYAML's own are those of 1.1 (yes, 01:00.0)."""


Loader.yaml_implicit_resolvers = {}
for tag, pattern, first in [
    ("bool", r"^(true|True|TRUE|false|False|FALSE)$", "tTfF"),
    ("int", r"^[-+]?[0-9]+$", "-+0123456789"),
    ("float", r"^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$", "-+.0123456789"),
    ("null", r"^(~|null|Null|NULL|)$", ["~", "n", "N", ""]),
]:
    Loader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(pattern), list(first))
Loader.add_constructor("tag:yaml.org,2002:int", lambda l, n: int(l.construct_scalar(n)))

# Both must say the same.
GOOD = {
    "desktop": [
        "desktops: []",
        "desktops: [{name: a, memory: 8 GB, disk: none, cores: all}]",
        "desktops: [{name: a, gpus: 2}, {name: b, gpus: [0, '0000:01:00.0', GPU-01234567-89ab]}]",
        "desktops: [{name: a, gpus: {count: all, mode: shared, memory: 1.5GiB}}]",
        "desktops: [{name: a, gpus: {ids: [1]}, display: 800x600}]",
        "desktops: [{name: a, display: {width: 800}, keyboard: 'de(nodeadkeys),us'}]",
        "{defaults: {mounts: [{source: /data}]}, desktops: [{name: a, image: 'sha256:012345'}]}",
    ],
    "host": ["{}", "ids: {first: auto}", "network: {open: [1, 65535/udp], dns: [9.9.9.9]}"],
    "recipe": [
        "{}",
        "files: [{path: /a, content: '', mode: '0755'}, {path: /b, source: b, mode: 0644}]",
        "packages: [libc6:amd64, 'vim=2:9.1.0-1', g++]\nservices: {mask: ['getty@.service']}",
    ],
}
BAD = {
    "desktop": [
        "[]",
        "desktops: [{nmae: a}]",
        "desktops: [{}]",
        "desktops: [{name: A}]",
        "desktops: [{name: -a}]",
        "desktops: [{name: a, memory: lots}]",
        "desktops: [{name: a, memory: 8}]",
        "desktops: [{name: a, memory: '8 gigs'}]",
        "desktops: [{name: a, cores: 0}]",
        "desktops: [{name: a, cores: '4'}]",
        "desktops: [{name: a, jupyter: yes}]",
        "desktops: [{name: a, gpus: 65}]",
        "desktops: [{name: a, gpus: []}]",
        "desktops: [{name: a, gpus: [0, 0]}]",
        "desktops: [{name: a, gpus: {mode: share}}]",
        "desktops: [{name: a, mounts: [{source: data}]}]",
        "desktops: [{name: a, mounts: [{target: /data}]}]",
        "desktops: [{name: a, display: big}]",
        "desktops: [{name: a, network: none}]",
        "desktops: [{name: a, user: Eve}]",
        "defaults: {name: a}\ndesktops: []",
    ],
    "host": [
        "state_dir: x",
        "ids: {first: 100}",
        "network: {range: 10.0.0.0/30}",
        "network: {bridge: averyveryverylongname}",
        "network: {open: [99999]}",
        "network: {open: [53/upd]}",
        "parallel: many",
        "gpus: {policy: packed}",
    ],
    "recipe": [
        "packages: vim",
        "packages: [vim, vim]",
        "packages: [Vim]",
        "files: [{content: x}]",
        "files: [{path: /a, content: x, mode: rwx}]",
        "services: {enable: [ssh]}",
        "user: {name: ai, uid: 0}",
    ],
}


def schema(kind):
    with open(f"{SOURCE}/docs/schema/{kind}.schema.json") as f:
        return json.load(f)


def ours(kind, path):
    """What phoenix says about the file; None: good."""
    run = subprocess.run([GEN, "parse", kind, path], capture_output=True, text=True)
    return run.stderr.strip() if run.returncode else None


def theirs(kind, text):
    value = yaml.load(text, Loader)
    errors = list(jsonschema.Draft202012Validator(schema(kind)).iter_errors(value))
    return errors[0].message if errors else None


def ours_of_text(kind, text):
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as f:
        f.write(text)
        f.flush()
        return ours(kind, f.name)


def schemas_are_schemas():
    for kind in KINDS:
        jsonschema.Draft202012Validator.check_schema(schema(kind))


def good_files_are_good_to_both():
    for kind in KINDS:
        for text in GOOD[kind]:
            said = ours_of_text(kind, text) or theirs(kind, text)
            assert said is None, f"{text!r}: {said}"


def bad_files_are_bad_to_both():
    for kind in KINDS:
        for text in BAD[kind]:
            assert ours_of_text(kind, text), f"the parser takes {text!r}"
            assert theirs(kind, text), f"the schema takes {text!r}"


def the_schema_takes_whatever_the_parser_takes():
    n = 0
    for kind in KINDS:
        files = glob.glob(f"{SOURCE}/src/spec/corpus/{kind}/*")
        if kind == "recipe":
            files += glob.glob(f"{SOURCE}/recipes/*/recipe.yaml")
        for path in files:
            with open(path, encoding="utf-8-sig") as f:
                text = f.read()
            if ours(kind, path) is None and yaml.load(text, Loader) is not None:
                said = theirs(kind, text)
                assert said is None, f"{path}: {said}"
                n += 1
    assert n > 6


def examples_are_good_to_both():
    examples = glob.glob(f"{SOURCE}/examples/*.yaml")
    assert len(examples) >= 3
    for path in examples:
        kind = "host" if os.path.basename(path) == "host.yaml" else "desktop"
        with open(path) as f:
            text = f.read()
        said = ours(kind, path) or theirs(kind, text)
        assert said is None, f"{path}: {said}"
        assert f"docs/schema/{kind}.schema.json" in text.splitlines()[0], path


def commented_keys_of_examples_are_good_too():
    """What a newcomer uncomments first."""
    with open(f"{SOURCE}/examples/quickstart.yaml") as f:
        lines = f.read().split("\n")
    keys = re.compile(r"^(    )# ((?:  - |\w+:).*)$")
    text = "\n".join(keys.sub(r"\1\2", line) for line in lines)
    assert text.count("\n    gpus:") == 1 and text.count("- {source:") == 1
    said = ours_of_text("desktop", text) or theirs("desktop", text)
    assert said is None, said


def the_host_example_shows_the_defaults():
    with open(f"{SOURCE}/examples/host.yaml") as f:
        example = yaml.load(f, Loader)

    def compare(properties, values, path):
        for key, s in properties.items():
            where = f"{path}{key}"
            if "properties" in s:
                compare(s["properties"], values[key], where + ".")
            elif "default" in s:
                assert values[key] == s["default"], f"{where} is {values[key]!r}"
            else:
                assert values.get(key) in (None, []), where

    compare(schema("host")["properties"], example, "")


TESTS = [
    schemas_are_schemas,
    good_files_are_good_to_both,
    bad_files_are_bad_to_both,
    the_schema_takes_whatever_the_parser_takes,
    examples_are_good_to_both,
    commented_keys_of_examples_are_good_too,
    the_host_example_shows_the_defaults,
]
failed = 0
print(f"1..{len(TESTS)}")
for i, test in enumerate(TESTS, 1):
    try:
        test()
        print(f"ok {i} - {test.__name__}")
    except Exception as e:  # one bad test must not hide the others
        failed += 1
        print(f"not ok {i} - {test.__name__}")
        print(f"# {type(e).__name__}: {e}")
sys.exit(1 if failed else 0)
