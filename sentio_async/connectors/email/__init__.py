"""E-mail over SMTP: see ``docs/connectors/email.md``."""
