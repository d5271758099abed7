"""What an operator asks of a gateway, for Prometheus."""

from prometheus_client import Counter, Gauge

SENDS = Counter("relaygram_gateway_sends_total", "Attempts to send, by what became of them", ["outcome"])
FLOOD_WAITS = Counter("relaygram_gateway_flood_waits_total", "Waits that Telegram asked for", ["code"])
RESOLVES = Counter("relaygram_gateway_resolves_total", "People looked for on Telegram", ["outcome"])
LOOKUPS = Counter("relaygram_gateway_lookups_total", "Looks into chats for messages of unknown outcome", ["outcome"])
UPLOADS = Counter("relaygram_gateway_uploads_total", "Files uploaded to Telegram", ["outcome"])
IN_FLIGHT = Gauge("relaygram_gateway_in_flight", "Messages on the wire")
HELD_JOBS = Gauge("relaygram_gateway_held_jobs", "Jobs in hand")
LEASES = Gauge("relaygram_gateway_leases", "Accounts run by this gateway")
HANDED_ON = Counter("relaygram_gateway_handed_on_total", "Accounts handed on to another gateway, to spread them evenly")
RECONNECTS = Counter("relaygram_gateway_connections_lost_total", "Connections to Telegram that ended")
INBOUND = Counter("relaygram_gateway_inbound_total", "Messages from people, published")
READS = Counter("relaygram_gateway_reads_total", "Read receipts, published")
