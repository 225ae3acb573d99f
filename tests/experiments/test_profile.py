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
    alone = profile.ablation or name in ("search", "street-shop-closet")
    compared = set() if alone else {"prior", "whole"}
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
        (START + "training: {epochs: three}\n", "key training.epochs: expected a whole number, got 'three'"),
        (START + "image_size: [192]\n", "expected 2 or more values"),
        (
            START + "retrieval: [instore]\n",
            "key retrieval.instore: got 'instore'; did you mean inshop",
        ),
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


HEAD = "data: {{name: wardrobe}}\nmethods: {{whole: {{kind: whole}}, parser: {{kind: parser, head: {{{}}}}}}}\n"
METHOD = "data: {{name: wardrobe}}\nmethods: {{prior: {{kind: prior}}, whole: {{kind: whole}}, last: {}}}\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (HEAD.format("look: maps"), "head of parser, key look: got 'maps'; did you mean map? Choose one of map, state, "
         "fixed, learned"),
        (HEAD.format("cell: LSTM"), "key cell: got 'LSTM'; did you mean lstm? Choose one of lstm, released"),
        (HEAD.format("cells: attended"), "key cells: got 'attended'; did you mean attend? Choose one of"),
        (HEAD.format("divergence_of: feature"), "key divergence_of: got 'feature'; did you mean features?"),
        (HEAD.format("classification: anchor"), "key classification: got 'anchor'; choose one of logistic, euclidean"),
        (HEAD.format("numbers: 5"), "key numbers: got 5; choose one of 4, 6"),
        (HEAD.format("steps: 0"), "key steps: expected 1 or more, got 0"),
        (HEAD.format("dropout: 1"), "key dropout: expected less than 1.0, got 1"),
        (HEAD.format("region: [4]"), "key region: expected 2 or more values, got fewer"),
        (METHOD.format("{kind: parsre}"), "methods.last, key kind: got 'parsre'; did you mean parser?"),
        (METHOD.format("{kind: triplet, head: {triplets: hardest}}"), "head of last, key triplets: got 'hardest'"),
        (METHOD.format("{kind: csra, head: {hiden: 3}}"), "head of last: unknown key 'hiden'; did you mean hidden?"),
        (METHOD.format("{kind: csra, training: {optimiser: sgd}}"), "training of last, key optimiser: got 'sgd'"),
        (METHOD.format("{kind: csra, training: {learning_rate: -1e-3}}"), "key learning_rate: expected more than 0.0"),
        (METHOD.format("{kind: csra, training: {learning_rate: .nan}}"), "key learning_rate: expected a finite number"),
        (METHOD.format("{kind: csra, training: {batch: 1}}"), "key batch: expected 2 or more, got 1"),
        (METHOD.format("{kind: csra, training: {epochs: 2.5}}"), "key epochs: expected a whole number, got 2.5"),
        (METHOD.format("{kind: csra, training: {mirror_test: 1}}"), "key mirror_test: expected true or false, got 1"),
        (METHOD.format("csra"), "key methods.last: expected a mapping, got 'csra'"),
        (START + "trunk: {options: {stride: 0}}\n", "trunk, key stride: expected 1 or more, got 0"),
        (START + "trunk: {options: {depths: [7]}}\n", "trunk, key depths.0: got 7; choose one of 2, 4, 8, 16, 32"),
        (START + "trunk: {name: papers}\n", "trunk, key name: got 'papers'; did you mean paper?"),
        (START + "trunk: {name: timm/resnet_18}\n", "trunk, key name: timm has no model 'resnet_18'; did you mean"),
        (START + "trunk: {name: timm/resnet18, pretrained: gone.pt}\n", "key pretrained: gone.pt: no such file"),
        (START + "seeds: []\n", "key seeds: expected 1 or more values, got []"),
        (START + "seeds: [0, -1]\n", "key seeds.1: expected 0 or more, got -1"),
        (START + "image_size: [96, -64]\n", "key image_size.1: expected 1 or more, got -64"),
        (START + "resamples: 0\n", "key resamples: expected 1 or more, got 0"),
        (START + "name: ../../x\n", "key name: expected a name of letters"),
        ("data: {name: wardrob}\nmethods: {whole: {kind: whole}}\n", "key data.name: got 'wardrob'; did you mean"),
        ("data: {name: wardrobe}\nmethods: null\n", "key methods: expected a mapping, got None"),
        ("data: {name: wardrobe}\nmethods: {}\n", "key methods: expected 1 or more values, got {}"),
        ("data: {name: wardrobe}\nmethods: {../x: {kind: whole}}\n", "expected a name of letters"),
    ],
)  # fmt: skip
def test_a_wrong_choice_or_number_of_any_method_is_told_in_one_line_before_anything_is_read(tmp_path, text, said):
    with pytest.raises(InputError) as refused:
        load_profile(written(tmp_path, text))
    message = str(refused.value)
    assert message.startswith(f"{tmp_path / 'mine.yaml'}, ")
    assert said in message
    assert "\n" not in message


