"""A verdict asked for later is a record that anybody can check, and no change to it goes unseen."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import insert, select, update

from classify import main, parse_arguments
from config import Settings
from domain import TaskKind
from engine import Engine
from records.canonical import digest
from records.checking import Result, check
from records.keys import Keys, PublicKey, public_keys
from records.packing import pack, unpack
from storage import schema
from tests.pictures import encode, photo
from tests.web.service import (
    PUBLIC,
    answering,
    bearer,
    client_of,
    error_of,
    file,
    jpeg,
    reopened,
)
from web.payloads.verdicts import KeysBody, SignedVerdictBody


def given(client: FlaskClient, seed: int = 0, task: str = "") -> dict[str, Any]:
    """A verdict, as it was answered."""
    document: dict[str, Any] = client.post(
        f"{task}/classify", data={"image": file(jpeg(seed))}
    ).get_json()
    return document


def record_of(client: FlaskClient, verdict_id: str) -> dict[str, Any]:
    """The same verdict, as it is asked for later and has gone through a file."""
    found: dict[str, Any] = json.loads(client.get(f"/verdicts/{verdict_id}").data)
    return found


def served_keys(client: FlaskClient) -> list[PublicKey]:
    return public_keys(client.get("/keys").data)


def test_verdict_is_a_valid_record_by_the_key_the_service_shows(taught: FlaskClient) -> None:
    answered = given(taught)
    record = record_of(taught, answered["id"])
    SignedVerdictBody.model_validate(record)
    assert {name: record[name] for name in answered} == answered
    assert check(record, served_keys(taught)).result is Result.VALID


def test_record_names_picture_model_data_embedder_and_evidence(engine: Engine) -> None:
    client = client_of(answering(engine))
    record = record_of(client, given(client)["id"])
    told, version = record["record"], engine.store.versions.current("authenticity")
    assert version is not None
    assert told["picture"] == {"sha256": record["image"]["sha256"], "bytes": len(jpeg())}
    assert (told["model"]["version"], told["model"]["sha256"]) == (version.id, version.sha256)
    assert told["embedder"]["id"] == engine.embedders[TaskKind.AUTHENTICITY].id
    assert told["evidence"] == {
        "pieces": len(record["evidence"]),
        "sha256": digest(record["evidence"]),
    }
    assert (told["answered_at"], told["late"]) == (record["created_at"], False)


def test_keys_are_shown_to_everybody_without_a_secret(settings: Settings) -> None:
    engine = reopened(settings, **PUBLIC)
    client = client_of(engine)
    response = client.get("/keys")
    assert response.status_code == 200
    KeysBody.model_validate(response.get_json())
    assert b"PRIVATE" not in response.data
    assert client.get("/verdicts/" + "0" * 32).status_code == 401
    engine.close()


def test_every_process_of_an_installation_signs_with_the_same_key(settings: Settings) -> None:
    engines = [reopened(settings) for _ in range(2)]
    first, second = (client_of(engine) for engine in engines)
    records = [record_of(first, given(second)["id"]), record_of(second, given(first)["id"])]
    assert len({record["signature"]["key_id"] for record in records}) == 1
    assert check(records[0], engines[1].keys.public()).result is Result.VALID
    for engine in engines:
        engine.close()


def rewrite(engine: Engine, verdict_id: str, seal: Any, **columns: Any) -> None:
    """Change a verdict behind the service's back: columns of its row, and its seal."""
    rows = schema.verdicts
    this = rows.c.id == verdict_id
    with engine.store.database.writing() as connection:
        detail = connection.execute(select(rows.c.detail).where(this)).scalar_one()
        changed = {"detail": {**detail, "seal": seal}, **columns}
        connection.execute(update(rows).where(this).values(changed))


def seal_of(engine: Engine, verdict_id: str) -> str:
    seal = engine.store.verdicts.get(verdict_id).seal
    assert seal is not None
    return seal


def test_verdict_changed_in_the_database_is_shown_as_it_was_signed(engine: Engine) -> None:
    client = client_of(answering(engine))
    verdict_id = given(client)["id"]
    before = record_of(client, verdict_id)
    rewrite(engine, verdict_id, seal_of(engine, verdict_id), prediction="ai", confidence=1.0)
    assert record_of(client, verdict_id) == before


