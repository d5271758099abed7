"""What was erased of a person."""

from pydantic import Field

from relaygram_api.schemas.envelopes import Shape


class Erasure(Shape):
    """How much was found and erased; all zeros when there was nothing (any more)."""

    contacts: int = Field(description="Contacts of campaigns, deleted ones among them.")
    messages: int = Field(description="Rows of logs that lost their text and address. They stay, with their outcome.")
    ledger_entries: int = Field(description="Texts that the gateway kept of what it sent.")
    peers: int = Field(description="What accounts knew about how to reach the person.")
    suppressions: int = Field(description="Lines of the suppression list that named the person.")
    import_errors: int = Field(description="Values in reports of imports.")
    streams_forget_by: str = Field(
        description="Events that were published before rest in streams for a while: by this day they are gone from all."
    )
