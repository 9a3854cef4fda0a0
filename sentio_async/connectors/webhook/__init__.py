"""Outgoing webhooks: see ``docs/connectors/webhook.md``."""
