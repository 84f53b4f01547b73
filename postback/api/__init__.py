"""The management API: every call is a row in `postback.api.calls`, which the routes and the OpenAPI are made from."""
