"""Consumers of a finished report, equal in rank; nothing below imports them."""
