"""One example for each thing and each request; those of campaigns and logs are the documents' this API comes from.

An answer's example is put together from its thing's. A new shape or body needs an entry here: a test asks for it.
"""

import json
from typing import Any, Final

_CAMPAIGN: Final = {
    "id": 1, "name": "Pricing replies", "mode": "auto_reply", "trigger_keyword": "pricing",
    "body": "Hey {{first_name|there}}, happy to send pricing over.", "status": "running", "telegram_account_id": 3,
    "scheduled_at": None, "started_at": "2026-04-18T09:14:02Z", "completed_at": None, "total_contacts": 0,
    "sent_count": 87, "failed_count": 1, "status_reason": None, "next_send_at": None, "waiting_for": None,
    "pending_count": 0, "read_count": 61, "reply_count": 12, "created_at": "2026-04-18T09:10:00Z",
    "updated_at": "2026-04-18T09:14:02Z", "time_zone": "Europe/Berlin",
    "quiet_hours": {"start": "21:00", "end": "08:00"}, "reference": "pricing-2026", "entity_id": None,
    "application_id": None, "attachments": [], "misfire": None,
}  # fmt: skip
_LOG_ROW: Final = {
    "id": 88212, "campaign_id": 1, "sender_id": 904, "direction": "outbound",
    "body": "Hey Jane, happy to send pricing over.", "status": "sent", "telegram_message_id": "1827361234",
    "triggered_by_message_id": "1827361231", "sequence_step": 0, "error": None,
    "sent_at": "2026-04-21T16:02:45.120394Z", "created_at": "2026-04-21T16:02:42.801276Z", "revision": 176211,
    "attempts": 1, "read_at": None, "replied_at": None, "job_id": "0e5b1c1e-2f6a-5c64-9d3a-6b3f4f3d9a10",
}  # fmt: skip
_TOKEN: Final = {
    "id": 7, "name": "reporting", "abilities": ["campaigns:read", "logs:read"], "expires_at": "2027-01-01T00:00:00Z",
    "last_used_at": "2026-04-21T16:00:00Z", "created_at": "2026-04-18T09:00:00Z",
}  # fmt: skip
_USER: Final = {"id": 1, "email": "jane@example.com", "name": "Jane"}
_SECRET: Final = "7|Q3o9sYb0aVtq3Jw8mB1kZ5xN2cL7dR4eT6uH9pF0gWi"  # noqa: S105 - nobody's

_CHANNEL_ROW: Final = {
    "sender": "@acme_sales", "destination": "@jane_doe", "bulkId": "12",
    "messageId": "0e5b1c1e-2f6a-5c64-9d3a-6b3f4f3d9a10", "sentAt": "2023-02-01T23:15:03.379+0000",
    "doneAt": "2023-02-01T23:16:34.582+0000", "messageCount": 1,
    "price": {"pricePerMessage": 0, "currency": "EUR"},
    "status": {
        "groupId": 3, "groupName": "DELIVERED", "id": 5, "name": "DELIVERED_TO_HANDSET",
        "description": "It has arrived at the recipient.",
    },
    "error": {
        "groupId": 0, "groupName": "OK", "id": 0, "name": "NO_ERROR", "description": "No error.", "permanent": False,
    },
    "platform": {"entityId": "promotional-traffic-entity", "applicationId": "marketing-automation-application"},
    "content": {"text": "Sent text", "type": "TEXT"},
}  # fmt: skip
_ELSEWHERE: Final = {
    **_CHANNEL_ROW, "sender": "44113496000", "destination": "66855538125", "bulkId": None,
    "price": {"pricePerMessage": 0.15, "currency": "EUR"},
}  # fmt: skip

