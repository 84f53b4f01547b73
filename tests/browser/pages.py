"""Every page of the dashboard, as it is looked at: its path, with names of `seed.seed` in braces, by its name."""

PAGES = {
    "overview": "/",
    "jobs": "/jobs",
    "jobs as a gallery": "/jobs?view=gallery",
    "jobs, none found": "/jobs?status=lost",
    "a job": "/jobs/{succeeded}",
    "a failed job": "/jobs/{failed}",
    "a running job": "/jobs/{running}",
    "a hostile job": "/jobs/{hostile}",
    "callbacks": "/inbox",
    "a duplicate callback": "/inbox/{callback_duplicate}",
    "a conflicting callback": "/inbox/{callback_conflicting}",
    "a hostile callback": "/inbox/{callback_hostile}",
    "an invalid callback": "/inbox/{callback_invalid}",
    "deliveries": "/deliveries",
    "a delivery that arrived": "/deliveries/{delivery_delivered}",
    "a dead delivery": "/deliveries/{delivery_dead}",
    "a delivery that waits": "/deliveries/{delivery_pending}",
    "recover": "/deliveries/recover",
    "subscribers": "/subscribers",
    "a subscriber": "/subscribers/{subscriber}",
    "a subscriber that fails": "/subscribers/{broken}",
    "new subscriber": "/subscribers/new",
    "new job": "/new-job",
    "keys": "/keys",
}

FROM_DATA = "main img[src='x'], main svg[onload], main [onclick], main a[href^='javascript:' i], main script"
"""Elements that are only there if what `seed.HOSTILE` says was taken for markup."""
