"""What Postback remembers: records, lifecycles, SQL, callback tokens and ids. It knows nothing of HTTP."""
