"""RapidPro's people and campaigns over its API v2: `client` asks, `people` reads what it tells."""
