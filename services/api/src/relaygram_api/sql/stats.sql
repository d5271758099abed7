-- name: campaign_codes
select code, messages from delivery.code_counters where campaign_id = $1 and messages > 0 order by messages desc, code

-- name: campaign_minutes
select minute, sent from delivery.minute_counters where campaign_id = $1 and minute > $2::timestamptz - interval '1 hour'