def test_numbers_may_be_written_as_yaml_1_1_reads_text(tmp_path):
    text = START + "training: {learning_rate: 1e-3, weight_decay: 2E-2, clip: 3}\n"
    training = load_profile(written(tmp_path, text)).training
    assert (training.learning_rate, training.weight_decay, training.clip) == (0.001, 0.02, 3.0)
    assert type(training.clip) is float


def test_a_profile_that_is_no_text_is_named(tmp_path):
    (tmp_path / "mine.yaml").write_bytes(b"data: {name: \xff}\n")
    with pytest.raises(InputError, match=r"mine\.yaml: not text in UTF-8"):
        load_profile(str(tmp_path / "mine.yaml"))


ALIASES = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12)
)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (ALIASES + START, "more than 100,000 values"),
        (START + "tagging: &all {ccp: *all}\n", "nested too deep, or in itself"),
        (START + "training: " + "[" * 3000 + "]" * 3000, "nested too deep"),
        ("data: {name: wardrobe, options: {a: " + "[" * 300 + "]" * 300 + "}}\nmethods: {}\n", "nested too deep"),
        (START + "seeds: [1]\nseeds: [2]\n", "the key seeds stands 2 times"),
        (START + "seeds: [1, 1]\n", "name one twice"),
        (START + "seeds: [4294967296]\n", "key seeds.0: expected less than 4294967296"),
        (START + f"seeds: [{'9' * 5000}]\n", "not YAML"),
        (START + f"seeds: [0x{'f' * 20_000}]\n", "digits"),
        (START + "seeds: [!!int x]\n", "not YAML"),
        (START + "training: {2001-01-01: 1}\n", "keys must be str"),
        (START + 'name: "\\ud800"\n', "Invalid JSON"),
        (START + f"name: {'a ' * 500_000}\n", "key name: expected a name"),
        (START + f"name: {'a' * 101}\n", "key name: expected a name of letters"),
        (START + "tagging: {ccp: }\n", "key tagging.ccp: expected a mapping, got None"),
        (START + "tagging: {ccp: [1]}\n", "key tagging.ccp: expected a mapping, got [1]"),
        (START + "retrieval: [{a: 1}]\n", "key retrieval.{'a': 1}: got"),
        (START + "retrieval: {inshop: {data: [x]}}\n", "key retrieval, inshop: name the data set"),
        (START + "elsewhere: {a: b}\n", "key elsewhere.a: expected a mapping"),
        ("like: mine\n", "key like: got 'mine'; choose one of other"),
        ("like: ../../x\n", "key like: got '../../x'; choose one of other"),
        ("like: other\n", "key like: got 'mine'"),
    ],
    ids=range(22),
)  # fmt: skip
def test_a_profile_that_would_take_all_memory_or_holds_what_none_can_is_one_line(tmp_path, text, said):
    (tmp_path / "other.yaml").write_text("like: mine\n")
    with pytest.raises(InputError) as refused:
        load_profile(written(tmp_path, text))
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 600


@pytest.mark.parametrize("seeds", ["1,1", "9" * 5000, "10000000000"])
def test_seeds_that_no_run_can_have_are_refused(seeds):
    with pytest.raises(InputError, match="seeds"):
        load_profile("quick", seeds=seeds)
