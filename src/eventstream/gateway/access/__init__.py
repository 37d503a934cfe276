"""Who may do what through the gateway: API keys, tokens, rates, TLS, other web origins."""
