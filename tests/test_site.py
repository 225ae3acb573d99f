"""Which chapters the book of a profile has."""

import yaml

from fashionlib.site import contents_of

CHAPTERS = ("method", "runs/wardrobe/table1", "runs/wardrobe/topk", "runs/ablation-ccp/ablation")


def test_a_profiles_book_has_its_own_runs_and_those_published_of_no_other_in_its_place(tmp_path, monkeypatch):
    monkeypatch.setenv("FASHIONLIB_HOME", str(tmp_path))
    (tmp_path / "profiles").mkdir()
    chapters = [{"file": name} for name in CHAPTERS]
    (tmp_path / "_toc.yml").write_text(yaml.safe_dump({"root": "index", "parts": [{"chapters": chapters}]}))
    for run in ("quick/table1", "ablation-ccp/ablation"):  # quick has no topk
        path = tmp_path / "book" / "runs" / f"{run}.ipynb"
        path.parent.mkdir(parents=True)
        path.write_text("{}")
    kept = [chapter["file"] for chapter in contents_of("quick")["parts"][0]["chapters"]]
    assert kept == ["method", "runs/quick/table1", "runs/ablation-ccp/ablation"]
