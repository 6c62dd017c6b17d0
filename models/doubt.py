"""When a doubt is dispelled although few pictures are compared, and what would dispel it."""

from __future__ import annotations

from models.evidence import Evidence
from models.paired import Difference

ENOUGH = 300
"""Pictures of which none is lost: were one in a hundred, that would happen once in twenty times."""
DIFFERS = 0.01
"""Share of all that both were asked about on which they may differ."""
MOST = 0.8
"""Share of the current version's pictures that they have to agree on: a few prove nothing."""
BELIEVED = 0.5
"""Share of the new labels that the candidate itself has to find right: labels that it learned
from and contradicts all the same cost it how sure it is, whatever it answers."""
NOTED = 0.005
"""Share of the current version's pictures that have to be under another label to speak of it."""


def unharmed(evidence: Evidence, overall: Difference) -> bool:
    """Whether nothing at all is lost, where that says something.

    The interval imagines a loss, so that few pictures do not pass for certainty. Where no
    picture is lost there is none to imagine, if there are enough of them, or if both versions
    say the same of nearly all old ones, and of the new ones too: a few labels that moved no
    answer did no harm, whatever they are.
    """
    fresh = evidence.fresh
    if overall.lost or (len(fresh) and 1 - float(fresh.odd.mean()) < BELIEVED):
        return False
    differing = int((fresh.odd[fresh.asked] != fresh.odd_before).sum())
    asked = len(fresh.asked) == len(fresh) and overall.n >= MOST * evidence.had
    alike = asked and overall.gained + differing <= DIFFERS * (overall.n + len(fresh.asked))
    return overall.n >= ENOUGH or alike


def remedy(overall: Difference, risked: float) -> str:
    """What would dispel a doubt, as a sentence."""
    ways = "correct or erase what is wrong among these pictures"
    short = risked + overall.change
    if short > 0:
        reach = overall.change - overall.low
        more = int(overall.n * (reach / short) ** 2) - overall.n
        return (
            f"What would dispel it: {ways}, or have about {max(more, 1)} pictures more that both "
            "know; or promote it by hand."
        )
    return f"What would dispel it: {ways}; or promote it by hand."


def old_labels_wrong(evidence: Evidence, overall: Difference | None) -> str:
    """What to do if the current version's labels were the wrong ones; empty where they are not.

    The yardstick are its labels: a candidate that was told otherwise cannot be found better.
    """
    few = evidence.relabelled <= NOTED * evidence.had
    if overall is None or (overall.after >= 0.5 and few):
        return ""
    if overall.after >= 0.5:
        return (
            "If the labels were wrong before, say so by corrections, or promote this one by hand."
        )
    return (
        f"It disagrees with most labels of the current version's {overall.n} pictures: if those "
        "were wrong, correct or erase them, or promote this one by hand."
    )
