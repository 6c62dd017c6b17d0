"""What a manifest store comes down to; those that a test cannot have signed are written out."""

from __future__ import annotations

from typing import Any

import pytest

from provenance.manifest import sum_up

IPTC = "http://cv.iptc.org/newscodes/digitalsourcetype/"


def manifest(*actions: tuple[str, str], ingredients: tuple[Any, ...] = ()) -> dict[str, Any]:
    told = [
        {"action": action, **({"digitalSourceType": IPTC + word} if word else {})}
        for action, word in actions
    ]
    return {
        "claim_generator": "Tests/1",
        "assertions": [{"label": "c2pa.actions.v2", "data": {"actions": told}}],
        "ingredients": list(ingredients),
    }


def store(active: dict[str, Any], *codes: str, **earlier: dict[str, Any]) -> dict[str, Any]:
    return {
        "active_manifest": "now",
        "manifests": {"now": active, **earlier},
        "validation_results": {"activeManifest": {"failure": [{"code": code} for code in codes]}},
    }


def ingredient(of: str, relationship: str = "parentOf", *faults: str) -> dict[str, Any]:
    return {
        "active_manifest": of,
        "relationship": relationship,
        "instance_id": f"xmp:{of}",
        "validation_status": [{"code": fault} for fault in faults],
    }


MADE = manifest(("c2pa.created", "trainedAlgorithmicMedia"))
TAKEN = manifest(("c2pa.created", "digitalCapture"))
OPENED = ("c2pa.opened", "")


@pytest.mark.parametrize(
    ("codes", "status"),
    [
        ((), "valid"),
        (("signingCredential.untrusted",), "untrusted_issuer"),
        (("signingCredential.expired",), "expired"),
        (("signingCredential.untrusted", "claimSignature.outsideValidity"), "expired"),
        (("assertion.dataHash.mismatch",), "tampered"),
        (("signingCredential.expired", "claimSignature.mismatch"), "tampered"),
        (("assertion.missing",), "tampered"),
        (("signingCredential.ocsp.revoked",), "invalid"),
        (("cawg.ica.did_unavailable",), "valid"),
    ],
)
def test_the_status_is_that_of_the_worst_fault(codes: tuple[str, ...], status: str) -> None:
    assert sum_up(store(TAKEN, *codes))["status"] == status


def test_the_beginning_is_found_through_every_edit() -> None:
    once = manifest(OPENED, ingredients=(ingredient("first"),))
    twice = manifest(OPENED, ingredients=(ingredient("once"),))
    said = sum_up(store(twice, once=once, first=MADE))
    assert (said["source_type"], said["partly"]) == ("trainedAlgorithmicMedia", False)


def test_a_generated_part_does_not_make_a_photograph_generated() -> None:
    mixed = manifest(OPENED, ingredients=(ingredient("a"), ingredient("b", "componentOf")))
    said = sum_up(store(mixed, a=TAKEN, b=MADE))
    assert (said["source_type"], said["partly"]) == ("digitalCapture", True)


def test_what_a_picture_was_only_modelled_on_is_no_part_of_it() -> None:
    drawn = manifest(("c2pa.created", "digitalArt"), ingredients=(ingredient("a", "inputTo"),))
    assert sum_up(store(drawn, a=MADE))["partly"] is False


def test_an_opened_component_is_the_picture_itself() -> None:
    opened = manifest(ingredients=(ingredient("a", "componentOf"),))
    told = {"action": "c2pa.opened", "parameters": {"instanceId": "xmp:a"}}
    opened["assertions"][0]["data"]["actions"] = [told]
    assert sum_up(store(opened, a=MADE))["source_type"] == "trainedAlgorithmicMedia"


def test_an_edit_of_nothing_is_a_making() -> None:
    drawn = manifest(("c2pa.edited", "trainedAlgorithmicMedia"))
    said = sum_up(store(drawn))
    assert (said["source_type"], said["partly"]) == ("trainedAlgorithmicMedia", False)


def test_an_earlier_state_that_was_forged_does_not_count() -> None:
    edited = manifest(OPENED, ingredients=(ingredient("a", "parentOf", "claimSignature.mismatch"),))
    said = sum_up(store(edited, a=MADE))
    assert (said["source_type"], said["partly"]) == ("", False)


def test_states_that_name_each_other_end() -> None:
    many = (*(ingredient(str(i)) for i in range(60)), ingredient("now"))
    edited = manifest(OPENED, ingredients=many)
    said = sum_up(store(edited, **{str(i): edited for i in range(60)}))
    assert said["source_type"] == ""


def test_the_source_type_may_be_plain_metadata() -> None:
    plain = manifest()
    data = {"Iptc4xmpExt:DigitalSourceType": IPTC + "trainedAlgorithmicMedia"}
    plain["assertions"].append({"label": "stds.iptc", "data": data})
    assert sum_up(store(plain))["source_type"] == "trainedAlgorithmicMedia"


def test_the_tools_of_a_model_are_named_through_every_state() -> None:
    first = manifest(("c2pa.created", "trainedAlgorithmicMedia"))
    first["assertions"][0]["data"]["actions"][0]["softwareAgent"] = "Firefly"
    opened = ("c2pa.opened", "compositeWithTrainedAlgorithmicMedia")
    filled = manifest(
        opened, ("c2pa.edited", "trainedAlgorithmicMedia"), ingredients=(ingredient("a"),)
    )
    data = filled["assertions"][0]["data"]
    data["softwareAgents"] = [{"name": "Fill", "version": "2"}]
    data["actions"][1]["softwareAgentIndex"] = 0
    assert sum_up(store(filled, a=first))["ai_tools"] == ["Fill 2", "Firefly"]


def test_a_tool_without_a_name_is_the_one_that_claims() -> None:
    assert sum_up(store(MADE))["ai_tools"] == ["Tests/1"]
    assert sum_up(store(TAKEN))["ai_tools"] == []


def test_the_tools_of_a_mere_model_are_not_those_of_the_picture() -> None:
    drawn = manifest(("c2pa.created", "digitalArt"), ingredients=(ingredient("a", "inputTo"),))
    assert sum_up(store(drawn, a=MADE))["ai_tools"] == []


def test_whether_the_signer_is_trusted_is_told_apart() -> None:
    expired = "signingCredential.expired"
    assert sum_up(store(TAKEN, expired))["trusted"] is True
    assert sum_up(store(TAKEN, expired, "signingCredential.untrusted"))["trusted"] is False


def test_long_names_are_cut() -> None:
    long = manifest(*[("c2pa.edited" * 50, "")] * 100)
    said = sum_up(store({**long, "claim_generator": "x" * 5000}))
    assert len(said["generator"]) < 200 and len(said["actions"]) < 50
    assert max(map(len, said["actions"])) < 200
