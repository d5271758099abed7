"""What this gateway has last heard of each campaign, from doorbells and from PostgreSQL; the newest version counts."""

from collections.abc import Iterable
from dataclasses import dataclass

# Test sends and opt-out confirmations are no campaign's: nobody pauses them.
NO_CAMPAIGN = 0


@dataclass(frozen=True, slots=True)
class CampaignState:
    """A campaign at one version."""

    account_id: int
    campaign_id: int
    state: str  # running, paused; `ended` for whatever is terminal or deleted
    version: int
    mode: str


@dataclass(slots=True)
class _Heard:
    state: CampaignState
    at: int  # which report it came with


class CampaignStates:
    """Asked right before each send, so it answers from memory."""

    def __init__(self) -> None:
        self._heard: dict[int, _Heard] = {}
        self._ended: dict[int, int] = {}  # which report said so
        self._reports = 0

    def begin_reading(self) -> int:
        """Call before PostgreSQL is read; hand the mark to `read()`."""
        self._reports += 1
        return self._reports

    def heard(self, state: CampaignState) -> bool:
        """One campaign's news; whether it changed anything. Older versions are ignored."""
        self._reports += 1
        known = self._heard.get(state.campaign_id)
        if known is not None and known.state.version > state.version:
            return False
        self._heard[state.campaign_id] = _Heard(state, self._reports)
        return known is None or known.state != state

    def ended(self, campaign_id: int) -> None:
        """It is terminal or deleted, for ever."""
        self._reports += 1
        self._heard.pop(campaign_id, None)
        self._ended[campaign_id] = self._reports

    def read(self, mark: int, states: Iterable[CampaignState]) -> bool:
        """All campaigns of our accounts that run or are paused, as read after `mark`; whether anything changed."""
        # What a doorbell told while PostgreSQL was being read may be newer than what was read.
        rows = [state for state in states if self._ended.get(state.campaign_id, 0) < mark]
        self._ended = {campaign: at for campaign, at in self._ended.items() if at >= mark}
        changed = False
        for state in rows:
            changed |= self.heard(state)
        present = {state.campaign_id for state in rows}
        for campaign_id, known in list(self._heard.items()):
            if campaign_id not in present and known.at < mark:
                del self._heard[campaign_id]
                changed = True
        return changed

    def runs(self, campaign_id: int) -> bool:
        """Whether messages of this campaign may leave now. Never heard of: no."""
        if campaign_id == NO_CAMPAIGN:
            return True
        known = self._heard.get(campaign_id)
        return known is not None and known.state.state == "running"

    def of_account(self, account_id: int) -> list[CampaignState]:
        """The account's campaigns that run or are paused."""
        return [known.state for known in self._heard.values() if known.state.account_id == account_id]