_SEND: Final = {
    "_id": "12", "campaign_id": "7", "message": "Hey {{first_name|there}}, happy to send pricing over.",
    "triggeredBy": "broadcast", "startDeliveryAt": "2022-01-14T09:00:00.000Z", "destinations": 512,
}  # fmt: skip
_SEND_SEARCH: Final = {
    "find": {
        "campaign_id": ["7"],
        "startDeliveryAt": {"$gte": "2022-01-01T00:00:00.000Z", "$lte": "2022-01-31T23:59:59.999Z"},
    },
    "options": {"skip": 0, "limit": 1000},
}

THINGS: Final[dict[str, Any]] = {
    "Campaign": _CAMPAIGN,
    "LogRow": _LOG_ROW,
    "StreamTicket": {"ticket": "Q3o9sYb0aVtq3Jw8mB1kZ5xN2cL7dR4eT6uH9pF0gWi", "expires_at": "2026-04-21T16:03:45Z"},
    "Token": _TOKEN,
    "NewToken": {**_TOKEN, "last_used_at": None, "token": _SECRET},
    "LoggedIn": {"token": _SECRET, "abilities": ["*"], "user": _USER},
    "Me": {
        **_USER,
        "workspace": {"id": 1, "name": "Acme"},
        "token": {"id": 7, "name": "laptop", "abilities": ["*"], "expires_at": None},
    },
    "TelegramAccount": {
        "id": 3, "name": "Sales", "kind": "user", "telegram_user_id": 5550101, "handle": "@acme_sales",
        "status": "active", "status_reason": None, "backing_off_until": None,
        "limits": {
            "messages_per_second": 1, "messages_per_hour": None, "messages_per_day": 500, "warm_up": True,
            "resolves_per_minute": 20,
        },
        "gateway": "gateway-1", "sent_last_hour": 12, "sent_today": 87,
    },
    "Import": {
        "id": 12, "campaign_id": 1, "status": "completed", "received": 1000, "accepted": 990, "duplicates": 7,
        "rejected": 3, "message": None, "created_at": "2026-04-18T09:11:00Z", "finished_at": "2026-04-18T09:11:02Z",
    },
    "ImportedLineError": {"line": 17, "column": "handle", "value": "jane doe", "reason": "is not a Telegram handle"},
    "Sender": {
        "id": 904, "campaign_id": 1, "telegram_user_id": 5550199, "handle": "@jane_doe", "first_name": "Jane",
        "last_name": "Doe", "status": "replied", "last_message_at": "2026-04-21T16:02:45Z",
        "last_reply_at": "2026-04-21T16:05:11Z", "tags": ["vip"],
    },
    "Suppression": {
        "id": 41, "telegram_user_id": None, "handle": "@jane_doe", "phone": None, "erased": False,
        "reason": "asked us to stop", "created_at": "2026-04-21T16:10:00Z",
    },
    "Erasure": {
        "contacts": 3, "messages": 5, "ledger_entries": 5, "peers": 1, "suppressions": 1, "import_errors": 0,
        "streams_forget_by": "2026-05-21",
    },
    "TakenEvents": {"accepted": 1, "duplicates": 0, "rejected": []},
    "RejectedEvent": {"index": 17, "reason": "occurred_at: is required"},
    "Suppressed": {"received": 1, "added": 1, "already_listed": 0, "rejected": 0, "errors": []},
    "Change": {
        "id": 512, "happened_at": "2026-04-18T09:14:02.113905Z", "actor": "user:1", "token_id": 7,
        "request_id": "5f0c9a4be8d14c7e9a31b2c4", "action": "changed", "kind": "campaign", "thing_id": 1,
        "before": {"status": "draft"}, "after": {"status": "running"},
    },
    "CampaignStats": {
        "campaign_id": 1,
        "counts": {"total_contacts": 1000, "pending": 460, "sent": 512, "failed": 28, "read": 61, "replied": 12},
        "codes": [{"code": "USER_PRIVACY_RESTRICTED", "count": 21}, {"code": "PEER_FLOOD", "count": 7}],
        "sent_last_minute": 230,
        "estimated_end_at": "2026-04-21T16:04:45Z",
        "sent_per_minute": [
            {"minute": "2026-04-21T16:01:00Z", "sent": 282},
            {"minute": "2026-04-21T16:02:00Z", "sent": 230},
        ],
    },
    "Step": {
        "step_id": 31, "position": 0, "body": "Hey {{first_name|there}}, happy to send pricing over.",
        "delay_seconds": 0, "attachments": [],
        "followups": [{"after_hours": 24, "body": "Did the pricing reach you, {{first_name|there}}?"}],
    },
    "FollowUpShown": {"after_hours": 24, "body": "Did the pricing reach you, {{first_name|there}}?"},
    "Media": {
        "id": 5, "kind": "photo", "mime_type": "image/jpeg", "file_name": "spring.jpg", "size_bytes": 48213,
        "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "created_at": "2026-04-18T09:10:30Z",
    },
    "Preview": {
        "text": "Hey Jane, happy to send pricing over.", "characters": 37, "limit": 4096, "tokens_without_value": [],
        "problem": None, "sender_id": 904,
        "contact": {"first_name": "Jane", "last_name": "Doe", "handle": "@jane_doe"}, "step": 0, "follow_up": None,
        "attachments": [],
    },
    "CampaignTest": {
        "job_id": "5d0c6b1f-71c4-5a0e-8c55-0f4b8f0f6f1e", "campaign_id": 1, "status": "sent",
        "destination": "@jane_doe", "body": "Hey Jane, happy to send pricing over.", "error": None,
        "telegram_message_id": "1827361234", "sent_at": "2026-04-18T09:12:31.402117Z",
        "created_at": "2026-04-18T09:12:30.981244Z",
    },
}  # fmt: skip
_MADE: Final = {
    **_CAMPAIGN, "id": 2, "name": "Support triage", "trigger_keyword": "help",
    "body": "Hey! A human will follow up within one business hour.", "status": "draft", "started_at": None,
    "sent_count": 0, "failed_count": 0, "read_count": 0, "reply_count": 0, "updated_at": "2026-04-18T09:10:00Z",
    "time_zone": None, "quiet_hours": None, "reference": None,
}  # fmt: skip
_PENDING_IMPORT: Final = {
    **THINGS["Import"], "status": "queued", "received": 0, "accepted": 0, "duplicates": 0, "rejected": 0,
    "finished_at": None,
}  # fmt: skip
_ASKED_FOR_CODE: Final = {
    **THINGS["TelegramAccount"], "telegram_user_id": None, "handle": None, "status": "code_required",
    "sent_last_hour": 0, "sent_today": 0,
}  # fmt: skip
# Where the usual example would not fit what the call has just done.
ANSWERS: Final[dict[str, Any]] = {
    "list_telegram_logs": {"results": [_CHANNEL_ROW], "cursor": {"limit": 50, "nextCursor": None}},
    "list_messenger_logs": {"results": [_ELSEWHERE]},
    "list_instagram_logs": {"results": [_ELSEWHERE]},
    "get_send_log": {"ok": True, "data": _SEND},
    "search_send_logs": {"ok": True, "data": {"total": 1, "send_logs": [_SEND], "parsed": _SEND_SEARCH}},
    "create_campaign": _MADE,
    "test_campaign": {**THINGS["CampaignTest"], "status": "queued", "telegram_message_id": None, "sent_at": None},
    "pause_campaign": {**_CAMPAIGN, "status": "paused", "status_reason": "user"},
    "stop_campaign": {**_CAMPAIGN, "status": "stopped", "completed_at": "2026-04-22T10:00:00Z"},
    "import_contacts": _PENDING_IMPORT,
    "connect_telegram_account": {**_ASKED_FOR_CODE, "status": "new", "gateway": None},
    "enter_telegram_code": _ASKED_FOR_CODE,
    "enter_telegram_password": {**_ASKED_FOR_CODE, "status": "password_required"},
    "resend_telegram_code": _ASKED_FOR_CODE,
    "reconnect_telegram_account": {
        **THINGS["TelegramAccount"],
        "status": "new",
        "gateway": None,
        "sent_last_hour": 0,
        "sent_today": 0,
    },
}
REQUESTS: Final[dict[str, Any]] = {
    "LogIn": {"email": "jane@example.com", "password": "correct horse battery staple", "device_name": "laptop"},
    "TokenCreate": {
        "name": "reporting",
        "abilities": ["campaigns:read", "logs:read"],
        "expires_at": "2027-01-01T00:00:00Z",
    },
    "CampaignCreate": {
        "name": "Support triage",
        "mode": "auto_reply",
        "trigger_keyword": "help",
        "telegram_account_id": 3,
        "body": "Hey! A human will follow up within one business hour.",
    },
    "StepsChange": {
        "steps": [
            {
                "body": "Hey {{first_name|there}}, happy to send pricing over.",
                "followups": [{"after_hours": 24, "body": "Did the pricing reach you, {{first_name|there}}?"}],
            },
            {"body": "Any questions left?", "delay_seconds": 259200},
        ]
    },
    "Credential": {"phone": "+4915112345678"},
    "SendLogSearch": _SEND_SEARCH,
    "CampaignChange": {"trigger_keyword": "price"},
    "DeliveryEventsGiven": {
        "events": [
            {
                "job_id": "7b1c3c52-64f5-4f0a-8a35-0c8c0a3a5d11",
                "channel": "sms",
                "state": "delivered",
                "attempt": 1,
                "occurred_at": "2026-04-21T16:02:45.120Z",
                "queued_at": "2026-04-21T16:02:42.801Z",
                "sender": "ACME",
                "destination": "+4915112345678",
                "body": "Your parcel arrives today.",
                "content_type": "text",
                "reference": "parcels-2026-04",
                "price": {"pricePerMessage": 0.07, "currency": "EUR"},
            },
        ]
    },
    "AccountCreate": {"kind": "user", "phone": "+4915112345678", "name": "Sales"},
    "AccountChange": {"limits": {"messages_per_day": 500}},
    "Code": {"code": "24680"},
    "PersonToErase": {"handle": "@jane_doe"},
    "PreviewRequest": {"sender_id": 904},
    "CampaignTestRequest": {"handle": "@jane_doe", "first_name": "Jane"},
    "Password": {"password": "correct horse battery staple"},
}
# Lists that can also be had as a file, and what is no JSON at all.
FILES: Final = {
    "stream_logs": f"retry: 2000\nid: 176210\n\nid: 176211\ndata: {json.dumps(_LOG_ROW)}\n\n: heartbeat\n\n",
    "export_logs text/csv": "id,campaign_id,sender_id,direction,body,status,telegram_message_id,"
    "triggered_by_message_id,sequence_step,error_code,error_message,sent_at,created_at,revision,attempts,read_at,replied_at,job_id\n"
    '88212,1,904,outbound,"Hey Jane, happy to send pricing over.",sent,1827361234,1827361231,0,,,'
    "2026-04-21T16:02:45.120394Z,2026-04-21T16:02:42.801276Z,176211,1,,,0e5b1c1e-2f6a-5c64-9d3a-6b3f4f3d9a10\n",
    "export_logs application/x-ndjson": f"{json.dumps(_LOG_ROW)}\n",
    "export_logs application/vnd.apache.parquet": "PAR1…PAR1",
    "list_import_errors": "line,column,value,reason\r\n17,handle,jane doe,is not a Telegram handle\r\n",
    "list_suppressions": "id,telegram_user_id,handle,phone,reason,created_at\r\n"
    "41,,@jane_doe,,asked us to stop,2026-04-21T16:10:00Z\r\n",
}
META: Final[dict[str, Any]] = {
    "pagination": {"current_page": 1, "per_page": 25, "total": 1, "last_page": 1},
    "cursor": {"next": None},
}
