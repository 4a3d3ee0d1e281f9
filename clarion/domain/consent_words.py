"""The words with which people stop messages, ask for them again, or ask what this is; by language.

A word counts only where it is the whole message, so that "please don't stop" stops nothing. English has
what the carriers of the USA agree on (CTIA, Messaging Principles and Best Practices, 5.1.3) as gateways
apply it; the others what services in these languages ask people to write. Words that say something else as
well are left out or bounded: a yes answers questions too, "alta" is "high", and Arabic's "begin!" is
"never" once it is spelled without its signs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

from clarion.domain.consent import LONGEST, folded


class Meaning(StrEnum):
    """What a person's word says of consent. `YES` starts for whoever had opted out, else it is a mere yes."""

    STOP = "stop"
    START = "start"
    YES = "yes"
    HELP = "help"


class Word(NamedTuple):
    """One word, or a few, of one language (BCP 47)."""

    language: str
    meaning: Meaning
    word: str


_STOP, _START, _HELP = Meaning.STOP, Meaning.START, Meaning.HELP
_WORDS: Mapping[str, Mapping[Meaning, tuple[str, ...]]] = {
    "en": {
        _STOP: ("stop", "stop all", "unsubscribe", "cancel", "end", "quit", "opt out", "revoke"),
        _START: ("start", "unstop", "subscribe"),
        Meaning.YES: ("yes",),
        _HELP: ("help", "info"),
    },
    "fr": {
        _STOP: ("arrêt", "arrêter", "arrête", "désabonner", "désabonnement", "désinscrire", "désinscription"),
        _START: ("commencer", "démarrer", "reprendre", "réabonner"),
        _HELP: ("aide",),
    },
    "es": {
        _STOP: ("parar", "alto", "baja", "cancelar", "detener", "darme de baja", "no más mensajes"),
        _START: ("iniciar", "comenzar", "reanudar", "suscribir", "suscribirme"),
        _HELP: ("ayuda",),
    },
    "pt": {
        _STOP: ("parar", "pare", "sair", "cancelar", "descadastrar", "não quero mais mensagens"),
        _START: ("iniciar", "começar", "retomar"),
        _HELP: ("ajuda",),
    },
    "ar": {
        _STOP: ("إيقاف", "أوقف", "توقف", "قف", "إلغاء", "إلغاء الاشتراك"),
        _START: ("اشتراك", "اشترك", "استئناف"),
        _HELP: ("مساعدة",),
    },
    "am": {
        _STOP: ("አቁም", "አቁሙ", "አቁሚ", "ይቁም", "አቋርጥ", "ስቶፕ"),
        _START: ("ጀምር", "ጀምሩ", "ጀምሪ", "ስታርት"),
        _HELP: ("እርዳታ", "እገዛ"),
    },
    "sw": {
        _STOP: ("simamisha", "sitisha", "komesha", "jiondoe", "jitoe"),
        _START: ("anza", "jiunge"),
        _HELP: ("msaada", "usaidizi"),
    },
    "hi": {
        _STOP: ("रोकें", "रोको", "रुकें", "रुको", "बंद", "बन्द", "बंद करें", "बंद करो"),
        _START: ("शुरू", "शुरू करें", "शुरू करो", "चालू", "चालू करें"),
        _HELP: ("मदद", "सहायता"),
    },
}
# Where the workspace speaks this language alone: elsewhere "acha" is Hindi's "all right".
_AT_HOME: Mapping[str, tuple[Word, ...]] = {
    "sw": (Word("sw", _STOP, "acha"), Word("sw", _STOP, "wacha")),
}
BUILT_IN: tuple[Word, ...] = tuple(
    Word(language, meaning, word)
    for language, meanings in _WORDS.items()
    for meaning, words in meanings.items()
    for word in words
)
KEPT: Mapping[str, Meaning] = MappingProxyType({"stop": _STOP, "start": _START, "help": _HELP})
"""What cannot be taken out: whatever else a workspace decides, these can be relied on."""
_URGENT = tuple(Meaning)  # of two meanings of one word, the first counts


@dataclass(frozen=True, slots=True)
class Understood:
    """What somebody's message says of consent. `language` is the word's where it has one of its own: English
    words are written by everybody, and say nothing of who writes them."""

    meaning: Meaning
    language: str | None = None


class Words:
    """All that count in one workspace, ready to be looked up."""

    def __init__(self, words: Iterable[Word]) -> None:
        """Of two meanings of one word stopping goes first."""
        found: dict[str, dict[Meaning, set[str]]] = {}
        for language, meaning, word in words:
            if key := folded(word):
                found.setdefault(key, {}).setdefault(meaning, set()).add(language)
        self._found = {key: _understood(meanings) for key, meanings in found.items()}

    def understand(self, text: str) -> Understood | None:
        """What a whole message says: " STOP! ", "Stop all", "arret" stop; None for any other."""
        if len(text) > LONGEST:
            return None
        return self._found.get(folded(text))


def built_in(home: str) -> tuple[Word, ...]:
    """What counts in a workspace of this language (BCP 47) before it says otherwise."""
    return BUILT_IN + _AT_HOME.get(home.partition("-")[0], ())


def _understood(meanings: Mapping[Meaning, set[str]]) -> Understood:
    meaning = min(meanings, key=_URGENT.index)
    languages = meanings[meaning]
    own = next(iter(languages)) if len(languages) == 1 and "en" not in languages else None
    return Understood(meaning, own)
