"""Results come in through the callback endpoint; notifications go out, signed, guarded and retried."""