def test_record_changed_in_the_database_is_no_longer_valid(engine: Engine) -> None:
    client = client_of(answering(engine))
    verdict_id = given(client)["id"]
    changed = {**record_of(client, verdict_id), "prediction": "ai"}
    rewrite(engine, verdict_id, pack(changed), prediction="ai")
    found = check(record_of(client, verdict_id), engine.keys.public())
    assert found.result is Result.ALTERED


@pytest.mark.parametrize("lost", ["gone", "cut off", "another form", "another verdict's"])
def test_verdict_that_lost_its_signature_is_not_signed_again(engine: Engine, lost: str) -> None:
    client = client_of(answering(engine))
    verdict_id, another = given(client)["id"], given(client, 1)["id"]
    left: dict[str, Any] = {
        "gone": None,
        "another form": {"fields": ["id"]},
        "cut off": seal_of(engine, verdict_id)[:-9],
        "another verdict's": seal_of(engine, another),
    }
    rewrite(engine, verdict_id, left[lost], prediction="ai")
    refused = client.get(f"/verdicts/{verdict_id}")
    assert refused.status_code == 409
    assert "changed in the database" in error_of(refused)["message"]
    assert client.get(f"/verdicts/{verdict_id}").status_code == 409


def test_verdict_from_before_records_is_signed_when_asked_for_and_says_so(engine: Engine) -> None:
    client = client_of(answering(engine))
    verdict_id = given(client)["id"]
    since = engine.keys.since()
    assert since is not None
    rewrite(engine, verdict_id, None, created_at=since - timedelta(days=1))
    record = record_of(client, verdict_id)
    SignedVerdictBody.model_validate(record)
    assert check(record, engine.keys.public()).result is Result.VALID
    assert record["record"]["late"] is True
    assert record["record"]["signed_at"] > record["record"]["answered_at"]
    assert record["record"]["corrections"]["sha256"] is None
    assert record["record"]["model"]["sha256"] == "0" * 64
    assert record_of(client, verdict_id) == record


def test_record_stays_valid_when_the_key_and_the_embedder_are_others(
    engine: Engine, settings: Settings
) -> None:
    client = client_of(answering(engine))
    verdict_id = given(client)["id"]
    before = record_of(client, verdict_id)
    Keys(settings.data_dir / "keys").renew()
    later = client_of(answering(engine, real=0.2, version_id="20261121T000001-abcdef"))
    assert record_of(later, verdict_id) == before
    assert check(before, served_keys(later)).result is Result.VALID
    again = record_of(later, given(later, 1)["id"])
    assert again["signature"]["key_id"] != before["signature"]["key_id"]
    assert len(served_keys(later)) == 2


def test_corrections_that_counted_are_told_apart(client: FlaskClient) -> None:
    def corrections() -> dict[str, Any]:
        told: dict[str, Any] = record_of(client, given(client)["id"])["record"]["corrections"]
        return told

    nothing = corrections()
    said = {"image": file(jpeg(1)), "label": "ai"}
    correction = client.post("/feedback", data=said).get_json()
    one = corrections()
    client.delete(f"/feedback/{correction['id']}")
    taken_back = corrections()
    assert [nothing["up_to"], one["up_to"], taken_back["up_to"]] == [0, 1, 2]
    assert nothing["sha256"] == taken_back["sha256"] != one["sha256"]


def test_task_of_many_odd_labels_has_valid_records(client: FlaskClient) -> None:
    labels = [f"ಅಕ್ಷರ {i} \u201c<b>\u201d" for i in range(25)]
    client.post("/tasks", json={"name": "letters", "labels": labels, "kind": "photo"})
    for seed, label in enumerate(labels[:3]):
        said = {"image": file(jpeg(seed)), "label": label}
        assert client.post("/tasks/letters/train", data=said).status_code == 201
    for task in ("/tasks/letters", ""):
        for seed in (0, 9):
            record = record_of(client, given(client, seed, task)["id"])
            assert check(record, served_keys(client)).result is Result.VALID


@pytest.mark.parametrize("count", [21, 50])
def test_answer_of_more_labels_than_are_kept_has_a_valid_record_that_says_the_same(
    client: FlaskClient, count: int
) -> None:
    labels = [f"label {i}" for i in range(count)]
    client.post("/tasks", json={"name": "letters", "labels": labels, "kind": "photo"})
    for seed, label in enumerate(labels):
        said = {"image": file(jpeg(seed, 32, 32)), "label": label}
        assert client.post("/tasks/letters/train", data=said).status_code == 201
    answered = given(client, count, "/tasks/letters")
    record = record_of(client, answered["id"])
    assert check(record, served_keys(client)).result is Result.VALID
    assert {name: record[name] for name in answered} == answered
    for told in (record["probabilities"], record["statistics"]["probabilities"]):
        assert len(told) == 11
        assert sum(told.values()) == pytest.approx(1)


