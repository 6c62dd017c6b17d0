"""What a C2PA manifest store comes down to: who signed, does it hold, where the picture is from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from provenance.sources import is_generated, is_partly, word_of

Table = Mapping[str, Any]

MAX_STATES = 100
"""Earlier states of a picture and of its parts that are looked at."""
MAX_ACTIONS = 20
MAX_WORDS = 120
TRUST = frozenset({"signingCredential.untrusted"})
EXPIRED = frozenset({"signingCredential.expired", "claimSignature.outsideValidity"})
NOT_INTACT = (
    ".mismatch",
    ".missing",
    "hashedURI",
    "dataHash",
    "bmffHash",
    "boxesHash",
    ".malformed",
)


def sum_up(store: Table) -> dict[str, Any]:
    """Put a manifest store, as the C2PA library reports it, into a few words.

    Raises
    ------
    KeyError, TypeError, AttributeError, ValueError
        It is not built like one. This runs where that does no harm.

    Returns
    -------
    dict
        `status` (`valid`, `untrusted_issuer`, `expired`, `tampered` or `invalid`), `source_type`
        (the last word of the digital source type of what the picture began as, or ""),
        `partly` (whether parts of it come from a generative model), `generator` (the program
        that made the claim), `issuer`, `trusted`, `signed_at`, `actions` (by name, in order),
        `ai_tools` (the generative models that had a hand in it, as they are named), `failures`.
    """
    manifests: Table = store["manifests"]
    active: Table = manifests[store["active_manifest"]]
    failures = _failures(store)
    signature: Table = active.get("signature_info") or {}
    actions = _actions(active)
    known: dict[str, tuple[str, bool]] = {}
    origin, partly = _origin(manifests, store["active_manifest"], known)
    return {
        "status": _status(failures),
        "source_type": origin,
        "partly": partly,
        "generator": _generator(active),
        "issuer": _short(signature.get("issuer")),
        "trusted": not TRUST & set(failures),
        "signed_at": _short(signature.get("time")),
        "actions": [_short(one.get("action")) for one in actions[:MAX_ACTIONS]],
        "ai_tools": _ai_tools(manifests[state] for state in known if state in manifests),
        "failures": failures[:MAX_ACTIONS],
    }


def _failures(store: Table) -> list[str]:
    """What is wrong with the newest manifest; an earlier state's faults are judged on their own.

    Identity assertions (cawg) say who the author is, which is not asked here.
    """
    results: Table = store["validation_results"]
    failed: Sequence[Table] = (results.get("activeManifest") or {}).get("failure") or ()
    return [_short(one["code"]) for one in failed if not str(one["code"]).startswith("cawg.")]


def _status(failures: Sequence[str]) -> str:
    rest = set(failures) - TRUST
    if rest and rest <= EXPIRED:
        return "expired"
    if rest:
        broken = any(sign in code for code in rest for sign in NOT_INTACT)
        return "tampered" if broken else "invalid"
    return "untrusted_issuer" if failures else "valid"


def _origin(manifests: Table, label: str, known: dict[str, tuple[str, bool]]) -> tuple[str, bool]:
    """What the picture began as, and whether a generative model has had a hand in it since.

    `known` has the answers so far, so that each state is looked at once, however often it is
    named; one that is its own ancestor began as nothing.
    """
    if label in known or len(known) == MAX_STATES:
        return known.get(label, ("", False))
    known[label] = ("", False)
    manifest = manifests[label]
    begun, edited = _begun(manifest), _edits(manifest)
    partly = bool(edited)
    for ingredient in manifest.get("ingredients") or ():
        parent = not begun and _is_parent(manifest, ingredient)
        only_a_model_for_it = not parent and ingredient.get("relationship") == "inputTo"
        if only_a_model_for_it or not _is_intact(manifests, ingredient):
            continue
        word, mixed = _origin(manifests, ingredient["active_manifest"], known)
        if parent:
            begun, partly = word, partly or mixed
        else:
            partly = partly or mixed or is_generated(word) or is_partly(word)
    if not begun and not manifest.get("ingredients") and any(map(is_generated, edited)):
        begun, partly = next(filter(is_generated, edited)), False  # of nothing: all is generated
    known[label] = begun, partly or is_partly(begun)
    return known[label]


def _begun(manifest: Table) -> str:
    """The source type that a state itself says the picture began as."""
    for action in _actions(manifest):
        if action.get("action") == "c2pa.created" and action.get("digitalSourceType"):
            return word_of(action["digitalSourceType"])
    return next(_declared(manifest), "")


def _edits(manifest: Table) -> list[str]:
    """The source types of changes in which a generative model had a hand."""
    changes = (one for one in _actions(manifest) if one.get("action") != "c2pa.created")
    words = [word_of(change.get("digitalSourceType")) for change in changes]
    return [word for word in words if is_generated(word) or is_partly(word)]


def _is_intact(manifests: Table, ingredient: Table) -> bool:
    """Whether an earlier state has a manifest, and it holds."""
    faults = ingredient.get("validation_status") or ()
    holds = all(fault["code"] in TRUST | EXPIRED for fault in faults)
    return holds and ingredient.get("active_manifest") in manifests


def _is_parent(manifest: Table, ingredient: Table) -> bool:
    """Whether the picture is this one, changed; Photoshop says so only by having opened it."""
    if ingredient.get("relationship") == "parentOf":
        return True
    for action in _actions(manifest):
        told = (action.get("parameters") or {}).get("instanceId") or action.get("instanceId")
        if action.get("action") == "c2pa.opened" and told:
            return bool(told == ingredient.get("instance_id"))
    return False


def _actions(manifest: Table) -> list[Table]:
    found: list[Table] = []
    for assertion in manifest.get("assertions") or ():
        if str(assertion["label"]).startswith("c2pa.actions"):
            data: Table = assertion["data"]
            agents = data.get("softwareAgents") or ()
            for action in data.get("actions") or ():
                at = action.get("softwareAgentIndex")
                named = isinstance(at, int) and 0 <= at < len(agents)
                found.append({**action, "softwareAgent": agents[at]} if named else action)
    return found


def _ai_tools(states: Iterable[Table]) -> list[str]:
    """What is named as the maker where a generative model was at work, each once."""
    found: dict[str, None] = {}
    for state in states:
        for action in _actions(state):
            word = word_of(action.get("digitalSourceType"))
            if action.get("action") != "c2pa.opened" and (is_generated(word) or is_partly(word)):
                found[_named(action.get("softwareAgent")) or _generator(state)] = None
        if not found and any(map(is_generated, _declared(state))):
            found[_generator(state)] = None
    return [tool for tool in found if tool][:MAX_ACTIONS]


def _named(program: object) -> str:
    """A program's name and version; either form that the standard has had."""
    if isinstance(program, Mapping):
        return _short(f"{program.get('name') or ''} {program.get('version') or ''}".strip())
    return _short(program)


def _declared(manifest: Table) -> Iterator[str]:
    """The source type where it is said as plain metadata (IPTC), not as an action."""
    for assertion in manifest.get("assertions") or ():
        data = assertion.get("data")
        for key, value in data.items() if isinstance(data, dict) else ():
            if key.lower().endswith("digitalsourcetype") and isinstance(value, str):
                yield word_of(value)


def _generator(manifest: Table) -> str:
    told = manifest.get("claim_generator_info")
    return _named(told[0] if told else None) or _short(manifest.get("claim_generator"))


def _short(said: object) -> str:
    return str(said)[:MAX_WORDS] if said else ""
