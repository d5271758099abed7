"""The send logs: one line for each time that something was sent, and how it is searched for."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictInt, StrictStr, StringConstraints

from relaygram_api.core.send_query import MOST_A_PAGE, SendQuery, whole_millis
from relaygram_api.fields import Body, Moment
from relaygram_common.contracts.delivery import MAX_ID

TriggeredBy = Literal["broadcast", "sequence", "follow_up", "auto_reply", "test", "schedule"]
_CampaignId = Annotated[StrictStr, StringConstraints(min_length=1, max_length=255)]
_MOST_CAMPAIGNS = 1000


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid")


class SendLog(_Shape):
    """A send: one step or follow-up of a campaign, from when it was started."""

    id: str = Field(alias="_id")
    campaign_id: str
    message: str
    triggered_by: TriggeredBy = Field(alias="triggeredBy")
    start_delivery_at: str = Field(alias="startDeliveryAt")
    destinations: int | list[str]


class SendLogAnswer(_Shape):
    """One send."""

    ok: Literal[True]
    data: SendLog


class Between(Body):
    """From and until, both included."""

    gte: Moment | None = Field(default=None, alias="$gte")
    lte: Moment | None = Field(default=None, alias="$lte")


class SendLogFind(Body):
    """Which sends; without anything all."""

    campaign_id: list[_CampaignId] | None = Field(default=None, max_length=_MOST_CAMPAIGNS)
    start_delivery_at: Between | None = Field(default=None, alias="startDeliveryAt")


class SendLogOptions(Body):
    """Which of them."""

    skip: StrictInt = Field(default=0, ge=0, le=MAX_ID)
    limit: StrictInt = Field(default=MOST_A_PAGE, ge=1, le=MOST_A_PAGE)


class SendLogSearch(Body):
    """What to search for; `{}` finds all."""

    find: SendLogFind = SendLogFind()
    options: SendLogOptions = SendLogOptions()

    def query(self) -> SendQuery:
        """What is meant."""
        between = self.find.start_delivery_at or Between()
        return SendQuery(
            campaign_ids=self.find.campaign_id,
            since=between.gte and whole_millis(between.gte, up=True),
            until=between.lte and whole_millis(between.lte),
            skip=self.options.skip,
            limit=self.options.limit,
        )


class SendLogsFound(_Shape):
    """A page of what was found, and the search as it was understood."""

    total: int
    send_logs: list[SendLog]
    parsed: SendLogSearch


class SendLogsAnswer(_Shape):
    """What a search found."""

    ok: Literal[True]
    data: SendLogsFound
