"""Amazon SES's own notifications come in: what it tells of mail that it sent itself joins the ledger."""
