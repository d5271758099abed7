"""What the document says in sentences: the introduction, and the nouns in reading order."""

TITLE = "Relaygram"
SUMMARY = "Telegram campaigns that lose nothing and double nothing."
INTRODUCTION = """\
Campaigns that are sent from your own Telegram accounts to people who agreed to hear from you,
and a log of every message.

**Tokens.** `POST /api/v1/login` gives one; every other call bears it: `Authorization: Bearer 7|Q3o9…`. A token has
abilities; each call says which one it needs.

**Envelopes.** One thing is `{"data": {…}, "meta": {}}`, a list `{"data": […], "meta": {"pagination": {…}}}`. A page
past the end is empty. Times are UTC, ISO 8601 with `Z`.

**Errors.** `message` is for people, `code` a stable word for programs, `errors` (422 only) says field by field what is
wrong, and `request_id`, which is also the header `X-Request-Id`, finds the call in the server's log. Send an
`X-Request-Id` of your own (letters, digits, `_` and `-`, at most 64) and it is used. Checks are made in this order:
413, 401, 429, 404 or 405 (the address), 415, 422 (not JSON), 403, 404 (the thing), 422 (its fields), 409. What belongs
to another workspace is 404. Of a JSON key or a query parameter given twice the last counts.

**Texts.** `{{first_name}}`, `{{last_name}}`, `{{handle}}` and every column that came with a campaign's contacts can
stand in its texts, `{{column|fallback}}` with what stands there for people without a value. Nothing is run, and a
value is put in as it is. Misspelt braces and tokens that no contact has are 422 when the text is saved; a draft
without contacts may ask for any column, and is looked at again when it starts (`unknown_tokens`). Telegram takes
4,096 characters, 1,024 with an attachment, counted in UTF-16 units: without its tokens when a text is saved, as it is
for each person when it is sent.

**Rate limit.** Each token has its own; `X-RateLimit-Limit`, `-Remaining` and `-Reset` are on every answer,
`Retry-After` on every 429 and 503.

**Idempotency.** Send an `Idempotency-Key` with a POST, and sending it again gives the first answer again
(`Idempotent-Replayed: true`) for 24 hours instead of doing it twice. Another request with the same key is 422; while
the first is still at work it is 409. Keys belong to a user. Answers that say nothing of the request itself (401, 408,
413, 415, 429, 5xx) are not kept. `POST /api/v1/login` takes no key: its token is not kept.
"""
TAGS = (
    ("Authentication", "Log in with e-mail and password; every other call bears the token."),
    ("Tokens", "Further tokens of the same user, with fewer abilities or an end."),
    ("Telegram accounts", "Connect the accounts that send: by phone and code, by bot token, or by a session."),
    (
        "Campaigns",
        "Broadcasts, sequences and auto-replies; their life: draft, running, paused, completed, stopped.",
    ),
    ("Media", "Photos and files that messages carry."),
    ("Contacts", "The people of a campaign: importing and listing them."),
    ("Suppressions", "Who must not be written to, by any campaign of the workspace."),
    ("People", "Erasing all that is known about a person."),
    ("Logs", "What became of every message."),
    ("Other channels", "What became of messages that your other gateways send, in the same log."),
    (
        "Channel logs",
        "The same messages, and those that other channels' gateways report, as clients of messaging providers know "
        "them: of the last 48 hours, newest first, with their own errors. `GET /{channel}/1/logs` for any channel.",
    ),
    (
        "Send logs",
        "Past sends: one for each step and follow-up of a campaign, from when it was started, and for each test; with "
        "the template, and to how many people or to whom. They have their own answers and errors.",
    ),
    ("Audit", "Who changed what, and when."),
)
ANSWERS = {
    "200": "What it is now.",
    "201": "Made.",
    "202": "Taken on; the work goes on in the background.",
    "204": "Done; there is nothing to show.",
}
# Of parameters that several lists have.
PARAMETERS = {
    "page": "From 1; a page past the end is empty.",
    "status": "Only those with this status.",
    "mode": "Only those of this mode.",
    "action": "Only changes of this kind.",
}
