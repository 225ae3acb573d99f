"""Profiles: each one in profiles/ is right, and a wrong key, type or name is refused with what was meant."""

from pathlib import Path

import pytest

from fashionlib.core.errors import InputError
from fashionlib.experiments.profile import load_profile

PROFILES = sorted(path.stem for path in (Path(__file__).parents[2] / "profiles").glob("*.yaml"))


@pytest.mark.parametrize("name", PROFILES)
def test_every_profile_loads_and_begins_with_what_it_costs(name):
    path = Path(__file__).parents[2] / "profiles" / f"{name}.yaml"
    profile = load_profile(name, data="somewhere")
    assert profile.name == name
    assert path.read_text().startswith("#")
    compared = set() if profile.ablation or name == "search" else {"prior", "whole"}
    assert {*compared, "parser"} <= set(profile.methods)


def written(tmp_path, text):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    return str(path)


START = "data: {name: wardrobe}\nmethods: {whole: {kind: whole}}\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (START + "epoch: 3\n", "unknown key 'epoch'"),
        (START + "training: {epoch: 3}\n", r"unknown key 'epoch'; did you mean epochs\?"),
        (START + "training: {epochs: three}\n", "key epochs: expected int, got 'three'"),
        (START + "image_size: [192]\n", "expected 2 values"),
        (START + "retrieval: [instore]\n", "key retrieval: unknown 'instore'; choose of inshop, c2s"),
        ("data: {name: wardrobe}\nmethods: {x: {kind: whole, training: {lr: 1}}}\n", "training of x: unknown key 'lr'"),
        ("methods: {}\n", "data"),
        ("- a\n", "expected a mapping"),
        ("a: [\n", "not YAML"),
    ],
)
def test_a_wrong_profile_names_its_key_and_what_was_expected(tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        load_profile(written(tmp_path, text))


def test_an_unknown_profile_lists_the_known_ones():
    with pytest.raises(InputError, match=r"no such profile; choose one of .*quick"):
        load_profile("quikc")


def test_data_that_has_a_folder_must_be_given_it():
    with pytest.raises(InputError, match="add DATA=folder"):
        load_profile("ccp")


def test_seeds_replace_the_profiles_own_and_draw_the_split():
    profile = load_profile("ccp", data="x", seeds="7,8")
    assert profile.seeds == (7, 8)
    assert profile.data_options(7) == {"split_seed": 7}
    with pytest.raises(InputError, match="whole numbers"):
        load_profile("quick", seeds="a")
