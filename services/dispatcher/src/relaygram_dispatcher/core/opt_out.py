"""Is a message the wish to get no more of them?"""

import unicodedata
from collections.abc import Iterable

from relaygram_dispatcher.core.matching import folded

# In languages that people are likely to use; words that say little else when they are the whole message.
DEFAULT_WORDS = (
    "STOP", "STOP ALL", "STOPALL", "UNSUBSCRIBE", "OPT OUT", "OPTOUT", "OPT-OUT",
    "STOPP", "ABMELDEN", "ABBESTELLEN",
    "BAJA", "ALTO", "PARAR", "DESCADASTRAR",
    "ARRÊT", "ARRET", "ARRÊTER", "ARRETER", "DÉSABONNER", "DESABONNER",
    "CANCELLAMI", "DISISCRIVIMI", "AFMELDEN", "AVSLUTA", "WYPISZ", "DUR",
    "СТОП", "ОТПИСАТЬСЯ", "ОТПИСКА", "ВІДПИСАТИСЯ",
    "إيقاف", "توقف", "रोकें", "停止", "退订", "退訂", "配信停止", "수신거부", "중지", "BERHENTI",
)  # fmt: skip


def _bare(text: str) -> str:
    """Without what stands around the words: spaces, punctuation, signs, the slash and the name of a bot's command."""
    text = folded(text).strip()
    if text.startswith("/"):
        text = text.partition("@")[0]
    start, end = 0, len(text)
    while start < end and not _in_word(text[start]):
        start += 1
    while end > start and not _in_word(text[end - 1]):
        end -= 1
    return text[start:end]


def _in_word(character: str) -> bool:
    return unicodedata.category(character)[0] in "LMN"


class OptOutWords:
    """Words that mean it when they are the whole message."""

    def __init__(self, words: Iterable[str]) -> None:
        self._words = frozenset(bare for word in words if (bare := _bare(word)))

    def wanted(self, text: str) -> bool:
        """Does this person want no more messages?"""
        return _bare(text) in self._words
