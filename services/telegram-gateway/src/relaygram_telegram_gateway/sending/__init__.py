"""Sending for one account: jobs in, messages out, outcomes recorded. One sender per owned, active account."""
