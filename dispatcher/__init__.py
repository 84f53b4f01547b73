"""Jobs go out: the submitter sends them, the poller asks about them on the callback's behalf."""