def test_every_picture_of_a_batch_has_its_own_record(taught: FlaskClient) -> None:
    images = [file(jpeg(seed)) for seed in range(3)]
    results = taught.post("/batch_classify", data={"images": images}).get_json()["results"]
    records = [record_of(taught, result["id"]) for result in results]
    assert len({record["record"]["picture"]["sha256"] for record in records}) == 3
    assert {check(one, served_keys(taught)).result for one in records} == {Result.VALID}


def test_damaged_keys_stop_the_start_and_not_the_service(
    engine: Engine, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    client = client_of(answering(engine))
    newer = settings.data_dir / "keys" / "0002"
    newer.mkdir()
    (newer / "private.pem").write_text("damaged")
    assert check(record_of(client, given(client)["id"]), engine.keys.public()).result is (
        Result.VALID
    )
    assert "goes on signing" in caplog.text


def test_answer_with_everything_that_can_be_asked_for_is_a_valid_record(
    client: FlaskClient,
) -> None:
    client.post("/tasks", json={"name": "letters", "labels": ["a", "b"], "kind": "drawing"})
    for seed in range(6):
        said = {"image": file(jpeg(seed)), "label": "ab"[seed % 2]}
        assert client.post("/tasks/letters/train", data=said).status_code == 201
    asked = client.post(
        "/tasks/letters/classify?stability=1&explain=1", data={"image": file(jpeg(9))}
    ).get_json()
    record = record_of(client, asked["id"])
    SignedVerdictBody.model_validate(record)
    assert record["stability"] and record["explained"] and record["nearest"]
    assert check(record, served_keys(client)).result is Result.VALID


def test_row_of_a_verdict_is_not_large(engine: Engine) -> None:
    client = client_of(answering(engine))
    answered = given(client)
    with engine.store.database.reading() as connection:
        detail = connection.execute(select(schema.verdicts.c.detail)).scalar_one()
    assert len(detail["seal"]) < 1000
    assert len(json.dumps(detail)) < 2000
    assert unpack(detail["seal"])["id"] == answered["id"]


def test_verdict_kept_by_an_earlier_version_is_shown_as_it_was_signed(engine: Engine) -> None:
    """Where this fails, what was kept can no longer be unpacked: a new form leaves the old one."""
    kept = json.loads((Path(__file__).parent / "kept_verdict.json").read_text("utf-8"))
    row = kept["row"]
    for name in ("created_at", "trained_at"):
        row[name] = datetime.fromisoformat(row[name])
    row["task_id"] = engine.store.tasks.get("authenticity").id
    with engine.store.database.writing() as connection:
        connection.execute(insert(schema.verdicts), row)
    record = record_of(client_of(engine), row["id"])
    assert check(record, public_keys(json.dumps(kept["key"]).encode())).result is Result.VALID


# --- by hand: from the service to the command ---


@pytest.fixture
def files(tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with a picture; the command's settings come from the environment."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATA_DIR", str(settings.data_dir))
    monkeypatch.setenv("ENCODER", "builtin")
    (tmp_path / "photo.png").write_bytes(encode(photo(1), "PNG"))
    yield tmp_path


def test_record_written_by_the_command_is_verified_by_it(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record = ["--record", "verdict.json"]
    assert main(parse_arguments(["--image", "photo.png", *record])) == 0
    check_it = ["--verify", "verdict.json", "--picture", "photo.png"]
    assert main(parse_arguments(check_it)) == 0
    assert "VALID" in capsys.readouterr().out
    changed = (files / "verdict.json").read_text().replace('"unsure"', '"ai"')
    (files / "verdict.json").write_text(changed)
    assert main(parse_arguments(["--verify", "verdict.json", "--json"])) == 1
    assert json.loads(capsys.readouterr().out)["result"] == "altered"


def test_record_of_the_service_is_verified_with_the_keys_it_shows(
    files: Path, taught: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    verdict_id = given(taught)["id"]
    (files / "verdict.json").write_bytes(taught.get(f"/verdicts/{verdict_id}").data)
    (files / "keys.json").write_bytes(taught.get("/keys").data)
    monkeypatch.setenv("DATA_DIR", str(files / "elsewhere"))
    arguments = ["--verify", "verdict.json", "--key", "keys.json"]
    assert main(parse_arguments(arguments)) == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ["--image", "a.png", "--key", "k.json"],
        ["--image", "a.png", "--picture", "b.png"],
        ["--batch", "d", "--record", "r.json"],
    ],
)
def test_options_that_go_with_another_are_refused(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse_arguments(arguments)
    assert ended.value.code == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ["--image", "a.png"],
        ["--stability"],
        ["--explain"],
        ["--task", "smile"],
        ["--task", "authenticity"],
        ["--heatmap", "h.png"],
        ["--record", "r.json"],
        ["--odd"],
        ["--key"],
    ],
)
def test_wrong_usage_of_checking_is_not_taken_for_another_key(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse_arguments(["--verify", "r.json", *arguments])
    assert ended.value.code == 3
    with pytest.raises(SystemExit) as ended:
        parse_arguments(["--verify=r.json", *arguments])
    assert ended.value.code == 3


# --- who may read whose names ---


@pytest.mark.parametrize(("public", "named"), [(True, False), (False, True)])
def test_people_are_named_only_where_a_key_is_asked_for(
    settings: Settings, public: bool, named: bool
) -> None:
    keys = {"feedback_keys": (("alice-smith", "alice-key"),), "api_key": "api-key"}
    engine = reopened(settings, **PUBLIC, **keys, public_classify=public)
    client = client_of(engine)
    said = {"image": file(jpeg(0)), "label": "ai"}
    assert client.post("/feedback", data=said, headers=bearer("alice-key")).status_code == 201
    asked = {} if public else bearer("api-key")
    answers = [
        client.post("/classify", data={"image": file(data)}, headers=asked)
        for data in (jpeg(0), encode(photo(0, 96, 64), "PNG"))
    ]
    sources = [answer.get_json()["source"] for answer in answers]
    assert sources == ["memory", "similar"]
    ids = [answer.get_json()["id"] for answer in answers]
    answers += [client.get(f"/verdicts/{one}", headers=asked) for one in ids]
    for answer in answers:
        assert answer.status_code == 200
        assert (b"alice-smith" in answer.data) is named
    engine.close()


def test_a_verdict_that_names_people_from_before_it_was_public_needs_a_key(
    settings: Settings,
) -> None:
    keys = {"feedback_keys": (("alice-smith", "alice-key"), ("bob", "bob-key"))}
    engine = reopened(settings, **PUBLIC, **keys)
    client = client_of(engine)
    for seed, label, key in (
        (0, "ai", "alice-key"),
        (9, "ai", "alice-key"),
        (9, "real", "bob-key"),
    ):
        said = {"image": file(jpeg(seed)), "label": label}
        assert client.post("/feedback", data=said, headers=bearer(key)).status_code == 201
    pictures = (jpeg(0), encode(photo(0, 96, 64), "PNG"), jpeg(9), jpeg(5))
    given = [
        client.post("/classify", data={"image": file(one)}, headers=bearer("bob-key")).get_json()
        for one in pictures
    ]
    assert [one["source"] for one in given] == ["memory", "similar", "memory", "none"]
    assert any("People differ" in reason for reason in given[2]["reasons"])
    engine.close()

    engine = reopened(settings, **PUBLIC, **keys, public_classify=True)
    client = client_of(engine)
    anonymous = [client.get(f"/verdicts/{one['id']}") for one in given]
    with_key = [client.get(f"/verdicts/{one['id']}", headers=bearer("bob-key")) for one in given]
    engine.close()

    assert [one.status_code for one in anonymous] == [401, 401, 401, 200]
    assert not any(b"alice" in one.data for one in anonymous)
    assert [one.status_code for one in with_key] == [200] * 4
    assert all(b"alice-smith" in one.data for one in with_key[:3])


def test_names_of_people_need_a_key_of_feedback_even_where_classifying_is_public(
    settings: Settings,
) -> None:
    engine = reopened(settings, **PUBLIC, public_classify=True)
    assert error_of(client_of(engine).get("/feedback"))["code"] == "unauthorized"
    engine.close()
