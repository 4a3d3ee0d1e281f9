"""Courtesies: what we answer to a word about consent, and to a time that a sequence takes. Each once, and the
same for everybody who reads that language: nothing of a person is in it, so it can always be said.

A confirmation of an opt-out tells that it was heard and how to come back, and nothing else: more would be
one more message to somebody who asked for none (47 CFR 64.1200(a)(12)).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import timedelta
from types import MappingProxyType

from clarion.domain.consent_words import Meaning
from clarion.domain.content import Content, Form, MailForm, TextForm, Variant

KIND = "courtesy"
PRIORITY = 5  # before everything: somebody has just written
# As the same rule has it for confirming a revocation by text; later it is no answer any more.
PATIENCE = timedelta(minutes=5)
AGAIN = timedelta(days=1)  # until an address is answered the same once more: programs answer us too
STEPS: Mapping[Meaning, int] = MappingProxyType({Meaning.STOP: 1, Meaning.START: 2, Meaning.HELP: 3})
"""Which step of the channel's courtesies answers what; a number is never given to another."""
TIME_STEP = 4
"""The step of what confirms a time that somebody chose by reply (`domain.replies`)."""
LONGEST_TEXT = 600

_STOP: Mapping[str, str] = {
    "en": "{us}: you will get no more messages from us. To get them again, write START.",
    "fr": "{us} : vous ne recevrez plus nos messages. Pour les recevoir à nouveau, écrivez START.",
    "es": "{us}: no recibirá más mensajes nuestros. Para volver a recibirlos, escriba START.",
    "pt": "{us}: não vai receber mais mensagens nossas. Para voltar a receber, escreva START.",
    "ar": "{us}: لن تصلك رسائل منا بعد الآن. لتصلك من جديد اكتب START.",
    "am": "{us}፦ ከእኛ ተጨማሪ መልእክት አይደርስዎትም። እንደገና እንዲደርስዎት START ብለው ይጻፉ።",
    "sw": "{us}: hutapokea tena ujumbe kutoka kwetu. Ili kuupokea tena, andika START.",
    "hi": "{us}: अब आपको हमारे संदेश नहीं मिलेंगे। फिर से पाने के लिए START लिखें।",
}
_START: Mapping[str, str] = {
    "en": "{us}: you will get our messages again. To get no more, write STOP. For help, write HELP.",
    "fr": "{us} : vous recevrez à nouveau nos messages. Pour ne plus en recevoir, écrivez STOP.",
    "es": "{us}: volverá a recibir nuestros mensajes. Para no recibir más, escriba STOP.",
    "pt": "{us}: vai voltar a receber as nossas mensagens. Para não receber mais, escreva STOP.",
    "ar": "{us}: ستصلك رسائلنا من جديد. لإيقافها اكتب STOP.",
    "am": "{us}፦ መልእክቶቻችን እንደገና ይደርስዎታል። እንዲቆም STOP ብለው ይጻፉ።",
    "sw": "{us}: utapokea ujumbe wetu tena. Ili usipokee tena, andika STOP.",
    "hi": "{us}: अब आपको हमारे संदेश फिर से मिलेंगे। रोकने के लिए STOP लिखें।",
}
_HELP: Mapping[str, str] = {
    "en": "{us}: this is where our messages come from. To get no more, write STOP. To get them, write START.",
    "fr": "{us} : nos messages viennent d'ici. Pour les arrêter, écrivez STOP. Pour les recevoir, START.",
    "es": "{us}: desde aquí enviamos nuestros mensajes. Para detenerlos, escriba STOP. Para recibir, START.",
    "pt": "{us}: as nossas mensagens vêm daqui. Para não receber mais, escreva STOP. Para receber, START.",
    "ar": "{us}: من هنا نرسل رسائلنا. لإيقافها اكتب STOP، ولاستلامها اكتب START.",
    "am": "{us}፦ መልእክቶቻችን የሚላኩት ከዚህ ነው። እንዲቆም STOP፣ እንዲደርስዎት START ብለው ይጻፉ።",
    "sw": "{us}: ujumbe wetu hutoka hapa. Ili usipokee tena andika STOP; ili upokee andika START.",
    "hi": "{us}: हमारे संदेश यहाँ से आते हैं। रोकने के लिए STOP, पाने के लिए START लिखें।",
}
DEFAULTS: Mapping[Meaning, Mapping[str, str]] = MappingProxyType(
    {Meaning.STOP: _STOP, Meaning.START: _START, Meaning.HELP: _HELP}
)
"""Text by language; `{us}` stands for the workspace's name."""


def content(texts: Mapping[str, str], us: str, kinds: Collection[str]) -> Content | None:
    """Texts by language as content of a kind that the provider carries (`kinds`): a text, or a mail whose
    subject is our name (`us`). Whoever reads none of the languages reads English, as the carriers' words
    are. None where the provider carries neither."""
    name = _plain(us)
    if not {"text", "email"} & set(kinds):
        return None
    said: dict[str | None, str] = {tag: text.replace("{us}", name) for tag, text in sorted(texts.items())}
    if "en" in said:
        said[None] = said["en"]
    return Content(
        variants=tuple(
            Variant(language=language, content=_form(text, name, mail="text" not in kinds))
            for language, text in said.items()
        )
    )


def _form(text: str, name: str, *, mail: bool) -> Form:
    if mail:
        return MailForm(kind="email", subject=name, text=text)
    return TextForm(kind="text", text=text)


def _plain(us: str) -> str:
    """A name that no template takes for something to fill in."""
    return us.replace("{", "(").replace("}", ")")
