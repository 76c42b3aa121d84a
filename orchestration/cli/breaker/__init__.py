"""`orchestrate breaker`: the breakers of tenants and connectors."""
